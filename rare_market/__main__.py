"""The command line, ``rare-market``.

Heavy imports stay inside the commands, so that help is immediate. Exit codes are listed in
:mod:`rare_market.terminal`.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click

from rare_market.analysis_commands import discover, regret, sensitivity
from rare_market.solve_commands import solve
from rare_market.sweep_commands import sweep
from rare_market.terminal import (
    EXIT_BAD_INPUT,
    EXIT_INTERRUPTED,
    BadInput,
    named_of,
    policies_of,
    say_idle,
    scenario_of,
    writable,
)
from rare_market.validate_commands import calibrate, validate
from rare_market.verdict_commands import verdict

__all__ = ["EXIT_BAD_INPUT", "cli", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rare-market", prog_name="rare-market")
def cli() -> None:
    """Rare-earth markets, agent by agent: undercutting against floors, offtakes and tariffs."""


@cli.command()
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME[:field=value,…]",
    help="An instrument, a package by name, or a TOML file of one; repeat to combine them. "
    "Without it four standard answers run.",
)
@click.option(
    "--shock",
    "shock_text",
    metavar="export_stop:month=YYYY-MM,duration=MONTHS,goods=…",
    help="Make every run again with China's exports stopped for a while, and add the damage in the "
    "24 months from its start; all else shown is of the runs without it.",
)
@click.option(
    "--scenario",
    "scenario_file",
    metavar="NAME|FILE.toml",
    help="A scenario of `list scenarios` by name, or fields in TOML.",
)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="One scenario field.")
@click.option("--seed", type=int, help="Root of all chance (scenario field seed).")
@click.option("--replications", type=int, default=20, show_default=True, help="Draws per world.")
@click.option(
    "--out",
    "out_folder",
    default="results",
    show_default=True,
    metavar="DIR",
    help="Folder for the table, the records, provenance and figures.",
)
@click.option(
    "--processes", type=int, default=None, help="Worker processes; one per core if absent."
)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON and nothing else.")
@click.option(
    "--allow-invalid",
    is_flag=True,
    help="Make table and figures even if a clearing failed its certificate.",
)
def run(
    policies: tuple[str, ...],
    shock_text: str | None,
    scenario_file: str | None,
    settings: tuple[str, ...],
    seed: int | None,
    replications: int,
    out_folder: str,
    processes: int | None,
    as_json: bool,
    allow_invalid: bool,
) -> None:
    """Compare policies against Chinese undercutting, 2024 to 2035, under the same luck.

    A named scenario is compared with its null model instead, and with a package if one is given.
    """
    scenario = scenario_of(scenario_file, settings, seed)
    if not 1 <= replications <= 100_000:
        raise BadInput(f"--replications = {replications} is not within 1 to 100000.")
    if processes is not None and not 1 <= processes <= 512:
        raise BadInput(f"--processes = {processes} is not within 1 to 512.")
    package = policies_of(policies, scenario)
    shock = _shock(shock_text, scenario)
    folder = writable(out_folder)

    from tqdm import tqdm

    from rare_market.compare import compare, default_worlds
    from rare_market.declare import InvalidValueError

    named = named_of(scenario_file)
    worlds = named.worlds(package) if named else default_worlds(package)
    say_idle(package if named else [p for world in worlds for p in world.policies], scenario)
    quiet = as_json or not sys.stderr.isatty()
    with tqdm(total=len(worlds) * replications, unit="run", disable=quiet, leave=False) as bar:
        comparison = compare(
            scenario, worlds, replications, folder / "records", processes, bar.update, shock
        )
    comparison = dataclasses.replace(comparison, allow_invalid=allow_invalid)
    from rare_market import report  # loads pandas and matplotlib, not needed before

    try:
        report.write(comparison, folder)
    except InvalidValueError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(report.as_json(comparison)))
    else:
        click.echo(report.as_text(comparison))
        click.echo(f"\nTable, records, provenance and figures are in {folder}.")


@cli.command()
@click.option("--month", required=True, metavar="YYYY-MM", help="The month whose market is saved.")
@click.option("--policy", "policies", multiple=True, metavar="NAME[:field=value,…]")
@click.option(
    "--scenario",
    "scenario_file",
    metavar="NAME|FILE.toml",
    help="A scenario of `list scenarios` by name, or fields in TOML.",
)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="One scenario field.")
@click.option("--seed", type=int, help="Root of all chance (scenario field seed).")
@click.option("--out", "out_file", required=True, metavar="FILE.npz", help="Where to save it.")
def book(
    month: str,
    policies: tuple[str, ...],
    scenario_file: str | None,
    settings: tuple[str, ...],
    seed: int | None,
    out_file: str,
) -> None:
    """Save the order book of one month of a run, with its lanes and quotas."""
    scenario = scenario_of(scenario_file, settings, seed)
    named = named_of(scenario_file)
    chosen = [*(named.policies if named else ()), *policies_of(policies, scenario)]
    period = _period(month, scenario)
    file = Path(out_file)
    writable(str(file.parent))

    from rare_market.model import RareEarthMarket

    market = RareEarthMarket(scenario, chosen)
    for _ in range(period + 1):
        market.step()
    market.posted.save(file)
    orders = len(market.posted.asks.trader) + len(market.posted.bids.trader)
    click.echo(f"{orders} orders of {month} are in {file}.")


@cli.command()
@click.option("--good", required=True, help="An oxide, a metal, a magnet or an ore.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option(
    "--out",
    "out_folder",
    default="results",
    show_default=True,
    metavar="DIR",
    help="For the figure.",
)
def cost(good: str, as_json: bool, out_folder: str) -> None:
    """Responsible-extraction cost of a good by place: private, external, capital and risk."""
    from rare_market import listing
    from rare_market.declare import InvalidValueError

    try:
        rows = listing.cost_rows(good)
    except InvalidValueError as error:
        raise BadInput(str(error)) from None
    if as_json:
        click.echo(json.dumps(rows))
        return
    folder = writable(out_folder)
    import pandas as pd

    from rare_market import figures

    table = pd.DataFrame(rows).set_index("place")
    figures.save(
        figures.cost_by_place(good, rows), folder / f"cost_{good}", json.dumps({"good": good})
    )
    click.echo(f"Cost of {good} by place, USD/kg of 2024; joint products share costs by value")
    click.echo(f"\n{table.round(2).to_string()}")
    click.echo(f"\nThe figure is {folder / f'cost_{good}.png'}.")


@cli.command(name="list")
@click.argument("what", type=click.Choice(["policies", "packages", "goods", "places", "scenarios"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def list_(what: str, as_json: bool) -> None:
    """List the policies, packages, goods, places or scenario fields there are."""
    from rare_market import listing

    rows = listing.rows(what)
    click.echo(json.dumps(rows) if as_json else listing.as_text(what, rows))


def _shock(text: str | None, scenario: Any) -> Any:
    from rare_market.dataset import read_data
    from rare_market.declare import InvalidValueError
    from rare_market.resilience import first_month, read_shock

    if text is None:
        return None
    try:
        shock = read_shock(text)
        shock.check(read_data(scenario.data_folder, scenario.start_year).catalogue)
        first_month(shock, scenario.start_year, scenario.periods)
    except InvalidValueError as error:
        raise BadInput(str(error)) from None
    return shock


def _period(month: str, scenario: Any) -> int:
    """Period of a month of the run."""
    last = f"{scenario.start_year + scenario.years - 1}-12"
    year, _, number = month.partition("-")
    if not (len(month) == 7 and year.isdigit() and number.isdigit() and 1 <= int(number) <= 12):
        raise BadInput(f"--month = {month!r} must be a month such as 2027-05.")
    period = (int(year) - scenario.start_year) * 12 + int(number) - 1
    if not 0 <= period < scenario.periods:
        raise BadInput(f"--month = {month} is not within {scenario.start_year}-01 to {last}.")
    return period


for command in (sweep, solve, verdict, sensitivity, discover, regret, validate, calibrate):
    cli.add_command(command)


def _end_in_order(told: int, frame: FrameType | None) -> None:
    """End once: what keeps finished runs and ends workers is not interrupted again."""
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """Entry point of the console script."""
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, _end_in_order)
    try:
        sys.exit(cli.main(prog_name="rare-market", standalone_mode=False) or 0)
    except click.ClickException as error:
        click.echo(error.format_message(), err=True)  # one sentence, no usage lines
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
