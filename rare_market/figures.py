"""Charts for policy papers, drawn from a comparison.

Each function returns a matplotlib figure at print size; :func:`write_all` saves them as PNG and
vector PDF with the provenance inside. A comparison with an invalid run is refused
(:meth:`rare_market.compare.Comparison.check`). Bands are the 10-90 % range over replications.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.patches
import matplotlib.style
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rare_market.compare import Comparison
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.policies import PriceFloor, Undercutting

WIDTH_IN = 7.2  # 183 mm, a full text width
STYLE = str(resources.files("rare_market") / "paper.mplstyle")
BLACK, ORANGE, SKY, GREEN, _, BLUE, VERMILLION, PURPLE = mpl.color_sequences["okabe_ito"]
GREY = "#777777"


def world_colors(comparison: Comparison) -> dict[str, Any]:
    """Color-blind safe colors by world (Okabe and Ito); the null is grey, no policy black."""
    colors: dict[str, Any] = {comparison.base: BLACK, comparison.null: GREY}
    rest = [w.name for w in comparison.worlds if w.name not in colors]
    order = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
    colors |= {name: order[i % len(order)] for i, name in enumerate(rest)}
    return colors


def blank(
    height_in: float, rows: int, columns: int, *, shared: bool = False
) -> tuple[Figure, np.ndarray]:
    """Figure of text width with panels ``[row, column]``."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared)


def panel_each(
    panels: int, base_in: float, row_in: float, *, shared: bool = True
) -> tuple[Figure, np.ndarray]:
    """Figure of so many panels, at most three a row, ``[row, column]``; seats left over are hidden.

    The lowest panel of each column names the ticks of its abscissa, also above a hidden seat.
    """
    columns = min(3, panels)
    rows = -(-panels // columns)
    figure, grid = blank(base_in + row_in * rows, rows, columns, shared=shared)
    for axes in grid.flat[panels:]:
        axes.set_visible(False)
    for axes in grid.flat[panels - columns : panels]:
        axes.tick_params(labelbottom=True)
    return figure, grid


def _years(comparison: Comparison, months: int) -> np.ndarray:
    return comparison.scenario.start_year + (np.arange(months) + 0.5) / MONTHS_PER_YEAR


def _band(axes: Axes, x: np.ndarray, runs: np.ndarray, **line: Any) -> None:
    axes.plot(x, np.median(runs, axis=0), **line)
    if len(runs) > 1:
        low, high = np.quantile(runs, [0.1, 0.9], axis=0)
        axes.fill_between(x, low, high, color=line["color"], alpha=0.18, linewidth=0)


def price_paths(comparison: Comparison) -> Figure:
    """NdPr oxide price in China and in allied places, a panel per world, against the null."""
    comparison.check()
    inside = comparison.series["price_inside_usd_per_kg"]
    outside = comparison.series["price_outside_usd_per_kg"]
    names = [w.name for w in comparison.worlds if w.name != comparison.null]
    with mpl.style.context(STYLE):
        figure, panels = panel_each(len(names), base_in=0.5, row_in=2.1)
        null = np.median(inside[comparison.null], axis=0)
        for name, axes in zip(names, panels.flat, strict=False):
            x = _years(comparison, inside[name].shape[1])
            axes.plot(x, null, color=GREY, linewidth=1.0, linestyle=(0, (1, 1.2)))
            _band(axes, x, inside[name], color=BLUE, linewidth=1.8)
            _band(axes, x, outside[name], color=VERMILLION, linestyle=(0, (3, 2)), linewidth=1.2)
            axes.set_title(name)
            _mark_policies(comparison, name, axes)
            axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(6, integer=True))
        panels[0, 0].set_ylim(bottom=0)
        figure.supylabel("NdPr oxide price (USD/kg, real 2024)", fontsize=8)
        handles = [
            mpl.lines.Line2D([], [], color=BLUE, label="in China (VAT excluded)"),
            mpl.lines.Line2D(
                [], [], color=VERMILLION, linestyle=(0, (3, 2)), label="delivered in allied places"
            ),
            mpl.lines.Line2D(
                [], [], color=GREY, linestyle=(0, (1, 1.2)), label=f"in China, {comparison.null}"
            ),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _mark_policies(comparison: Comparison, name: str, axes: Axes) -> None:
    """Mark the start of undercutting, and the strike while producers have a floor, in the run."""
    world = next(w for w in comparison.worlds if w.name == name)
    first = comparison.scenario.start_year
    last = first + comparison.scenario.years
    for policy in world.policies:
        since, until = max(policy.start_year, first), min(policy.end_year, last)
        if since >= until:
            continue
        if isinstance(policy, Undercutting):
            axes.axvline(since, color=GREY, linewidth=0.6)
        if isinstance(policy, PriceFloor) and policy.goods == "ndpr_oxide":
            axes.hlines(policy.strike_usd_per_kg, since, until, color=GREEN, linewidth=1.0)
            axes.annotate(
                f"floor {policy.strike_usd_per_kg:g}",
                (since, policy.strike_usd_per_kg),
                xytext=(0, -3),
                textcoords="offset points",
                va="top",
                fontsize=7,
            )


def capacity_outside(comparison: Comparison) -> Figure:
    """Separation and magnet capacity in operation outside China, a line per world."""
    comparison.check()
    colors = world_colors(comparison)
    with mpl.style.context(STYLE):
        figure, panels = blank(3.3, 1, 2)
        for axes, stage, unit in zip(
            panels[0],
            ("separation", "magnet"),
            ("kt feed per year", "kt magnets per year"),
            strict=True,
        ):
            series = comparison.series[f"{stage}_outside_t_per_year"]
            for world in comparison.worlds:
                runs = series[world.name] / 1000.0
                x = _years(comparison, runs.shape[1])
                dashed = (0, (1, 1.2)) if world.name == comparison.null else "-"
                _band(axes, x, runs, color=colors[world.name], linestyle=dashed, label=world.name)
            axes.set_title("Separation" if stage == "separation" else "Sintered magnets")
            axes.set_ylabel(unit)
            axes.set_ylim(bottom=0)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.suptitle("Capacity operating outside China", fontsize=9, x=0.01, ha="left")
        figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)))
    return figure


