"""Figures: the right size, labeled with units, readable, and the same bytes each time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from rare_market import figures
from rare_market.compare import World, compare, default_worlds
from rare_market.policies import PriceFloor, Undercutting
from rare_market.scenario import Scenario

SMALLEST_POINTS = 6.5


@pytest.fixture(scope="module")
def comparison():
    return compare(Scenario(years=3), default_worlds(), 2, processes=1)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_figure_has_print_width_readable_text_and_units(name, comparison):
    figure = figures.FIGURES[name](comparison)
    assert figure.get_size_inches()[0] == pytest.approx(7.2)
    figure.canvas.draw()
    texts = [t for t in figure.findobj(match=lambda a: hasattr(a, "get_fontsize")) if t.get_text()]
    assert min(text.get_fontsize() for text in texts) >= SMALLEST_POINTS
    words = " ".join(text.get_text() for text in texts)
    assert "USD" in words or "kt" in words or "number" in words


@pytest.mark.parametrize("name", figures.FIGURES)
def test_no_axis_label_leaves_the_figure(name, comparison):
    figure = figures.FIGURES[name](comparison)
    figure.canvas.draw()
    frame = figure.bbox
    for axes in figure.axes:
        for label in (axes.title, axes.xaxis.label, axes.yaxis.label, axes._left_title):
            if axes.get_visible() and label.get_text():
                box = label.get_window_extent()
                assert frame.x0 - 1 <= box.x0
                assert box.x1 <= frame.x1 + 1
                assert frame.y0 - 1 <= box.y0
                assert box.y1 <= frame.y1 + 1


def test_every_world_has_a_color_of_its_own(comparison):
    colors = [tuple(np.atleast_1d(c)) for c in figures.world_colors(comparison).values()]
    assert len(set(colors)) == len(comparison.worlds)


def test_the_floor_is_drawn_where_there_is_one(comparison):
    figure = figures.price_paths(comparison)
    floors = [axes for axes in figure.axes if any("floor 110" in t.get_text() for t in axes.texts)]
    titles = [axes.get_title(loc="left") for axes in floors]
    assert titles == ["price floor", "floor + offtake"]
    assert all(axes.get_ylim()[1] > 110 for axes in floors)


def test_what_is_secured_is_named_by_the_world_it_is_against(comparison):
    turned = dataclasses.replace(comparison, worlds=comparison.worlds[::-1])
    label = figures.cost_against_supply(turned).axes[0].get_xlabel()
    assert "against 'tariff', 2026-2026" in label


def test_policies_are_marked_within_the_years_of_the_run_only(comparison):
    """A floor outlasts the run, one ends before it, one is withdrawn, one comes after it."""
    floors = (
        PriceFloor(start_year=2023.0, strike_usd_per_kg=60.0),
        PriceFloor(start_year=2020.0, duration_years=2.0, strike_usd_per_kg=70.0),
        PriceFloor(start_year=2025.0, withdrawn_after_years=1.0, strike_usd_per_kg=80.0),
        PriceFloor(start_year=2031.0, strike_usd_per_kg=90.0),
    )
    worlds = tuple(
        World(w.name, (*floors, Undercutting(start_year=2031.0)) if w.name == "tariff" else ())
        for w in comparison.worlds
    )
    figure = figures.price_paths(dataclasses.replace(comparison, worlds=worlds))
    axes = next(axes for axes in figure.axes if axes.get_title(loc="left") == "tariff")
    assert [text.get_text() for text in axes.texts] == ["floor 60", "floor 80"]
    lines = [path.vertices for c in axes.collections for path in c.get_paths() if len(path) == 2]
    assert [line.tolist() for line in lines] == [
        [[2024.0, 60.0], [2027.0, 60.0]],
        [[2025.0, 80.0], [2026.0, 80.0]],
    ]
    assert axes.get_xlim()[1] < 2028.0


@pytest.mark.parametrize("draw", [figures.price_paths, figures.what_blocked])
def test_the_lowest_panel_of_every_column_names_its_years(draw, comparison):
    """Five worlds leave the last place of two rows of three empty."""
    figure = draw(comparison)
    figure.canvas.draw()
    shown = [axes for axes in figure.axes if axes.get_visible()]
    lowest = {round(axes.get_position().x0, 3): axes for axes in shown}
    assert len(lowest) == 3
    for axes in lowest.values():
        assert axes.get_xticklabels()  # those that are shown


def test_saved_twice_they_are_the_same_bytes_and_carry_provenance(comparison, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = figures.write_all(comparison, tmp_path / "a")
    second = figures.write_all(comparison, tmp_path / "b")
    assert len(first) == 8
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    with Image.open(tmp_path / "a" / "price_paths.png") as image:
        assert "undercutting" in image.text["rare_market:provenance"]
        assert image.info["dpi"][0] == pytest.approx(300, abs=1)
