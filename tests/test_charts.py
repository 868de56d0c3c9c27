"""Charts of solvers and verdicts: print width, readable text, units, nothing cut off."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from rare_market import charts
from rare_market.solve import Answer, Target

TARGET = Target("capacity", 1e5, 2035, ("separation",))


def answer(value: float) -> Answer:
    """Answer with an interval of a tenth around the value."""
    return Answer(
        lever="price_floor.strike_usd_per_kg",
        target=TARGET,
        probability=0.8,
        confidence=0.9,
        replications=20,
        value=value,
        low=0.9 * value,
        high=1.1 * value,
        runs=100,
        share_at=0.8,
        share_below=0.5,
        share_above=0.9,
        tried=(0.0, 1760.0),
    )


def curve():
    levels = (0.15, 0.3, 0.45, 0.6)
    answers = [answer(40.0), answer(60.0), answer(90.0), answer(math.nan)]
    return charts.break_even_curve(
        "undercutting.depth_share", list(zip(levels, answers, strict=True))
    )


@pytest.mark.parametrize("draw", [curve])
def test_a_chart_has_print_width_readable_text_and_nothing_cut_off(draw):
    figure = draw()
    figure.canvas.draw()
    assert figure.get_size_inches()[0] == pytest.approx(7.2)
    texts = [t for t in figure.findobj(match=lambda a: hasattr(a, "get_fontsize")) if t.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 6.5
    assert "USD" in " ".join(text.get_text() for text in texts)
    frame = figure.bbox
    for axes in figure.axes:
        for label in (axes._left_title, axes.xaxis.label, axes.yaxis.label, axes.title):
            if label.get_text():
                box = label.get_window_extent()
                assert frame.x0 - 1 <= box.x0
                assert box.x1 <= frame.x1 + 1


def test_the_curve_goes_through_its_answers():
    axes = curve().axes[0]
    lines = [line.get_ydata() for line in axes.lines]
    assert any(np.array_equal(y, [40.0, 60.0, 90.0]) for y in lines)
    assert any("not reached" in text.get_text() for text in axes.texts)


def test_an_interval_without_an_end_runs_to_the_edge_with_an_arrow():
    open_above = dataclasses.replace(answer(40.0), high=math.nan)
    open_below = dataclasses.replace(answer(60.0), low=math.nan)
    figure = charts.break_even_curve(
        "undercutting.depth_share", [(0.15, open_above), (0.3, open_below)]
    )
    axes = figure.axes[0]
    top = axes.get_ylim()[1]
    bars = [path.vertices[:, 1].tolist() for path in axes.collections[0].get_paths()]
    assert bars == [[36.0, top], [0.0, pytest.approx(66.0)]]
    arrows = {line.get_marker(): line.get_xydata().tolist() for line in axes.lines}
    assert arrows["^"] == [[0.15, top]]
    assert arrows["v"] == [[0.3, 0.0]]
    assert "an arrow where no end is known" in axes.get_title(loc="left")
