"""``rare-market solve``: what it prints and writes, and how it refuses."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from rare_market.__main__ import cli
from rare_market.terminal import EXIT_BAD_INPUT


def call(*arguments: str):
    return CliRunner().invoke(cli, ["solve", *arguments, "--processes", "1"])


@pytest.fixture
def quick(monkeypatch):
    """Replace the model: a floor of 80 to 90 is enough, more under deeper undercutting."""

    def achieved(trial):
        floor = next(p for p in trial.policies if p.name == "price_floor")
        depth = sum(p.depth_share for p in trial.policies if p.name == "undercutting")
        needed = 80.0 + trial.scenario.replication / 2 + 100 * (depth - 0.45)
        return 2e5 if floor.strike_usd_per_kg >= needed else 0.0

    monkeypatch.setattr("rare_market.solve.achievement", achieved)


TARGET = ["--capacity", "separation=100000"]


def test_the_floor_is_said_with_interval_sides_and_runs(quick):
    result = call("floor", *TARGET)
    assert result.exit_code == 0, result.output
    assert "price_floor.strike_usd_per_kg [USD/kg]" in result.stdout
    assert "separation capacity outside China of 100,000 t/year at the end of 2035" in result.stdout
    assert "90% interval" in result.stdout
    assert "5 % below" in result.stdout
    assert "runs)" in result.stdout


def test_json_is_the_only_thing_on_stdout(quick):
    (row,) = json.loads(call("floor", *TARGET, "--json").stdout)
    assert 87.0 <= row["value"] <= 88.5
    assert row["confirmed"] is True
    assert row["share_5_percent_below"] < 0.8 <= row["share_at"]


def test_a_break_even_curve_is_a_table_a_figure_and_its_provenance(quick, tmp_path):
    over = "undercutting.depth_share=0.3,0.45,0.6"
    result = call("floor", *TARGET, "--over", over, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert len((tmp_path / "solve.csv").read_text().splitlines()) == 4
    with Image.open(tmp_path / "break_even.png") as image:
        assert "undercutting" in image.text["rare_market:provenance"]
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["policies"][0]["name"] == "undercutting"


def test_a_target_out_of_reach_is_said(quick):
    result = call("floor", *TARGET, "--up-to", "50")
    assert "not reached up to 50" in result.stdout


def test_a_failing_run_is_a_failure_of_the_program(monkeypatch):
    monkeypatch.setattr("rare_market.solve.achievement", lambda trial: 1 / 0)
    result = call("floor", *TARGET)
    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["floor"], ["--capacity", "--demand-met", "--survive"]),
        (["floor", *TARGET, "--demand-met", "0.5"], ["one of"]),
        (["floor", "--capacity", "separation"], ["separation=100000"]),
        (["floor", "--capacity", "oxide=1"], ["oxide", "separation"]),
        (["floor", "--capacity", "separation=-5"], ["capacity = -5", "0 to 1e+15"]),
        (["floor", "--capacity", "separation=nan"], ["capacity = nan", "0 to 1e+15"]),
        (["floor", "--demand-met", "2"], ["2", "0 to 1"]),
        (["floor", "--survive", "nowhere"], ["nowhere"]),
        (["gift", *TARGET], ["gift"]),
        (["floor", *TARGET, "--year", "2050"], ["2050", "2035"]),
        (["floor", *TARGET, "--over", "undercutting.depth_share"], ["--over"]),
        (["floor", *TARGET, "--over", "export_quota.quota_t_per_year=1"], ["no policy"]),
        (["floor", *TARGET, "--over", "undercutting.depth_share=2"], ["depth_share", "2"]),
        (["floor", *TARGET, "--probability", "0"], ["probability", "0"]),
    ],
)
def test_bad_input_is_one_sentence_with_exit_code_2(arguments, words):
    result = call(*arguments)
    assert result.exit_code == EXIT_BAD_INPUT, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in result.stderr
