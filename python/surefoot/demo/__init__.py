"""An edge AI pipeline that runs for real: ``python -m surefoot.demo``.

A sensor is read over TCP, its frame is preprocessed in Python, a small model classifies it, a service is
asked over HTTP what to do, and the answer is stored in SQLite. Device and service are processes of their own
on this machine, so every wait is a real wait on a real socket. The same frames go through the pipeline one
after another, in a naive pool of 256 threads, in the best static pool a sweep finds, and in
`surefoot.AdaptiveThreadPoolExecutor`.

The package needs nothing but the standard library. NumPy (inference) and matplotlib (figure) are used where
found.
"""
