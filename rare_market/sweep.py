"""Many runs, on this machine or a cluster, into a folder that survives whatever stops them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from rare_market.compare import outcomes
from rare_market.design import Design, Run
from rare_market.runner import Failure, LocalProcesses, Workers, execute
from rare_market.series import SERIES
from rare_market.store import Result, Store

Progress = Callable[[int, int], object]


class InvalidClearingError(RuntimeError):
    """A month of a run failed its certificate, so its numbers mean nothing."""


def measure_run(run: Run) -> Result:
    """Simulate a run; keep the outcomes of a comparison and the series asked for.

    Raises
    ------
    InvalidClearingError
        if a clearing failed its certificate.
    """
    from rare_market.model import simulate  # workers load the model, the parent does not

    records = simulate(run.scenario, run.policies)
    if not records.valid:
        raise InvalidClearingError("a clearing failed its certificate.")
    return Result(outcomes(records), {name: SERIES[name](records) for name in run.series})


def sweep(
    design: Design,
    folder: Path | str,
    workers: Workers | None = None,
    *,
    measure: Callable[[Run], Result] = measure_run,
    batch: int | None = None,
    progress: Progress | None = None,
    retry_failed: bool = False,
) -> Store:
    """Make every run of a design that the folder does not hold yet.

    Parameters
    ----------
    design
        what to run; :meth:`rare_market.store.Store.design` of the folder to resume.
    folder
        new, or begun with the same design, code and data.
    workers
        where; by default a process per core. See :mod:`rare_market.runner`.
    measure
        function of the top level of a module that makes the results of a run.
    batch
        runs in a task; by default as many as make up a quarter second of work.
    progress
        called with numbers of runs just finished and just failed.
    retry_failed
        make failed runs again as well.

    Returns
    -------
    Store
        the folder, to read results from.

    Raises
    ------
    rare_market.store.StoreError
        before any run if the folder is of another sweep; later if the disk takes no more.
    rare_market.runner.ExecutorLostError
        if the executor takes no more work. What finished is kept in both cases.
    """
    import pandas  # noqa: F401  (writing a part loads it; memory is flat from the first run on)
    import pyarrow.parquet  # noqa: F401

    name = f"{measure.__module__}.{measure.__qualname__}"
    with Store.create(design, Path(folder), name).locked():
        store = Store(Path(folder))  # nobody else writes from here on
        if retry_failed:
            store.retry()
        runs = store.design.all_runs(store.waiting())
        # an interrupt here, too, ends the workers
        with closing(execute(measure, runs, workers or LocalProcesses(), batch)) as done:
            for results in done:
                store.append([(run.number, result) for run, result in results])
                if progress:
                    failed = sum(isinstance(result, Failure) for _, result in results)
                    progress(len(results) - failed, failed)
        store.seal()
    return store
