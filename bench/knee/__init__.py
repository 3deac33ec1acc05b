"""Does the pool find its size? The default controller against the standard pool at every static size.

``python -m bench.knee``; ``--help`` lists the workloads. Not shipped.
"""
