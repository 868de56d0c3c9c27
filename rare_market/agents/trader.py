"""What all traders share: columns with Mesa agents as views of rows, and how asks are formed.

The numbers of a kind live in a cohort, a set of equal-length columns; rows never move. A Mesa agent
is a view of one row, so ``mine.inventory_t`` is a number and ``mines.inventory_t`` the column. A
rule is written once, on columns; a cohort of one row obeys the same rule.

Three verbs: ``post`` (orders from the last bulletin), ``settle`` (learn the fills), ``plan``.
"""

from __future__ import annotations

from typing import Any

import mesa
import numpy as np

from rare_market.compiled import compiled

# Edges of the ask steps in months of expected sales, after which comes what is left in stock, and
# the place on the ask curve where each step's limit is read. Normal sales fall in the middle of a
# step read at 1, so a market in balance repeats its price.
ASK_EDGES_MONTHS = np.array([0.5, 0.85, 1.15])
ASK_READ_MONTHS = np.array([0.5, 0.8, 1.0, 1.5])
ASK_STEPS = len(ASK_READ_MONTHS)
ASK_FACTOR_RANGE = (0.6, 1.6)
SMALLEST_ORDER_T = 1e-6  # a gram; of smaller orders it is not asked whether they were filled


class Trader(mesa.Agent):  # type: ignore[misc]  # mesa ships no types
    """A Mesa agent that is a view of one row of its cohort."""

    def __init__(self, model: mesa.Model, cohort: Any, row: int) -> None:
        super().__init__(model)
        self.cohort = cohort
        self.row = row

    def __getattr__(self, name: str) -> Any:
        if name in ("cohort", "row"):
            raise AttributeError(name)
        return getattr(self.cohort, name)[self.row]


@compiled
def expected_price_usd_per_kg(
    price_usd_per_kg: np.ndarray,
    trend_per_month: np.ndarray,
    extrapolation_share: np.ndarray | float,
) -> np.ndarray:
    r"""Price a trader expects: the last one, carried on by part of its trend.

    .. math:: E_i = P\,(1 + x_i\,\tau), \qquad \tfrac12 P \le E_i \le 2P

    Adaptive expectations with heterogeneous extrapolation :math:`x_i`.
    """
    return price_usd_per_kg * np.minimum(
        np.maximum(1.0 + extrapolation_share * trend_per_month, 0.5), 2.0
    )


