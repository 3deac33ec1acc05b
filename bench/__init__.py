"""Side-by-side benchmarks: the standard thread pool against surefoot's.

Not shipped. ``python -m bench --help`` runs everything, ``bench/README.md`` says how to read it.
"""
