"""Designs of the experiments folder and the cluster example: they can be used as they stand."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from rare_market.design import read_design

ROOT = Path(__file__).parent.parent
DESIGNS = sorted((ROOT / "experiments").glob("*.toml"))
README = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", DESIGNS, ids=lambda file: file.stem)
def test_a_design_can_be_read_and_is_listed_with_its_runs(file):
    design = read_design(file)
    row = next(line for line in README.splitlines() if f"]({file.name})" in line)
    assert f"| {design.runs:,} |" in row
    assert "rare-market " in file.read_text(encoding="utf-8").split("title")[0]


def test_the_list_names_no_design_that_is_not_there():
    named = re.findall(r"\]\((\w+\.toml)\)", README)
    assert sorted(named) == [file.name for file in DESIGNS]


def test_the_slurm_example_writes_a_valid_job_script(tmp_path):
    """Bash accepts it, and the directives are those that sbatch knows."""
    path = ROOT / "docs" / "how-to" / "slurm" / "sweep_on_slurm.py"
    spec = importlib.util.spec_from_file_location("sweep_on_slurm", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    options = {"host": "127.0.0.1", "dashboard_address": None}
    with example.cluster(scheduler_options=options, interface=None) as cluster:
        script = cluster.job_script()
    file = tmp_path / "job.sh"
    file.write_text(script)
    subprocess.run(["bash", "-n", str(file)], check=True)
    lines = script.splitlines()
    assert lines[0].startswith("#!")
    directives = dict(
        re.fullmatch(r"#SBATCH (--?[\w-]+)[ =](.+)", line).groups()
        for line in lines
        if line.startswith("#SBATCH")
    )
    assert {"-J", "-p", "-A", "-n", "--cpus-per-task", "--mem", "-t"} == set(directives)
    assert directives["-t"] == "02:00:00"
    assert directives["--cpus-per-task"] == "16"
    lifetime = int(re.search(r"--lifetime (\d+)m", script)[1])
    stagger = int(re.search(r"--lifetime-stagger (\d+)m", script)[1])
    assert lifetime + stagger < 120  # minutes of the wall time
    assert "--nworkers 16" in script
    assert "--nthreads 1" in script
