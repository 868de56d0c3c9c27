"""The printed table and the files: nothing is drawn from runs without a valid certificate."""

from __future__ import annotations

import dataclasses

import pytest

from rare_market import report
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
    assert "-0.0" not in text


def test_a_failed_certificate_keeps_the_table_but_refuses_the_figures(comparison, tmp_path):
    failed = dataclasses.replace(comparison, valid=False)
    with pytest.raises(InvalidValueError, match="certificate"):
        report.write(failed, tmp_path)
    assert (tmp_path / "comparison.csv").exists()
    assert not list(tmp_path.glob("*.png"))


def test_json_holds_the_whole_table(comparison):
    answer = report.as_json(comparison)
    assert len(answer["table"]) == len(comparison.table())
