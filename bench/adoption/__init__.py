"""Adapters against fixed sizes: real servers and clusters, fresh processes, alternating rounds."""
