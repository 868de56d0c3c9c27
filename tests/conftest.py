"""Short runs that many tests read, and small cohorts built by hand."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rare_market.agents import buyer, processor
from rare_market.agents.buyer import NO_SUBSTITUTE, Buyers
from rare_market.agents.lifecycle import Lifecycle, Luck
from rare_market.agents.merchant import ASK_FACTOR
from rare_market.agents.processor import Processors
from rare_market.agents.producer import NO_PLANT, Producers
from rare_market.agents.state import RESALE_STEPS
from rare_market.agents.trader import ASK_STEPS
from rare_market.book import Poster
from rare_market.dataset import Data, read_data
from rare_market.goods import Catalogue
from rare_market.model import simulate
from rare_market.records import Bulletin, Records
from rare_market.regime import Regime, open_regime
from rare_market.scenario import Scenario

DATA = Path(__file__).parent.parent / "rare_market" / "data"
PERIODS = 24  # months of outages drawn for a cohort built by hand

# a market of two places and five goods
ORE, OTHER_ORE, OXIDE, BY_OXIDE, METAL = range(5)
CHN, USA = range(2)
CATALOGUE = Catalogue(
    goods=("ore", "other_ore", "oxide", "by_oxide", "metal"),
    places=("CHN", "USA"),
    elements=("NdPr", "Ce"),
    stage=np.array([0, 0, 1, 1, 2]),
    allied=np.array([False, True]),
    composition_reo_t_per_t=np.array([[0.3, 0.7], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0], [1.2, 0.0]]),
)
PRICE_USD_PER_KG = np.array([8.0, 9.0, 50.0, 1.0, 65.0])
NO_USERS = np.full((5, 2), np.inf)  # what plants at home can pay: there are none

# What begins: on a fresh machine one process compiles the kernel while the other compiles the rules
# of agents, instead of both everything. Then the longest files, so that all processes end together.
FIRST = (
    *("test_clearing", "test_producer", "test_buyer", "test_processor", "test_merchant"),
    *("test_lifecycle", "test_state", "test_licence", "test_ledger", "test_shocks", "test_board"),
    *("test_sweep", "test_main", "test_figures", "test_compare", "test_docs", "test_laws"),
)

# two recipes per tonne of activity: separation of an ore, and metal from oxide
SEPARATE_IN = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
SEPARATE_OUT = np.array([0.0, 0.0, 0.25, 0.6, 0.0])
SMELT_IN = np.array([0.0, 0.0, 1.25, 0.0, 0.0])
SMELT_OUT = np.array([0.0, 0.0, 0.0, 0.0, 1.0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of ``FIRST`` before the others."""
    rank = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(FIRST)))


STEPS = {  # of an ask and of a bid, by kind of trader
    "producer": (ASK_STEPS, 1),
    "processor": (ASK_STEPS, processor.BID_STEPS),
    "buyer": (1, buyer.BID_STEPS),
    "state": (RESALE_STEPS, 1),
    "merchant": (len(ASK_FACTOR), 1),
}


class Sheet:
    """Stands in for the book of one cohort: keeps what is posted, ``[row, step]``."""

    def __init__(self, cohort: Poster) -> None:
        kind = type(cohort).__name__.lower().removesuffix("s")
        sizes = len(cohort.ask_row), len(cohort.bid_row)
        (self.asks, self.ask_columns), (self.bids, self.bid_columns) = (
            ({kind: tuple(table)}, {kind: tuple(table.reshape(2, -1))})
            for table in (
                np.zeros((2, size // steps, steps))
                for size, steps in zip(sizes, STEPS[kind], strict=True)
            )
        )


def bulletin(price_usd_per_kg: np.ndarray = PRICE_USD_PER_KG, **changed: Any) -> Bulletin:
    """Return a bulletin of the small market with one price everywhere, of the first month."""
    price = np.repeat(np.asarray(price_usd_per_kg, dtype=float)[:, None], 2, axis=1)
    published = Bulletin(
        period=0,
        year=2024.0,
        price_usd_per_kg=np.repeat(price[:, :, None], 2, axis=2),
        netback_usd_per_kg=price,
        trend_per_month=np.zeros_like(price),
        long_price_usd_per_kg=price.copy(),
        long_netback_usd_per_kg=price.copy(),
        stock_ratio=np.full_like(price, 0.5),
        ore_stock_ratio=np.full(2, 0.5),
        rival_cost_usd_per_kg=np.array([np.nan, np.nan, 80.0, 3.0, np.nan]),
        responsible_cost_usd_per_kg=np.ones((4, 5, 2)),
        entry_share=0.1,
        moved_t=np.zeros((0, 5, 2, 2)),
        reserve_t=np.zeros((2, 5)),
        touches=(),
        content_share=np.zeros((0, 5, 2)),
        military_share=np.zeros((5, 2)),
        catalogue=CATALOGUE,
        usual_t={},
    )
    return published._replace(**changed)


def regime(**changed: Any) -> Regime:
    """Return a rule book of the small market in which freight is one USD/kg abroad."""
    freight = np.broadcast_to(1.0 - np.eye(2), (5, 2, 2)).copy()
    return open_regime(freight, 2)._replace(**changed)


def nobody_refuses(classes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return the origins that buyer classes of the small market exclude, none, at no cost."""
    return np.zeros((classes, 5, 2, 2), dtype=bool), np.zeros(classes)


def filled(rows: int, value: Any) -> np.ndarray:
    """Return a column of that length from one value or from a column."""
    return np.array(np.broadcast_to(np.asarray(value), (rows,)))


def lifecycle(rows: int = 1, scenario: Scenario | None = None, **columns: Any) -> Lifecycle:
    """Return facilities that all operate at 1200 t a year, but for the columns given."""
    table: dict[str, Any] = {
        "capacity_t_per_year": 1200.0,
        "output_t_per_year": 1200.0,
        "status": "operating",
        "start_year": 2000.0,
        "lead_time_years": 2.0,
        "capex_usd": 24e6,
        "ownership": "private",
        "in_china": False,
    }
    luck = Luck(
        filled(rows, columns.pop("overrun_share", 0.0)).astype(float),
        filled(rows, columns.pop("delay_months", 0.0)).astype(float),
        np.array(np.broadcast_to(columns.pop("outage", 0.0), (PERIODS, rows))).astype(float),
    )
    table.update(columns)
    return Lifecycle(
        {name: filled(rows, value) for name, value in table.items()}, luck, scenario or Scenario()
    )


def mines(rows: int = 1, scenario: Scenario | None = None, **columns: Any) -> Producers:
    """Return mines of 100 t a month at a cash cost of 4 USD/kg, but for the columns given."""
    scenario = scenario or Scenario()
    own: dict[str, Any] = {
        "place": USA,
        "good": ORE,
        "cost_usd_per_kg": 4.0,
        "output_t": 100.0,
        "cover_months": 1.0,
        "plant": NO_PLANT,
        "quota_bound": False,
        "collected_share": 0.0,
        "other_scrap_t": 0.0,
        "extrapolation_share": 0.0,
    }
    life = {name: value for name, value in columns.items() if name not in own}
    own.update({name: value for name, value in columns.items() if name in own})
    return Producers(
        names=tuple(f"mine_{row}" for row in range(rows)),
        **{name: filled(rows, value) for name, value in own.items()},
        life=lifecycle(rows, scenario, **life),
        scenario=scenario,
    )


def plants(rows: int = 1, scenario: Scenario | None = None, **columns: Any) -> Processors:
    """Return separators of 100 t of ore a month, but for the columns given."""
    scenario = scenario or Scenario()
    own: dict[str, Any] = {
        "place": USA,
        "stage": 1,
        "cost_usd_per_kg": 2.0,
        "finishing_share": 0.3,
        "activity_t": 100.0,
        "feed_cover_months": 1.0,
        "product_cover_months": 1.0,
        "extrapolation_share": 0.0,
    }
    recipe = {"input_t": SEPARATE_IN, "output_t": SEPARATE_OUT}
    life = {name: v for name, v in columns.items() if name not in own and name not in recipe}
    own.update({name: value for name, value in columns.items() if name in own})
    recipe.update({name: value for name, value in columns.items() if name in recipe})
    covers = {
        name: np.repeat(filled(rows, own.pop(name))[:, None], 5, axis=1)
        for name in ("feed_cover_months", "product_cover_months")
    }
    return Processors(
        names=tuple(f"plant_{row}" for row in range(rows)),
        **{name: filled(rows, value) for name, value in own.items()},
        **covers,
        **{name: np.array(np.broadcast_to(value, (rows, 5))) for name, value in recipe.items()},
        by_product=np.zeros(5, dtype=bool),
        life=lifecycle(rows, scenario, **life),
        scenario=scenario,
    )


def sectors(rows: int = 1, scenario: Scenario | None = None, **columns: Any) -> Buyers:
    """Return sectors using 10 t of oxide a month at 50 USD/kg, but for the columns given."""
    own: dict[str, Any] = {
        "place": USA,
        "good": OXIDE,
        "buyer_class": 0,
        "military": False,
        "demand_t": 10.0,
        "elasticity": -0.1,
        "cover_months": 2.0,
        "first_price_usd_per_kg": 50.0,
        "cost_share": 0.02,
        "substitute": NO_SUBSTITUTE,
        "extrapolation_share": 0.0,
    }
    index = columns.pop("demand_index", 1.0)
    own.update(columns)
    return Buyers(
        names=tuple(f"sector_{row}" for row in range(rows)),
        **{name: filled(rows, value) for name, value in own.items()},
        demand_index=np.array(np.broadcast_to(index, (PERIODS, rows))),
        scenario=scenario or Scenario(),
    )


def columns_of(records: Records) -> dict[str, np.ndarray]:
    """Return every array of the records that has a row per month."""
    return {
        name: values
        for name, values in vars(records).items()
        if isinstance(values, np.ndarray) and len(values) == records.periods
    }


def first_difference(one: Records, other: Records, months: int | None = None) -> str:
    """Name the first record in which two runs differ, to the bit; empty if there is none."""
    others = columns_of(other)
    for name, values in columns_of(one).items():
        if not np.array_equal(values[:months], others[name][:months], equal_nan=True):
            return name
    contracts = [
        [row for row in r.contract_trades if months is None or row[0] < months]
        for r in (one, other)
    ]
    return "" if contracts[0] == contracts[1] else "contract_trades"


def edited_data(folder: Path, table: str, edit: Callable[[list[dict[str, str]]], Any]) -> Path:
    """Copy the data tables and edit the rows of one; returns the folder."""
    copy = folder / "data"
    if not copy.exists():
        shutil.copytree(DATA, copy)
    path = copy / f"{table}.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    header = list(rows[0])
    edit(rows)
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return copy


def run(policies: Sequence[Any] = (), **assumptions: Any) -> Records:
    """Run a scenario of three years, but for the assumptions given."""
    return simulate(Scenario(**{"years": 3, **assumptions}), policies)


@pytest.fixture(scope="session")
def data() -> Data:
    return read_data()


@pytest.fixture(scope="session")
def short_scenario() -> Scenario:
    return Scenario(years=3)


@pytest.fixture(scope="session")
def short_run(short_scenario: Scenario) -> Records:
    return simulate(short_scenario)
