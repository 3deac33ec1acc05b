"""What a profile says, for people: one HTML page, and a short form for notebooks."""

from surefoot.report.page import html, short

__all__ = ["html", "short"]
