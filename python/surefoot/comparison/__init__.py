"""Runs one workload under one strategy, for ``surefoot compare``.

``python -m surefoot.comparison.run`` is one run in one fresh process. Workloads are those of
:mod:`surefoot.workloads` or files, strategies those of :mod:`surefoot.comparison.strategies` or files;
``docs/howto/workloads.md`` says how to write one.
"""
