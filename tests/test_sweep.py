"""Sweeps: the same bytes whoever computes, and nothing lost whatever happens."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rare_market.compare import NO_POLICY_WORLD, NULL_WORLD, World, compare
from rare_market.design import Design
from rare_market.policies import Undercutting
from rare_market.runner import DaskCluster, ExecutorLostError, Given, LocalProcesses
from rare_market.scenario import Scenario
from rare_market.store import FAILED, FINISHED, WAITING, Store, StoreError, StoreFullError
from rare_market.sweep import sweep
from tests import fakes

ONE = LocalProcesses(1)
ROOT = Path(__file__).parent.parent


def bytes_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return the folder of a sweep made run by run in this process."""
    folder = tmp_path_factory.mktemp("undisturbed") / "sweep"
    design = fakes.design(series=("price_inside_usd_per_kg",))
    return sweep(design, folder, ONE, measure=fakes.quick, batch=1)


# -- the same bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, 64])
@pytest.mark.parametrize("processes", [1, 2, 4])
def test_workers_and_batches_change_no_byte(processes, batch, undisturbed, tmp_path):
    workers = LocalProcesses(processes)
    sweep(undisturbed.design, tmp_path / "s", workers, measure=fakes.quick, batch=batch)
    assert bytes_of(tmp_path / "s") == bytes_of(undisturbed.folder)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_the_runs_changes_no_byte(seed, undisturbed, tmp_path, monkeypatch):
    in_order = Store.waiting

    def shuffled(store):
        numbers = in_order(store)
        random.Random(seed).shuffle(numbers)
        return numbers

    monkeypatch.setattr(Store, "waiting", shuffled)
    sweep(undisturbed.design, tmp_path / "s", ONE, measure=fakes.quick)
    assert bytes_of(tmp_path / "s") == bytes_of(undisturbed.folder)


def test_any_executor_gives_the_same_bytes(undisturbed, tmp_path):
    with ThreadPoolExecutor(3) as threads:
        sweep(undisturbed.design, tmp_path / "s", Given(threads), measure=fakes.quick, batch=3)
    assert bytes_of(tmp_path / "s") == bytes_of(undisturbed.folder)


def test_the_model_gives_the_same_bytes_in_other_processes_and_under_other_hash_seeds(tmp_path):
    worlds = (World(NULL_WORLD, ()), World(NO_POLICY_WORLD, (Undercutting(start_year=2024.0),)))
    design = Design("model", Scenario(years=1), worlds, replications=2)
    here = sweep(design, tmp_path / "here", ONE)
    assert here.status().finished == 4
    code = (
        "import sys; from rare_market.store import Store; from rare_market.sweep import sweep;"
        "from rare_market.runner import LocalProcesses;"
        "sweep(Store(sys.argv[1]).design, sys.argv[2], LocalProcesses(int(sys.argv[3])))"
    )
    for hash_seed, processes in (("1", "1"), ("random", "2")):
        there = tmp_path / f"there_{processes}"
        command = [sys.executable, "-c", code, str(tmp_path / "here"), str(there), processes]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": hash_seed})
        assert bytes_of(there) == bytes_of(tmp_path / "here")
    comparison = compare(Scenario(years=1), worlds, 2, processes=1).runs()
    swept = here.runs()
    for name in ("ndpr_inside_usd_per_kg", "china_income_musd"):
        np.testing.assert_array_equal(swept[name], comparison[name])


def test_a_dask_scheduler_gives_the_same_bytes_also_when_a_worker_dies(undisturbed, tmp_path):
    from distributed import LocalCluster

    killed_once = fakes.MurderedOnce(tmp_path / "killed")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        dask = DaskCluster(cluster.scheduler_address)
        try:
            sweep(undisturbed.design, tmp_path / "s", dask, measure=fakes.quick, batch=4)
            assert bytes_of(tmp_path / "s") == bytes_of(undisturbed.folder)
            store = sweep(undisturbed.design, tmp_path / "k", dask, measure=killed_once)
            assert (store.state == FINISHED).all()
            assert (tmp_path / "killed").exists()
            pd.testing.assert_frame_equal(store.runs(), undisturbed.runs())
        finally:
            dask.client.close()


def test_a_scheduler_that_does_not_answer_is_an_error():
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9"):
        DaskCluster("tcp://127.0.0.1:9", timeout_seconds=0.5)


# -- what goes wrong ------------------------------------------------------------------------------


def test_a_run_that_raises_is_a_row_of_the_failures_and_the_rest_finishes(undisturbed, tmp_path):
    store = sweep(undisturbed.design, tmp_path / "s", ONE, measure=fakes.failing)
    cells = len(undisturbed.design.cells)
    assert store.status().failed == cells
    failed = store.failed()
    assert set(failed["replication"]) == {2}
    assert set(failed["seed"]) == {1}
    assert failed["reason"][0].startswith("ZeroDivisionError: no price in run 2")
    assert failed["origin"][0].startswith("fakes.py:")
    rows = undisturbed.runs().query("replication != 2").reset_index(drop=True)
    pd.testing.assert_frame_equal(store.runs(), rows)


