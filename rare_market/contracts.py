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

from rare_market.compiled import compiled

KG_PER_T = 1000.0
COST_PARTS = ("private", "external", "capital", "risk")  # of the responsible-extraction cost


class Scheme(NamedTuple):
    """What the contracts of one policy share: who offers them, how far they are believed and paid.

    Attributes
    ----------
    policy
        position of the policy in the run.
    years_until
        time until it is in force; 0 once it is.
    belief_share
        probability that investors give to its being kept.
    budget_left_usd
        what the state still pays out on it.
    """

    policy: int = 0
    years_until: float = 0.0
    belief_share: float = 1.0
    budget_left_usd: float = float("inf")


class PriceFloor(NamedTuple):
    """Terms of a contract for difference, or of a subsidy per kg.

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
    subsidy_usd_per_kg
        paid at any price, beside the difference.
    reason
        what the payment is booked as.
    scheme
        of the policy that offers it.
    """

    payer: int
    goods: np.ndarray
    places: np.ndarray
    strike_usd_per_kg: float
    upside_share: float
    covers_stockpiled: bool
    years_left: float
    subsidy_usd_per_kg: float = 0.0
    reason: str = "price_floor"
    scheme: Scheme = Scheme()

    def payment_usd_per_kg(self, reference_usd_per_kg: np.ndarray) -> np.ndarray:
        """What the state pays per kg at a reference price; negative if it receives."""
        difference = floor_payment_usd_per_kg(
            reference_usd_per_kg, self.strike_usd_per_kg, self.upside_share
        )
        return difference + self.subsidy_usd_per_kg


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
        the price rule: the index, at least the floor; above the rebate level the buyer keeps the
        rebate share of the excess.
    years_left
        time until the guarantee ends.
    index_share
        the index as a share of the market price.
    rebate_cap_usd
        most that is rebated in a calendar year.
    buyer_is_firm
        whether the plants of the buyer's place that use the good take delivery, not its state.
    breach_above_share
        the buyer refuses delivery while the contract price exceeds the market price by more.
    penalty_share
        part of that excess that a buyer in breach pays.
    scheme
        of the policy that offers it.
    """

    buyer: int
    goods: np.ndarray
    places: np.ndarray
    volume_t: float
    floor_usd_per_kg: float
    rebate_above_usd_per_kg: float
    rebate_share: float
    years_left: float
    index_share: float = 1.0
    rebate_cap_usd: float = float("inf")
    buyer_is_firm: bool = False
    breach_above_share: float = float("inf")
    penalty_share: float = 0.0
    scheme: Scheme = Scheme()


class Threat(NamedTuple):
    """A price at which a state is expected to sell against those who enter.

    Attributes
    ----------
    goods, places
        bool masks ``[good]`` and ``[place]`` of the entrants it is aimed at.
    price_usd_per_kg
        ``[good]`` what they would get while it is carried out.
    years_left
        time until it ends.
    scheme
        of the policy that threatens.
    """

    goods: np.ndarray
    places: np.ndarray
    price_usd_per_kg: np.ndarray
    years_left: float
    scheme: Scheme = Scheme()


def feared_usd_per_kg(
    price_usd_per_kg: np.ndarray, threatened_usd_per_kg: np.ndarray, share: np.ndarray
) -> np.ndarray:
    r"""Price that entrants count on under a threat: :math:`P - b\,(P - \underline P)^+`.

    The share :math:`b` is the probability that it is carried out times the part of capital recovery
    that falls within its years (entry deterrence through expectations: Milgrom and Roberts 1982).
    """
    return price_usd_per_kg - share * np.maximum(price_usd_per_kg - threatened_usd_per_kg, 0.0)


@compiled
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


@compiled
def guarantee_share(price_usd_per_kg: np.ndarray, floor_usd_per_kg: float) -> np.ndarray:
    r"""Share of a revenue that a floor secures: all at the price, nothing at half of it.

    .. math:: \gamma = \operatorname{clip}(2 F/P - 1,\ 0,\ 1)

    >>> guarantee_share(np.array([50.0, 100.0, 200.0]), 75.0).tolist()
    [1.0, 0.5, 0.0]
    """
    ratio = floor_usd_per_kg / np.maximum(price_usd_per_kg, 1e-9)
    return np.minimum(np.maximum(2.0 * ratio - 1.0, 0.0), 1.0)


def eligible_t(sold_t: np.ndarray, stockpiled_t: np.ndarray, covers_stockpiled: bool) -> np.ndarray:
    """Tonnes a price floor is paid on: sold, plus the change of the producer's stock if covered."""
    return sold_t + stockpiled_t if covers_stockpiled else sold_t


