"""Named scenarios."""

from __future__ import annotations

import pytest

from rare_market.declare import InvalidValueError
from rare_market.history import named_scenario, names
from rare_market.model import simulate
from rare_market.policies import Tariff


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


def test_the_controls_of_2025_are_dated_inputs():
    """Licences from April 2025, the October rules threatened and then in force, two floors."""
    _, policies = named_scenario("controls_2025").world()
    starts = {(p.name, p.start_year) for p in policies}
    assert {("export_licence", 2025.25), ("export_licence", 2025.92)} <= starts
    assert any(name == "export_threat" and 2025.7 < at < 2025.8 for name, at in starts)
    october = [p for p in policies if getattr(p, "reach_above_share", 1.0) < 1.0]
    assert [p.start_year for p in october] == [2026.8575]
    floors = [p for p in policies if p.name == "price_floor"]
    floors += [p for p in policies if getattr(p, "floor_usd_per_kg", 0.0) > 0.0]
    assert {getattr(p, "producers", "") for p in floors} == {"USA", "AUS+MYS"}


def test_china_bought_for_its_reserve_in_2012_and_2014():
    """The oxides planned for 2012, and nine tenths of the 10,090 t of 2014: La, Ce and NdPr."""
    _, policies = named_scenario("history_2007_2014").world()
    bought_t = {2012.0: 0.0, 2014.5: 0.0}
    for policy in policies:
        if policy.name == "state_purchase":
            bought_t[policy.start_year] += policy.volume_t_per_year * policy.duration_years
    assert bought_t == {2012.0: 1910.0, 2014.5: pytest.approx(0.91 * 10_090.0, rel=0.01)}


def test_worlds_are_the_null_the_past_and_a_package_on_top():
    named = named_scenario("history_2018_2024")
    null, past = named.worlds()
    assert (null.policies, past.policies) == ((), named.policies)
    assert dict(null.changed) == named.null_fields
    package = named.worlds([Tariff()])[2]
    assert package.policies == (*named.policies, Tariff())


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(InvalidValueError, match=r"history_1990.*history_2007_2014"):
        named_scenario("history_1990")


@pytest.mark.parametrize("name", names())
def test_a_named_scenario_runs_certified(name):
    scenario, policies = named_scenario(name).world(years=1)
    assert simulate(scenario, policies).valid
