"""A small market in data files, and its competitive equilibrium as a linear programme.

Two places, one ore, two joint oxides: six mines and four separators in each place, none of them
large or a state's, and users with constant elasticity. The programme is built from the numbers
below, not from the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import highspy
import numpy as np

from rare_market.scenario import Scenario
from tests.conftest import edited_data

PLACES = ("CHN", "USA")
ORE, OXIDES = "bastnaesite_concentrate", ("ndpr_oxide", "ce_oxide")
YIELD = np.array([0.15, 0.5])  # of each oxide per tonne of ore
ORE_FREIGHT, OXIDE_FREIGHT = 0.4, 0.3  # USD/kg between the places, nothing within them
MINE_T = np.array([[9000.0] * 6, [3000.0] * 6])  # a year, [place, mine]
MINE_USD = np.array([[1.5, 2.0, 2.5, 3.0, 3.5, 4.0], [3.0, 3.5, 4.0, 4.5, 5.0, 5.5]])
PLANT_T = np.array([20000.0, 6000.0])  # a year, each of four in a place
PLANT_USD = np.array([2.0, 3.0])  # per kg of ore, part of it for finishing the oxides
DEMAND_T = np.array([[4000.0, 12000.0], [2000.0, 3000.0]])  # a year, [place, oxide]
FIRST_USD = np.array([50.0, 2.0])
ELASTICITY = -0.6

# nobody fears, hoards, grows, learns, designs anew, or acts for a state, and nothing happens
CALM = {
    "alarm_response": 0.0,
    "bound_premium_usd_per_kg": 0.0,
    "capex_overrun_mean_share": 0.0,
    "chemical_learning_share": 0.0,
    "cost_spread_share": 0.0,
    "demand_growth_multiplier": 0.0,
    "demand_shock_sd_share": 0.0,
    "elasticity_multiplier": 1.0,
    "expansion_per_year": 0.0,
    "extrapolation_mean": 0.0,
    "extrapolation_sd": 0.0,
    "hoarding_response": 0.0,
    "insurance_share": 0.0,
    "metallurgical_learning_share": 0.0,
    "mothball_months": 120,
    "normal_margin_share": 0.0,
    "outage_per_year": 0.0,
    "speculation_months": 0.0,
    "switch_elasticity": 0.0,
    "thrift_elasticity": 0.0,
}
MARKS = {"source": "assumed", "year": "2024", "confidence": "C", "note": "assumed: constructed"}


class Rest(NamedTuple):
    """A market at rest: ore dug ``[place]``, prices and use ``[oxide, place]``."""

    ore_t_per_year: np.ndarray
    price_usd_per_kg: np.ndarray
    use_t_per_year: np.ndarray


def scenario(folder: Path, years: int, **changed: object) -> Scenario:
    """Calm assumptions on the small market, whose tables are written into the folder."""
    return Scenario(**{**CALM, "years": years, "data_folder": str(tables(folder)), **changed})


def tables(folder: Path) -> Path:
    """Write the tables of the small market; those of rules and of other goods are empty."""
    for name in ("taxes", "smuggling", "substitutes", "origin_bound", "scrap_collection"):
        copy = edited_data(folder, name, list.clear)
    edited_data(folder, "policies_in_force", list.clear)
    for name in ("places", "external_cost", "stocks"):
        edited_data(folder, name, lambda rows: _keep(rows, "place", (*PLACES, "any")))
    edited_data(folder, "stocks", lambda rows: _keep(rows, "holder", ("mine", "separation")))
    edited_data(folder, "sectors", lambda rows: [r.update(short_run_elasticity=str(ELASTICITY),
        rare_earth_cost_share="0.01") for r in rows])  # fmt: skip

    def facilities(rows: list[dict[str, str]]) -> None:
        blank = dict.fromkeys(rows[0], "")
        rows.clear()
        plants = np.repeat(PLANT_T[:, None], 4, axis=1), np.repeat(PLANT_USD[:, None], 4, axis=1)
        for stage, made, tonnes, cost in (
            ("mine", ORE, MINE_T, MINE_USD),
            ("separation", "separate_bastnaesite", *plants),
        ):
            for p, n in np.ndindex(tonnes.shape):
                name = f"{stage}_{PLACES[p].lower()}_{n}"
                rows.append(
                    {**blank, **MARKS, "facility": name, "name": name, "owner": name,
                     "place": PLACES[p], "country": PLACES[p], "process_or_good": made,
                     "stage": stage, "capacity_t_per_year": str(tonnes[p, n]),
                     "output_t_per_year": str(0.6 * tonnes[p, n]), "status": "operating",
                     "start_year": "2000", "lead_time_years": "2", "capex_usd": "0",
                     "cash_cost_usd_per_kg": str(cost[p, n]), "ownership": "private"}
                )  # fmt: skip

    def recipes(rows: list[dict[str, str]]) -> None:
        rows[:] = [r for r in rows if r["process"] == "separate_bastnaesite"
                   and r["good"] in (ORE, *OXIDES)]  # fmt: skip
        for row in rows:
            if row["good"] in OXIDES:
                row["quantity_t"] = str(YIELD[OXIDES.index(row["good"])])

    def baskets(rows: list[dict[str, str]]) -> None:
        for row in rows:
            if row["good"] == ORE:
                row["share_percent"] = {"NdPr": "30", "Ce": "70"}.get(row["element"], "0")

    def demand(rows: list[dict[str, str]]) -> None:
        rows[:] = [
            {"sector": "glass", "place": place, "good": good,
             "demand_t_per_year": str(DEMAND_T[p, g]), **MARKS}
            for p, place in enumerate(PLACES) for g, good in enumerate(OXIDES)
        ]  # fmt: skip

    def freight(rows: list[dict[str, str]]) -> None:
        rows[:] = [r for r in rows if r["origin"] in PLACES and r["destination"] in PLACES]
        for row in rows:
            per_kg = ORE_FREIGHT if row["stage"] == "concentrate" else OXIDE_FREIGHT
            abroad = row["origin"] != row["destination"]
            row["freight_usd_per_kg"] = str(per_kg if abroad else 0.0)

    def prices(rows: list[dict[str, str]]) -> None:
        first = dict(zip((ORE, *OXIDES), (4.0, *FIRST_USD), strict=True))
        rows[:] = [
            {"good": good, "place": "CHN", "basis": "domestic_ex_vat", "period": "2024",
             "price_usd_per_kg": str(price), **MARKS}
            for good, price in first.items()
        ]  # fmt: skip

    for edit in (facilities, recipes, baskets, demand, freight, prices):
        edited_data(folder, edit.__name__, edit)
    return copy


def _keep(rows: list[dict[str, str]], column: str, values: tuple[str, ...]) -> None:
    rows[:] = [row for row in rows if row[column] in values]


def equilibrium(world: Scenario, steps: int = 1000) -> Rest:
    """Competitive equilibrium of the small market: the largest surplus, solved by HiGHS.

    Supply of a mine rises evenly from :math:`(1-w)c` to :math:`(1+w)c`; users have constant
    elasticity; both curves are cut into steps. Prices are the duals of the balances.
    """
    places, oxides = len(PLACES), len(OXIDES)
    finishing = world.finishing_cost_share * PLANT_USD / YIELD.sum()
    converting = (1.0 - world.finishing_cost_share) * PLANT_USD
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    # rows: ore at each place, yield of each oxide at each place, oxide at each place
    ore_row = np.arange(places)
    made_row = places + np.arange(oxides * places).reshape(oxides, places)
    oxide_row = made_row + oxides * places
    cost: list[float] = []
    most: list[float] = []
    entries: list[list[tuple[int, float]]] = []

    def column(cost_usd: float, most_t: float, *balance: tuple[int, float]) -> None:
        cost.append(cost_usd)
        most.append(most_t)
        entries.append([(int(row), value) for row, value in balance])

    middle = (np.arange(steps) + 0.5) / steps
    spread = 1.0 + world.mine_cost_spread_share * (2.0 * middle - 1.0)
    for p, n in np.ndindex(MINE_T.shape):
        for factor in spread:
            column(MINE_USD[p, n] * factor, MINE_T[p, n] / steps, (ore_row[p], 1.0))
    dug = len(cost)
    for p in range(places):
        yields = [(made_row[g, p], YIELD[g]) for g in range(oxides)]
        column(converting[p], 4 * PLANT_T[p], (ore_row[p], -1.0), *yields)
        column(ORE_FREIGHT, np.inf, (ore_row[p], -1.0), (ore_row[1 - p], 1.0))
        for g in range(oxides):
            column(finishing[p], np.inf, (made_row[g, p], -1.0), (oxide_row[g, p], 1.0))
            column(OXIDE_FREIGHT, np.inf, (oxide_row[g, p], -1.0), (oxide_row[g, 1 - p], 1.0))
    used = len(cost)
    first = FIRST_USD[:, None] + OXIDE_FREIGHT * np.array([0.0, 1.0])  # parity with China
    for g, p in np.ndindex(oxides, places):
        reach = 4.0 * DEMAND_T[p, g]
        for share in middle:
            worth = first[g, p] * (share * reach / DEMAND_T[p, g]) ** (1.0 / ELASTICITY)
            column(-worth, reach / steps, (oxide_row[g, p], -1.0))

    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(cost), int(oxide_row.max()) + 1
    lp.col_cost_ = np.array(cost)
    lp.col_lower_ = np.zeros(len(cost))
    lp.col_upper_ = np.array(most)
    lp.row_lower_ = np.zeros(lp.num_row_)
    lp.row_upper_ = np.full(lp.num_row_, highspy.kHighsInf)  # free disposal
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.cumsum([0, *map(len, entries)])
    lp.a_matrix_.index_ = np.array([row for part in entries for row, _ in part])
    lp.a_matrix_.value_ = np.array([value for part in entries for _, value in part])
    solver.passModel(lp)
    solver.run()
    solution = solver.getSolution()
    amount, dual = np.array(solution.col_value), np.array(solution.row_dual)
    return Rest(
        amount[:dug].reshape(places, -1).sum(axis=1),
        dual[oxide_row],
        amount[used:].reshape(oxides, places, steps).sum(axis=2),
    )
