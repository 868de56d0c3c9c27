"""The input tables: read, check and fingerprint them.

A table is a CSV file of the data folder; a user's own folder with the same file names works too.
No place, good or ore class is named here: adding one is a row of data. Every row carries the key of
a source listed in ``SOURCES.csv``, the year, a confidence (A read in a primary document, B in a
secondary one, C recalled or assumed) and a note.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import numpy as np

__all__ = [
    "InputError",
    "Table",
    "Tables",
    "check_tables",
    "load_tables",
    "table_checksums",
    "vintage_folders",
]

BASE_YEAR = 2024  # the year that the shipped tables describe
TOLERANCE = 1e-6  # tonnes per unit of activity, percentage points
EXTERNAL_PARTS = ("waste", "water", "gas", "land", "radioactivity", "restoration")
END_USES = ("civil", "military")
ANY = "any"  # a place that stands for every place
VOCABULARY: dict[str, set[Any]] = {
    "confidence": {"A", "B", "C"},
    "role": {"input", "output"},
    "allied": {"yes", "no"},
    "end_use": set(END_USES),
    "ownership": {"state", "private", "informal"},
    "status": {"operating", "ramping", "mothballed", "closed"}
    | {"construction", "permitted", "permitting", "planned"},
}
LARGE = 1e15  # refuses infinity in a column without a natural upper bound
TONNES = (
    "capacity_t_per_year",
    "output_t_per_year",
    "demand_t_per_year",
    "collection_t_per_year",
    "smuggled_t_per_year",
)
MONEY = (
    "cost_usd_per_kg",
    "capex_usd",
    "cash_cost_usd_per_kg",
    "freight_usd_per_kg",
    "price_usd_per_kg",
)

# number columns and the bounds of their values; every other column is text
NUMBERS: dict[str, tuple[float, float]] = {
    **dict.fromkeys((*TONNES, *MONEY, "quantity_t"), (0, LARGE)),
    **dict.fromkeys(("rare_earth_cost_share", "bound_share", "risk_share"), (0, 1)),
    "end_of_life_share": (0, 1),
    "activity_year": (1900, 2100),
    "activity_index": (0, 1e4),
    **dict.fromkeys(("target_cover_months", "cover_months"), (0, 600)),
    "lifetime_years": (0, 100),
    "share_percent": (0, 100),
    "reo_t_per_t": (0, 1.5),  # a metal holds more oxide equivalent than its own mass
    "start_year": (1800, 2100),
    "lead_time_years": (0, 40),
    "short_run_elasticity": (-10, 0),
    "rate_share": (0, 10),
    **dict.fromkeys(("value", "record", "low", "high"), (-LARGE, LARGE)),
    **dict.fromkeys(("external_usd_per_kg", "low_usd_per_kg", "high_usd_per_kg"), (0, 1e4)),
}


class InputError(ValueError):
    """A table that cannot be used: one sentence naming table, row, field, value and bound."""


class Table(dict[str, np.ndarray[Any, Any]]):
    """One input table: column name to array, text or float64, all of one length."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.values()))) if self else 0


@dataclass(frozen=True)
class Tables:
    """Every input table, by the name of its file and with the columns that identify a row."""

    places: Annotated[Table, "place"]
    goods: Annotated[Table, "good"]
    baskets: Annotated[Table, "good", "element"]
    composition: Annotated[Table, "good", "element"]
    recipes: Annotated[Table, "process", "role", "good"]
    facilities: Annotated[Table, "facility"]
    demand: Annotated[Table, "sector", "place", "good"]
    smuggling: Annotated[Table, "good", "place", "through"]
    scrap_collection: Annotated[Table, "place", "good"]
    sectors: Annotated[Table, "sector"]
    activity: Annotated[Table, "sector", "place", "activity_year"]
    substitutes: Annotated[Table, "good"]
    origin_bound: Annotated[Table, "place", "good"]
    freight: Annotated[Table, "origin", "destination", "stage"]
    taxes: Annotated[Table, "kind", "place", "origin", "scope", "start"]
    external_cost: Annotated[Table, "good", "place", "part"]
    policies_in_force: Annotated[Table, "name"]
    prices: Annotated[Table, "good", "place", "basis", "period"]
    stocks: Annotated[Table, "holder", "place", "item"]
    benchmarks: Annotated[Table, "quantity", "scope"]
    sources: Annotated[Table, "key"]


