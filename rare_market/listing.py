"""What there is to choose from: policies, goods, places, scenario fields."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from rare_market.contracts import COST_PARTS
from rare_market.cost import responsible_cost_usd_per_kg
from rare_market.dataset import external_cost_usd_per_kg, read_data
from rare_market.declare import InvalidValueError, declarations
from rare_market.goods import STAGES
from rare_market.history import named_scenario, names
from rare_market.inputs import EXTERNAL_PARTS
from rare_market.policies import INSTRUMENTS, read_package, shipped
from rare_market.scenario import Scenario
from rare_market.world import build_world


def rows(what: str) -> list[dict[str, Any]]:
    """Rows of ``policies``, ``packages``, ``goods``, ``places`` or ``scenarios``."""
    if what == "policies":
        return [
            {
                "name": name,
                "summary": instrument.summary,
                "parameters": [field._asdict() for field in declarations(instrument)],
            }
            for name, instrument in INSTRUMENTS.items()
        ]
    if what == "packages":
        packages = [read_package(name, INSTRUMENTS) for name in shipped()]
        return [
            {
                "name": package.name,
                "title": package.title,
                "note": package.note,
                "instruments": [
                    {
                        "name": entry.policy.name,
                        **dataclasses.asdict(entry.policy),
                        "source": entry.source,
                        "note": entry.note,
                    }
                    for entry in package.entries
                ],
            }
            for package in packages
        ]
    if what == "scenarios":
        fields = [field._asdict() for field in declarations(Scenario)]
        base = {"name": "base_2024", "summary": "policy runs from January 2024", "fields": fields}
        named = (named_scenario(name) for name in names())
        return [base, *({"name": n.name, "summary": n.summary, "fields": []} for n in named)]
    data = read_data()
    if what == "goods":
        table, catalogue = data.tables.goods, data.catalogue
        return [
            {
                "name": good,
                "title": str(table["name"][i]),
                "stage": STAGES[catalogue.stage[i]],
                "unit": str(table["unit"][i]),
            }
            for i, good in enumerate(catalogue.goods)
        ]
    table = data.tables.places
    return [
        {
            "name": place,
            "title": str(table["name"][i]),
            "allied": bool(data.catalogue.allied[i]),
        }
        for i, place in enumerate(data.catalogue.places)
    ]


def cost_rows(good: str) -> list[dict[str, Any]]:
    """Responsible-extraction cost of a good by place and part, USD/kg, without any luck.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a good that is unknown or not made anywhere.
    """
    data = read_data()
    c = data.catalogue
    if good not in c.goods:
        raise InvalidValueError(f"good {good!r} is unknown: there are {', '.join(c.goods)}.")
    scenario = Scenario(cost_spread_share=0.0, capex_overrun_sd_share=0.0)
    world = build_world(data, scenario)

    def cost(external: np.ndarray) -> np.ndarray:
        return responsible_cost_usd_per_kg(
            c, world.producers, world.processors, external, data.start_price_usd_per_kg, scenario
        )[:, c.good(good)]

    parts = cost(data.external_usd_per_kg.sum(axis=0))
    external = COST_PARTS.index("external")
    kinds = {
        name: cost(data.external_usd_per_kg[i])[external] for i, name in enumerate(EXTERNAL_PARTS)
    }
    bounds = {
        column: cost(external_cost_usd_per_kg(data.tables, c, f"{column}_usd_per_kg").sum(axis=0))[
            external
        ]
        for column in ("low", "high")
    }
    rows = []
    for place in np.nonzero(np.isfinite(parts[0]))[0]:
        row = {"place": c.places[place], "private": float(parts[0, place])}
        row |= {name: float(value[place]) for name, value in kinds.items()}
        row |= {"capital": float(parts[2, place]), "risk": float(parts[3, place])}
        row["total"] = float(parts[:, place].sum())
        row |= {f"external_{name}": float(value[place]) for name, value in bounds.items()}
        rows.append(row)
    if not rows:
        raise InvalidValueError(f"good {good!r} is made nowhere by a mine or plant of the tables.")
    return sorted(rows, key=lambda row: row["total"])


def as_text(what: str, rows: list[dict[str, Any]]) -> str:
    """Rows as lines to read."""
    lines = []
    for row in rows:
        rest = [str(value) for key, value in row.items() if key not in ("name",) and _plain(value)]
        lines.append(f"{row['name']:<24} {' · '.join(rest)}")
        for field in row.get("parameters", row.get("fields", [])):
            bounds = "" if field["low"] is None else f" [{field['low']:g} … {field['high']:g}]"
            unit = f" {field['unit']}" if field["unit"] else ""
            default = "''" if field["default"] == "" else field["default"]
            lines.append(f"    {field['name']} = {default}{unit}{bounds}: {field['meaning']}")
        for entry in row.get("instruments", []):
            span = f"{entry['start_year']:g} for {entry['duration_years']:g} years"
            lines.append(f"    {entry['name']} from {span} ({entry['source']})")
    return "\n".join(lines)


def _plain(value: Any) -> bool:
    return isinstance(value, str | bool | int | float)
