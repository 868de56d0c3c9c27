r"""Content: the part of each good at each place that one state has dug or processed.

The goods of one kind at one place are two heaps: what sellers hold, and what users hold. A tonne is
*touched* by a state if it was dug, collected or converted there at one of the stages that count;
the share of a heap that is touched moves with what is sold, is mixed where goods meet, and passes
through recipes into what is made of them:

.. math:: \phi'_{go} = \frac{\phi_{go} S_{go}}{S_{go} - \sum_d u_{god}}, \qquad
          \bar\phi_{gd} = \frac{\sum_o \phi'_{go}\,(f_{god} - u_{god})}{\sum_o f_{god}}, \qquad
          \phi_m = \frac{\sum_g w_g x_{mg}\,\phi_{g}}{\sum_g w_g x_{mg}}

with the share :math:`\phi` and the stock :math:`S` of sellers, the flows :math:`f` out of it and
the part :math:`u` of them sold as untouched, the share :math:`\bar\phi` of what arrives, and that
of a plant's products, :math:`\phi_m`, from its feeds :math:`x` weighted by the rare earth
:math:`w` they contain; 1 where the plant itself touches. Touched tonnes of rare earth are neither
made nor lost but by digging, converting, using and losing.

Scrap collected from what is worn out is new at its place: where it was dug is forgotten.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.compiled import compiled
from rare_market.goods import FACILITY_STAGES, Catalogue

MINE = FACILITY_STAGES.index("mine")
HEAPS = ("for sale", "in use")
OFFERED, IN_USE = range(2)  # heaps
SMALLEST_T = 1e-9  # of a heap: a share of less is not computed
FIRST_ROUNDS, SETTLED_SHARE = 240, 1e-6  # of the first month, until the heaps have settled


class Touch(NamedTuple):
    """Whose hands count.

    Attributes
    ----------
    state
        place code.
    stages
        bool for each of the stages of plants.
    """

    state: int
    stages: tuple[bool, ...]

    def label(self, catalogue: Catalogue) -> str:
        """Name it has in the records, such as ``CHN: mine+separation``."""
        named = [name for name, counts in zip(FACILITY_STAGES, self.stages, strict=True) if counts]
        return f"{catalogue.places[self.state]}: {'+'.join(named)}"


class Feeding(NamedTuple):
    """What plants took and made in a month, an entry for each feed and each product.

    Attributes
    ----------
    feed_plant, feed_good, feed_t
        ``[feed leg]``.
    made_plant, made_good, made_t
        ``[product leg]``.
    place, stage
        ``[plant]`` codes.
    """

    feed_plant: np.ndarray
    feed_good: np.ndarray
    feed_t: np.ndarray
    made_plant: np.ndarray
    made_good: np.ndarray
    made_t: np.ndarray
    place: np.ndarray
    stage: np.ndarray


class Trade(NamedTuple):
    """Goods that changed hands at once.

    Attributes
    ----------
    moved_t, untouched_t
        ``[good, origin, destination]`` all that moved, and the part of it sold as untouched.
    resold_t
        ``[good, place]`` part of what arrived that is for sale again.
    """

    moved_t: np.ndarray
    untouched_t: np.ndarray
    resold_t: np.ndarray


class Moves(NamedTuple):
    """What happened to the heaps in a month, in this order.

    Attributes
    ----------
    contracts, market
        deliveries before the market opened, and trade on it.
    carried_t, lost_t
        ``[good, origin, destination]`` taken across a border by smugglers, and ``[good, place]``
        lost by them.
    used_t, dug_t
        ``[good, place]`` used up by buyers; dug and collected.
    feeding
        what plants did.
    """

    contracts: Trade
    market: Trade
    carried_t: np.ndarray
    lost_t: np.ndarray
    used_t: np.ndarray
    dug_t: np.ndarray
    feeding: Feeding


def mixed(
    share: np.ndarray, stock_t: np.ndarray, moves: Moves, touch: Touch, reo_t_per_t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share of each heap that is touched, and the heap, after a month.

    Parameters
    ----------
    share, stock_t
        ``[heap of HEAPS, good, place]`` before it.
    moves
        of the month.
    touch
        whose hands count.
    reo_t_per_t
        ``[good]`` rare earth contained.
    """
    share, stock_t, f, stages = share.copy(), stock_t.copy(), moves.feeding, np.array(touch.stages)
    _trade(share, stock_t, *moves.contracts)
    _trade(share, stock_t, *moves.market)
    _smuggle(share[OFFERED], stock_t[OFFERED], moves.carried_t, moves.lost_t)
    product = _products(
        share[IN_USE], f.feed_plant, f.feed_good, f.feed_t, f.place, f.stage, touch.state, stages,
        reo_t_per_t,
    )  # fmt: skip
    _use_and_make(
        share, stock_t, f.feed_plant, f.feed_good, f.feed_t, f.made_plant, f.made_good, f.made_t,
        f.place, product, moves.used_t, moves.dug_t, touch.state, stages[MINE],
    )  # fmt: skip
    return share, stock_t


