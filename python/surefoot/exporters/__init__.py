"""What the pools of this process do, for metrics systems; each module is imported only on use.

``surefoot.exporters.prometheus`` needs ``surefoot[prometheus]``, ``surefoot.exporters.opentelemetry`` needs
``surefoot[opentelemetry]``.
"""
