"""Packages: dated instruments with their sources, listed in a file.

A package is a TOML file with a title, a note, names of other packages to include, and a table
``instrument`` for each instrument with its name, its terms, a source and perhaps a note. Those
shipped are known by name; a user's own is known by its path.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from rare_market.declare import InvalidValueError, declarations, refuse_unknown
from rare_market.policies.base import Policy

SUFFIX = ".toml"
LARGEST_FILE_BYTES = 2**20


class Entry(NamedTuple):
    """An instrument of a package.

    Attributes
    ----------
    policy
        the instrument.
    source, note
        key of ``SOURCES.csv``, and what else there is to say.
    """

    policy: Policy
    source: str
    note: str


class Package(NamedTuple):
    """Instruments that go together.

    Attributes
    ----------
    name, title, note
        what it is called, what it stands for, and what it leaves out.
    entries
        its instruments, those of the packages it includes first.
    """

    name: str
    title: str
    note: str
    entries: tuple[Entry, ...]

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Its instruments."""
        return tuple(entry.policy for entry in self.entries)


def shipped() -> dict[str, Path]:
    """Files of the packages that come with this one, by name."""
    folder = Path(str(resources.files("rare_market") / "data" / "packages"))
    return {file.stem: file for file in sorted(folder.glob(f"*{SUFFIX}"))}


def is_package(text: str) -> bool:
    """Whether a text names a shipped package or a file of one."""
    return text.endswith(SUFFIX) or text in shipped()


def read_package(
    text: str, instruments: dict[str, type[Policy]], within: tuple[str, ...] = ()
) -> Package:
    """Read a package by name or path.

    Parameters
    ----------
    text
        name of a shipped one, or the path of a file that ends in ``.toml``.
    instruments
        classes by name.
    within
        packages that include it.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a file that cannot be read, an unknown instrument, field or key, a value of the wrong
        type or out of range, an instrument without a source, or packages that include each other.
    """
    if text in within:
        raise InvalidValueError(f"package {text!r} includes itself by way of {within[-1]!r}.")
    file = shipped().get(text, Path(text))
    content = _content(file)
    refuse = {"title", "note", "includes", "instrument"}
    for key in content:
        refuse_unknown(refuse, key, str(file))
    entries: list[Entry] = []
    for name in _list(content, "includes", str, 'names such as ["mp_dod_2025"]', file):
        entries.extend(read_package(name, instruments, (*within, text)).entries)
    rows = _list(content, "instrument", dict, "tables, each headed [[instrument]]", file)
    for number, row in enumerate(rows, start=1):
        entries.append(_entry(dict(row), instruments, f"{file.name}, instrument {number}"))
    if not entries:
        raise InvalidValueError(f"{file}: a package needs at least one instrument.")
    return Package(file.stem, content.get("title", ""), content.get("note", ""), tuple(entries))


def _list(content: dict[str, Any], key: str, kind: type, wanted: str, file: Path) -> list[Any]:
    values = content.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        raise InvalidValueError(f"{file}: {key} = {values!r} must be a list of {wanted}.")
    return values


def _content(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_FILE_BYTES:
            raise InvalidValueError(f"{file}: the file is larger than {LARGEST_FILE_BYTES} bytes.")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidValueError(f"{file}: the package cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidValueError(f"{file}: not a TOML file: {error}.") from None


def _entry(row: dict[str, Any], instruments: dict[str, type[Policy]], owner: str) -> Entry:
    name, source, note = row.pop("name", ""), row.pop("source", ""), row.pop("note", "")
    if not isinstance(name, str) or name not in instruments:
        raise InvalidValueError(
            f"{owner}: name = {name!r} is no instrument: there are {', '.join(instruments)}."
        )
    if not source:
        raise InvalidValueError(f"{owner}: {name} needs a source.")
    known = {field.name for field in declarations(instruments[name])}
    for field in row:
        refuse_unknown(sorted(known), field, f"{owner}: {name}")
    try:
        return Entry(instruments[name](**row), str(source), str(note))
    except InvalidValueError as error:
        raise InvalidValueError(f"{owner}: {error}") from None
