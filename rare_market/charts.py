"""Charts of sweeps, solvers and verdicts, in the style of :mod:`rare_market.figures`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from rare_market.design import declared
from rare_market.figures import BLUE, STYLE, VERMILLION, blank

if TYPE_CHECKING:
    from rare_market.solve import Answer


def break_even_curve(factor: str, curve: list[tuple[float, Answer]]) -> Figure:
    """Smallest level of a lever against another term, with its interval."""
    first = curve[0][1]
    found = [(level, answer) for level, answer in curve if np.isfinite(answer.value)]
    with mpl.style.context(STYLE):
        figure, panels = blank(3.2, 1, 1)
        axes = panels[0, 0]
        x = np.array([level for level, _ in found])
        y = np.array([answer.value for _, answer in found])
        low = np.array([answer.low for _, answer in found])
        high = np.array([answer.high for _, answer in found])
        axes.vlines(x, np.fmin(low, y), np.fmax(high, y), color=BLUE, linewidth=1.0)
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
        axes.set_ylim(bottom=0)
        axes.set_title(
            f"Smallest {first.lever.partition('.')[0].replace('_', ' ')} for {first.target},\n"
            f"in {first.probability:.0%} of draws; bars are {first.confidence:.0%} intervals",
            loc="left",
        )
    return figure


def save(figure: Figure, path: Path, stamp: dict[str, Any]) -> None:
    """Write a figure as PNG and PDF with its provenance inside."""
    text = json.dumps(stamp, sort_keys=True)
    with mpl.style.context(STYLE):
        figure.savefig(path.with_suffix(".png"), metadata={"rare_market:provenance": text})
        figure.savefig(path.with_suffix(".pdf"), metadata={"Subject": text, "CreationDate": None})
