"""The printed table and the files: nothing is drawn from runs without a valid certificate."""

from __future__ import annotations

import dataclasses
import json
import re

import pandas as pd
import pytest

from rare_market import figures, report
from rare_market.compare import compare, default_worlds
from rare_market.declare import InvalidValueError
from rare_market.scenario import Scenario


@pytest.fixture(scope="module")
def comparison():
    return compare(Scenario(years=3), default_worlds(), 1, processes=1)


def test_the_text_has_a_row_with_its_unit_for_every_measure(comparison):
    text = report.as_text(comparison)
    for line in report.LINES:
        assert f"{line.title} [{line.unit}]" in text
    assert "nan" not in text
    assert not re.search(r"-0(\.0*)?(\s|$)", text)


def test_no_line_names_a_world_that_a_run_may_not_have(comparison):
    """Named scenarios have other worlds than the standard comparison."""
    names = [world.name for world in comparison.worlds]
    assert not [line.title for line in report.LINES if any(name in line.title for name in names)]


@pytest.fixture(scope="module")
def failed(comparison):
    rows = [{**row, "valid": i > 0} for i, row in enumerate(comparison.rows)]
    return dataclasses.replace(comparison, valid=False, rows=rows)


def test_a_failed_certificate_keeps_the_runs_but_refuses_table_and_figures(failed, tmp_path):
    world = failed.rows[0]["world"]
    with pytest.raises(InvalidValueError, match=re.escape(f"certificate in world {world!r}")):
        report.write(failed, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "runs.csv",
        "runs.parquet",
        "provenance.json",
    }
    kept = pd.read_parquet(tmp_path / "runs.parquet")
    assert (~kept["valid"]).sum() == 1
    assert json.loads((tmp_path / "provenance.json").read_text())["valid"] is False


@pytest.mark.parametrize(
    "make", [report.as_text, report.as_json, *figures.FIGURES.values(), lambda c: c.table()]
)
def test_every_table_and_figure_refuses_an_invalid_run_unless_asked(failed, make):
    with pytest.raises(InvalidValueError, match="--allow-invalid"):
        make(failed)
    assert make(dataclasses.replace(failed, allow_invalid=True)) is not None


def test_an_invalid_table_says_so(failed):
    allowed = dataclasses.replace(failed, allow_invalid=True)
    assert report.as_text(allowed).startswith("INVALID")
    assert report.as_json(allowed)["valid"] is False


def test_json_holds_the_whole_table(comparison):
    answer = report.as_json(comparison)
    assert len(answer["table"]) == len(comparison.table())
