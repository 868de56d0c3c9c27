"""Benchmarks, off by default; `python -m tests.benchmarks` prints the table of the docs."""
