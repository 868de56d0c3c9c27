"""What the commands share: exit codes, refusals, options read into scenarios and policies.

Exit codes: 0 done, 1 a failure of the program, 2 input that cannot be used (nothing was simulated),
4 done but some runs failed, 5 stored results damaged or the disk full, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

EXIT_BAD_INPUT = 2
EXIT_FAILED_RUNS = 4
EXIT_STORE = 5
EXIT_INTERRUPTED = 130


class BadInput(click.ClickException):
    """Input that cannot be used: one sentence on stderr, exit code 2."""

    exit_code = EXIT_BAD_INPUT


class BadStore(click.ClickException):
    """Stored results that are damaged, or a disk that is full: exit code 5."""

    exit_code = EXIT_STORE


def scenario_of(file: str | None, settings: tuple[str, ...], seed: int | None) -> Any:
    """Scenario from a name or a file, ``field=value`` texts and a seed."""
    from rare_market.declare import InvalidValueError, parse_values
    from rare_market.scenario import Scenario, read_scenario

    try:
        named = named_of(file)
        values = dict(named.fields) if named else read_scenario(Path(file)) if file else {}
        texts = {}
        for setting in settings:
            field, sign, value = setting.partition("=")
            if not sign:
                raise InvalidValueError(f"--set {setting!r} must have the form field=value.")
            texts[field.strip()] = value.strip()
        values |= parse_values(Scenario, texts, "scenario")
        if seed is not None:
            values["seed"] = seed
        return Scenario(**values)
    except InvalidValueError as error:
        raise BadInput(str(error)) from None


def named_of(text: str | None) -> Any:
    """Scenario of that name; None for a file, or without a text."""
    from rare_market.declare import InvalidValueError
    from rare_market.history import named_scenario

    if not text or text.endswith(".toml"):
        return None
    try:
        return named_scenario(text)
    except InvalidValueError as error:
        if Path(text).is_file():
            return None
        raise BadInput(str(error)) from None


def policies_of(texts: tuple[str, ...], scenario: Any) -> list[Any]:
    """Policies from ``NAME[:field=value,…]`` texts, checked against the scenario's data."""
    from rare_market.dataset import read_data
    from rare_market.declare import InvalidValueError
    from rare_market.inputs import InputError
    from rare_market.policies import read_policies

    try:
        data = read_data(scenario.data_folder, scenario.start_year)
        chosen = [policy for text in texts for policy in read_policies(text)]
        for policy in chosen:
            policy.check(data.catalogue)
    except (InvalidValueError, InputError) as error:
        raise BadInput(str(error)) from None
    return chosen


def say_idle(policies: Iterable[Any], scenario: Any) -> None:
    """Say on stderr which policies are in force in no month of a run, one sentence each."""
    first, last = scenario.start_year, scenario.start_year + scenario.years - 1
    for policy in dict.fromkeys(policies):
        if not any(policy.in_force(first + month / 12) for month in range(scenario.periods)):
            click.echo(
                f"{policy.name}, dated {policy.start_year:g} to {policy.end_year:g}, is never in "
                f"force in the run of {first} to {last}.",
                err=True,
            )


def writable(name: str) -> Path:
    """Create the output folder before anything is computed."""
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".rare_market_probe"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise BadInput(f"--out = {name!r} cannot be written: {error.strerror}.") from None
    return folder
