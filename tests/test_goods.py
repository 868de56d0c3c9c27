"""Goods and recipes: what is made of what."""

from __future__ import annotations

import numpy as np

from rare_market.dataset import Data


def test_the_feeds_of_magnets_are_metal_oxide_ore_and_scrap(data: Data) -> None:
    """At any remove; no magnet is a feed of another, and cerium oxide of none."""
    c, recipes = data.catalogue, data.recipes
    feeds = recipes.feeds_of(c.of_stage("magnet"))
    for name in ("ndpr_metal", "dy_metal", "ndpr_oxide", "dy_oxide"):
        assert feeds[c.good(name)]
    assert feeds[c.of_stage("concentrate")].any()
    assert feeds[c.of_stage("scrap")].any()
    assert not feeds[c.of_stage("magnet")].any()
    assert not feeds[c.good("ce_oxide")]


def test_nothing_has_no_feeds(data: Data) -> None:
    """The empty set."""
    nothing = np.zeros(len(data.catalogue.goods), dtype=bool)
    assert not data.recipes.feeds_of(nothing).any()
