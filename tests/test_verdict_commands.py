"""``rare-market verdict``: what it prints and writes, and how it refuses."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from rare_market.__main__ import cli
from rare_market.terminal import EXIT_BAD_INPUT
from tests import fakes


def call(*arguments: str):
    return CliRunner().invoke(cli, ["verdict", *arguments, "--processes", "1"])


def test_a_package_is_judged_against_no_answer(tmp_path, monkeypatch):
    defaults = {"measure": fakes.duel, "batch": None, "progress": None, "retry_failed": False}
    monkeypatch.setattr("rare_market.sweep.sweep.__kwdefaults__", defaults)
    options = ["--policy", "price_floor", "--replications", "3", "--set", "years=12"]
    result = call(*options, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    heading = next(line for line in result.stdout.splitlines() if "no answer" in line)
    assert heading.split()[-1] == "package"
    assert "undercutting is" in result.stdout
    assert len((tmp_path / "verdict.csv").read_text().splitlines()) == 1 + 2 * 32
    stamp = json.loads((tmp_path / "provenance.json").read_text())
    assert len(stamp["manifest"]["design_sha256"]) == 64
    with Image.open(tmp_path / "undercutting_value.png") as image:
        assert "code_sha256" in image.text["rare_market:provenance"]
    before = (tmp_path / "verdict.csv").read_text()
    again = call(*options, "--out", str(tmp_path), "--discount", "0.3")
    assert again.exit_code == 0
    assert (tmp_path / "verdict.csv").read_text() != before  # judged again without a run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "undercutting"], ["package", "undercut"]),
        (["--discount", "2"], ["--discount", "2", "0 to 0.5"]),
        (["--confidence", "0"], ["--confidence", "0"]),
        (["--replications", "1"], ["--replications", "1"]),
        (["--security", "much"], ["--security", "much"]),
        (["--set", "yeers=1"], ["yeers"]),
    ],
)
def test_bad_input_is_one_sentence_with_exit_code_2(arguments, words, tmp_path):
    result = call(*arguments, "--out", str(tmp_path / "v"))
    assert result.exit_code == EXIT_BAD_INPUT, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in result.stderr
