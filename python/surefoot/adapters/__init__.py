"""Adapters: the adaptive pool where other programs run their threads.

Each module here is imported by itself, and needs the framework that it is named after.
"""
