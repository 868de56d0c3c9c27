"""Named scenarios: a file of ``data/scenarios`` each.

It holds scenario fields, the policies of its time, and the fields of the null model without a
strategic China.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rare_market.compare import World
from rare_market.declare import InvalidValueError
from rare_market.inputs import SHIPPED
from rare_market.policies import Policy, read_policies
from rare_market.scenario import Scenario

NULL = "no strategic China"
FOLDER = SHIPPED / "scenarios"


@dataclass(frozen=True)
class NamedScenario:
    """A scenario with the policies of its time.

    Attributes
    ----------
    name, summary
        as listed.
    fields
        scenario fields that differ from the defaults.
    policies
        the instruments in force.
    null_fields
        further fields of the null model, which has no policies.
    """

    name: str
    summary: str
    fields: dict[str, Any]
    policies: tuple[Policy, ...]
    null_fields: dict[str, Any]

    def world(self, null: bool = False, **changed: Any) -> tuple[Scenario, tuple[Policy, ...]]:
        """Scenario and policies to simulate; of the null model if asked."""
        fields = {**self.fields, **(self.null_fields if null else {}), **changed}
        return Scenario(**fields), () if null else self.policies

    def worlds(self, package: Sequence[Policy] = ()) -> tuple[World, ...]:
        """Null model, the scenario as it is, and the same with a package if one is given."""
        first = (
            World(NULL, (), tuple(self.null_fields.items())),
            World(self.name, self.policies),
        )
        return (*first, World("package", (*self.policies, *package))) if package else first


def names() -> list[str]:
    """Names of the scenarios there are."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def named_scenario(name: str) -> NamedScenario:
    """Read a named scenario.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a name there is not.
    """
    file = FOLDER / f"{name}.toml"
    if name not in names():
        raise InvalidValueError(f"scenario {name!r} is unknown: there are {', '.join(names())}.")
    values = tomllib.loads(file.read_text(encoding="utf-8"))
    return NamedScenario(
        name=name,
        summary=values["summary"],
        fields=values["scenario"],
        policies=tuple(p for text in values["policies"] for p in read_policies(text)),
        null_fields=values.get("null", {}),
    )
