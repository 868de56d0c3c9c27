"""What there is to choose from: policies, goods, places, scenario fields."""

from __future__ import annotations

import dataclasses
from typing import Any

from rare_market.dataset import read_data
from rare_market.declare import declarations
from rare_market.goods import STAGES
from rare_market.policies import INSTRUMENTS, read_package, shipped
from rare_market.scenario import Scenario


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
        return [{"name": "base_2024", "summary": "policy runs from January 2024", "fields": fields}]
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