KEYS: dict[str, tuple[str, ...]] = {
    name: hint.__metadata__ for name, hint in get_type_hints(Tables, include_extras=True).items()
}


SHIPPED = Path(str(resources.files("rare_market") / "data"))


def table_path(name: str, folders: Sequence[Path] = ()) -> Path:
    """Return the file of a table: of the first folder that has it, else the shipped one."""
    file = f"{name.upper()}.csv" if name == "sources" else f"{name}.csv"
    return next((f / file for f in folders if (f / file).is_file()), SHIPPED / file)


def vintage_folders(start_year: int, folder: str = "") -> tuple[Path, ...]:
    """Return where the tables of a run are looked up before those shipped for 2024.

    A folder holds only the tables that differ: first the user's own, then the shipped ones of the
    start year.

    Raises
    ------
    InputError
        for a folder that is none, or a start year without tables.
    """
    vintage = SHIPPED / str(start_year)
    if start_year != BASE_YEAR and not vintage.is_dir():
        known = sorted(int(p.name) for p in SHIPPED.iterdir() if p.name.isdigit())
        raise InputError(
            f"scenario: start_year = {start_year} has no data; there are "
            f"{', '.join(map(str, [*known, BASE_YEAR]))}."
        )
    if folder and not Path(folder).is_dir():
        raise InputError(f"scenario: data_folder = {folder!r} is not a folder.")
    own = (Path(folder),) if folder else ()
    return own if start_year == BASE_YEAR else (*own, vintage)


def read_table(path: Path) -> Table:
    """Read one CSV file: text columns as ``str`` arrays, number columns as ``float64``.

    Raises
    ------
    InputError
        for a file that is no UTF-8, a row of another length, or a text where a number is needed.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path.name}, line {line}: the byte {content[error.start]:#x} is not UTF-8."
        ) from None
    header, *records = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    for number, record in enumerate(records, start=2):
        if len(record) != len(header):
            raise InputError(
                f"{path.name}, line {number}: {len(record)} fields, not {len(header)}."
            )
    table = Table()
    columns = zip(*records, strict=True) if records else iter([()] * len(header))
    for name, column in zip(header, columns, strict=True):
        if name in NUMBERS:
            values = [_number(cell, path, row, name) for row, cell in enumerate(column, start=2)]
            table[name] = np.array(values, dtype=np.float64)
        else:
            table[name] = np.array(column, dtype=np.str_)
    return table


def _number(cell: str, path: Path, row: int, column: str) -> float:
    try:
        return float(cell)
    except ValueError:
        low, high = NUMBERS[column]
        raise InputError(
            f"{path.name}, row {row}: {column} is {cell!r}, a number is needed, "
            f"allowed is {low:g} to {high:g}."
        ) from None


def load_tables(folders: Sequence[Path] = ()) -> Tables:
    """Read and check every table.

    Parameters
    ----------
    folders : sequence of Path
        Folders with files of the same names and columns, the first that has a table gives it; the
        package's own data gives the rest.

    Returns
    -------
    Tables
        The checked tables.

    Raises
    ------
    InputError
        for a CSV file of a folder that is no table, or as :func:`check_tables`.

    Examples
    --------
    >>> tables = load_tables()
    >>> tables.places.rows
    13
    """
    for folder in folders:
        _check_names(folder)
    tables = Tables(**{name: read_table(table_path(name, folders)) for name in KEYS})
    for name in KEYS if folders else ():
        for column in table_path(name).read_text("utf-8").split("\n", 1)[0].split(","):
            if column not in getattr(tables, name):
                raise InputError(f"{name}.csv: the column {column} is missing.")
    check_tables(tables)
    return tables


def _check_names(folder: Path) -> None:
    """Refuse a CSV file without a namesake among those shipped: it would not be read."""
    shipped = {path.name.lower(): path.name for path in SHIPPED.glob("*.csv")}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() == ".csv" and path.name not in shipped.values():
            (near,) = difflib.get_close_matches(path.name.lower(), shipped, n=1, cutoff=0.0)
            raise InputError(f"{path}: there is no such table; the nearest is {shipped[near]}.")


def table_checksums(folders: Sequence[Path] = ()) -> dict[str, str]:
    """Return the SHA-256 of each table's file, for the provenance of a run."""
    return {n: hashlib.sha256(table_path(n, folders).read_bytes()).hexdigest() for n in KEYS}


