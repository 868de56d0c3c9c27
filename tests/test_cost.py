"""Responsible-extraction cost by place and part."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from rare_market.__main__ import cli
from rare_market.contracts import COST_PARTS, cost_floor_usd_per_kg
from rare_market.cost import responsible_cost_usd_per_kg
from rare_market.listing import cost_rows
from rare_market.model import RareEarthMarket
from rare_market.policies import MinimumImportPrice, PriceFloor, RegulatedMinimum
from rare_market.scenario import Scenario
from tests.conftest import (
    BY_OXIDE,
    CATALOGUE,
    METAL,
    ORE,
    OXIDE,
    PRICE_USD_PER_KG,
    SMELT_IN,
    SMELT_OUT,
    USA,
    mines,
    plants,
)  # fmt: skip


def test_parts_pass_from_ore_to_oxide_by_value_and_on_to_metal():
    """Ore at 4 with 1 of damage; separation at 2; 0.25 t at 50 and 0.6 t at 1 USD/kg share it."""
    external = np.zeros((5, 2))
    external[ORE, USA] = 1.0
    both = plants(
        2,
        stage=[1, 2],
        input_t=[[1.0, 0, 0, 0, 0], SMELT_IN],
        output_t=[[0, 0, 0.25, 0.6, 0], SMELT_OUT],
        finishing_share=0.0,
        capex_usd=0.0,
    )
    cost = responsible_cost_usd_per_kg(
        CATALOGUE, mines(capex_usd=0.0), both, external, PRICE_USD_PER_KG, Scenario()
    )
    share = 50.0 / (0.25 * 50.0 + 0.6 * 1.0)
    assert cost[:, OXIDE, USA] == pytest.approx([6.0 * share, 1.0 * share, 0.0, 0.0])
    assert cost[:, BY_OXIDE, USA] == pytest.approx(cost[:, OXIDE, USA] / 50.0)
    assert cost[:, METAL, USA] == pytest.approx([1.25 * 6.0 * share + 2.0, 1.25 * share, 0.0, 0.0])
    assert np.isnan(cost[:, OXIDE, 0]).all()


def test_capital_and_risk_are_the_charge_at_the_hurdle_rate():
    """The sum of both is what an unsecured project must earn."""
    mine = mines(capex_usd=24e6)
    cost = responsible_cost_usd_per_kg(
        CATALOGUE, mine, plants(), np.zeros((5, 2)), PRICE_USD_PER_KG, Scenario()
    )
    charge = mine.life.capital_charge_usd_per_kg[0]
    assert cost[2:, ORE, USA].sum() == pytest.approx(charge)
    assert (cost[2:, ORE, USA] > 0.0).all()


def test_a_floor_is_the_sum_of_the_parts_named_over_the_places_covered():
    """The mean of two places, of private and external cost."""
    cost = np.array([[[10.0, 20.0]], [[2.0, 4.0]], [[5.0, 5.0]], [[1.0, 1.0]]])
    everywhere, one = np.ones(2, bool), np.ones(1, bool)
    assert cost_floor_usd_per_kg(cost, "private", one, everywhere).tolist() == [15.0]
    assert cost_floor_usd_per_kg(cost, "private+external", one, everywhere).tolist() == [18.0]
    assert cost_floor_usd_per_kg(cost, "+".join(COST_PARTS), one, ~everywhere).tolist() == [0.0]


@pytest.mark.parametrize("kind", [PriceFloor, MinimumImportPrice, RegulatedMinimum])
def test_a_floor_can_be_set_to_the_cost_or_to_its_parts(kind):
    """More parts are a higher floor; an unknown part is refused."""
    market = RareEarthMarket(Scenario(years=1))
    c = market.catalogue

    def level(parts: str) -> float:
        rules = kind(goods="ndpr_oxide", cost_parts=parts).amend(market.data.law, market.bulletin)
        if rules.price_floors:
            return rules.price_floors[0].strike_usd_per_kg
        if rules.ask_floor_usd_per_kg.any():
            return float(rules.ask_floor_usd_per_kg.max())
        lane = (c.good("ndpr_oxide"), c.china, c.place("JPN"))
        return float(rules.minimum_import_price_usd_per_kg[lane])

    assert 0.0 < level("private") < level("private+external") < level("+".join(COST_PARTS))
    with pytest.raises(ValueError, match=r"is no part of cost: there are private, external"):
        RareEarthMarket(Scenario(years=1), [kind(cost_parts="profit")])


def test_the_command_shows_the_parts_by_place_as_a_table_a_figure_and_json(tmp_path):
    """Every row adds up; what is made nowhere is refused."""
    shown = CliRunner().invoke(cli, ["cost", "--good", "ndpr_oxide", "--out", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    assert "USA" in shown.output
    assert "restoration" in shown.output
    assert (tmp_path / "cost_ndpr_oxide.png").stat().st_size > 1000
    rows = json.loads(CliRunner().invoke(cli, ["cost", "--good", "ndpr_oxide", "--json"]).output)
    for row in rows:
        parts = [v for k, v in row.items() if k not in ("place", "total") and "_" not in k]
        assert sum(parts) == pytest.approx(row["total"])
        assert row["external_low"] <= row["external_high"]
    china, usa = (next(r for r in rows if r["place"] == p) for p in ("CHN", "USA"))
    assert china["capital"] + china["risk"] < usa["capital"] + usa["risk"] + 1e3
    wrong = CliRunner().invoke(cli, ["cost", "--good", "unobtainium"])
    assert wrong.exit_code == 2
    with pytest.raises(ValueError, match="is made nowhere"):
        cost_rows("standard_magnet_scrap")
