"""Responsible-extraction cost: what a good costs with all it does to others, by place.

Four parts: private cost, external cost, capital charge and risk premium. The cost of ore comes from
the mines of a place, that of later goods from its plants and what they need of earlier goods, made
at the same place where it can be and at the mean of places outside China where not. Joint products
share a cost by value at the first prices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.agents.lifecycle import Status, capital_charge_usd_per_kg
from rare_market.agents.processor import Processors
from rare_market.agents.producer import NO_PLANT, Producers
from rare_market.contracts import COST_PARTS
from rare_market.goods import FACILITY_STAGES, Catalogue
from rare_market.scenario import Scenario


class Charges(NamedTuple):
    """Capital charge at the secured rate, and what the hurdle rate asks on top, ``[facility]``."""

    capital: np.ndarray
    risk: np.ndarray


def charges_usd_per_kg(life_capex_usd_per_kg_year: np.ndarray, scenario: Scenario) -> Charges:
    r"""Split of a capital charge into the cost of money without risk and the premium for risk.

    .. math:: \kappa(r_h) = \kappa(r_s) + [\kappa(r_h) - \kappa(r_s)]

    with the secured rate :math:`r_s` and the hurdle rate :math:`r_h`.
    """
    rates = (scenario.secured_rate_per_year, scenario.hurdle_rate_per_year)
    safe, whole = (
        capital_charge_usd_per_kg(
            life_capex_usd_per_kg_year, np.asarray(rate), scenario.project_life_years
        )
        for rate in rates
    )
    return Charges(safe, np.maximum(whole - safe, 0.0))


def responsible_cost_usd_per_kg(
    catalogue: Catalogue,
    producers: Producers,
    processors: Processors,
    external_usd_per_kg: np.ndarray,
    price_usd_per_kg: np.ndarray,
    scenario: Scenario,
) -> np.ndarray:
    r"""Cost of every good at every place that can make it, in its four parts.

    .. math:: C_g = \frac{P_g}{\sum_h b_h P_h} \Bigl(\sum_i a_i C_i + c + \kappa\Bigr)

    for each part, with inputs :math:`a`, outputs :math:`b`, prices :math:`P`, own cost :math:`c`
    and charges :math:`\kappa`; the mean over the plants of a place by capacity. Informal mines and
    closed plants are left out of the private cost of formal ones, and recyclers altogether.

    Parameters
    ----------
    external_usd_per_kg
        ``[good, place]`` of ore.
    price_usd_per_kg
        ``[good]``.

    Returns
    -------
    np.ndarray
        ``[part of COST_PARTS, good, place]``, NaN where the good is not made.
    """
    c, p, m = catalogue, producers, processors
    goods, places = len(c.goods), len(c.places)
    cost = np.full((len(COST_PARTS), goods, places), np.nan)
    charges = charges_usd_per_kg(p.life.capex_usd_per_kg_year, scenario)
    digs = c.of_stage("concentrate")[p.good] | (p.plant != NO_PLANT)
    weight = p.life.capacity_t * (p.life.status != Status.CLOSED) * digs
    own = (p.cost_usd_per_kg, external_usd_per_kg[p.good, p.place], charges.capital, charges.risk)
    _average(cost, np.stack(own), weight, p.good, p.place)

    charges = charges_usd_per_kg(m.life.capex_usd_per_kg_year, scenario)
    finishing = m.product.total(m.product.coefficient * m.finishing_usd_per_kg[m.product.row])
    nothing = np.zeros(m.rows)
    own = (m.own_conversion_usd_per_kg + finishing, nothing, charges.capital, charges.risk)
    by_activity = np.stack(own)
    value = m.product.total(m.product.coefficient * price_usd_per_kg[m.product.good])
    for name in ("separation", "metal", "magnet"):
        stage = FACILITY_STAGES.index(name)
        feed, product = m.feed, m.product
        unit = _with_fallback(cost, c.china)[:, feed.good, m.place[feed.row]]
        fed = np.stack([feed.total(feed.coefficient * part) for part in unit])
        whole = by_activity + fed
        legs = m.stage[product.row] == stage
        per_kg = whole[:, product.row] * price_usd_per_kg[product.good] / value[product.row]
        weight = m.life.capacity_t[product.row] * product.coefficient * legs
        weight = weight * (m.life.status[product.row] != Status.CLOSED)
        weight = weight * ~c.of_stage("scrap")[product.good] * np.isfinite(per_kg).all(axis=0)
        _average(cost, np.nan_to_num(per_kg), weight, product.good, product.place)
    return cost


def _average(
    cost: np.ndarray, values: np.ndarray, weight: np.ndarray, good: np.ndarray, place: np.ndarray
) -> None:
    """Write the weighted mean of each part by good and place, where there is any weight."""
    _, goods, places = cost.shape
    cell, size = good * places + place, goods * places
    total = np.bincount(cell, weight, minlength=size).reshape(goods, places)
    for part, value in enumerate(values):
        summed = np.bincount(cell, weight * value, minlength=size).reshape(goods, places)
        mean = np.divide(summed, total, out=np.full_like(summed, np.nan), where=total > 0.0)
        cost[part] = np.where(total > 0.0, mean, cost[part])


def _with_fallback(cost: np.ndarray, china: int) -> np.ndarray:
    """Cost with the mean of places outside China where a good is not made; else of all places."""
    abroad = np.delete(cost, china, axis=2)
    filled = cost.copy()
    for source in (abroad, cost):
        known = np.isfinite(source)
        count = known.sum(axis=2)
        mean = np.where(known, source, 0.0).sum(axis=2) / np.maximum(count, 1)
        mean = np.where(count > 0, mean, np.nan)[:, :, None]
        filled = np.where(np.isfinite(filled), filled, np.broadcast_to(mean, filled.shape))
    return filled
