"""What the model says about the question: undercutting, and the answers to it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rare_market.compare import World, compare
from rare_market.policies import OfftakeGuarantee, PriceFloor, Undercutting
from rare_market.scenario import Scenario

NONE, ATTACK = "no undercutting", "depth 0.45"
DEPTHS = (0.0, 0.2, 0.4, 0.6)
WORLDS = (
    World(NONE, ()),
    *(World(f"depth {d}", (Undercutting(depth_share=d),)) for d in DEPTHS),
    World(ATTACK, (Undercutting(depth_share=0.45),)),
    World("floor", (Undercutting(depth_share=0.45), PriceFloor())),
    World("offtake", (Undercutting(depth_share=0.45), OfftakeGuarantee())),
)
OUTPUT, CAPACITY = "oxide_outside_t", "separation_capacity_outside_t_per_year"


STANDING = "mean separation capacity outside China from 2026"


@pytest.fixture(scope="module")
def means():
    """Mean outcomes of each world over eight common replications of twelve years."""
    result = compare(Scenario(), WORLDS, replications=8, processes=1)
    assert result.valid
    table = result.runs().groupby("world", observed=True).mean(numeric_only=True)
    paths = result.series["separation_outside_t_per_year"]
    table[STANDING] = [paths[world][:, 24:].mean() for world in table.index]
    return table


@pytest.mark.slow
def test_deeper_undercutting_never_raises_capacity_outside_china_without_policy(means):
    """Capacity in operation, mean of the policy years; the mean of eight draws is sure to 2 %."""
    standing = [means.loc[world, STANDING] for world in (NONE, *(f"depth {d}" for d in DEPTHS))]
    assert all(deeper < 1.02 * before for before, deeper in pairwise(standing))
    assert standing[-1] < 0.87 * standing[0]


@pytest.mark.slow
def test_the_deepest_undercutting_leaves_the_least_output(means):
    """Depth 0.6 against every shallower one."""
    deepest = means.loc["depth 0.6", OUTPUT]
    assert all(deepest < means.loc[f"depth {d}", OUTPUT] for d in DEPTHS[:-1])


@pytest.mark.slow
@pytest.mark.parametrize("measure", [OUTPUT, CAPACITY])
@pytest.mark.parametrize("answer", ["floor", "offtake"])
def test_an_answer_keeps_more_supply_alive_than_no_policy(answer, measure, means):
    """Against undercutting of depth 0.45."""
    assert means.loc[answer, measure] > means.loc[ATTACK, measure]


@pytest.mark.slow
def test_answers_cost_the_public_and_undercutting_costs_china(means):
    """Nothing is free."""
    assert means.loc["floor", "public_cost_musd"] > 0.0
    assert means.loc["offtake", "public_cost_musd"] > 0.0
    assert means.loc[ATTACK, "china_cost_musd"] > 0.0
    assert means.loc[NONE, "china_cost_musd"] == 0.0
