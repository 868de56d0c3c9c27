"""``rare-market sweep``: what it prints, its exit codes, and how it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from rare_market.__main__ import cli
from rare_market.store import Store
from rare_market.terminal import EXIT_BAD_INPUT, EXIT_FAILED_RUNS, EXIT_INTERRUPTED, EXIT_STORE

DESIGN = """
title = "two worlds for a year"
replications = 2
series = ["price_inside_usd_per_kg"]
[scenario]
years = 1
[worlds]
"null" = []
"attack" = ["undercutting:start_year=2024"]
"""


def call(*arguments: str):
    return CliRunner().invoke(cli, ["sweep", *arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    (folder / "design.toml").write_text(DESIGN)
    out = folder / "s"
    return call(str(folder / "design.toml"), "--out", str(out), "--processes", "1"), folder


def test_a_design_is_run_into_a_folder(finished):
    result, folder = finished
    assert result.exit_code == 0, result.output
    assert "Of 4 runs 4 finished, 0 failed, 0 wait." in result.stdout
    assert result.stderr == ""  # quiet when not a terminal
    assert len(Store(folder / "s").runs()) == 4


def test_status_reads_as_a_sentence_and_as_json(finished):
    _, folder = finished
    assert call("status", str(folder / "s")).stdout.startswith("Of 4 runs 4 finished")
    now = json.loads(call("status", str(folder / "s"), "--json").stdout)
    assert now == {"runs": 4, "finished": 4, "failed": 0, "waiting": 0, "damage": []}


@pytest.mark.parametrize("command", ["resume", "retry-failed"])
def test_there_is_nothing_left_to_do(command, finished):
    _, folder = finished
    result = call(command, str(folder / "s"), "--processes", "1")
    assert result.exit_code == 0, result.output
    assert "4 finished" in result.stdout


def test_damage_is_said_with_its_exit_code_and_resume_repairs_it(finished):
    _, folder = finished
    part = folder / "s" / "runs" / "part-00000.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:500] + b"?" + whole[501:])
    result = call("status", str(folder / "s"))
    assert result.exit_code == EXIT_STORE
    assert "part-00000.parquet is damaged" in result.stdout
    assert call("resume", str(folder / "s"), "--processes", "1").exit_code == 0
    assert part.read_bytes() == whole


def test_failed_runs_have_their_exit_code(tmp_path, monkeypatch):
    monkeypatch.setattr("rare_market.sweep.outcomes", lambda records: 1 / 0)
    (tmp_path / "design.toml").write_text(DESIGN)
    out = str(tmp_path / "s")
    result = call("run", str(tmp_path / "design.toml"), "--out", out, "--processes", "1")
    assert result.exit_code == EXIT_FAILED_RUNS
    assert "4 failed" in result.stdout
    assert "ZeroDivisionError" in call("status", out).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.toml", "--out", "x"], ["nowhere.toml"]),
        (["run", "DESIGN", "--out", "x", "--processes", "0"], ["--processes", "0", "1 to"]),
        (
            ["run", "DESIGN", "--out", "x", "--processes", "2", "--scheduler", "tcp://a:1"],
            ["--processes", "--scheduler"],
        ),
        (["DESIGN", "--out", "x", "--scheduler", "nonsense://a"], ["--scheduler", "nonsense"]),
        (["DESIGN", "--out", "."], ["not empty"]),
        (["status", "x"], ["x", "no sweep"]),
        (["DESIGN"], ["--out"]),
    ],
)
def test_bad_input_is_one_sentence_with_exit_code_2(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "design.toml").write_text(DESIGN)
    result = call(*(a.replace("DESIGN", "design.toml") for a in arguments))
    assert result.exit_code == EXIT_BAD_INPUT, result.output
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(("told", "times"), [(signal.SIGTERM, 1), (signal.SIGINT, 3)])
def test_a_sweep_told_to_end_takes_its_workers_with_it(told, times, tmp_path):
    """As a batch system tells it when its time is up, and an impatient user; finished runs stay."""
    design = tmp_path / "design.toml"
    design.write_text(DESIGN.replace("replications = 2", "replications = 5000"))
    out = tmp_path / "s"
    command = [sys.executable, "-m", "rare_market", "sweep", str(design), "--out", str(out)]
    root = Path(__file__).parent.parent
    process = subprocess.Popen(
        [*command, "--processes", "2"], cwd=root, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        until = time.monotonic() + 120.0
        while time.monotonic() < until and not _finished(out):
            time.sleep(0.1)
        for _ in range(times):
            with suppress(ProcessLookupError):  # the keyboard tells the workers, too
                (os.killpg if told == signal.SIGINT else os.kill)(process.pid, told)
            time.sleep(0.05)
        assert process.wait(60.0) == EXIT_INTERRUPTED
        assert 0 < _finished(out) < 10_000
        assert _gone(process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _finished(folder: Path) -> int:
    """Runs in a store, if there is one."""
    return Store(folder).status().finished if (folder / "manifest.json").exists() else 0


def _gone(group: int) -> bool:
    """Whether a process group ends within ten seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
