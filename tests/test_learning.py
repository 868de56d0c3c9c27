"""Learning by doing: cost falls with the output a place has behind it, and with part of others'."""

from __future__ import annotations

import numpy as np
import pytest

from rare_market.goods import FACILITY_STAGES
from rare_market.learning import Experience, learned_factor
from rare_market.model import RareEarthMarket
from rare_market.scenario import Scenario

MINE, SEPARATION, METAL = (FACILITY_STAGES.index(s) for s in ("mine", "separation", "metal"))
HERE, THERE = 0, 1
EVERYTHING = np.ones((len(FACILITY_STAGES), 2))


def made(**stage_t: float) -> np.ndarray:
    """Output of the stages named, here only."""
    output_t = np.zeros((len(FACILITY_STAGES), 2))
    for stage, tonnes in stage_t.items():
        output_t[FACILITY_STAGES.index(stage), HERE] = tonnes
    return output_t


def experience(**changed: float) -> Experience:
    """Ten years of 100 t a month in each place behind it."""
    first_t = np.full((len(FACILITY_STAGES), 2), 100.0)
    return Experience(first_t, Scenario(**{"spillover_share": 0.0, **changed}))


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_each_doubling_lowers_cost_by_the_same_share(share):
    first, rate = np.array([[10.0]]), np.array([[share]])
    costs = [learned_factor(first * 2.0**n, first, rate)[0, 0] for n in range(4)]
    assert costs == pytest.approx([(1.0 - share) ** n for n in range(4)])


def test_without_output_nothing_is_learned():
    """Nor without a rate, nor where nobody ever made anything."""
    learner = experience()
    learner.gain(made(), EVERYTHING)
    assert (learner.factor() == 1.0).all()
    slow = experience(chemical_learning_share=0.0)
    slow.gain(made(separation=1e6), EVERYTHING)
    assert slow.factor()[SEPARATION, HERE] == 1.0
    assert learned_factor(np.ones((1, 1)), np.zeros((1, 1)), np.array([[0.1]]))[0, 0] == 1.0


def test_ten_years_of_output_more_are_a_doubling():
    learner = experience(chemical_learning_share=0.1, experience_years=10.0)
    learner.gain(made(separation=12 * 10 * 100.0), EVERYTHING)
    assert learner.factor()[SEPARATION, HERE] == pytest.approx(0.9)


def test_kinds_of_stage_learn_at_their_own_rates_and_mines_do_not():
    learner = experience(chemical_learning_share=0.1, metallurgical_learning_share=0.2)
    doubling = 12 * 10 * 100.0
    learner.gain(made(separation=doubling, metal=doubling, mine=doubling), EVERYTHING)
    factor = learner.factor()[:, HERE]
    assert factor[[SEPARATION, METAL, MINE]].tolist() == pytest.approx([0.9, 0.8, 1.0])


def test_a_place_learns_part_of_what_others_do_unless_it_is_kept_in():
    """With a tenth of spill-over both places count a tenth of the other's past and present."""
    open_world, banned = experience(spillover_share=0.1), experience(spillover_share=0.1)
    months_t = made(separation=12 * 10 * 100.0)
    open_world.gain(months_t, EVERYTHING)
    kept_in = EVERYTHING.copy()
    kept_in[SEPARATION, HERE] = 0.0
    banned.gain(months_t, kept_in)
    assert open_world.factor()[SEPARATION, THERE] == pytest.approx(
        learned_factor(np.array([[1.2]]), np.array([[1.1]]), np.array([[0.1]]))[0, 0]
    )
    assert banned.factor()[SEPARATION, THERE] == 1.0
    assert banned.factor()[SEPARATION, HERE] == open_world.factor()[SEPARATION, HERE]


def test_plants_pay_what_their_place_has_learned():
    """After a year conversion is cheaper everywhere by the factor of stage and place."""
    market = RareEarthMarket(Scenario(years=1))
    m = market.processors
    first = m.own_conversion_usd_per_kg.copy()
    for _ in range(12):
        market.step()
    factor = market.world.experience.factor()[m.stage, m.place]
    assert m.own_conversion_usd_per_kg == pytest.approx(first * factor)
    assert 0.97 < factor.min() < factor.max() <= 1.0
