"""Measurements against the standard library's ``ssl``: ``make bench``."""
