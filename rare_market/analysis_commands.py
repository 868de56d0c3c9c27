"""``rare-market sensitivity``, ``discover`` and ``regret``: what a finished sweep says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rare_market.sweep_commands import open_store
from rare_market.terminal import BadInput, BadStore

if TYPE_CHECKING:
    import pandas as pd

folder = click.argument("folder", metavar="DIR")
measure = click.option("--measure", required=True, help="A measure of the sweep.")
world = click.option("--world", help="A world of the sweep; its last one if absent.")
out = click.option("--out", "out_file", metavar="FILE.csv", help="Write the table there as well.")


@click.command()
@folder
@measure
@world
@click.option("--confidence", type=float, default=0.9, show_default=True)
@out
def sensitivity(
    folder: str, measure: str, world: str | None, confidence: float, out_file: str | None
) -> None:
    """Rank factors: Morris screening or Sobol' indices of a sweep drawn for one of them."""
    from rare_market import analysis

    store = open_store(folder)
    _show(lambda: analysis.sensitivity(store, measure, world or _last(store), confidence), out_file)


@click.command()
@folder
@measure
@world
@click.option("--above", type=float, help="Where is the measure above this?")
@click.option("--below", type=float, help="Where is the measure below this?")
@click.option(
    "--coverage", type=float, default=0.6, show_default=True, help="Least part of the cases."
)
@out
def discover(
    folder: str,
    measure: str,
    world: str | None,
    above: float | None,
    below: float | None,
    coverage: float,
    out_file: str | None,
) -> None:
    """Find the region of the factors in which an outcome happens (scenario discovery)."""
    import pandas as pd

    from rare_market import analysis

    if (above is None) == (below is None):
        raise BadInput("give one of --above and --below.")
    if not 0.0 < coverage <= 1.0:
        raise BadInput(f"--coverage = {coverage} is not within 0 to 1.")
    threshold = below if above is None else above
    store = open_store(folder)

    def table() -> pd.DataFrame:
        assert threshold is not None
        design, points, cases = analysis.cases_of(
            store, measure, world or _last(store), threshold, below=above is None
        )
        boxes = analysis.discover(design.factors, points, cases)
        box = [b for b in boxes if b.coverage_share >= coverage][-1]
        click.echo(
            f"{cases.mean():.0%} of {len(cases)} runs are cases. The box holds "
            f"{box.coverage_share:.0%} of them; {box.density_share:.0%} of its {box.runs} runs are."
        )
        return pd.DataFrame(
            [
                {"factor": name, "from": low, "to": high, "p_value": box.p_value[name]}
                for name, (low, high) in box.bounds.items()
            ],
            columns=["factor", "from", "to", "p_value"],
        )

    _show(table, out_file)


@click.command()
@folder
@measure
@click.option("--world", "worlds", multiple=True, help="Worlds compared; all if absent.")
@click.option("--lower-is-better", is_flag=True, help="For costs.")
@click.option(
    "--at-least", type=float, help="A value to reach, or to stay below if lower is better."
)
@out
def regret(
    folder: str,
    measure: str,
    worlds: tuple[str, ...],
    lower_is_better: bool,
    at_least: float | None,
    out_file: str | None,
) -> None:
    """Compare worlds by regret and satisficing over all points and draws."""
    from rare_market import analysis

    store = open_store(folder)
    _show(
        lambda: analysis.regret(
            store, measure, worlds, lower_is_better=lower_is_better, at_least=at_least
        ),
        out_file,
    )


def _last(store: Any) -> str:
    name: str = store.design.worlds[-1].name
    return name


def _show(make: Callable[[], pd.DataFrame], out_file: str | None) -> None:
    from rare_market.declare import InvalidValueError
    from rare_market.store import StoreError

    try:
        table = make()
    except InvalidValueError as error:
        raise BadInput(str(error)) from None
    except ImportError as error:
        raise BadInput(f"this needs {error.name}: pip install 'rare-market[analysis]'.") from None
    except StoreError as error:
        raise BadStore(str(error)) from None
    click.echo(table.to_string(index=False, float_format=lambda value: f"{value:,.4g}"))
    if out_file:
        try:
            table.to_csv(Path(out_file), index=False)
        except OSError as error:
            raise BadInput(f"--out = {out_file!r} cannot be written: {error.strerror}.") from None
