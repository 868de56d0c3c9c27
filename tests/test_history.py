"""Named scenarios."""

from __future__ import annotations

import pytest

from rare_market.declare import InvalidValueError
from rare_market.history import named_scenario, names
from rare_market.model import simulate


def test_every_name_has_its_scenario_policies_and_null():
    """The null model is the same world without the policies of its time."""
    for name in names():
        named = named_scenario(name)
        scenario, policies = named.world()
        null, none = named.world(null=True)
        assert policies
        assert none == ()
        assert named.summary
        assert null.start_year == scenario.start_year
        assert null.state_output_aim_share == 0.0


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(InvalidValueError, match=r"history_1990.*history_2007_2014"):
        named_scenario("history_1990")


@pytest.mark.parametrize("name", names())
def test_a_named_scenario_runs_certified(name):
    scenario, policies = named_scenario(name).world(years=1)
    assert simulate(scenario, policies).valid