@compiled
def ask_curve(
    stock_t: np.ndarray,
    target_t: np.ndarray,
    sales_t: np.ndarray,
    expected_usd_per_kg: np.ndarray,
    floor_usd_per_kg: np.ndarray,
    flow_slope: float,
    stock_slope: float,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Rising ask steps of sellers from what they hold.

    .. math:: a(q) = \max\{c,\; E\,\operatorname{clip}[1 + \gamma_f (q/\hat s - 1)
              + \gamma_s (1 - \min(S/S^*, 3)),\ 0.6,\ 1.6]\}

    where :math:`\hat s` are expected monthly sales, :math:`S` and :math:`S^*` stock and its target,
    :math:`c` the avoidable cost. A month of normal sales at target stock clears at the expected
    price; excess stock lowers the whole curve, a rush of demand climbs it.

    Parameters
    ----------
    stock_t, target_t, sales_t, expected_usd_per_kg, floor_usd_per_kg
        ``[seller]``.

    Returns
    -------
    quantity_t, limit_usd_per_kg
        ``[seller, step]``, limits not falling from step to step.
    """
    quantity_t = np.empty((len(stock_t), ASK_STEPS))
    limit_usd_per_kg = np.empty((len(stock_t), ASK_STEPS))
    least, most = ASK_FACTOR_RANGE
    for i in range(len(stock_t)):
        stock_ratio = min(stock_t[i] / max(target_t[i], 1e-9), 3.0)
        offered_t = 0.0
        for k in range(ASK_STEPS):
            edge_t = stock_t[i]
            if k < ASK_STEPS - 1:
                edge_t = min(sales_t[i] * ASK_EDGES_MONTHS[k], edge_t)
            quantity_t[i, k] = edge_t - offered_t
            offered_t = edge_t
            factor = (
                1.0 + flow_slope * (ASK_READ_MONTHS[k] - 1.0) + stock_slope * (1.0 - stock_ratio)
            )
            asked = expected_usd_per_kg[i] * min(max(factor, least), most)
            limit_usd_per_kg[i, k] = max(asked, floor_usd_per_kg[i])
    return quantity_t, limit_usd_per_kg


@compiled
def state_ask_usd_per_kg(
    limit_usd_per_kg: np.ndarray,
    price_usd_per_kg: np.ndarray,
    downstream_usd_per_kg: np.ndarray,
    s: Any,
) -> np.ndarray:
    r"""Asks of state producers, who are kind to users at home.

    .. math:: a' = a\,\bigl[1 - \delta\,(1 - n/P)^+\bigr]

    Where plants at home can pay only :math:`n` for what costs :math:`P`, a state supplier gives up
    the part :math:`\delta` of the gap (downstream aim).

    Parameters
    ----------
    limit_usd_per_kg
        ask without these aims.
    price_usd_per_kg
        last price of what is sold.
    downstream_usd_per_kg
        what plants at home can pay, ``inf`` where there are none.
    s
        the scenario's numbers.
    """
    gap_share = np.maximum(1.0 - downstream_usd_per_kg / np.maximum(price_usd_per_kg, 1e-6), 0.0)
    return limit_usd_per_kg * (1.0 - s.state_downstream_share * gap_share)


@compiled
def aim_state_asks(
    limit_usd_per_kg: np.ndarray,
    state_owned: np.ndarray,
    good: np.ndarray,
    place: np.ndarray,
    least_usd_per_kg: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    downstream_usd_per_kg: np.ndarray,
    ceiling_usd_per_kg: np.ndarray,
    s: Any,
) -> None:
    """Move the asks of state producers, ``[seller, step]``: never below cost, nor above a ceiling.

    Parameters
    ----------
    state_owned, good, place, least_usd_per_kg
        ``[seller]``.
    netback_usd_per_kg, downstream_usd_per_kg, ceiling_usd_per_kg
        ``[good, place]``.
    s
        the scenario's numbers.
    """
    for i in range(len(good)):
        if not state_owned[i]:
            continue
        here = (good[i], place[i])
        for k in range(ASK_STEPS):
            aimed = state_ask_usd_per_kg(
                limit_usd_per_kg[i, k],
                netback_usd_per_kg[here],
                downstream_usd_per_kg[here],
                s,
            )
            aimed = max(aimed, least_usd_per_kg[i])
            limit_usd_per_kg[i, k] = min(aimed, ceiling_usd_per_kg[here])


@compiled
def least_output_t(
    able_t: np.ndarray, last_t: np.ndarray, layoff_share_per_month: float
) -> np.ndarray:
    r"""Output that a state producer keeps up for its workers: :math:`\min(k, (1-\lambda)\,q)`.

    A bad price lowers output by at most the share :math:`\lambda` a month, as far as the plant is
    able.
    """
    return np.minimum(able_t, (1.0 - layoff_share_per_month) * last_t)


@compiled
def normal_stock_t(sales_t: np.ndarray, cover_months: np.ndarray) -> np.ndarray:
    """Stock a seller holds at an ordinary price: a month's sales and its cover."""
    return sales_t * (1.0 + cover_months)


@compiled
def storage_target_t(
    normal_t: np.ndarray,
    price_usd_per_kg: np.ndarray,
    long_price_usd_per_kg: np.ndarray,
    response: float,
) -> np.ndarray:
    r"""Stock a seller likes to hold: more while the price is below what it is in the long run.

    .. math:: S^* = \bar S\,\operatorname{clip}(\bar P / P,\ \tfrac14,\ 4)^{\eta}

    The storage motive that keeps a glut from driving a price to nothing at once (Wright and
    Williams 1982).
    """
    ratio = long_price_usd_per_kg / np.maximum(price_usd_per_kg, 1e-6)
    return normal_t * np.minimum(np.maximum(ratio, 0.25), 4.0) ** response


@compiled
def expected_gain_share(
    trend_per_month: np.ndarray,
    price_usd_per_kg: np.ndarray,
    long_price_usd_per_kg: np.ndarray,
    s: Any,
) -> np.ndarray:
    r"""Yearly gain expected of holding stock, over its carrying cost.

    .. math:: g = 12\tau + \rho \ln(\bar P / P) - k

    The trend goes on, and part :math:`\rho` of the distance to the long mean is expected back in a
    year: extrapolators and fundamentalists in one (Frankel and Froot 1990). ``s`` holds the
    scenario's numbers.
    """
    return_share = np.log(
        np.maximum(long_price_usd_per_kg, 1e-6) / np.maximum(price_usd_per_kg, 1e-6)
    )
    gain = 12.0 * trend_per_month + s.reversion_share_per_year * return_share
    return gain - s.carrying_cost_share_per_year


@compiled
def wanted_cover_months(
    cover_months: np.ndarray,
    gain_share: np.ndarray,
    alarm_share: np.ndarray,
    s: Any,
) -> np.ndarray:
    r"""Stock that users like to hold, in months of use.

    .. math:: C = \bar C\,\operatorname{clip}\bigl(1 + \theta\,[g^+ + \min(g + k, 0)]
              + \alpha A,\; c_-,\; c_+\bigr)

    Cover rises while the gain :math:`g` expected of holding exceeds its carrying cost :math:`k`,
    and with the alarm :math:`A`, the part of orders that lately went unfilled or is feared for; it
    falls when prices are expected to fall, and stocks are run down: hoarding, then destocking.
    ``s`` holds the scenario's numbers.
    """
    falling = np.minimum(gain_share + s.carrying_cost_share_per_year, 0.0)
    moved = s.hoarding_response * (np.maximum(gain_share, 0.0) + falling)
    factor = 1.0 + moved + s.alarm_response * alarm_share
    factor = np.minimum(np.maximum(factor, s.least_cover_share), s.most_cover_share)
    return cover_months * factor


@compiled
def wanted_t(
    use_t: np.ndarray, cover_months: np.ndarray, stock_t: np.ndarray, adjust_months: float
) -> np.ndarray:
    """What users buy: their use, and part of what their stock lacks of its cover; not negative."""
    gap_t = use_t * cover_months - stock_t
    return np.maximum(use_t + gap_t / adjust_months, 0.0)


@compiled
def filled_t(fill_t: np.ndarray, row: int, steps: int) -> float:
    """What the orders of a row came to, of ``[row x step]`` fills."""
    total_t = 0.0
    for k in range(row * steps, (row + 1) * steps):
        total_t += fill_t[k]
    return total_t


@compiled
def unfilled_share(bought_t: float, urgent_t: float) -> float:
    """Part of urgent orders that was not filled, 0 to 1; none of orders for nothing."""
    if urgent_t <= SMALLEST_ORDER_T:
        return 0.0
    return min(max(1.0 - bought_t / urgent_t, 0.0), 1.0)


@compiled
def alarmed_share(
    alarm_share: np.ndarray, unfilled_share: np.ndarray | float, months: float
) -> np.ndarray:
    """Alarm next month: at once as high as the part of orders unfilled, forgotten slowly."""
    return np.maximum(unfilled_share, alarm_share * (1.0 - 1.0 / months))


def news_share(announced_share: np.ndarray, known_share: np.ndarray) -> np.ndarray:
    """What of an announced loss of supply is news: the part by which it worsens.

    A measure alarms when it is announced; once it is in force users see their orders filled or not
    (the threat of May 2019 lifted prices for two months; E5).
    """
    return np.maximum(announced_share - known_share, 0.0)


@compiled
def smooth(old: np.ndarray, new: np.ndarray, memory_months: float) -> np.ndarray:
    """Exponential smoothing with the given memory."""
    return old + (new - old) / memory_months


@compiled
def chosen(
    good: np.ndarray, place: np.ndarray, goods: np.ndarray, places: np.ndarray
) -> np.ndarray:
    """Rows whose good and place are both among those marked, ``[row]`` bool."""
    both = np.empty(len(good), np.bool_)
    for i in range(len(good)):
        both[i] = goods[good[i]] and places[place[i]]
    return both


@compiled
def at(table: np.ndarray, good: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Entries of a ``[good, place]`` table, ``[row]``."""
    values = np.empty(len(good))
    for i in range(len(good)):
        values[i] = table[good[i], place[i]]
    return values
