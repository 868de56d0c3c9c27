"""Paired differences: what common luck cancels, and what worlds have in common."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rare_market.declare import InvalidValueError
from rare_market.paired import mean_interval, paired_differences
from rare_market.runner import LocalProcesses
from rare_market.sweep import sweep
from tests import fakes

DEPTH = "undercutting.depth_share"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep") / "s"
    return sweep(fakes.design(8), folder, LocalProcesses(1), measure=fakes.quick).runs()


def test_luck_cancels_where_it_is_the_same(runs):
    """The price falls by 20 times the depth in every draw: the interval has no width."""
    table = paired_differences(runs, "null", [DEPTH], ["price"])
    assert table["pairs"].tolist() == [8] * 4
    np.testing.assert_allclose(table["difference"], -20.0 * table[DEPTH])
    np.testing.assert_allclose(table["high"] - table["low"], 0.0, atol=1e-9)


def test_a_world_without_the_factor_is_compared_at_each_of_its_values(runs):
    against_null = paired_differences(runs, "null", [DEPTH], ["price"])
    against_attack = paired_differences(runs, "attack", [DEPTH], ["price"])
    np.testing.assert_allclose(against_attack["difference"], -against_null["difference"])
    assert against_attack["world"].unique().tolist() == ["null"]


def test_draws_without_a_partner_are_left_out_and_counted(runs):
    lost = runs.drop(runs.query("world == 'null' and replication == 3").index)
    table = paired_differences(lost, "null", [DEPTH], ["cost"])
    assert table["pairs"].tolist() == [7] * 4


def test_every_measure_is_compared_by_default(runs):
    table = paired_differences(runs, "null", [DEPTH])
    assert set(table["measure"]) == {"price", "cost"}


def test_intervals_of_means_hold_what_they_promise():
    """Nine in ten 90 % intervals of twelve normal draws hold the mean."""
    draws = np.random.default_rng(0).normal(3.0, 2.0, (2000, 12))
    held = [low <= 3.0 <= high for _, low, high in (mean_interval(d, 0.9) for d in draws)]
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)


def test_one_draw_has_no_interval():
    mean, low, high = mean_interval(np.array([2.0]))
    assert mean == 2.0
    assert np.isnan([low, high]).all()


def test_unknown_names_are_refused(runs):
    with pytest.raises(InvalidValueError, match="nul"):
        paired_differences(runs, "nul", [DEPTH])
    with pytest.raises(InvalidValueError, match="prize"):
        paired_differences(runs, "null", [DEPTH], ["prize"])


def test_a_sweep_without_factors_has_one_row_per_world():
    frame = pd.DataFrame(
        {
            "run": range(4),
            "point": 0,
            "world": ["a", "a", "b", "b"],
            "replication": [0, 1, 0, 1],
            "price": [1.0, 2.0, 4.0, 6.0],
        }
    )
    table = paired_differences(frame, "a")
    assert table["difference"].tolist() == [3.5]
