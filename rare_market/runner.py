"""Work on any ``concurrent.futures`` executor: batched, bounded, and safe from workers that die.

It knows nothing of markets. What is done is a function of one item; items are sent in batches of
at least a quarter second of work, because below that a scheduler costs more than it brings. A
batch whose worker dies is done again item by item, so that only an item that kills its worker
twice, alone, is given up.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, NamedTuple, Protocol

TASK_SECONDS = 0.25  # of work in a batch, at least
LARGEST_BATCH = 256
TRIES = 2  # of an item alone before it is held to have killed its worker


class Failure(NamedTuple):
    """Why an item has no result.

    Attributes
    ----------
    reason
        type and message of the exception, or that the worker died.
    origin
        ``file:line function`` where it was raised; empty if unknown.
    """

    reason: str
    origin: str = ""


class ExecutorLostError(RuntimeError):
    """The executor takes no more work; what had finished is kept by the caller."""


class Workers(Protocol):
    """Where work is sent."""

    def open(self) -> AbstractContextManager[Executor]:
        """Start, or start again after a death."""

    def count(self) -> int:
        """How many items can be worked on at once."""


class Serial(Executor):
    """Runs each task when it is submitted, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Run now; the future is done when it is returned."""
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class LocalProcesses:
    """Processes of this machine; a single one is this process itself.

    Parameters
    ----------
    processes
        by default one per core.
    """

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes or multiprocessing.cpu_count()

    def open(self) -> AbstractContextManager[Executor]:
        """Start the processes."""
        if self.processes == 1:
            return Serial()
        pool = ProcessPoolExecutor(
            self.processes, mp_context=_clean_processes(), initializer=_leave_interrupts
        )
        return _closing(pool)

    def count(self) -> int:
        """Number of processes."""
        return self.processes


class DaskCluster:
    """Workers of a running Dask scheduler; needs the extra ``cluster``.

    Parameters
    ----------
    address
        of the scheduler, such as ``tcp://127.0.0.1:8786``.

    Raises
    ------
    OSError
        if no scheduler answers there.
    """

    def __init__(self, address: str, timeout_seconds: float = 10.0) -> None:
        from distributed import Client

        self.client: Any = Client(address, timeout=timeout_seconds, set_as_default=False)  # type: ignore[no-untyped-call]

    @contextmanager
    def open(self) -> Iterator[Executor]:
        """Return the cluster as an executor."""
        # a run is a function of its arguments, but equal batches of two sweeps are two tasks
        executor = self.client.get_executor(pure=False)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)

    def count(self) -> int:
        """Threads of all workers there are now."""
        return max(1, sum(self.client.nthreads().values()))


class Given:
    """An executor of the user, who also closes it."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def open(self) -> AbstractContextManager[Executor]:
        """Return the executor as it is.

        Raises
        ------
        ExecutorLostError
            if it broke: only its owner can start it again.
        """
        if getattr(self.executor, "_broken", False):
            raise ExecutorLostError("the executor given broke; start another and resume.")
        return nullcontext(self.executor)

    def count(self) -> int:
        """Return what the executor says of itself, or eight."""
        return int(getattr(self.executor, "_max_workers", 8))


def execute[Item, Value](
    work: Callable[[Item], Value],
    items: Iterable[Item],
    workers: Workers,
    batch: int | None = None,
) -> Generator[list[tuple[Item, Value | Failure]], None, None]:
    """Do the work on every item; results come as they finish.

    Parameters
    ----------
    work
        a function of the top level of a module, since workers are other processes.
    items
        taken when there is room for them, so there may be very many.
    workers
        where to.
    batch
        items in a task; by default as many as make up a quarter second of work.

    Yields
    ------
    list of tuple
        items of a batch, each with its value or the failure of that item alone.

    Raises
    ------
    ExecutorLostError
        if the executor takes no more work.
    """
    waiting = _Waiting(iter(items))
    pace = _Pace(batch)
    suspects: list[tuple[Item, int]] = []
    while waiting.more or suspects:
        with workers.open() as executor:
            if suspects:
                yield from _one_by_one(work, suspects, executor)
            else:
                yield from _in_batches(work, waiting, suspects, executor, workers, pace)


