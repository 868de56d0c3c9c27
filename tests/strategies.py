"""Hypothesis strategies for the tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from rare_market.clearing import BookLayout, Clearing, Quotas, book_layout, clear, no_quotas


class Market(NamedTuple):
    """Everything one clearing needs, with the names of :func:`rare_market.clearing.clear`."""

    goods: int
    places: int
    buyer_classes: int
    ask_good: np.ndarray
    ask_place: np.ndarray
    ask_quantity_t: np.ndarray
    ask_limit_usd_per_kg: np.ndarray
    bid_good: np.ndarray
    bid_node: np.ndarray
    bid_quantity_t: np.ndarray
    bid_limit_usd_per_kg: np.ndarray
    lane_cost_usd_per_kg: np.ndarray
    lane_limit_t: np.ndarray
    quotas: Quotas
    place_key: np.ndarray

    def layout(self) -> BookLayout:
        return book_layout(
            self.ask_good,
            self.ask_place,
            self.bid_good,
            self.bid_node,
            self.goods,
            self.places,
            self.buyer_classes,
            self.place_key,
        )

    def clear(self, price_hint_usd_per_kg=None) -> Clearing:
        return clear(
            self.layout(),
            self.ask_quantity_t,
            self.ask_limit_usd_per_kg,
            self.bid_quantity_t,
            self.bid_limit_usd_per_kg,
            self.lane_cost_usd_per_kg,
            self.lane_limit_t,
            self.quotas,
            price_hint_usd_per_kg,
        )


@st.composite
def markets(
    draw,
    max_goods: int = 2,
    max_places: int = 4,
    max_orders: int = 12,
    buyer_classes: int | None = None,
    quotas: bool = False,
) -> Market:
    """Markets on a coarse grid, so that ties, empty nodes and exhausted steps are common."""
    goods = draw(st.integers(1, max_goods))
    places = draw(st.integers(1, max_places))
    classes = buyer_classes or draw(st.integers(1, 2))
    demands = places * classes
    price = st.integers(-8, 40).map(lambda n: n / 2)
    quantity = st.integers(0, 12).map(lambda n: n / 4)

    def orders(nodes):
        order = st.tuples(st.integers(0, goods - 1), st.integers(0, nodes - 1), quantity, price)
        rows = draw(st.lists(order, max_size=max_orders))
        columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
        return [
            np.array(column, dtype=kind)
            for column, kind in zip(columns, (int, int, float, float), strict=True)
        ]

    def lanes(cell):
        size = goods * places * demands
        values = draw(st.lists(cell, min_size=size, max_size=size))
        return np.array(values, dtype=float).reshape(goods, places, demands)

    ask_good, ask_place, ask_quantity_t, ask_limit = orders(places)
    bid_good, bid_node, bid_quantity_t, bid_limit = orders(demands)
    cost = lanes(st.one_of(st.integers(-4, 16).map(lambda n: n / 2), st.just(np.inf)))
    limit = lanes(st.one_of(st.just(np.inf), st.just(np.inf), quantity))
    rule = no_quotas(goods)
    if quotas:
        count = draw(st.integers(1, 2))
        place = st.integers(-1, places - 1)
        rule = Quotas(
            np.array(draw(st.lists(st.booleans(), min_size=count * goods, max_size=count * goods)))
            .reshape(count, goods)
            .astype(bool),
            np.array(draw(st.lists(place, min_size=count, max_size=count))),
            np.array(draw(st.lists(place, min_size=count, max_size=count))),
            np.array(draw(st.lists(quantity, min_size=count, max_size=count))),
        )
    return Market(
        goods,
        places,
        classes,
        ask_good,
        ask_place,
        ask_quantity_t,
        ask_limit,
        bid_good,
        bid_node,
        bid_quantity_t,
        bid_limit,
        cost,
        limit,
        rule,
        np.arange(places) * 7 + 3,
    )
