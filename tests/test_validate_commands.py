"""``rare-market validate`` and ``calibrate`` from the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from rare_market.__main__ import cli
from rare_market.terminal import EXIT_BAD_INPUT


def invoke(*arguments: str):
    return CliRunner().invoke(cli, list(arguments))


def test_one_episode_is_scored_as_json_and_its_files_are_written(tmp_path):
    """The table, the prices in two formats and the figure in two."""
    folder = tmp_path / "past"
    arguments = (
        "validate", "--episode", "E7", "--replications", "1", "--processes", "1", "--json",
    )  # fmt: skip
    answer = invoke(*arguments, "--out", str(folder))
    assert answer.exit_code == 0, answer.output
    assert invoke(*arguments).output == answer.output, "the JSON is the same for the same seed"
    scored = json.loads(answer.output)
    assert scored["of"] == len(scored["targets"]) == 6
    written = {path.name for path in folder.iterdir()}
    assert {
        "targets.csv",
        "moments.csv",
        "yearly_fit.csv",
        "prices.csv",
        "prices.parquet",
    } <= written
    for figure in ("history_2018_2024", "history_2018_2024_in_china"):
        assert {f"{figure}.png", f"{figure}.pdf"} <= written


def test_an_episode_of_the_boom_is_scored_alone():
    """Monthly moments are of another scenario and are left out."""
    arguments = ("validate", "--episode", "E2", "--replications", "1", "--processes", "1", "--json")
    answer = invoke(*arguments)
    assert answer.exit_code == 0, answer.output
    scored = json.loads(answer.output)
    assert scored["of"] == len(scored["targets"]) == 5
    assert scored["moments"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("validate", "--episode", "E9"), "E9"),
        (("validate", "--replications", "0"), "--replications = 0"),
        (("validate", "--set", "hoarding_response"), "field=value"),
        (("validate", "--set", "hoarding_response=99"), "hoarding_response"),
        (("validate", "--set", "no_such=1"), "no_such"),
        (("validate", "--set", "years=3"), "years = 3 cannot be set"),
        (("validate", "--set", "start_year=2024"), "start_year = 2024 cannot be set"),
        (("validate", "--set", "replication=3"), "replication = 3 cannot be set"),
        (("validate", "--set", "data_folder=nowhere"), "'nowhere' is not a folder"),
        (("calibrate", "--out", "x", "--minutes", "0"), "--minutes = 0"),
        (("calibrate", "--out", "x", "--replications", "0"), "--replications = 0"),
    ],
)
def test_bad_input_is_one_sentence_before_any_run(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = invoke(*arguments)
    assert answer.exit_code == EXIT_BAD_INPUT
    assert words in answer.output
