"""Contracts a state signs with producers: their terms, and what is owed on them.

Two kinds. A price floor is a contract for difference: no goods change hands, the state pays the
shortfall of the reference price below the strike, and may share the excess above it. An offtake
is physical: the state takes delivery before the spot market opens and pays by its price rule.

Instances: the price protection agreement between the US Department of Defense and MP Materials of
July 2025 (110 USD/kg NdPr on material sold and stockpiled, 30 % of the excess to the state), and
the supply agreements between Japan's JOGMEC/Sojitz and Lynas (2011, 2023, 2026).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

KG_PER_T = 1000.0


class PriceFloor(NamedTuple):
    """Terms of a contract for difference.

    Attributes
    ----------
    payer
        place code of the state that pays and is paid.
    goods, places
        bool masks ``[good]`` and ``[place]`` of the covered producers.
    strike_usd_per_kg
        the floor.
    upside_share
        the state's share of the price above the strike, 0 to 1.
    covers_stockpiled
        whether tonnes put into the producer's stock count as well as tonnes sold. They are then
        paid when produced and not again when sold, so the scheme pays on output.
    years_left
        time until the scheme ends.
    """

    payer: int
    goods: np.ndarray
    places: np.ndarray
    strike_usd_per_kg: float
    upside_share: float
    covers_stockpiled: bool
    years_left: float


class Offtake(NamedTuple):
    """Terms of a physical offtake guarantee.

    Attributes
    ----------
    buyer
        place code of the state that takes delivery.
    goods, places
        bool masks of what is bought and where from.
    volume_t
        tonnes per month at most, over all goods and producers together.
    floor_usd_per_kg, rebate_above_usd_per_kg, rebate_share
        the price rule: the market price, at least the floor; above the rebate level the buyer
        keeps the rebate share of the excess.
    years_left
        time until the guarantee ends.
    """

    buyer: int
    goods: np.ndarray
    places: np.ndarray
    volume_t: float
    floor_usd_per_kg: float
    rebate_above_usd_per_kg: float
    rebate_share: float
    years_left: float


def floor_payment_usd_per_kg(
    reference_usd_per_kg: np.ndarray, strike_usd_per_kg: float, upside_share: float
) -> np.ndarray:
    r"""What the state pays per kg under a contract for difference; negative if it receives.

    .. math:: s = (K - P)^+ - \upsilon\,(P - K)^+

    with reference price :math:`P`, strike :math:`K` and upside share :math:`\upsilon`.

    >>> floor_payment_usd_per_kg(np.array([60.0, 130.0]), 110.0, 0.3).tolist()
    [50.0, -6.0]
    """
    gap = strike_usd_per_kg - reference_usd_per_kg
    return np.maximum(gap, 0.0) - upside_share * np.maximum(-gap, 0.0)


def guarantee_share(price_usd_per_kg: np.ndarray, floor_usd_per_kg: float) -> np.ndarray:
    r"""Share of a revenue that a floor secures: all at the price, nothing at half of it.

    .. math:: \gamma = \operatorname{clip}(2 F/P - 1,\ 0,\ 1)

    >>> guarantee_share(np.array([50.0, 100.0, 200.0]), 75.0).tolist()
    [1.0, 0.5, 0.0]
    """
    ratio = floor_usd_per_kg / np.maximum(price_usd_per_kg, 1e-9)
    return np.clip(2.0 * ratio - 1.0, 0.0, 1.0)


def eligible_t(sold_t: np.ndarray, stockpiled_t: np.ndarray, covers_stockpiled: bool) -> np.ndarray:
    """Tonnes a price floor is paid on: sold, plus the change of the producer's stock if covered."""
    return sold_t + stockpiled_t if covers_stockpiled else sold_t


def offtake_price_usd_per_kg(market_usd_per_kg: np.ndarray, terms: Offtake) -> np.ndarray:
    r"""Price paid under an offtake.

    .. math:: p = \max(P, F) - \rho\,(P - R)^+
    """
    excess = np.maximum(market_usd_per_kg - terms.rebate_above_usd_per_kg, 0.0)
    return np.maximum(market_usd_per_kg, terms.floor_usd_per_kg) - terms.rebate_share * excess


def deliveries_t(available_t: np.ndarray, volume_t: float) -> np.ndarray:
    """Deliveries due under an offtake: all that is available, or the volume shared pro rata.

    >>> deliveries_t(np.array([30.0, 10.0]), 20.0).tolist()
    [15.0, 5.0]
    """
    total = available_t.sum()
    return available_t * min(1.0, volume_t / total) if total > 0 else np.zeros_like(available_t)