def check_tables(tables: Tables) -> None:
    """Refuse tables with unknown codes, sources or marks, bad values or unbalanced mass.

    Raises
    ------
    InputError
        One sentence: table, row, field, value and what is allowed.
    """
    named: dict[str, Table] = {name: getattr(tables, name) for name in KEYS}
    sources = named.pop("sources")
    _check_columns(named)
    _check_codes(tables, named, set(sources["key"]))
    _check_baskets(tables.baskets)
    _check_mass(tables)


def _refuse(name: str, table: Table, row: Any, column: str, bound: str) -> InputError:
    key = "/".join(str(table[part][row]) for part in KEYS[name])
    where = f"{name}.csv, row {row + 2} ({key})"
    return InputError(f"{where}: {column} is {table[column][row]!s}, {bound}.")


def _check_columns(named: dict[str, Table]) -> None:
    """Check that numbers are in range and keys are unique."""
    for name, table in named.items():
        for column in (column for column in table if column in NUMBERS):
            low, high = NUMBERS[column]
            good = (table[column] >= low) & (table[column] <= high)  # NaN fails
            for wrong in np.flatnonzero(~good):
                raise _refuse(name, table, wrong, column, f"allowed is {low:g} to {high:g}")
        seen = set()
        for row, key in enumerate(zip(*(table[k].tolist() for k in KEYS[name]), strict=True)):
            if key in seen:
                raise _refuse(name, table, row, KEYS[name][-1], "the key occurs twice")
            seen.add(key)


def _check_codes(tables: Tables, named: dict[str, Table], sources: set[Any]) -> None:
    """Check that every code used in a table is defined in its own table."""
    places, goods = set(tables.places["place"]), set(tables.goods["good"])
    stages, processes = set(tables.goods["stage"]), set(tables.recipes["process"])
    known = VOCABULARY | {
        "place": places | {ANY},
        "origin": places | {ANY},
        "through": places,
        "destination": places,
        "good": goods,
        "substitute": goods,
        "sector": set(tables.sectors["sector"]),
        "process_or_good": processes | goods,
        "feeds": set(tables.facilities["facility"]) | {""},
    }
    by_table = {
        ("external_cost", "part"): set(EXTERNAL_PARTS),
        ("freight", "stage"): stages,
        ("taxes", "scope"): stages | goods,
        ("stocks", "item"): goods | {ANY, "feed", "product"},
    }
    for name, table in named.items():
        for column in table:
            codes = by_table.get((name, column), known.get(column, set()))
            for row, code in enumerate(table[column].tolist() if codes else ()):
                if code not in codes:
                    listed = f"not one of {', '.join(sorted(codes))[:200]}"
                    raise _refuse(name, table, row, column, listed)
        for row, cited in enumerate(table["source"].tolist()):
            if not sources.issuperset(cited.split(";")):
                raise _refuse(name, table, row, "source", "every key must be in SOURCES.csv")


def _check_baskets(baskets: Table) -> None:
    """Check that the element shares of each concentrate sum to one hundred percent."""
    for good in dict.fromkeys(baskets["good"]):
        total = baskets["share_percent"][baskets["good"] == good].sum()
        if abs(total - 100) > TOLERANCE:
            raise InputError(f"baskets.csv ({good}): share_percent sums to {total:.6f}, not 100.")


def _check_mass(tables: Tables) -> None:
    """Check that no recipe gives more of an element than it takes."""
    contained: dict[str, dict[str, float]] = defaultdict(dict)
    for table, column, scale in (
        (tables.baskets, "share_percent", 0.01),
        (tables.composition, "reo_t_per_t", 1.0),
    ):
        for row in range(table.rows):
            contained[table["good"][row]][table["element"][row]] = table[column][row] * scale
    balance: dict[tuple[str, str], float] = defaultdict(float)
    recipes = tables.recipes
    for row in range(recipes.rows):
        sign = 1 if recipes["role"][row] == "input" else -1
        for element, share in contained[recipes["good"][row]].items():
            balance[recipes["process"][row], element] += sign * recipes["quantity_t"][row] * share
    for (process, element), left in balance.items():
        if left < -TOLERANCE:
            raise InputError(
                f"recipes.csv, process {process}: outputs hold {-left:.6g} t more {element} per "
                f"unit of activity than inputs, at most {TOLERANCE:g} is allowed."
            )