def cost_against_supply(comparison: Comparison) -> Figure:
    """Public cost of each world against the oxide it secures over the second world."""
    comparison.check()
    colors = world_colors(comparison)
    runs = comparison.runs()
    markers = dict(
        zip(
            (w.name for w in comparison.worlds),
            ("X", "s", "o", "D", "^", "v", "P", "*"),
            strict=False,
        )
    )
    with mpl.style.context(STYLE):
        figure, panels = blank(3.4, 1, 1)
        axes = panels[0, 0]
        for world in comparison.worlds:
            own = runs[runs["world"] == world.name]
            x = own["secured_t"].to_numpy() / 1000.0
            y = own["public_cost_musd"].to_numpy() / 1000.0
            centre = np.median(x), np.median(y)
            if len(own) > 1:
                spread = [
                    np.abs(np.quantile(v, [0.1, 0.9]) - np.median(v))[:, None] for v in (x, y)
                ]
                axes.errorbar(
                    *centre,
                    xerr=spread[0],
                    yerr=spread[1],
                    color=colors[world.name],
                    linewidth=0.9,
                    capsize=2,
                )
            axes.plot(
                *centre,
                markers[world.name],
                color=colors[world.name],
                markersize=6,
                label=world.name,
                markeredgecolor="white",
                markeredgewidth=0.5,
                linestyle="none",
            )
        axes.axvline(0.0, color=GREY, linewidth=0.6)
        first, last = comparison.counted_years
        axes.set_xlabel(
            f"NdPr oxide separated outside China, against {comparison.base!r}, {first}-{last} (kt)"
        )
        axes.set_ylabel(f"public cost net of resale, {first}-{last}\n(billion USD, real 2024)")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


WAITING = {
    "decided": (("decided_projects", "blocked_by_decision_projects"), "#cccccc"),
    "permit": (("blocked_by_permit_projects",), ORANGE),
    "credibility": (("blocked_by_credibility_projects",), PURPLE),
    "finance": (("blocked_by_finance_projects",), SKY),
    "price": (("blocked_by_price_projects",), VERMILLION),
}