def test_failed_runs_can_be_made_again(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setenv("HEALED", str(tmp_path / "healed"))
    design, folder = undisturbed.design, tmp_path / "s"
    sweep(design, folder, ONE, measure=fakes.healing)
    before = bytes_of(folder)
    sweep(design, folder, ONE, measure=fakes.healing)  # without being told, they stay failed
    assert bytes_of(folder) == before
    (tmp_path / "healed").write_text("")
    store = sweep(design, folder, ONE, measure=fakes.healing, retry_failed=True)
    assert (store.state == FINISHED).all()
    assert len(store.failed()) == 0
    pd.testing.assert_frame_equal(Store(folder).runs(), undisturbed.runs())
    pd.testing.assert_frame_equal(Store(folder).series(), undisturbed.series())


def test_a_run_that_kills_its_worker_is_named_and_all_others_finish(undisturbed, tmp_path):
    workers = LocalProcesses(2)
    store = sweep(undisturbed.design, tmp_path / "s", workers, measure=fakes.murderous, batch=4)
    assert np.nonzero(store.state == FAILED)[0].tolist() == [7]
    assert "worker died" in store.failures[7].reason
    assert (store.state == WAITING).sum() == 0


def test_a_worker_that_is_killed_once_costs_nothing(undisturbed, tmp_path):
    killed_once = fakes.MurderedOnce(tmp_path / "killed")
    workers = LocalProcesses(2)
    store = sweep(undisturbed.design, tmp_path / "s", workers, measure=killed_once)
    assert (tmp_path / "killed").exists()
    pd.testing.assert_frame_equal(store.runs(), undisturbed.runs())


def test_an_executor_that_closes_stops_the_sweep_and_keeps_what_finished(undisturbed, tmp_path):
    threads = ThreadPoolExecutor(1)

    def close(finished, failed):
        threads.shutdown(wait=False)

    with pytest.raises(ExecutorLostError):
        sweep(
            undisturbed.design,
            tmp_path / "s",
            Given(threads),
            measure=fakes.quick,
            batch=2,
            progress=close,
        )
    assert Store(tmp_path / "s").status().finished >= 2
    sweep(undisturbed.design, tmp_path / "s", ONE, measure=fakes.quick)
    assert bytes_of(tmp_path / "s") == bytes_of(undisturbed.folder)


def test_a_folder_that_another_process_sweeps_into_is_refused(undisturbed, tmp_path):
    store = Store.create(undisturbed.design, tmp_path / "s", "tests.fakes.quick")
    with store.locked(), pytest.raises(StoreError, match="another process"):
        sweep(undisturbed.design, tmp_path / "s", ONE, measure=fakes.quick)


def killed_and_resumed(tmp_path: Path, kills: int, replications: int) -> None:
    """Kill the process group of a sweep at random moments until it is done, then compare."""
    design = fakes.design(replications)
    whole = sweep(design, tmp_path / "whole", LocalProcesses(2), measure=fakes.slow)
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "tests.sweeping", "slow", str(folder), "2", str(replications)]
    moments = random.Random(kills)
    landed = before = 0
    for _ in range(4 * kills):
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        begun = time.perf_counter()
        while not (folder / "manifest.json").exists() and time.perf_counter() - begun < 30:
            time.sleep(0.01)
        try:
            process.wait(moments.uniform(0.0, 3.0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            landed += 1
        store = Store(folder)
        assert store.damage == []
        finished = store.status().finished
        assert finished >= before, "a finished run was lost"
        before = finished
        lines = (folder / "ledger.jsonl").read_bytes().splitlines() if finished else []
        made = [line for line in lines if b'"row"' in line]
        assert len({line.split(b'"row"')[0].split(b" ")[1] for line in made}) == len(made)
        if landed == kills or store.status().waiting == 0:
            break
    assert landed >= min(kills, 2)
    subprocess.run(command, cwd=ROOT, check=True)
    assert bytes_of(folder) == bytes_of(whole.folder)


def test_a_sweep_killed_and_resumed_is_the_sweep_undisturbed(tmp_path):
    killed_and_resumed(tmp_path, kills=3, replications=40)


@pytest.mark.slow
def test_a_sweep_killed_twenty_times_is_the_sweep_undisturbed(tmp_path):
    killed_and_resumed(tmp_path, kills=20, replications=600)


def test_a_file_that_may_not_grow_stops_the_sweep_and_loses_nothing(undisturbed, tmp_path):
    """A limit on the size of files stands in for a full disk: no privilege is needed."""
    folder = tmp_path / "s"
    command = [sys.executable, "-m", "tests.sweeping", "large", str(folder), "1", "20"]

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))

    stopped = subprocess.run(
        command, cwd=ROOT, preexec_fn=limit, capture_output=True, text=True, check=False
    )
    assert stopped.returncode == 1
    assert "takes no more data" in stopped.stderr
    assert len(stopped.stderr.strip().splitlines()) == 1
    now = Store(folder).status()
    assert 0 < now.finished < now.runs
    assert now.damage == []
    subprocess.run(command, cwd=ROOT, check=True)
    whole = sweep(fakes.design(20), tmp_path / "whole", ONE, measure=fakes.large)
    assert bytes_of(folder) == bytes_of(whole.folder)


def test_a_full_disk_stops_the_sweep_and_loses_nothing(tmp_path):
    """A small memory file system; skipped where mounting is not allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no mount command: {error}")
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        with pytest.raises(StoreFullError, match="No space left"):
            sweep(fakes.design(20), disk / "s", ONE, measure=fakes.large)
        now = Store(disk / "s").status()
        assert 0 < now.finished < now.runs
        assert now.damage == []
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        sweep(fakes.design(20), disk / "s", ONE, measure=fakes.large)
        whole = sweep(fakes.design(20), tmp_path / "whole", ONE, measure=fakes.large)
        assert bytes_of(disk / "s") == bytes_of(whole.folder)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
