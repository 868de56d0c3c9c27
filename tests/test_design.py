"""Designs: every way to choose points, what a world depends on, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.compare import World
from rare_market.declare import InvalidValueError
from rare_market.design import Design, draw_points, factorial, read_design
from rare_market.policies import PriceFloor, Undercutting
from rare_market.scenario import Scenario
from tests import fakes

WORLDS = """
[worlds]
"no undercutting" = []
"no policy" = ["undercutting"]
"floor" = ["undercutting", "price_floor:strike_usd_per_kg=90"]
"""


def read(tmp_path, text: str) -> Design:
    file = tmp_path / "design.toml"
    file.write_text(text, encoding="utf-8")
    return read_design(file)


def test_a_factorial_design_is_worlds_by_points_by_replications(tmp_path):
    design = read(
        tmp_path,
        f"""
title = "depth by growth"
replications = 3
[scenario]
years = 2
{WORLDS}
[factors]
"undercutting.depth_share" = [0.2, 0.4]
demand_growth_multiplier = [0.9, 1.0, 1.1]
""",
    )
    assert design.points.shape == (6, 2)
    # the null does not depend on the depth, so it is run at three points, the others at six
    assert design.runs == 3 * (3 + 6 + 6)
    runs = list(design.all_runs(range(design.runs)))
    assert len({(r.scenario, r.policies) for r in runs}) == design.runs
    floor = next(r for r in runs if r.world == "floor" and r.point == 5)
    assert floor.policies == (
        Undercutting(depth_share=0.4),
        PriceFloor(strike_usd_per_kg=90.0),
    )
    assert floor.scenario.demand_growth_multiplier == 1.1
    labels = design.labels(np.arange(design.runs))
    null = labels["world"] == 0
    assert np.isnan(labels["undercutting.depth_share"][null]).all()
    assert np.isfinite(labels["demand_growth_multiplier"]).all()


def test_replications_are_named_not_counted_over_worlds():
    """The draw of a run is its replication, whatever its number: common random numbers."""
    design = fakes.design()
    for run in design.all_runs(range(design.runs)):
        assert run.scenario.replication == run.replication == run.number % design.replications
        assert run.scenario.seed == design.scenario.seed


@pytest.mark.parametrize("method", ["latin_hypercube", "sobol"])
def test_sampled_points_fill_the_ranges_evenly(method, tmp_path):
    design = read(
        tmp_path,
        f"""
[worlds]
attack = ["undercutting"]
[sample]
method = "{method}"
points = 64
[factors]
"undercutting.depth_share" = {{ low = 0.1, high = 0.7 }}
demand_growth_multiplier = {{ low = 0.5, high = 1.5 }}
""",
    )
    unit = (design.points - [0.1, 0.5]) / [0.6, 1.0]
    # one point in each sixty-fourth of each range
    for column in unit.T:
        assert sorted(np.floor(64 * column).astype(int)) == list(range(64))
    again = read_design(tmp_path / "design.toml")
    np.testing.assert_array_equal(design.points, again.points)
    assert again.sha256 == design.sha256


def test_trajectories_and_saltelli_points_come_from_salib():
    bounds = [(0.0, 1.0), (0.0, 2.0), (1.0, 3.0)]
    assert draw_points("morris", ["a", "b", "c"], bounds, 5, 1).shape == (20, 3)
    assert draw_points("saltelli", ["a", "b", "c"], bounds, 8, 1).shape == (40, 3)


def test_points_may_come_from_a_table(tmp_path):
    (tmp_path / "points.csv").write_text("undercutting.depth_share,outage_share\n.1,.2\n.3,.4\n")
    text = f"{WORLDS}[sample]\nmethod = 'table'\nfile = 'points.csv'\n"
    design = read(tmp_path, text)
    assert design.factors == ("undercutting.depth_share", "outage_share")
    np.testing.assert_array_equal(design.points, [[0.1, 0.2], [0.3, 0.4]])


def test_without_factors_there_is_one_point_per_world(tmp_path):
    design = read(tmp_path, f"replications = 4\n{WORLDS}")
    assert design.runs == 12


def test_a_design_survives_being_written_as_data():
    design = fakes.design()
    again = Design.from_data(design.as_data())
    assert again.sha256 == design.sha256
    assert [again.run(n) for n in range(again.runs)] == [design.run(n) for n in range(design.runs)]


def test_whole_numbers_stay_whole():
    points = factorial([[12, 24]])
    design = Design("t", Scenario(), (World("null", ()),), ("mothball_months",), points)
    assert design.run(0).scenario.mothball_months == 12
    assert isinstance(design.run(0).scenario.mothball_months, int)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 3", ["colour", "title"]),
        ("replications = 0", ["replications", "0", "1 to 100000"]),
        ("replications = 'many'", ["replications"]),
        ("series = ['price']", ["price", "price_inside_usd_per_kg"]),
        ("[scenario]\nyeers = 3", ["yeers", "years"]),
        ("[scenario]\nyears = 99", ["years", "99", "1 to 30"]),
        ("[worlds]\na = 'undercutting'", ["a", "list"]),
        ("[worlds]\na = ['undercuting']", ["undercuting", "undercutting"]),
        ("[worlds]\na = ['undercutting:goods=magnet']", ["goods", "oxides"]),
        ("[worlds]", ["worlds", "at least one"]),
        ("[factors]\nseed = [1, 2]", ["seed", "no field"]),
        ("[factors]\n'tarif.rate_share' = [1]", ["tarif", "tariff"]),
        ("[factors]\n'tariff.rate' = [1]", ["rate", "rate_share"]),
        ("[factors]\n'tariff.rate_share' = [0.1]", ["no world", "tariff.rate_share"]),
        ("[factors]\noutage_share = [0.5, 1.5]", ["outage_share", "1.5", "0 to 1"]),
        ("[factors]\nmothball_months = [1.5]", ["mothball_months", "1.5", "whole"]),
        ("[factors]\noutage_share = 0.5", ["list of levels"]),
        ("[factors]\noutage_share = ['a']", ["numbers"]),
        ("[sample]\nmethod = 'grid'", ["method", "grid", "sobol"]),
        ("[sample]\nmethod = 'sobol'", ["at least one factor"]),
        ("[sample]\nmethod = 'sobol'\nfile = 'x'", ["file", "points"]),
        (
            "[sample]\nmethod = 'sobol'\npoints = 60\n[factors]\noutage_share = {low=0, high=1}",
            ["60", "power of two"],
        ),
        (
            "[sample]\nmethod = 'sobol'\n[factors]\noutage_share = {low=1, high=0}",
            ["low = 1", "high = 0"],
        ),
        ("[sample]\nmethod = 'sobol'\n[factors]\noutage_share = [0, 1]", ["low = …"]),
        ("[sample]\nmethod = 'table'\nfile = 'nowhere.csv'", ["nowhere.csv"]),
        ("x = ", ["not a TOML file"]),
    ],
)
def test_a_design_that_cannot_be_used_is_refused_in_one_sentence(text, words, tmp_path):
    with pytest.raises(InvalidValueError) as refusal:
        read(tmp_path, text)
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize("text", ["outage_share\n0.1,0.2\n", "outage_share\nx\n", ""])
def test_a_table_that_cannot_be_used_is_refused(text, tmp_path):
    (tmp_path / "points.csv").write_text(text)
    with pytest.raises(InvalidValueError, match=r"points\.csv"):
        read(tmp_path, "[sample]\nmethod = 'table'\nfile = 'points.csv'\n")
