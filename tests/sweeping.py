"""A sweep as a process of its own, for tests that kill it: python -m tests.sweeping FAKE DIR."""

from __future__ import annotations

import sys

from rare_market.runner import LocalProcesses
from rare_market.store import StoreFullError
from rare_market.sweep import sweep
from tests import fakes

if __name__ == "__main__":
    fake, folder, processes, replications = sys.argv[1:]
    design = fakes.design(int(replications))
    try:
        workers = LocalProcesses(int(processes))
        sweep(design, folder, workers, measure=getattr(fakes, fake), batch=5)
    except StoreFullError as error:
        sys.exit(str(error))
