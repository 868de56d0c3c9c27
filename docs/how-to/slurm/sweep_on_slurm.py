"""Run a design on a SLURM cluster: python sweep_on_slurm.py DESIGN.toml DIR.

Start it on a login node or in a small job of its own. Worker jobs end before their wall time and
new ones take their place, so a sweep may last longer than any job. What is left when the script
itself is stopped is made by starting it again.
"""

import sys
from pathlib import Path

from dask_jobqueue import SLURMCluster

from rare_market.design import read_design
from rare_market.runner import DaskCluster
from rare_market.sweep import sweep


def cluster(**changed) -> SLURMCluster:
    """Describe one worker job; adapt queue, account and sizes to your site."""
    options = {
        "queue": "batch",
        "account": "my_project",
        "cores": 16,
        "processes": 16,  # a run uses one core
        "memory": "32GB",
        "walltime": "02:00:00",
        # leave before the wall time, at different moments, and let a batch finish
        "worker_extra_args": ["--lifetime", "110m", "--lifetime-stagger", "5m"],
        "job_script_prologue": [". .venv/bin/activate", "export NUMBA_NUM_THREADS=1"],
        "local_directory": "$TMPDIR",
    }
    return SLURMCluster(**{**options, **changed})


if __name__ == "__main__":
    jobs = cluster()
    jobs.adapt(minimum_jobs=1, maximum_jobs=20)
    store = sweep(read_design(Path(sys.argv[1])), sys.argv[2], DaskCluster(jobs.scheduler_address))
    print(store.status())
