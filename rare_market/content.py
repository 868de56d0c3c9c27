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

from rare_market.goods import FACILITY_STAGES, Catalogue

MINE = FACILITY_STAGES.index("mine")
HEAPS = ("for sale", "in use")
OFFERED = HEAPS.index("for sale")
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


def traded(share: np.ndarray, stock_t: np.ndarray, trade: Trade) -> tuple[np.ndarray, np.ndarray]:
    """Share of each heap that is touched, and the heap, after goods have changed hands.

    What is sold as untouched leaves the rest of a heap richer in what is touched.
    """
    (offered, used), (offered_t, used_t) = share, stock_t
    left = _ratio(offered * offered_t, offered_t - trade.untouched_t.sum(axis=2), offered)
    left = np.minimum(left, 1.0)
    came_t = trade.moved_t.sum(axis=1)
    touched_t = np.einsum("god,go->gd", trade.moved_t - trade.untouched_t, left)
    came = _ratio(touched_t, came_t, used)
    stays_t = np.maximum(offered_t - trade.moved_t.sum(axis=2), 0.0)
    offered, offered_t = _mix(left, stays_t, came, trade.resold_t)
    used, used_t = _mix(used, used_t, came, np.maximum(came_t - trade.resold_t, 0.0))
    return np.stack([offered, used]), np.stack([offered_t, used_t])


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
    share, stock_t = traded(share, stock_t, moves.contracts)
    share, stock_t = traded(share, stock_t, moves.market)
    (offered, used), (offered_t, used_t) = share, stock_t
    # smuggling
    carried_t = moves.carried_t.sum(axis=1)
    carried = _ratio(np.einsum("god,go->gd", moves.carried_t, offered), carried_t, offered)
    stays_t = np.maximum(offered_t - moves.carried_t.sum(axis=2) - moves.lost_t, 0.0)
    offered, offered_t = _mix(offered, stays_t, carried, carried_t)
    # use, and production for next month
    f = moves.feeding
    plants, shape = len(f.place), offered.shape
    weight = f.feed_t * np.maximum(reo_t_per_t, 1e-12)[f.feed_good]
    touched = weight * used[f.feed_good, f.place[f.feed_plant]]
    fed, touched = (_sum(f.feed_plant, part, plants) for part in (weight, touched))
    converts = (f.place == touch.state) & np.array(touch.stages)[f.stage]
    product = np.where(converts, 1.0, _ratio(touched, fed, np.zeros(plants)))
    taken_t = _at(f.feed_good, f.place[f.feed_plant], f.feed_t, shape)
    used_t = np.maximum(used_t - taken_t - moves.used_t, 0.0)
    made_t = _at(f.made_good, f.place[f.made_plant], f.made_t, shape)
    new_t = _at(f.made_good, f.place[f.made_plant], f.made_t * product[f.made_plant], shape)
    if touch.stages[MINE]:
        new_t[:, touch.state] += moves.dug_t[:, touch.state]
    made_t = made_t + moves.dug_t
    offered, offered_t = _mix(offered, offered_t, _ratio(new_t, made_t, offered), made_t)
    return np.clip([offered, used], 0.0, 1.0), np.stack([offered_t, used_t])


def _mix(
    share: np.ndarray, stock_t: np.ndarray, added: np.ndarray, added_t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share and tonnes of a heap to which another is added."""
    total_t = stock_t + added_t
    return _ratio(share * stock_t + added * added_t, total_t, share), total_t


def _ratio(part: np.ndarray, whole: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=otherwise.copy(), where=whole > 1e-9)


def _at(
    good: np.ndarray, place: np.ndarray, values: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    cell = good * shape[1] + place
    return _sum(cell, values, shape[0] * shape[1]).reshape(shape)


def _sum(cell: np.ndarray, values: np.ndarray, cells: int) -> np.ndarray:
    return np.bincount(cell, values, minlength=cells).astype(float)


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
