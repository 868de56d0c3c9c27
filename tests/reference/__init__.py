"""Slow, readable judges of the fast code."""