def _in_batches[Item, Value](
    work: Callable[[Item], Value],
    waiting: _Waiting,
    suspects: list[tuple[Item, int]],
    executor: Executor,
    workers: Workers,
    pace: _Pace,
) -> Iterator[list[tuple[Item, Value | Failure]]]:
    """Until nothing waits or the executor breaks; batches without a result become suspects."""
    flying: dict[Future, list[Item]] = {}
    broken = False
    try:
        while not broken:
            while len(flying) < 2 * workers.count() and (taken := waiting.take(pace.batch)):
                flying[_submit(executor, work, taken)] = taken
            if not flying:
                return
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                own = flying.pop(future)
                try:
                    seconds, values = future.result()
                except CancelledError:
                    raise ExecutorLostError("the executor cancelled the work.") from None
                except Exception as error:  # what an item raises is a value: its worker died
                    broken = broken or isinstance(error, BrokenExecutor)
                    suspects += [(item, TRIES) for item in own]
                    continue
                pace.learn(seconds / len(own))
                yield list(zip(own, values, strict=True))
        suspects += [(item, TRIES) for own in flying.values() for item in own]
    finally:
        for future in flying:
            future.cancel()


def _one_by_one[Item, Value](
    work: Callable[[Item], Value], suspects: list[tuple[Item, int]], executor: Executor
) -> Iterator[list[tuple[Item, Value | Failure]]]:
    """Each with nothing beside it, until all are done or the executor breaks."""
    while suspects:
        item, tries = suspects.pop()
        try:
            _, values = _submit(executor, work, [item]).result()
        except CancelledError:
            raise ExecutorLostError("the executor cancelled the work.") from None
        except Exception as error:
            if tries > 1:
                suspects.append((item, tries - 1))
            else:
                yield [(item, Failure(f"the worker died: {type(error).__name__}"))]
            if isinstance(error, BrokenExecutor):
                return
        else:
            yield [(item, values[0])]


def _submit(executor: Executor, work: Callable, taken: list) -> Future:
    try:
        return executor.submit(_work, work, taken)
    except BrokenExecutor as error:  # it broke since the last result
        future: Future = Future()
        future.set_exception(error)
        return future
    except Exception as error:
        raise ExecutorLostError(f"the executor takes no more work: {error}.") from None


class _Waiting:
    """Items not yet sent."""

    def __init__(self, items: Iterator) -> None:
        self.items, self.more = items, True

    def take(self, count: int) -> list:
        """Return the next items, fewer when they come to an end."""
        taken = list(islice(self.items, count))
        self.more = len(taken) == count
        return taken


class _Pace:
    """How many items make up a task."""

    def __init__(self, batch: int | None) -> None:
        self.fixed, self.batch, self.seconds = batch is not None, batch or 1, math.inf

    def learn(self, seconds: float) -> None:
        """Take in how long an item took."""
        if self.fixed:
            return
        self.seconds = min(self.seconds, max(seconds, 1e-6))
        self.batch = min(LARGEST_BATCH, math.ceil(TASK_SECONDS / self.seconds))


def _work(work: Callable, items: list) -> tuple[float, list]:
    """Done in a worker: seconds of work and a value or failure for each item."""
    start = time.perf_counter()
    values = []
    for item in items:
        try:
            values.append(work(item))
        except Exception as error:
            values.append(_failure(error))
    seconds = time.perf_counter() - start
    own = multiprocessing.parent_process() is not None
    if own or seconds > 0.5 * TASK_SECONDS:
        gc.collect()  # a finished model is a cycle of objects
    if own:
        gc.freeze()  # what stays loaded in a worker need not be searched after every batch
    return seconds, values


def _failure(error: Exception) -> Failure:
    text = str(error).strip()
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    return Failure(
        f"{type(error).__name__}: {text}" if text else type(error).__name__,
        f"{Path(last.filename).name}:{last.lineno} {last.name}",
    )


def _clean_processes() -> BaseContext:
    """Processes that inherit nothing: forked from one that has only imported the model, if can be.

    That one is started with the first pool and serves all later ones, so a worker need not import
    anything again.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "rare_market.model"])
    return context


def _leave_interrupts() -> None:
    """Done first in a worker: the keyboard interrupts all processes, one of which ends the rest."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _closing(pool: ProcessPoolExecutor) -> Iterator[Executor]:
    """End the workers, at once if what they do is not wanted any more.

    Nothing may interrupt that: workers that their pool did not end wait for work for ever, and the
    exit of the program waits for them. A worker may end within a result: what is still to come of
    it would be waited for as long as anybody, the pool itself included, could write it.
    """
    try:
        yield pool
        pool.shutdown(wait=True)
    except BaseException:
        with _uninterrupted():
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool._result_queue._writer.close()  # type: ignore[attr-defined]
            pool.shutdown(wait=True, cancel_futures=True)
        raise


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore interrupts; only the main thread meets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