@compiled
def _ratio(part: float, whole: float, otherwise: float) -> float:
    return part / whole if whole > SMALLEST_T else otherwise


@compiled
def _trade(
    share: np.ndarray,
    stock_t: np.ndarray,
    moved_t: np.ndarray,
    untouched_t: np.ndarray,
    resold_t: np.ndarray,
) -> None:
    """Let goods change hands, see :class:`Trade`; changes the share and tonnes of the heaps.

    What is sold as untouched leaves the rest of a heap richer in what is touched.
    """
    goods, places, _ = moved_t.shape
    left, stays_t = np.empty(places), np.empty(places)
    for g in range(goods):
        for o in range(places):
            sent_t, clean_t = 0.0, 0.0
            for d in range(places):
                sent_t += moved_t[g, o, d]
                clean_t += untouched_t[g, o, d]
            offered, offered_t = share[OFFERED, g, o], stock_t[OFFERED, g, o]
            left[o] = min(_ratio(offered * offered_t, offered_t - clean_t, offered), 1.0)
            stays_t[o] = max(offered_t - sent_t, 0.0)
        for d in range(places):
            came_t, touched_t = 0.0, 0.0
            for o in range(places):
                came_t += moved_t[g, o, d]
                touched_t += (moved_t[g, o, d] - untouched_t[g, o, d]) * left[o]
            came = _ratio(touched_t, came_t, share[IN_USE, g, d])
            share[OFFERED, g, d], stock_t[OFFERED, g, d] = left[d], stays_t[d]
            _add(share[OFFERED], stock_t[OFFERED], g, d, came, resold_t[g, d])
            _add(share[IN_USE], stock_t[IN_USE], g, d, came, max(came_t - resold_t[g, d], 0.0))


@compiled
def _add(
    share: np.ndarray, stock_t: np.ndarray, good: int, place: int, added: float, added_t: float
) -> None:
    """Add tonnes of which a share is touched to one heap."""
    held, held_t = share[good, place], stock_t[good, place]
    share[good, place] = _ratio(held * held_t + added * added_t, held_t + added_t, held)
    stock_t[good, place] = held_t + added_t


@compiled
def _smuggle(
    share: np.ndarray, stock_t: np.ndarray, carried_t: np.ndarray, lost_t: np.ndarray
) -> None:
    """Take tonnes for sale across borders."""
    goods, places, _ = carried_t.shape
    for g in range(goods):
        before = share[g].copy()
        for o in range(places):
            sent_t = 0.0
            for d in range(places):
                sent_t += carried_t[g, o, d]
            stock_t[g, o] = max(stock_t[g, o] - sent_t - lost_t[g, o], 0.0)
        for d in range(places):
            came_t, touched_t = 0.0, 0.0
            for o in range(places):
                came_t += carried_t[g, o, d]
                touched_t += carried_t[g, o, d] * before[o]
            _add(share, stock_t, g, d, _ratio(touched_t, came_t, before[d]), came_t)


@compiled
def _products(
    used: np.ndarray,
    feed_plant: np.ndarray,
    feed_good: np.ndarray,
    feed_t: np.ndarray,
    place: np.ndarray,
    stage: np.ndarray,
    state: int,
    stages: np.ndarray,
    reo_t_per_t: np.ndarray,
) -> np.ndarray:
    """Share of what each plant makes that is touched, ``[plant]``."""
    fed, touched = np.zeros(len(place)), np.zeros(len(place))
    for i in range(len(feed_plant)):
        plant, good = feed_plant[i], feed_good[i]
        weight = feed_t[i] * max(reo_t_per_t[good], 1e-12)
        fed[plant] += weight
        touched[plant] += weight * used[good, place[plant]]
    for plant in range(len(place)):
        converts = place[plant] == state and stages[stage[plant]]
        touched[plant] = 1.0 if converts else _ratio(touched[plant], fed[plant], 0.0)
    return touched


