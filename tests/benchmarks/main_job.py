"""Time the main job and the help text as whole commands: ``python -m tests.benchmarks.main_job``.

The first run compiles the kernel and is not counted. Prints seconds of wall time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time


def seconds(*command: str) -> float:
    """Wall time of a command that must succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print the two figures the README quotes."""
    tool = (sys.executable, "-m", "rare_market")
    with tempfile.TemporaryDirectory() as folder:
        seconds(*tool, "run", "--set", "years=3", "--replications", "1", "--out", folder)
        helps = sorted(seconds(*tool, "--help") for _ in range(5))
        run = seconds(*tool, "run", "--out", folder)
    print(f"rare-market --help: {helps[2]:.2f} s (median of 5)")
    print(f"rare-market run:    {run:.0f} s (six worlds, 20 replications, {os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
