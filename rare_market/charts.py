"""Charts of sweeps, solvers and verdicts, in the style of :mod:`rare_market.figures`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

from rare_market.dataset import read_data
from rare_market.design import declared
from rare_market.figures import BLUE, STYLE, VERMILLION, blank, panel_each
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.history import named_scenario
from rare_market.validation import FOB, HISTORY, Scoreboard, price_record, quoted_goods

if TYPE_CHECKING:
    from rare_market.solve import Answer
    from rare_market.verdict import Game


def break_even_curve(factor: str, curve: list[tuple[float, Answer]]) -> Figure:
    """Smallest level of a lever against another term, with its interval.

    An end that the draws do not tell is drawn as an arrow at the edge.
    """
    first = curve[0][1]
    found = [(level, answer) for level, answer in curve if np.isfinite(answer.value)]
    with mpl.style.context(STYLE):
        figure, panels = blank(3.2, 1, 1)
        axes = panels[0, 0]
        x = np.array([level for level, _ in found])
        y = np.array([answer.value for _, answer in found])
        low = np.array([answer.low for _, answer in found])
        high = np.array([answer.high for _, answer in found])
        axes.plot(x, low, "_", x, high, "_", color=BLUE, markersize=7)
        axes.plot(x, y, "o-", color=BLUE, markersize=4)
        for level, answer in curve:
            if not np.isfinite(answer.value):
                axes.plot(level, answer.tried[1], "x", color=VERMILLION, markersize=6)
                axes.annotate(
                    "not reached",
                    (level, answer.tried[1]),
                    xytext=(0, -8),
                    textcoords="offset points",
                    ha="center",
                    va="top",
                    fontsize=7,
                )
        own, other = declared(first.lever), declared(factor)
        axes.set_xlabel(f"{other.meaning} ({other.unit})")
        axes.set_ylabel(f"{own.meaning} ({own.unit})")
        top = 1.1 * axes.get_ylim()[1]
        axes.set_ylim(0.0, top)
        axes.vlines(x, np.nan_to_num(low), np.nan_to_num(high, nan=top), color=BLUE, linewidth=1.0)
        for end, edge, arrow in ((low, 0.0, "v"), (high, top, "^")):
            for level in x[np.isnan(end)]:
                axes.plot(level, edge, arrow, color=BLUE, markersize=5, clip_on=False)
        axes.set_title(
            f"Smallest {first.lever.partition('.')[0].replace('_', ' ')} for {first.target},\n"
            f"in {first.probability:.0%} of draws; bars are {first.confidence:.0%} intervals, "
            "an arrow where no end is known",
            loc="left",
        )
    return figure


def undercutting_value(game: Game, confidence: float = 0.9) -> Figure:
    """China's gain from undercutting over depth and duration, a panel per package.

    Without entry trigger; titles count all strategies. Zero is the world of the same package and
    luck in which nobody undercuts; a value in parentheses has a joint interval that holds zero.
    """
    from rare_market.verdict import best_response, table

    rows = table(game, confidence)
    rows = rows[rows["entry_trigger_share"] == 0.0]
    depths = sorted(rows["depth_share"].unique())
    durations = sorted(rows["duration_years"].unique())
    widest = float(rows["gain_musd"].abs().max()) / 1000.0 or 1.0
    with mpl.style.context(STYLE):
        figure, panels = panel_each(len(game.packages), base_in=0.9, row_in=1.75)
        for p, (package, axes) in enumerate(zip(game.packages, panels.flat, strict=False)):
            own = rows[rows["package"] == package]
            grid = own.pivot(index="depth_share", columns="duration_years", values="gain_musd")
            image = axes.imshow(
                grid.to_numpy() / 1000.0,
                origin="lower",
                aspect="auto",
                cmap="PuOr",
                vmin=-widest,
                vmax=widest,
            )
            for _, cell in own.iterrows():
                at = durations.index(cell["duration_years"]), depths.index(cell["depth_share"])
                value = cell["gain_musd"] / 1000.0
                text = f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")
                undecided = cell["low_musd"] <= 0.0 <= cell["high_musd"]
                axes.text(
                    *at,
                    f"({text})" if undecided else text,
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if abs(value) > 0.6 * widest else "black",
                )
            axes.grid(visible=False)
            answer = best_response(game, p, confidence)
            of_all = f"of {len(game.strategies) - 1}: {answer.losing} lose, {answer.paying} pay"
            axes.set_title(f"{package}: {answer.verdict}\n{of_all}", loc="left")
            axes.set_xticks(range(len(durations)), [f"{d:g}" for d in durations])
            axes.set_yticks(range(len(depths)), [f"{100 * d:g}" for d in depths])
        figure.supxlabel("duration of undercutting (years)", fontsize=8)
        figure.supylabel("depth below rivals' full cost (%)", fontsize=8)
        bar = figure.colorbar(image, ax=list(panels.flat), shrink=0.8, pad=0.01)
        bar.set_label(
            "China's gain, discounted\n(billion USD of 2024)\n"
            "0: nobody undercuts\nin parentheses: undecided"
        )
    return figure


def save(figure: Figure, path: Path, stamp: dict[str, Any]) -> None:
    """Write a figure as PNG and PDF with its provenance inside."""
    text = json.dumps(stamp, sort_keys=True)
    with mpl.style.context(STYLE):
        figure.savefig(path.with_suffix(".png"), metadata={"rare_market:provenance": text})
        figure.savefig(path.with_suffix(".pdf"), metadata={"Subject": text, "CreationDate": None})


PAST = ("history_2007_2014", "history_2018_2024")


def past_prices(board: Scoreboard, scenario: str, basis: str = FOB) -> Figure | None:
    """Simulated fans of prices over the recorded series, a panel per oxide recorded in the years.

    Parameters
    ----------
    board
        with runs of the scenario; ``None`` is returned where there are none.
    scenario
        one of :data:`PAST`.
    basis
        of the record: export prices, or prices in China without value-added tax.
    """
    runs = [
        outcome.series
        for job, outcome in sorted(board.runs.items())
        if job.scenario == scenario and job.variant == HISTORY
    ]
    if not runs:
        return None
    world, _ = named_scenario(scenario).world()
    catalogue = read_data(world.data_folder, world.start_year).catalogue
    goods = np.array(catalogue.goods)[quoted_goods(catalogue)].tolist()
    # abroad the record holds the rent of quotas, which the price abroad shows and FOB parity not
    side, label = "price_inside_usd_per_kg", "record, in China without VAT"
    if basis == FOB:
        side = "price_outside_usd_per_kg" if scenario == PAST[0] else "fob_usd_per_kg"
        label = "record, FOB China"
    first, last = world.start_year, world.start_year + world.periods / MONTHS_PER_YEAR
    record = {good: _within(*price_record(good, basis), first, last) for good in goods}
    shown = [good for good in goods if len(record[good][0])]
    moments = first + (np.arange(runs[0][side].shape[1]) + 0.5) / MONTHS_PER_YEAR
    until = moments < last
    with mpl.style.context(STYLE):
        figure, panels = panel_each(len(shown), base_in=0.4, row_in=1.75, shared=False)
        for axes, good in zip(panels.flat, shown, strict=False):
            paths = np.array([run[side][goods.index(good)] for run in runs])[:, until]
            low, middle, high = np.quantile(paths, [0.1, 0.5, 0.9], axis=0)
            axes.fill_between(moments[until], low, high, color=BLUE, alpha=0.25, linewidth=0)
            axes.plot(moments[until], middle, color=BLUE, label="model, median and 10-90 %")
            axes.plot(*record[good], "o", color=VERMILLION, markersize=2.5, label=label)
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0), numticks=7))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(mpl.ticker.NullLocator())
            axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4, integer=True))
            axes.set_xlim(first, last)
            axes.set_title(_title(good), fontsize="medium")
        for axes in panels[:, 0]:
            axes.set_ylabel("USD/kg")
        figure.legend(
            *panels.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2
        )
    return figure


def _within(
    at: np.ndarray, price: np.ndarray, first: float, last: float
) -> tuple[np.ndarray, np.ndarray]:
    of = (at >= first) & (at < last)
    return at[of], price[of]


def _title(good: str) -> str:
    name = good.replace("_", " ").replace("ndpr", "NdPr")
    return name[0].upper() + name[1:]
