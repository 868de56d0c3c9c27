"""``rare-market verdict``: does undercutting pay, against which package, and who follows whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from rare_market.sweep_commands import make, where
from rare_market.terminal import BadInput, policies_of, scenario_of, writable


@click.command()
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME[:field=value,…]",
    help="An instrument of the package judged; without it five standard packages are.",
)
@click.option("--discount", type=float, default=0.05, show_default=True, help="Rate per year.")
@click.option("--confidence", type=float, default=0.9, show_default=True)
@click.option("--replications", type=int, default=10, show_default=True, help="Draws of chance.")
@click.option(
    "--without-users", is_flag=True, help="Leave out the surplus of final users of either side."
)
@click.option(
    "--security",
    "security",
    default="0,10,30,100",
    show_default=True,
    metavar="A,B,…",
    help="Worth to the allies of a kg of NdPr oxide made outside China, USD.",
)
@click.option("--scenario", "scenario_file", metavar="FILE.toml", help="Scenario fields in TOML.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="One scenario field.")
@click.option("--seed", type=int, help="Root of all chance (scenario field seed).")
@click.option("--out", "out_folder", required=True, metavar="DIR", help="Folder; may be resumed.")
@where
def verdict(
    policies: tuple[str, ...],
    discount: float,
    confidence: float,
    replications: int,
    without_users: bool,
    security: str,
    scenario_file: str | None,
    settings: tuple[str, ...],
    seed: int | None,
    out_folder: str,
    processes: int | None,
    scheduler: str | None,
) -> None:
    """Judge whether undercutting pays China, over depth, duration and entry trigger.

    The runs are a sweep in DIR/sweep. The same command goes on where it was stopped, and judges
    finished runs again under another discount rate or confidence.
    """
    from rare_market.compare import World
    from rare_market.declare import InvalidValueError

    scenario = scenario_of(scenario_file, settings, seed)
    package = policies_of(policies, scenario)
    worths = _numbers(security)
    if not 0.5 <= confidence <= 0.999:
        raise BadInput(f"--confidence = {confidence} is not within 0.5 to 0.999.")
    if not 2 <= replications <= 100_000:
        raise BadInput(f"--replications = {replications} is not within 2 to 100000.")
    if not 0.0 <= discount <= 0.5:
        raise BadInput(f"--discount = {discount} is not within 0 to 0.5.")
    folder = writable(out_folder)

    from rare_market import charts
    from rare_market import verdict as game_of

    own = (World("no answer", ()), World("package", tuple(package))) if package else ()
    try:
        design = game_of.verdict_design(scenario, own, replications=replications)
        store = make(design, str(folder / "sweep"), processes, scheduler)
        game = game_of.read_game(store, discount, users_count=not without_users)
    except InvalidValueError as error:
        raise BadInput(str(error)) from None
    text = game_of.as_text(game, confidence, worths)
    (folder / "verdict.txt").write_text(text + "\n", encoding="utf-8")
    game_of.table(game, confidence).to_csv(folder / "verdict.csv", index=False)
    stamp: dict[str, Any] = {
        "discount_per_year": discount,
        "confidence": confidence,
        "users_count": not without_users,
        "manifest": {k: v for k, v in store.manifest.items() if k != "design"},
    }
    (folder / "provenance.json").write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    charts.save(
        charts.undercutting_value(game, confidence), Path(folder) / "undercutting_value", stamp
    )
    click.echo(f"{text}\n\nTable, figure and runs are in {folder}.")


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise BadInput(f"--security = {text!r} must be numbers such as 0,30.") from None