def offtake_price_usd_per_kg(market_usd_per_kg: np.ndarray, terms: Offtake) -> np.ndarray:
    r"""Price paid under an offtake, while the yearly cap on rebates is not reached.

    .. math:: p = \max(\iota P, F) - \rho\,(P - R)^+
    """
    return firm_price_usd_per_kg(market_usd_per_kg, terms) - rebate_usd_per_kg(
        market_usd_per_kg, terms
    )


def firm_price_usd_per_kg(market_usd_per_kg: np.ndarray, terms: Offtake) -> np.ndarray:
    r"""Price under an offtake before any rebate: :math:`\max(\iota P, F)`."""
    return np.maximum(terms.index_share * market_usd_per_kg, terms.floor_usd_per_kg)


def rebate_usd_per_kg(market_usd_per_kg: np.ndarray, terms: Offtake) -> np.ndarray:
    r"""Part of a high price that the buyer gets back: :math:`\rho\,(P - R)^+`."""
    excess = np.maximum(market_usd_per_kg - terms.rebate_above_usd_per_kg, 0.0)
    return terms.rebate_share * excess


def within(total_usd: float, limit_usd: float) -> float:
    """Share of payments that a limit leaves: all of them, or the limit over their sum.

    >>> within(50.0, 20.0), within(10.0, 20.0), within(0.0, -1.0), within(5.0, -1.0)
    (0.4, 1.0, 1.0, 0.0)
    """
    left_usd = max(limit_usd, 0.0)
    return left_usd / total_usd if total_usd > left_usd else 1.0


def breached(market_usd_per_kg: np.ndarray, terms: Offtake) -> np.ndarray:
    r"""Where a buyer refuses delivery: :math:`p/P - 1 > b`."""
    price = offtake_price_usd_per_kg(market_usd_per_kg, terms)
    return price > (1.0 + terms.breach_above_share) * market_usd_per_kg


def deliveries_t(available_t: np.ndarray, volume_t: float) -> np.ndarray:
    """Deliveries due under an offtake: all that is available, or the volume shared pro rata.

    >>> deliveries_t(np.array([30.0, 10.0]), 20.0).tolist()
    [15.0, 5.0]
    """
    total = available_t.sum()
    return available_t * min(1.0, volume_t / total) if total > 0 else np.zeros_like(available_t)


def cost_floor_usd_per_kg(
    cost_usd_per_kg: np.ndarray, parts: str, goods: np.ndarray, places: np.ndarray
) -> np.ndarray:
    """Floor computed from parts of the responsible cost: their sum, its mean over the places.

    Parameters
    ----------
    cost_usd_per_kg
        ``[part, good, place]``.
    parts
        names of :data:`COST_PARTS` joined by ``+``.
    goods, places
        bool masks.

    Returns
    -------
    np.ndarray
        ``[good]``; 0 where no place makes the good.
    """
    rows = [COST_PARTS.index(part) for part in parts.split("+")]
    total = cost_usd_per_kg[rows].sum(axis=0)
    known = np.isfinite(total) & places[None, :] & goods[:, None]
    count = known.sum(axis=1)
    return np.where(known, total, 0.0).sum(axis=1) / np.maximum(count, 1)
