"""``rare-market validate`` and ``rare-market calibrate``."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from rare_market.terminal import BadInput, writable


@click.command()
@click.option("--episode", "episodes", multiple=True, metavar="NAME", help="E1, E2, E6 or E7; all.")
@click.option("--replications", default=30, show_default=True, help="Draws of all chance.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="One scenario field.")
@click.option("--ablate", is_flag=True, help="Score again without each mechanism in turn.")
@click.option("--out", "folder", metavar="DIR", help="Folder for prices, tables and the figure.")
@click.option("--processes", type=int, help="Worker processes; one per core if absent.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def validate(
    episodes: tuple[str, ...],
    replications: int,
    settings: tuple[str, ...],
    ablate: bool,
    folder: str | None,
    processes: int | None,
    as_json: bool,
) -> None:
    """Simulate the past and score it against the record, beside the null and naive forecasts."""
    from rare_market.declare import InvalidValueError
    from rare_market.inputs import InputError

    changed = _changed(settings)
    if not 1 <= replications <= 1000:
        raise BadInput(f"--replications = {replications} is not within 1 to 1000.")
    where = writable(folder) if folder else None

    from tqdm import tqdm

    from rare_market import validation
    from rare_market.runner import LocalProcesses

    try:
        todo = validation.jobs(episodes, replications, changed=changed)
        if where and not episodes:
            todo += validation.kept_aside(replications, changed)
        board = validation.Scoreboard(validation.targets(episodes))
        workers = LocalProcesses(processes)
        quiet = as_json or not sys.stderr.isatty()
        with tqdm(total=len(todo), unit="run", disable=quiet, leave=False) as bar:
            validation.fill(board, todo, workers, bar.update)
        without = []
        if ablate:
            count = (1 + len(validation.ABLATIONS)) * replications
            with tqdm(total=3 * count, unit="run", disable=quiet, leave=False) as bar:
                without = validation.ablations(replications, workers, bar.update)
    except (InvalidValueError, InputError) as error:
        raise BadInput(str(error)) from None
    answer = {
        "targets": board.table(),
        "passed": sum(board.passed().values()),
        "of": len(board.rows),
        "null_passed": sum(board.passed(validation.NULL).values()),
        "moments": validation.moments_table(board),
        "yearly_fit": validation.yearly_fit(board),
        "ablations": without,
    }
    if where:
        _write(board, answer, where)
    click.echo(json.dumps(_plain(answer)) if as_json else _text(answer))


@click.command()
@click.option("--out", "folder", required=True, metavar="DIR", help="Folder for the estimates.")
@click.option("--minutes", default=30.0, show_default=True, help="Time to search.")
@click.option("--replications", default=3, show_default=True, help="Draws of all chance.")
@click.option("--seed", default=1, show_default=True, help="Of the search.")
@click.option("--processes", type=int, help="Worker processes; one per core if absent.")
def calibrate(
    folder: str, minutes: float, replications: int, seed: int, processes: int | None
) -> None:
    """Estimate the free parameters from the public targets; needs the extra ``calibration``."""
    if not 0.0 < minutes <= 10_000.0:
        raise BadInput(f"--minutes = {minutes} is not within 0 to 10000.")
    if not 1 <= replications <= 1000:
        raise BadInput(f"--replications = {replications} is not within 1 to 1000.")
    where = writable(folder)

    from tqdm import tqdm

    from rare_market import calibration
    from rare_market.runner import LocalProcesses

    workers = LocalProcesses(processes)
    with tqdm(unit="try", disable=not sys.stderr.isatty(), leave=False) as bar:
        found = calibration.search(
            minutes * 60.0, replications, seed, lambda: bar.update(1), workers
        )
    rows = calibration.identification(found, replications, workers=workers)
    calibration.write(found, rows, where)
    click.echo(f"Loss {found.loss:.3f} after {found.tries} tries; estimates are in {where}.")


def _changed(settings: tuple[str, ...]) -> dict[str, Any]:
    from rare_market.declare import InvalidValueError, parse_values
    from rare_market.scenario import Scenario

    texts = {}
    for setting in settings:
        field, sign, value = setting.partition("=")
        if not sign:
            raise BadInput(f"--set {setting!r} must have the form field=value.")
        texts[field.strip()] = value.strip()
    try:
        return parse_values(Scenario, texts, "scenario")
    except InvalidValueError as error:
        raise BadInput(str(error)) from None


def _write(board: Any, answer: dict[str, Any], folder: Path) -> None:
    import pandas as pd

    from rare_market import charts, validation

    validation.write_prices(board, folder)
    for name in ("targets", "moments", "yearly_fit", "ablations"):
        if answer[name]:
            pd.DataFrame(answer[name]).to_csv(folder / f"{name}.csv", index=False)
    for name in charts.PAST:
        for basis, suffix in ((validation.FOB, ""), (validation.DOMESTIC, "_in_china")):
            figure = charts.past_prices(board, name, basis)
            if figure is not None:
                figure.savefig(folder / f"{name}{suffix}.png")
                figure.savefig(folder / f"{name}{suffix}.pdf")


def _text(answer: dict[str, Any]) -> str:
    import pandas as pd

    rows = [
        {
            "": "pass" if line["passed"] else "FAIL",
            "episode": line["episode"],
            "target": line["target"],
            "record": line["record"],
            "band": f"{line['band_low']:g} to {line['band_high']:g}",
            "median": line["median"],
            "10 %": line["low"],
            "90 %": line["high"],
            "null": line["null"],
            "no change": line["no change"],
            "mean reversion": line["mean reversion"],
        }
        for line in answer["targets"]
    ]
    parts = [pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format, na_rep="-")]
    parts.append(
        f"{answer['passed']} of {answer['of']} targets pass; {answer['null_passed']} in the null "
        "model without a strategic China."
    )
    for name in ("moments", "yearly_fit", "ablations"):
        if answer[name]:
            frame = pd.DataFrame(answer[name])
            parts.append(frame.to_string(index=False, float_format="{:.3g}".format, na_rep="-"))
    return "\n\n".join(parts)


def _plain(value: Any) -> Any:
    """Numbers that JSON knows; what is no number becomes null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
