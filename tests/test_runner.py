"""Batches, bounded windows and failures on an executor. Deaths of workers: test_sweep.py."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest

from rare_market.runner import (
    TASK_SECONDS,
    ExecutorLostError,
    Failure,
    Given,
    LocalProcesses,
    Serial,
    execute,
)


class Counting(Serial):
    """Remembers the size of each batch."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def submit(self, fn, /, *args, **kwargs) -> Future:
        self.batches.append(len(args[1]))
        return super().submit(fn, *args, **kwargs)


def square(number: int) -> int:
    if number == 13:
        raise ValueError("no luck")
    return number * number


def nap(number: int) -> int:
    time.sleep(0.01)
    return number


def test_every_item_comes_back_once_with_its_value_or_its_own_failure():
    results = dict(itertools.chain(*execute(square, range(50), LocalProcesses(1))))
    assert set(results) == set(range(50))
    failure = results.pop(13)
    assert failure == Failure("ValueError: no luck", failure.origin)
    assert failure.origin.startswith("test_runner.py:")
    assert results == {n: n * n for n in range(50) if n != 13}


def test_a_batch_grows_to_a_quarter_second_of_work():
    executor = Counting()
    list(execute(nap, range(200), Given(executor)))
    assert executor.batches[0] == 1
    assert 0.8 * TASK_SECONDS / 0.01 <= max(executor.batches) <= TASK_SECONDS / 0.01


def test_a_batch_of_given_size_stays():
    executor = Counting()
    list(execute(nap, range(20), Given(executor), batch=7))
    assert executor.batches == [7, 7, 6]


def test_items_are_taken_when_there_is_room_for_them():
    """Two batches a worker are on the way, so a million runs need no memory."""
    taken = itertools.count()
    with ThreadPoolExecutor(2) as threads:
        results = execute(square, (next(taken) % 7 for _ in range(10**6)), Given(threads), 3)
        next(results)
        assert next(taken) <= 2 * 2 * 3 + 3
        results.close()


def test_a_closed_executor_is_lost():
    threads = ThreadPoolExecutor(1)
    threads.shutdown()
    with pytest.raises(ExecutorLostError, match="no more work"):
        list(execute(square, range(3), Given(threads)))


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.15, 0.2])
def test_workers_end_at_once_even_within_a_result(seconds):
    """Two results of 200 MB are on their way when what waits for them fails."""

    def fail():
        with suppress(ZeroDivisionError), LocalProcesses(2).open() as pool:
            pool.submit(int).result()
            for _ in range(2):
                pool.submit(bytes, 200_000_000)
            time.sleep(seconds)
            raise ZeroDivisionError

    ending = threading.Thread(target=fail, daemon=True)
    ending.start()
    ending.join(60.0)
    assert not ending.is_alive()
