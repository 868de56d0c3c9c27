"""The order book: who has room for which order."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from rare_market.agents.state import States
from rare_market.book import Book, load_posted
from rare_market.goods import BOUND, BUYER_CLASSES, OPEN
from rare_market.model import RareEarthMarket
from rare_market.policies import ExportQuota
from rare_market.scenario import Scenario
from tests.conftest import (
    CATALOGUE,
    CHN,
    METAL,
    NO_USERS,
    OXIDE,
    USA,
    bulletin,
    mines,
    plants,
    regime,
    sectors,
)


@pytest.fixture
def cohorts():
    return {
        "producer": mines(2),
        "processor": plants(2, place=[USA, CHN]),
        "buyer": sectors(
            3, good=[OXIDE, METAL, OXIDE], buyer_class=[OPEN, BOUND, OPEN], elasticity=0.0
        ),
        "state": States(
            names=CATALOGUE.places,
            stockpile_t=np.zeros((2, 5)),
            quota_good=OXIDE,
            quota_place=CHN,
            scenario=Scenario(),
        ),
    }


@pytest.fixture
def book(cohorts):
    return Book(cohorts, CATALOGUE)


def test_parts_of_the_kinds_cover_the_book_without_overlap(cohorts, book):
    """Each order belongs to one kind."""
    for parts, orders in ((book.ask_part, book.asks), (book.bid_part, book.bids)):
        rows = np.concatenate([np.arange(len(orders.good))[part] for part in parts.values()])
        assert rows.tolist() == list(range(len(orders.good)))
        assert list(parts) == list(cohorts)


def test_traders_are_numbered_over_all_kinds(cohorts, book):
    """Two mines, two plants, three sectors, two states."""
    first, end = 0, 0
    for kind, cohort in cohorts.items():
        end = first + cohort.rows
        for parts, orders in ((book.ask_part, book.asks), (book.bid_part, book.bids)):
            traders = orders.trader[parts[kind]]
            assert ((traders >= first) & (traders < end)).all()
        first = end
    assert end == 9


def test_only_sellers_ask_and_only_users_bid(book):
    """Mines buy nothing and sectors sell nothing."""
    for part in (book.bid_part["producer"], book.bid_part["state"], book.ask_part["buyer"]):
        assert part.stop == part.start


def test_an_empty_book_holds_orders_of_nothing(book):
    """Room is made once, quantities come with each month."""
    assert not book.asks.quantity_t.any()
    assert not book.bids.quantity_t.any()


def test_orders_are_written_in_the_part_of_their_kind_and_nowhere_else(cohorts, book):
    """What a cohort posts is found again, flattened."""
    cohorts["producer"].post(book, bulletin(), regime(), NO_USERS)
    part = book.ask_part["producer"]
    held = cohorts["producer"].inventory_t.sum()
    assert book.asks.quantity_t[part].sum() == pytest.approx(held)
    assert book.asks.quantity_t.sum() == pytest.approx(held)
    assert (book.asks.limit_usd_per_kg[part] > 0).all()


def test_orders_of_the_last_month_are_overwritten(cohorts, book):
    """Posting again does not add."""
    for _ in range(2):
        cohorts["buyer"].post(0, book, bulletin(), regime())
    assert book.bids.quantity_t.sum() == pytest.approx(30.0)


def test_a_bid_carries_the_class_of_its_buyer(book):
    """Plants are open; the second sector is bound."""
    part = book.bid_part["buyer"]
    assert book.bids.buyer_class[part].tolist() == [OPEN] * 3 + [BOUND] * 3 + [OPEN] * 3
    assert (book.bids.buyer_class[book.bid_part["processor"]] == OPEN).all()
    assert (book.asks.buyer_class == OPEN).all()


def test_the_layout_counts_the_orders_and_nodes(book):
    """The kernel is told the shape of the market once."""
    layout = book.layout
    assert (layout.goods, layout.places, layout.buyer_classes) == (5, 2, len(BUYER_CLASSES))
    assert layout.asks == len(book.asks.good)
    assert layout.bids == len(book.bids.good)


def test_values_of_orders_are_summed_by_trader_and_by_market(cohorts, book):
    """Each order counts once, where it belongs."""
    fills = SimpleNamespace(
        ask_fill_t=np.arange(float(len(book.asks.good))),
        bid_fill_t=np.arange(float(len(book.bids.good))),
        netback_usd_per_kg=np.full((5, 2), 2.0),
        price_usd_per_kg=np.full((5, 8), 3.0),
    )
    sold, bought = book.sold(fills), book.bought(fills)
    assert sold.usd.tolist() == (2000.0 * fills.ask_fill_t).tolist()
    assert bought.usd.tolist() == (3000.0 * fills.bid_fill_t).tolist()
    for traded in (sold, bought):
        for tonnes, usd in (traded[2:4], traded[4:6]):
            assert tonnes.sum() == traded.fill_t.sum()
            assert usd.sum() == traded.usd.sum()
    for kind, first in (("producer", 0), ("processor", 2), ("state", 7)):
        part = book.trader_part[kind]
        assert len(sold.trader_t[part]) == cohorts[kind].rows
        for row in range(cohorts[kind].rows):
            mine = book.asks.trader == first + row
            assert sold.trader_t[part][row] == fills.ask_fill_t[mine].sum()
    at_home = (book.asks.good == METAL) & (book.asks.place == USA)
    assert sold.market_t[METAL, USA] == fills.ask_fill_t[at_home].sum()
    assert bought.market_usd.shape == (5, 2, len(BUYER_CLASSES))
    bound = (book.bids.good == METAL) & (book.bids.buyer_class == BOUND)
    assert bought.market_t[METAL, USA, BOUND] == fills.bid_fill_t[bound].sum()


def test_a_saved_month_cleared_again_gives_the_same_bytes(tmp_path):
    """Twice in a row, and from the file."""
    market = RareEarthMarket(Scenario(years=1), [ExportQuota()])
    for _ in range(3):
        market.step()
    market.posted.save(tmp_path / "month.npz")
    saved = load_posted(tmp_path / "month.npz")
    for again in (market.posted.clear(market.book.layout), saved.clear(saved.layout())):
        for name in ("answer", "quota_rent_usd_per_kg"):
            part = getattr(again, name)
            assert part.tobytes() == getattr(market.clearing, name).tobytes(), name
