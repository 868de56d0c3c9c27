"""Who pays whom for what: every payment has a payer, a payee and a reason, so money sums to zero.

Accounts are kept by kind and place (the mines of Australia, the state of Japan). Besides the four
kinds of trader there are carriers, through whom every trade is paid and whose freight is spent at
its origin, and the rest of the economy, which supplies labour, reagents, ships and capital goods
and pays for what the final buyers make.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.contracts import KG_PER_T
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.regime import Regime

KINDS = ("producer", "processor", "buyer", "state", "merchant", "carrier", "economy")
REASONS = (
    "goods",
    "freight",
    "import_duty",
    "export_tax",
    "resource_tax",
    "scarcity_rent",
    "price_floor",
    "subsidy",
    "offtake",
    "reserve",
    "undercutting",
    "grant",
    "loan",
    "guarantee",
    "equity",
    "programme",
    "operating_cost",
    "capital_cost",
    "final_demand",
    "smuggling_cost",
)
KIND = {name: i for i, name in enumerate(KINDS)}
REASON = {name: i for i, name in enumerate(REASONS)}


class TradeCost(NamedTuple):
    """Parts of the cost of a lane, ``[good, origin, destination]`` in USD/kg.

    Attributes
    ----------
    freight, export_tax, import_duty
        the parts; ``total`` is their sum.
    """

    freight: np.ndarray
    export_tax: np.ndarray
    import_duty: np.ndarray
    total: np.ndarray


def trade_cost_usd_per_kg(
    regime: Regime, netback_usd_per_kg: np.ndarray, insurance_share: float
) -> TradeCost:
    r"""Cost of each lane under the regime.

    .. math::

        c_{od} &= f_{od} + i P_o + x_o + m_{od}, \qquad x_o = t_o P_o + \theta_o \\
        m_{od} &= \max\{\tau_{od} v_{od} + \mu_{od},\; M_{od} - v_{od}\}, \qquad
        v_{od} = (1 + i) P_o + f_{od} + x_o

    with export tax :math:`t_o`, import duty :math:`\tau_{od}`, duties per kg :math:`\theta_o` and
    :math:`\mu_{od}`, and the levy that lifts the border price to a minimum :math:`M_{od}`. Taxes
    are charged on customs value, which is last month's price :math:`P_o` at the origin, so the cost
    of a lane is known when the month's market opens. Domestic lanes (:math:`o = d`) bear freight
    only.
    """
    value = netback_usd_per_kg[:, :, None]
    abroad = ~np.eye(value.shape[1], dtype=bool)[None, :, :]
    freight = regime.freight_usd_per_kg + np.where(abroad, insurance_share * value, 0.0)
    at_origin = regime.export_tax_share * netback_usd_per_kg + regime.export_duty_usd_per_kg
    export_tax = np.where(abroad, at_origin[:, :, None], 0.0)
    reached = abroad & np.isfinite(freight)
    at_border = np.where(reached, value + freight + export_tax, 0.0)
    import_duty = regime.import_duty_share * at_border + regime.import_duty_usd_per_kg
    import_duty = np.maximum(import_duty, regime.minimum_import_price_usd_per_kg - at_border)
    import_duty = np.where(reached, import_duty, 0.0)
    return TradeCost(freight, export_tax, import_duty, freight + export_tax + import_duty)


class Entries(NamedTuple):
    """Payments of one kind, a row each.

    Attributes
    ----------
    payer, payee
        kind, and ``[payment]`` place codes.
    reason
        one of :data:`REASONS`.
    usd, good, tonnes
        ``[payment]``; the last two are there where goods are paid for.
    """

    payer: tuple[str, np.ndarray]
    payee: tuple[str, np.ndarray]
    reason: str
    usd: np.ndarray
    good: np.ndarray | None
    tonnes: np.ndarray | None


class Ledger:
    """Payments of one month.

    Attributes
    ----------
    balance_usd
        ``[kind, place, reason]`` received less paid.
    spent_usd
        ``[policy]`` paid out by states on each so far, receipts taken off.
    rebated_usd
        ``[policy]`` rebates of offtakes since January.
    entries
        every payment of the month.
    """

    def __init__(self, places: int, policies: int = 0) -> None:
        self.places = places
        self.balance_usd = np.zeros((len(KINDS), places, len(REASONS)))
        self.spent_usd = np.zeros(policies)
        self.rebated_usd = np.zeros(policies)
        self.entries: list[Entries] = []

    def open_month(self, period: int = 0) -> None:
        """Start a month with empty accounts, and a year without rebates."""
        self.balance_usd[:] = 0.0
        self.entries = []
        if period % MONTHS_PER_YEAR == 0:
            self.rebated_usd[:] = 0.0

    def charge(self, policy: int, usd: float) -> None:
        """Count what a state paid on a policy; negative where it received."""
        if policy < len(self.spent_usd):
            self.spent_usd[policy] += usd

    def rebate(self, policy: int, usd: float) -> None:
        """Count what was rebated under a policy this year."""
        if policy < len(self.rebated_usd):
            self.rebated_usd[policy] += usd

    def pay(
        self,
        payer: tuple[str, np.ndarray],
        payee: tuple[str, np.ndarray],
        reason: str,
        usd: np.ndarray,
        good: np.ndarray | None = None,
        tonnes: np.ndarray | None = None,
    ) -> None:
        """Book payments, one per row; a negative amount flows the other way.

        Parameters
        ----------
        payer, payee
            kind, and ``[payment]`` place codes.
        reason
            one of :data:`REASONS`.
        usd
            ``[payment]``.
        good, tonnes
            ``[payment]`` what it is paid for, where it is paid for goods.
        """
        column = REASON[reason]
        self.entries.append(Entries(payer, payee, reason, usd, good, tonnes))
        self.balance_usd[KIND[payer[0]], :, column] -= np.bincount(
            payer[1], usd, minlength=self.places
        )
        self.balance_usd[KIND[payee[0]], :, column] += np.bincount(
            payee[1], usd, minlength=self.places
        )

    def settle_trade(
        self,
        flow_t: np.ndarray,
        price_usd_per_kg: np.ndarray,
        netback_usd_per_kg: np.ndarray,
        cost: TradeCost,
        buyer_classes: int,
    ) -> None:
        r"""Pay freight, taxes and rents on the month's flows; goods are paid by their traders.

        The wedge between what buyers pay and sellers keep is
        :math:`(p_d - p_o) f_{od}`: freight, duty to the destination's treasury, and tax and what
        is left (the rent of a limit or a quota) to the origin's treasury. Carriers keep nothing.

        Parameters
        ----------
        flow_t
            ``[good, origin, demand node]``.
        price_usd_per_kg, netback_usd_per_kg
            ``[good, demand node]`` and ``[good, origin]``.
        cost
            of each lane.
        buyer_classes
            demand nodes per place.
        """
        good, origin, node = np.nonzero(flow_t)
        if len(good) == 0:
            return
        tonnes = flow_t[good, origin, node] * KG_PER_T
        destination = node // buyer_classes
        lane = (good, origin, destination)
        wedge = (price_usd_per_kg[good, node] - netback_usd_per_kg[good, origin]) * tonnes
        freight, tax, duty = (
            part[lane] * tonnes for part in (cost.freight, cost.export_tax, cost.import_duty)
        )
        # buyers paid carriers at the destination, sellers are paid by carriers at the origin
        carrier = ("carrier", origin)
        value = price_usd_per_kg[good, node] * tonnes
        moved_t = flow_t[good, origin, node]
        self.pay(("carrier", destination), carrier, "goods", value, good, moved_t)
        self.pay(carrier, ("economy", origin), "freight", freight, good, moved_t)
        self.pay(carrier, ("state", origin), "export_tax", tax, good, moved_t)
        self.pay(carrier, ("state", destination), "import_duty", duty, good, moved_t)
        rent = wedge - freight - tax - duty
        self.pay(carrier, ("state", origin), "scarcity_rent", rent, good, moved_t)

    def imbalance_usd(self) -> float:
        """Sum of all accounts: zero but for rounding."""
        return float(self.balance_usd.sum())
