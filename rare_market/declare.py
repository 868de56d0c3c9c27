"""One declaration of a parameter: default, unit, range, meaning and source.

Scenario fields and policy fields are declared with :func:`parameter`. Validation messages, the
parameter tables of the documentation, the command line and the dead-parameter test read the
declaration; nothing retypes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple


class InvalidValueError(ValueError):
    """A field is unknown, of the wrong type, or out of range; the message is one sentence."""


class Declaration(NamedTuple):
    """What is declared of one field.

    Attributes
    ----------
    name, default
        as in the dataclass.
    unit
        ``""`` for a plain number.
    low, high
        inclusive bounds, ``None`` where there is none (text fields).
    meaning
        one line.
    source
        key of ``SOURCES.csv``, or ``assumed`` or ``choice``.
    """

    name: str
    default: Any
    unit: str
    low: float | None
    high: float | None
    meaning: str
    source: str


def parameter(
    default: Any,
    unit: str,
    low: float | None,
    high: float | None,
    meaning: str,
    source: str = "assumed",
) -> Any:
    """Dataclass field with its declaration as metadata."""
    metadata = {"unit": unit, "low": low, "high": high, "meaning": meaning, "source": source}
    return dataclasses.field(default=default, metadata=metadata)


def declarations(declared: Any) -> Iterator[Declaration]:
    """Declarations of a dataclass (type or instance), in order."""
    for field in dataclasses.fields(declared):
        if "meaning" in field.metadata:
            yield Declaration(name=field.name, default=field.default, **field.metadata)


def check_ranges(instance: Any, owner: str) -> None:
    """Refuse a value of the wrong type or out of its declared range.

    Raises
    ------
    InvalidValueError
        naming the field, the value and the bounds.
    """
    for field in declarations(instance):
        value = getattr(instance, field.name)
        wanted = type(field.default)
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
            object.__setattr__(instance, field.name, value)
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise InvalidValueError(
                f"{owner}: {field.name} = {value!r} must be {_kind(wanted)}{_range(field)}."
            )
        if field.low is None or field.high is None:
            continue
        if not field.low <= value <= field.high:  # also refuses NaN
            raise InvalidValueError(f"{owner}: {field.name} = {value} is not{_range(field)}.")


def parse_values(declared: Any, texts: dict[str, str], owner: str) -> dict[str, Any]:
    """Typed values of a dataclass's fields from command-line text.

    Raises
    ------
    InvalidValueError
        for an unknown field or a text that is no such value.
    """
    known = {field.name: field for field in declarations(declared)}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        refuse_unknown(known, name, owner)
        field = known[name]
        wanted = type(field.default)
        try:
            if wanted is bool:
                values[name] = {"true": True, "yes": True, "false": False, "no": False}[
                    text.lower()
                ]
            else:
                values[name] = wanted(text)
        except (ValueError, KeyError):
            raise InvalidValueError(
                f"{owner}: {name} = {text!r} must be {_kind(wanted)}{_range(field)}."
            ) from None
    return values


def refuse_unknown(known: Any, name: str, owner: str) -> None:
    """Refuse a field name that is not declared."""
    if name not in known:
        raise InvalidValueError(f"{owner} has no field {name!r}; it has {', '.join(known)}.")


def _kind(wanted: type) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[wanted]


def _range(field: Declaration) -> str:
    if field.low is None or field.high is None:
        return ""
    unit = f" {field.unit}" if field.unit else ""
    return f" within {field.low:g} to {field.high:g}{unit}"