@compiled
def _use_and_make(
    share: np.ndarray,
    stock_t: np.ndarray,
    feed_plant: np.ndarray,
    feed_good: np.ndarray,
    feed_t: np.ndarray,
    made_plant: np.ndarray,
    made_good: np.ndarray,
    made_t: np.ndarray,
    place: np.ndarray,
    product: np.ndarray,
    used_t: np.ndarray,
    dug_t: np.ndarray,
    state: int,
    digs: bool,
) -> None:
    """Take what is used up from the heaps in use; add what is made and dug to those for sale."""
    taken_t, new_t, touched_t = np.zeros_like(used_t), np.zeros_like(used_t), np.zeros_like(used_t)
    for i in range(len(feed_plant)):
        taken_t[feed_good[i], place[feed_plant[i]]] += feed_t[i]
    for i in range(len(made_plant)):
        plant = made_plant[i]
        new_t[made_good[i], place[plant]] += made_t[i]
        touched_t[made_good[i], place[plant]] += made_t[i] * product[plant]
    goods, places = used_t.shape
    for g in range(goods):
        for p in range(places):
            stock_t[IN_USE, g, p] = max(stock_t[IN_USE, g, p] - taken_t[g, p] - used_t[g, p], 0.0)
            if digs and p == state:
                touched_t[g, p] += dug_t[g, p]
            made = new_t[g, p] + dug_t[g, p]
            touched = _ratio(touched_t[g, p], made, share[OFFERED, g, p])
            _add(share[OFFERED], stock_t[OFFERED], g, p, touched, made)
            for heap in range(len(share)):
                share[heap, g, p] = min(max(share[heap, g, p], 0.0), 1.0)


class Content:
    """Shares of all heaps, for each set of hands that some rule asks about.

    Parameters
    ----------
    touches
        the sets of hands.
    catalogue
        codes.
    stock_t
        ``[heap of HEAPS, good, place]`` before the run.

    Attributes
    ----------
    stock_t
        the heaps.
    share
        ``[touch, heap, good, place]``. Before the first month all goods at the state's place are
        touched and no others; after it the heaps are those of a world that has always moved as in
        that month.
    """

    def __init__(
        self, touches: tuple[Touch, ...], catalogue: Catalogue, stock_t: np.ndarray
    ) -> None:
        self.touches = touches
        self.labels = tuple(touch.label(catalogue) for touch in touches)
        self.stock_t = stock_t
        self._reo_t_per_t = catalogue.composition_reo_t_per_t.sum(axis=1)
        self._begun = False
        self.share = np.zeros((len(touches), *stock_t.shape))
        for share, touch in zip(self.share, touches, strict=True):
            share[..., touch.state] = stock_t[..., touch.state] > 0.0

    def offered(self, touch: Touch) -> np.ndarray:
        """Share touched of what sellers hold, ``[good, place]``."""
        return np.asarray(self.share[self.touches.index(touch), OFFERED])

    def advance(self, moves: Moves, untouched_t: dict[Touch, np.ndarray]) -> None:
        """Mix the heaps of a month.

        Parameters
        ----------
        moves
            of the month, nothing in it sold as untouched.
        untouched_t
            ``[good, origin, destination]`` for the hands that some rule kept off.
        """
        after_t, self.share = self.stock_t, self.share.copy()  # the old one is published
        for i, touch in enumerate(self.touches):
            market = moves.market
            clean_t = untouched_t.get(touch, market.untouched_t)
            own = moves._replace(market=market._replace(untouched_t=clean_t))
            for _ in range(1 if self._begun else FIRST_ROUNDS):
                share, after_t = mixed(self.share[i], self.stock_t, own, touch, self._reo_t_per_t)
                settled = np.abs(share - self.share[i]).max() < SETTLED_SHARE
                self.share[i] = share
                if settled:
                    break
        self.stock_t, self._begun = after_t, True
