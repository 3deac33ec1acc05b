"""What a profile says, for people: one HTML page, a short form for notebooks, a trace for trace viewers."""

from surefoot.report.page import html, short
from surefoot.report.trace import trace

__all__ = ["html", "short", "trace"]
