"""``rare-market solve``: the floor, volume, tariff or subsidy at which a policy starts to work."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import click

from rare_market.sweep_commands import where, workers_of
from rare_market.terminal import BadInput, policies_of, scenario_of, writable


@click.command()
@click.argument("lever")
@click.option("--capacity", metavar="STAGE=T", help="Capacity outside China in t/year to reach.")
@click.option("--demand-met", type=float, metavar="SHARE", help="Allied demand met without China.")
@click.option("--survive", "plants", multiple=True, metavar="PLANT", help="A plant to stay open.")
@click.option("--year", type=int, help="Year of the target; the last of the run if absent.")
@click.option("--probability", type=float, default=0.8, show_default=True)
@click.option("--replications", type=int, default=20, show_default=True, help="Draws of chance.")
@click.option("--up-to", type=float, help="Highest level tried; 16 times the default if absent.")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME[:field=value,…]",
    help="The world; undercutting with its defaults if absent.",
)
@click.option(
    "--over",
    metavar="INSTRUMENT.TERM=A,B,…",
    help="Solve at each level of another term: a break-even curve.",
)
@click.option("--scenario", "scenario_file", metavar="FILE.toml", help="Scenario fields in TOML.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="One scenario field.")
@click.option("--seed", type=int, help="Root of all chance (scenario field seed).")
@click.option("--out", "out_folder", metavar="DIR", help="Folder for table, provenance, figure.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@where
def solve(
    lever: str,
    capacity: str | None,
    demand_met: float | None,
    plants: tuple[str, ...],
    year: int | None,
    probability: float,
    replications: int,
    up_to: float | None,
    policies: tuple[str, ...],
    over: str | None,
    scenario_file: str | None,
    settings: tuple[str, ...],
    seed: int | None,
    out_folder: str | None,
    as_json: bool,
    processes: int | None,
    scheduler: str | None,
) -> None:
    """Find the smallest level of a LEVER that reaches a target with a probability.

    LEVER is floor, volume, tariff, subsidy or a term such as price_floor.strike_usd_per_kg.

    \b
    rare-market solve floor --capacity separation=100000 --year 2035
    """  # noqa: D301  (click's mark for lines to leave as they are)
    from rare_market.declare import InvalidValueError

    scenario = scenario_of(scenario_file, settings, seed)
    world = policies_of(policies or ("undercutting",), scenario)
    target = _target(capacity, demand_met, plants, year, scenario)
    folder = writable(out_folder) if out_folder else None

    from tqdm import tqdm

    from rare_market import solve as solver

    workers = workers_of(processes, scheduler)
    quiet = as_json or not sys.stderr.isatty()
    try:
        with tqdm(unit="run", disable=quiet, leave=False) as bar:
            options: dict[str, Any] = {
                "probability": probability,
                "replications": replications,
                "up_to": up_to,
                "workers": workers,
                "progress": bar.update,
            }
            asked = (lever, target, scenario, world)
            factor, levels = _levels(over)
            if factor:
                curve = solver.break_even(*asked, factor, levels, **options)
            else:
                curve = [(math.nan, solver.solve(*asked, **options))]
    except InvalidValueError as error:
        raise BadInput(str(error)) from None
    except RuntimeError as error:
        raise click.ClickException(f"a run failed: {error}") from None
    rows = [_row(factor, level, answer) for level, answer in curve]
    if as_json:
        click.echo(json.dumps(rows))
    else:
        click.echo(_text(factor, curve))
    if folder:
        _write(folder, rows, factor, curve, scenario, world)


def _target(
    capacity: str | None,
    demand_met: float | None,
    plants: tuple[str, ...],
    year: int | None,
    scenario: Any,
) -> Any:
    from rare_market.solve import Target

    if (capacity is not None) + (demand_met is not None) + bool(plants) != 1:
        raise BadInput("give one of --capacity, --demand-met and --survive.")
    year = scenario.start_year + scenario.years - 1 if year is None else year
    if capacity is not None:
        stage, _, tonnes = capacity.partition("=")
        try:
            return Target("capacity", float(tonnes), year, (stage,))
        except ValueError:
            raise BadInput(
                f"--capacity = {capacity!r} must be such as separation=100000."
            ) from None
    if plants:
        return Target("survival", 1.0, year, plants)
    assert demand_met is not None
    return Target("demand", demand_met, year)


def _levels(over: str | None) -> tuple[str, list[float]]:
    if over is None:
        return "", []
    factor, _, texts = over.partition("=")
    try:
        return factor, [float(text) for text in texts.split(",")]
    except ValueError:
        raise BadInput(
            f"--over = {over!r} must be such as undercutting.depth_share=0.2,0.4."
        ) from None


def _row(factor: str, level: float, answer: Any) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {
        **({factor: level} if factor else {}),
        "lever": answer.lever,
        "target": str(answer.target),
        "probability": answer.probability,
        "value": number(answer.value),
        "low": number(answer.low),
        "high": number(answer.high),
        "confidence": answer.confidence,
        "replications": answer.replications,
        "runs": answer.runs,
        "share_5_percent_below": number(answer.share_below),
        "share_at": number(answer.share_at),
        "share_5_percent_above": number(answer.share_above),
        "confirmed": answer.confirmed,
        "lowest_tried": answer.tried[0],
        "highest_tried": answer.tried[1],
    }


def _text(factor: str, curve: list[tuple[float, Any]]) -> str:
    from rare_market.design import declared

    first = curve[0][1]
    unit = declared(first.lever).unit
    lines = [
        f"Smallest {first.lever} [{unit}] for {first.target} "
        f"in {first.probability:.0%} of {first.replications} draws:"
    ]
    for level, answer in curve:
        at = f"{factor} = {level:g}: " if factor else ""
        if math.isnan(answer.value):
            lines.append(f"{at}not reached up to {answer.tried[1]:g} ({answer.runs} runs).")
            continue
        low = "…" if math.isnan(answer.low) else f"{answer.low:.4g}"
        high = "…" if math.isnan(answer.high) else f"{answer.high:.4g}"
        lines.append(
            f"{at}{answer.value:.4g}, {answer.confidence:.0%} interval {low} to {high}; reached in "
            f"{answer.share_below:.0%} of draws 5 % below, {answer.share_at:.0%} at it, "
            f"{answer.share_above:.0%} 5 % above ({answer.runs} runs)."
        )
        if not answer.confirmed:
            lines.append(f"{at}the two sides do not confirm it: draws are not monotone there.")
    return "\n".join(lines)


def _write(
    folder: Any,
    rows: list[dict[str, Any]],
    factor: str,
    curve: list[tuple[float, Any]],
    scenario: Any,
    world: list[Any],
) -> None:
    import pandas as pd

    from rare_market.dataset import read_data
    from rare_market.records import provenance_of

    stamp = provenance_of(
        scenario, tuple(world), read_data(scenario.data_folder, scenario.start_year).checksums
    )
    pd.DataFrame(rows).to_csv(folder / "solve.csv", index=False)
    (folder / "provenance.json").write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    if factor:
        from rare_market import charts

        charts.save(charts.break_even_curve(factor, curve), folder / "break_even", stamp)
