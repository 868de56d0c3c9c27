"""Write the parameter tables of the documentation from the declarations in the code.

``python docs/_generate.py`` writes the same two files without Sphinx.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rare_market.declare import Declaration, declarations
from rare_market.inputs import load_tables
from rare_market.policies import INSTRUMENTS
from rare_market.scenario import Scenario

HEAD = "| field | unit | default | range | meaning | source |\n|---|---|---:|---:|---|---|"
UNCITED = ("assumed", "choice")  # not keys of a published source


def write_tables(folder: Path) -> None:
    """Write ``_parameters_table.md`` and ``_policies_table.md`` into a folder."""
    known = {*load_tables().sources["key"].tolist(), *UNCITED}
    fields = list(declarations(Scenario))
    parameters = f"{_table(fields)}\n\n{_unlisted(fields, known)}"
    policies = "\n".join(
        f"<!-- begin {name} -->\n\n{instrument.summary[0].upper()}{instrument.summary[1:]}.\n\n"
        f"{_table(declarations(instrument))}\n\n"
        f"{_unlisted(declarations(instrument), known)}\n<!-- end {name} -->\n"
        for name, instrument in INSTRUMENTS.items()
    )
    for name, text in (("_parameters_table", parameters), ("_policies_table", policies)):
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _table(fields: Iterable[Declaration]) -> str:
    return "\n".join([HEAD, *(_row(field) for field in fields)])


def _row(field: Declaration) -> str:
    bounded = field.low is not None and field.high is not None
    cells = (
        f"`{field.name}`",
        field.unit or "–",
        _value(field.default),
        f"{_number(field.low)} – {_number(field.high)}" if bounded else "–",
        field.meaning,
        field.source if field.source in UNCITED else f"`{field.source}`",
    )
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    return _number(value)


def _number(value: object) -> str:
    """Digits of a number without an exponent."""
    assert isinstance(value, int | float)
    return str(int(value)) if value == int(value) else f"{value:g}"


def _unlisted(fields: Iterable[Declaration], known: set[str]) -> str:
    """Say which source keys have no row in the table of sources."""
    missing = sorted({field.source for field in fields} - known)
    if not missing:
        return ""
    keys = ", ".join(f"`{key}`" for key in missing)
    return f"Source keys without a row in `SOURCES.csv` yet: {keys}.\n"


if __name__ == "__main__":
    write_tables(Path(__file__).parent / "model")
