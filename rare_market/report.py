"""What a comparison leaves behind: table, records, provenance and figures."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from rare_market.accounts import GROUPS
from rare_market.compare import Comparison


class Column(NamedTuple):
    """A line of the printed table.

    Attributes
    ----------
    measure
        key in the outcomes.
    title, unit
        what the reader sees.
    scale, digits
        factor and decimals of the printed value.
    """

    measure: str
    title: str
    unit: str
    scale: float
    digits: int


LINES = (
    Column("ndpr_inside_usd_per_kg", "NdPr oxide price in China", "USD/kg", 1, 1),
    Column("ndpr_outside_usd_per_kg", "NdPr oxide price in allied places", "USD/kg", 1, 1),
    Column("dy_inside_usd_per_kg", "Dy oxide price in China", "USD/kg", 1, 0),
    Column("dy_outside_usd_per_kg", "Dy oxide price in allied places", "USD/kg", 1, 0),
    Column(
        "separation_capacity_outside_t_per_year",
        "separation alive outside China, end of run",
        "kt feed/year",
        1e-3,
        1,
    ),
    Column(
        "magnet_capacity_outside_t_per_year",
        "magnet making alive outside China, end of run",
        "kt/year",
        1e-3,
        1,
    ),
    Column("separation_cover_share", "allied need covered: separation", "%", 100, 0),
    Column("metal_cover_share", "allied need covered: metal", "%", 100, 0),
    Column("magnet_cover_share", "allied need covered: magnets", "%", 100, 0),
    Column(
        "met_without_china_share", "allied demand met without China (weakest link)", "%", 100, 0
    ),
    Column("secured_t", "NdPr oxide secured, against the second world", "kt", 1e-3, 1),
    Column("public_cost_musd", "public cost of the schemes, net of resale", "billion USD", 1e-3, 2),
    Column("public_cost_usd_per_kg_secured", "public cost per kg secured", "USD/kg = kUSD/t", 1, 0),
    Column(
        "public_cost_discounted_usd_per_kg_secured",
        "cost per kg secured, at 5 % a year",
        "USD/kg",
        1,
        0,
    ),
    Column(
        "public_cost_usd_per_kg_per_year_kept",
        "public cost per unit of separation kept alive",
        "USD per kg feed/year",
        1,
        0,
    ),
    Column(
        "public_cost_discounted_usd_per_kg_per_year_kept",
        "cost per unit kept alive, at 5 % a year",
        "USD per kg feed/year",
        1,
        0,
    ),
    Column(
        "public_cost_musd_per_point",
        "public cost per point of China's share of separation removed",
        "million USD",
        1,
        0,
    ),
    Column(
        "public_cost_discounted_musd_per_point",
        "cost per point removed, at 5 % a year",
        "million USD",
        1,
        0,
    ),
    Column(
        "allied_welfare_change_musd",
        "welfare of allies, against the second world",
        "billion USD",
        1e-3,
        2,
    ),
    Column("duty_revenue_musd", "import duties collected by allies", "billion USD", 1e-3, 2),
    Column("buyers_cost_musd", "allied buyers' cost of rare-earth goods", "billion USD", 1e-3, 1),
    Column(
        "china_income_change_musd",
        "income of Chinese mines and plants, against the first world",
        "billion USD",
        1e-3,
        1,
    ),
    Column("china_cost_musd", "Chinese treasury's cost of undercutting", "billion USD", 1e-3, 2),
)


DAMAGE_LINES = (
    Column("damage_musd", "welfare allies lose to the shock in 24 months", "billion USD", 1e-3, 2),
    Column("damage_lost_use_share", "use allies lose to it in 24 months, by value", "%", 100.0, 1),
    Column(
        "damage_price_ratio",
        "peak of the allied NdPr metal price in 24 months, against no shock",
        "ratio",
        1.0,
        2,
    ),
)
SIDE_ORDER = [
    *(f"{group} {side}" for side in ("state", "firms", "buyers") for group in GROUPS),
    "economy",
]


def as_text(comparison: Comparison) -> str:
    """Return the comparison as a table to read: median, and the 10-90 % range below it."""
    indexed = comparison.table().set_index(["measure", "world"])
    table: dict[Any, dict[str, float]] = {key: dict(row) for key, row in indexed.iterrows()}
    worlds = [world.name for world in comparison.worlds]
    first = comparison.scenario.start_year
    since, last = comparison.counted_years
    rows: dict[str, list[str]] = {}
    for line in (*LINES, *DAMAGE_LINES):
        if (line.measure, worlds[0]) not in table:
            continue  # no shock was asked for
        cells, spread = [], []
        for world in worlds:
            value = table[line.measure, world]
            known = value["median"] == value["median"]  # a measure without a meaning is NaN
            median, low, high = (
                _number(value[key] * line.scale, line.digits) for key in ("median", "low", "high")
            )
            cells.append(median if known else "–")
            spread.append(f"{low} – {high}" if known and comparison.replications > 1 else "")
        rows[f"{line.title} [{line.unit}]"] = cells
        if any(spread):
            rows["   " + " " * len(rows)] = spread
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=worlds)
    span = f"{since}-{last}"
    mark = "" if comparison.valid else "INVALID: a clearing failed its certificate\n"
    head = (
        f"{mark}{comparison.replications} replications per world, {first}-{last}; prices and costs "
        f"over {span}, real USD of 2024, undiscounted; median, 10-90 % below"
    )
    if (DAMAGE_LINES[0].measure, worlds[0]) in table:
        head += "; all without the shock, but for the last three lines, which say what it changes"
    return f"{head}\n\n{frame.to_string()}\n\n{_sides_as_text(comparison, span)}"


def _sides_as_text(comparison: Comparison, span: str) -> str:
    """What each side got and paid in the last world."""
    world = comparison.worlds[-1].name
    received = comparison.received_musd(world)
    received.index.name = received.columns.name = None
    order = [side for side in SIDE_ORDER if side in received.columns]
    table = received[order].map(lambda value: _number(float(value), 0))
    head = (
        f"What each side got (and paid, negative) in the world {world!r}, {span}, million USD, "
        "mean of the replications"
    )
    return f"{head}\n\n{table.to_string()}"


def _number(value: float, digits: int) -> str:
    """Value with thousands separated; what rounds to zero has no sign."""
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain data."""
    rows = json.loads(comparison.table().to_json(orient="records"))
    return {
        "scenario": comparison.provenance[comparison.worlds[0].name]["scenario"],
        "replications": comparison.replications,
        "valid": comparison.valid,
        "worlds": [world.name for world in comparison.worlds],
        "table": rows,
        "received_musd": {
            world.name: comparison.received_musd(world.name).to_dict()
            for world in comparison.worlds
        },
    }


def write(comparison: Comparison, folder: Path) -> None:
    """Write runs, provenance, table and figures into a folder.

    Raises
    ------
    rare_market.declare.InvalidValueError
        if a clearing failed its certificate and invalid runs are not allowed. The runs, marked,
        and the provenance are then written all the same; the table and the figures are not.
    """
    from rare_market import figures

    _write_frame(comparison.runs(), folder / "runs")
    provenance = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "replications": comparison.replications,
        "seed": comparison.scenario.seed,
        "valid": comparison.valid,
        "worlds": comparison.provenance,
    }
    (folder / "provenance.json").write_text(json.dumps(provenance, indent=1), encoding="utf-8")
    comparison.check()
    _write_frame(comparison.table(), folder / "comparison")
    received = pd.concat(
        {w.name: comparison.received_musd(w.name) for w in comparison.worlds},
        names=["world", "reason"],
    ).reset_index()
    _write_frame(received, folder / "received")
    _write_frame(comparison.welfare_musd(), folder / "welfare")
    figures.write_all(comparison, folder)


def _write_frame(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path.with_suffix(".csv"), index=False)
    frame.to_parquet(path.with_suffix(".parquet"), index=False)