def what_blocked(comparison: Comparison) -> Figure:
    """Projects outside China by what keeps them from being decided, a panel per world.

    Most do not pay at any cost of capital; the axis is cut above the others, and the number says
    how many.
    """
    comparison.check()
    names = [w.name for w in comparison.worlds]
    layers = {
        name: [
            np.sum([comparison.series[s][name] for s in parts], axis=0).mean(axis=0)
            for parts, _ in WAITING.values()
        ]
        for name in names
    }
    top = 1.5 * max(float(np.sum(parts[:-1], axis=0).max()) for parts in layers.values()) + 1.0
    with mpl.style.context(STYLE):
        figure, panels = panel_each(len(names), base_in=0.6, row_in=1.7)
        for name, axes in zip(names, panels.flat, strict=False):
            x = _years(comparison, len(layers[name][0]))
            colors = [color for _, color in WAITING.values()]
            axes.stackplot(x, layers[name], colors=colors, edgecolor="white", linewidth=0.3)
            axes.set_title(name)
            axes.set_xlim(x[0], x[-1])
            axes.set_ylim(0.0, top)
            first, last = layers[name][-1][[0, -1]]
            axes.text(
                0.5,
                0.95,
                f"price blocks {first:.0f} at first, {last:.0f} at last",
                transform=axes.transAxes,
                ha="center",
                va="top",
                fontsize=7,
                color="white",
            )
            axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5, integer=True))
        figure.supylabel("mines and plants planned outside China (number, axis cut)", fontsize=8)
        handles = [
            mpl.patches.Patch(
                color=color, label="decided" if name == "decided" else f"blocked by {name}"
            )
            for name, (_, color) in reversed(WAITING.items())
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


FIGURES: dict[str, Callable[[Comparison], Figure]] = {
    "price_paths": price_paths,
    "capacity_outside_china": capacity_outside,
    "cost_against_supply": cost_against_supply,
    "what_blocked_projects": what_blocked,
}


def write_all(comparison: Comparison, folder: Path) -> list[Path]:
    """Save every figure as PNG and PDF; the same comparison gives the same bytes."""
    comparison.check()
    stamp = json.dumps(
        {
            "valid": comparison.valid,
            **{
                name: {k: p[k] for k in ("version", "commit", "scenario", "policies")}
                for name, p in comparison.provenance.items()
            },
        }
    )
    written = []
    for name, draw in FIGURES.items():
        written.extend(save(draw(comparison), folder / name, stamp))
    return written


def save(figure: Figure, path: Path, provenance: str) -> list[Path]:
    """Save a figure as PNG and PDF, with what it was made of inside; the path has no suffix."""
    written = []
    for suffix, metadata in (
        ("png", {"rare_market:provenance": provenance}),
        ("pdf", {"Subject": provenance, "CreationDate": None}),
    ):
        file = path.with_suffix(f".{suffix}")
        with mpl.style.context(STYLE):
            figure.savefig(file, metadata=metadata)
        written.append(file)
    return written


def cost_by_place(good: str, rows: list[dict[str, Any]]) -> Figure:
    """Stacked bars of the responsible-extraction cost of a good, a bar for each place.

    Parameters
    ----------
    good
        its name.
    rows
        one for each place: ``place``, the parts in USD/kg, ``total``, and the total with external
        cost at its low and high as ``external_low`` and ``external_high``.
    """
    parts = {
        "private cost": (BLUE, ["private"]),
        "waste, water, gas, land, radioactivity": (
            ORANGE,
            ["waste", "water", "gas", "land", "radioactivity"],
        ),
        "restoration": (VERMILLION, ["restoration"]),
        "capital charge": (SKY, ["capital"]),
        "risk premium": (GREY, ["risk"]),
    }
    places = [row["place"] for row in rows]
    with mpl.style.context(STYLE):
        figure, panels = blank(3.2, 1, 1)
        axes = panels[0, 0]
        below = np.zeros(len(rows))
        for label, (color, names) in parts.items():
            height = np.array([sum(row[name] for name in names) for row in rows])
            axes.bar(places, height, bottom=below, color=color, label=label, width=0.7)
            below = below + height
        external = np.array([sum(row[n] for n in parts["restoration"][1]) for row in rows])
        external += np.array(
            [
                sum(row[n] for n in ("waste", "water", "gas", "land", "radioactivity"))
                for row in rows
            ]
        )
        span = np.array(
            [
                [external[i] - row["external_low"] for i, row in enumerate(rows)],
                [row["external_high"] - external[i] for i, row in enumerate(rows)],
            ]
        )
        axes.errorbar(
            places,
            below,
            yerr=np.maximum(span, 0.0),
            fmt="none",
            ecolor=BLACK,
            capsize=3,
            label="with external cost low to high",
        )
        axes.set_ylabel(f"{good.replace('_', ' ')} [USD/kg]")
        axes.set_ylim(0.0, 1.05 * float((below + np.maximum(span[1], 0.0)).max()))
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure
