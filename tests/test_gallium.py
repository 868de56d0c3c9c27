"""Gallium by data files alone: a good, a by-product source, two buyers, and a price comes out."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from rare_market.model import simulate
from rare_market.policies import Embargo
from rare_market.scenario import Scenario
from tests.conftest import edited_data

MARKS = {"source": "assumed", "year": "2024", "confidence": "C", "note": "assumed: example"}


def add(folder: Path, table: str, **cells: Any) -> Path:
    """Append a row to a table of a copy of the data."""

    def append(rows: list[dict[str, str]]) -> None:
        rows.append(
            {**dict.fromkeys(rows[0], ""), **MARKS, **{k: str(v) for k, v in cells.items()}}
        )

    return edited_data(folder, table, append)


def gallium(folder: Path) -> Path:
    add(folder, "goods", good="gallium", name="gallium", stage="metal", unit="t metal")
    add(
        folder, "prices", good="gallium", place="CHN", basis="domestic_ex_vat", period="2024",
        price_usd_per_kg=330,
    )  # fmt: skip
    for name, place, tonnes, owner in (
        ("alumina_china", "CHN", 560, "state"),
        ("alumina_japan", "JPN", 10, "private"),
    ):
        add(
            folder, "facilities", facility=name, name=name, owner=owner, place=place, country=place,
            process_or_good="gallium", stage="mine", capacity_t_per_year=tonnes * 1.3,
            output_t_per_year=tonnes, status="operating", start_year=2000, lead_time_years=2,
            capex_usd=50e6, cash_cost_usd_per_kg=200, ownership=owner,
        )  # fmt: skip
    add(
        folder, "sectors", sector="chips", short_run_elasticity=-0.1, target_cover_months=2,
        rare_earth_cost_share=0.001, lifetime_years=0, end_use="civil",
    )  # fmt: skip
    for year, index in ((2024, 1.0), (2035, 1.6)):
        add(
            folder,
            "activity",
            sector="chips",
            place="any",
            activity_year=year,
            activity_index=index,
        )
    add(folder, "demand", sector="chips", place="CHN", good="gallium", demand_t_per_year=300)
    return add(folder, "demand", sector="chips", place="JPN", good="gallium", demand_t_per_year=270)


def test_gallium_is_data_alone_and_has_a_price(tmp_path):
    """Made beside alumina in China and a little in Japan, bought in both, and embargoed as any."""
    folder = str(gallium(tmp_path))
    scenario = Scenario(years=2, data_folder=folder)
    free = simulate(scenario)
    assert free.valid
    c = free.catalogue
    good, jpn = c.good("gallium"), c.place("JPN")
    price = free.price_usd_per_kg[:, good, jpn, 0]
    assert np.isfinite(price).all()
    assert 100.0 < price.mean() < 1000.0
    assert free.flow_t[:, good, c.china, jpn].sum() > 100.0
    stop = Embargo(start_year=2025.0, goods="gallium", leak_share=0.0)
    cut = simulate(scenario, [stop])
    assert cut.price_usd_per_kg[12:, good, jpn, 0].mean() > price[12:].mean()
    with (tmp_path / "data" / "goods.csv").open(encoding="utf-8") as lines:
        assert [row["good"] for row in csv.DictReader(lines)][-1] == "gallium"
