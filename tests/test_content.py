"""What a state has touched is followed exactly through trade, stocks and recipes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rare_market.content import HEAPS, OFFERED, Content, Feeding, Moves, Touch, Trade, mixed
from rare_market.goods import FACILITY_STAGES
from rare_market.model import RareEarthMarket
from rare_market.policies import OriginRule, Stockpile
from rare_market.scenario import Scenario
from tests.conftest import CATALOGUE, CHN, METAL, ORE, OXIDE, USA

ANY = Touch(CHN, (True,) * len(FACILITY_STAGES))
MINED = Touch(CHN, tuple(stage == "mine" for stage in FACILITY_STAGES))
REO = CATALOGUE.composition_reo_t_per_t.sum(axis=1)
GOODS, PLACES, PLANTS = 5, 2, 3


def still(**changed) -> Moves:
    """Return a month in which nothing happens, but for what is given."""
    lane, node, none = (GOODS, PLACES, PLACES), (GOODS, PLACES), np.zeros(0, dtype=np.int64)
    nothing = Trade(np.zeros(lane), np.zeros(lane), np.zeros(node))
    month = Moves(
        contracts=nothing, market=nothing,
        carried_t=np.zeros(lane), lost_t=np.zeros(node), used_t=np.zeros(node),
        dug_t=np.zeros(node),
        feeding=Feeding(none, none, np.zeros(0), none, none, np.zeros(0), none, none),
    )  # fmt: skip
    return month._replace(**changed)


def sold(moved_t: np.ndarray, untouched_t: np.ndarray | float = 0.0) -> Trade:
    return Trade(moved_t, moved_t * 0.0 + untouched_t, np.zeros((GOODS, PLACES)))


def at(good: int, *places: int, tonnes: float) -> np.ndarray:
    values = np.zeros((GOODS, *[PLACES] * len(places)))
    values[(good, *places)] = tonnes
    return values


def heaps(good: int, place: int, offered_t: float, used_t: float = 0.0) -> np.ndarray:
    stock_t = np.zeros((len(HEAPS), GOODS, PLACES))
    stock_t[:, good, place] = offered_t, used_t
    return stock_t


def test_what_arrives_is_mixed_with_what_users_hold():
    """30 t of Chinese oxide reach 10 t of untouched oxide: three quarters."""
    stock_t = heaps(OXIDE, CHN, 100.0) + heaps(OXIDE, USA, 0.0, 10.0)
    share = np.zeros_like(stock_t)
    share[..., CHN] = 1.0
    moved_t = at(OXIDE, CHN, USA, tonnes=30.0)
    share, stock_t = mixed(share, stock_t, still(market=sold(moved_t)), ANY, REO)
    assert share[1, OXIDE, USA] == pytest.approx(0.75)
    assert stock_t[:, OXIDE].tolist() == [[70.0, 0.0], [0.0, 40.0]]


def test_what_is_sold_as_untouched_leaves_the_rest_richer():
    """Half of 100 t is touched; 40 t leave untouched, so of the other 60 five sixths are."""
    stock_t, share = heaps(OXIDE, USA, 100.0), np.full((2, GOODS, PLACES), 0.5)
    lane_t = at(OXIDE, USA, CHN, tonnes=40.0)
    month = still(market=sold(lane_t, lane_t))
    share, _ = mixed(share, stock_t, month, ANY, REO)
    assert share[OFFERED, OXIDE, USA] == pytest.approx(50.0 / 60.0)
    assert share[1, OXIDE, CHN] == 0.0


def test_a_plant_hands_on_the_share_of_its_feed_and_touches_where_it_stands():
    """Two smelters on feed that is a quarter touched: one in America, one in China."""
    stock_t = heaps(OXIDE, USA, 0.0, 50.0) + heaps(OXIDE, CHN, 0.0, 50.0)
    share = np.full((2, GOODS, PLACES), 0.25)
    feeding = Feeding(
        feed_plant=np.array([0, 1]), feed_good=np.array([OXIDE, OXIDE]),
        feed_t=np.array([12.5, 12.5]), made_plant=np.array([0, 1]),
        made_good=np.array([METAL, METAL]), made_t=np.array([10.0, 10.0]),
        place=np.array([USA, CHN]), stage=np.array([2, 2]),
    )  # fmt: skip
    any_, _ = mixed(share, stock_t, still(feeding=feeding), ANY, REO)
    mined, _ = mixed(share, stock_t, still(feeding=feeding), MINED, REO)
    assert any_[OFFERED, METAL].tolist() == [1.0, 0.25]
    assert mined[OFFERED, METAL].tolist() == [0.25, 0.25]


def test_ore_is_touched_where_it_is_dug():
    """Only at the state, and only where mining counts."""
    dug_t = np.zeros((GOODS, PLACES))
    dug_t[ORE] = 5.0
    nothing = np.zeros((2, GOODS, PLACES))
    processed = ANY._replace(stages=(False, True, True, True, True))
    for touch, expected in ((ANY, [1.0, 0.0]), (MINED, [1.0, 0.0]), (processed, [0.0, 0.0])):
        share, _ = mixed(nothing, nothing, still(dug_t=dug_t), touch, REO)
        assert share[OFFERED, ORE].tolist() == expected


@st.composite
def months(draw):
    """Draw heaps, shares and what happens to them; nobody moves or uses more than there is."""
    luck = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sparse = draw(st.floats(0.0, 0.9))

    def part(shape):
        return luck.random(shape) * (luck.random(shape) > sparse)

    stock_t = 100.0 * part((2, GOODS, PLACES))
    share = part((2, GOODS, PLACES))
    split = part((GOODS, PLACES, PLACES))
    split = split / np.maximum(split.sum(axis=2, keepdims=True), 1.0)
    moved_t = stock_t[OFFERED][:, :, None] * split
    clean_t = (1.0 - share[OFFERED]) * stock_t[OFFERED]
    most = clean_t / np.maximum(moved_t.sum(axis=2), 1e-12)
    untouched_t = moved_t * np.minimum(1.0, most)[:, :, None] * draw(st.sampled_from([0.0, 1.0]))
    came_t = moved_t.sum(axis=1)
    resold_t = came_t * part((GOODS, PLACES))
    offered_t = stock_t[OFFERED] - moved_t.sum(axis=2) + resold_t
    taken = 0.5 * part((GOODS, PLACES))
    carried_t = np.zeros_like(moved_t)
    carried_t[:, CHN, USA] = (0.9 * taken * offered_t)[:, CHN]
    lost_t = np.zeros_like(offered_t)
    lost_t[:, CHN] = (0.1 * taken * offered_t)[:, CHN]
    in_use_t = stock_t[1] + came_t - resold_t
    used_t = 0.5 * part((GOODS, PLACES)) * in_use_t
    place = luck.integers(0, PLACES, PLANTS)
    feed_plant = np.arange(PLANTS)
    feed_good = np.array([ORE, OXIDE, OXIDE])
    feed_t = 0.1 * part(PLANTS) * in_use_t[feed_good, place]
    recovery = luck.random(PLANTS)
    made_good = np.array([OXIDE, METAL, METAL])
    made_t = recovery * feed_t * REO[feed_good] / REO[made_good]
    feeding = Feeding(
        feed_plant, feed_good, feed_t, feed_plant, made_good, made_t, place, np.array([1, 2, 2])
    )
    dug_t = 10.0 * part((GOODS, PLACES))
    nothing = Trade(np.zeros_like(moved_t), np.zeros_like(moved_t), np.zeros_like(came_t))
    market = Trade(moved_t, untouched_t, resold_t)
    trades = draw(st.permutations([nothing, market]))
    return share, stock_t, Moves(*trades, carried_t, lost_t, used_t, dug_t, feeding)


@given(months())
@settings(max_examples=300, deadline=None)
def test_shares_are_shares_and_touched_rare_earth_is_conserved(month):
    """Of what China mined: before, plus dug there, less used, lost and left in the plants."""
    share, stock_t, moves = month
    trade = max(moves.contracts, moves.market, key=lambda part: part.moved_t.sum())
    after, after_t = mixed(share, stock_t, moves, MINED, REO)
    assert ((after >= 0.0) & (after <= 1.0)).all()
    f = moves.feeding
    expected_t = (
        stock_t.sum(axis=0) + moves.dug_t - moves.used_t - moves.lost_t
        + (trade.moved_t + moves.carried_t).sum(axis=1)
        - (trade.moved_t + moves.carried_t).sum(axis=2)
    )  # fmt: skip
    np.add.at(expected_t, (f.feed_good, f.place), -f.feed_t)
    np.add.at(expected_t, (f.made_good, f.place), f.made_t)
    np.testing.assert_allclose(after_t.sum(axis=0), expected_t, atol=1e-6)
    # the shares at which things leave: used and fed at that of users, lost at that of sellers
    came_t, out_t = trade.moved_t.sum(axis=1), trade.moved_t.sum(axis=2)
    touched_t = share * stock_t
    sold_t = trade.untouched_t.sum(axis=2)
    left = np.divide(
        touched_t[OFFERED], stock_t[OFFERED] - sold_t, out=share[OFFERED].copy(),
        where=stock_t[OFFERED] - sold_t > 1e-9,
    )  # fmt: skip
    arrived_t = np.einsum("god,go->gd", trade.moved_t - trade.untouched_t, np.minimum(left, 1.0))
    came = np.divide(arrived_t, came_t, out=share[1].copy(), where=came_t > 1e-9)
    users_t = stock_t[1] + came_t - trade.resold_t
    users = np.divide(
        touched_t[1] + came * (came_t - trade.resold_t), users_t, out=share[1].copy(),
        where=users_t > 1e-9,
    )  # fmt: skip
    sellers_t = stock_t[OFFERED] - out_t + trade.resold_t
    sellers = np.divide(
        left * (stock_t[OFFERED] - out_t) + came * trade.resold_t, sellers_t,
        out=left.copy(), where=sellers_t > 1e-9,
    )  # fmt: skip
    reo_t = (touched_t.sum(axis=0) * REO[:, None]).sum()
    reo_t += (moves.dug_t[:, CHN] * REO).sum()
    reo_t -= ((users * moves.used_t + sellers * moves.lost_t) * REO[:, None]).sum()
    wasted = f.feed_t * REO[f.feed_good] - f.made_t * REO[f.made_good]
    reo_t -= (users[f.feed_good, f.place] * wasted).sum()
    found_t = ((after * after_t).sum(axis=0) * REO[:, None]).sum()
    assert found_t == pytest.approx(reo_t, abs=1e-6)


def test_heaps_of_a_run_are_its_stocks_and_shares_stay_shares():
    """With smugglers, reserves and a rule in force; followed from the first month."""
    policies = [
        OriginRule(start_year=2025.0, members="allied"),
        Stockpile(start_year=2024.0, members="allied", joint=True, buy_below_share=10.0),
    ]
    market = RareEarthMarket(Scenario(years=2), policies)
    for _ in range(24):
        market.step()
    records = market.records
    np.testing.assert_allclose(records.heap_t.sum(axis=1), records.stock_t, atol=1e-6)
    (share,) = records.content_share.values()
    assert ((share >= 0.0) & (share <= 1.0)).all()
    c = records.catalogue
    assert (share[:, OFFERED, c.of_stage("magnet"), c.china] == 1.0).all()
    frame = records.frame("content")
    assert set(frame.columns) == {
        "month", "touched_by", "heap", "good", "place", "touched_share", "heap_t"
    }  # fmt: skip
    assert frame["touched_by"].unique().tolist() == ["CHN: mine+separation+metal+magnet+recycling"]


def test_the_heaps_begin_as_those_of_a_world_that_always_moved_so():
    """The second month is close to the first, far from a world in which nothing had moved."""
    market = RareEarthMarket(Scenario(years=1), [OriginRule(start_year=2030.0)])
    for _ in range(3):
        market.step()
    (share,) = market.records.content_share.values()
    steps = [
        np.abs(late - early)[market.records.heap_t[0] > 1.0].mean()
        for early, late in pairwise(share[:3])
    ]
    assert max(steps) < 0.05
    assert share[0, 1].mean() > 0.2


def test_nothing_is_followed_where_no_rule_asks():
    """No shares in the records, and an empty table."""
    market = RareEarthMarket(Scenario(years=1))
    market.step()
    assert market.records.content_share == {}
    assert len(market.records.frame("content")) == 0


def test_hands_have_a_name():
    """As in the records."""
    assert MINED.label(CATALOGUE) == "CHN: mine"
    content = Content((MINED,), CATALOGUE, np.ones((2, GOODS, PLACES)))
    assert content.offered(MINED)[ORE].tolist() == [1.0, 0.0]
