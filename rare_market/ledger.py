"""Who pays whom for what: every payment has a payer, a payee and a reason, so money sums to zero.

Accounts are kept by kind and place (the mines of Australia, the state of Japan). Besides the four
kinds of trader there are carriers, through whom every trade is paid and whose freight is spent at
its origin, and the rest of the economy, which supplies labour, reagents, ships and capital goods
and pays for what the final buyers make.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rare_market.compiled import compiled
from rare_market.contracts import KG_PER_T
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.regime import Regime, export_burden_share

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
    "requalification",
)
KIND = {name: i for i, name in enumerate(KINDS)}
REASON = {name: i for i, name in enumerate(REASONS)}
CARRIER, ECONOMY, STATE = (KIND[name] for name in ("carrier", "economy", "state"))
GOODS, FREIGHT, IMPORT_DUTY, EXPORT_TAX, RESOURCE_TAX, SCARCITY_RENT = range(6)  # of REASONS
REQUALIFICATION = REASON["requalification"]
NO_GOOD = -1
# payments in one piece of memory: so large that the system hands it out in large pages, of which
# only those are taken that are written to
ROOM = 2**20
NOTHING, NO_TONNES = np.zeros(0, dtype=np.int64), np.zeros(0)  # where no goods are paid for


Lane = tuple[np.ndarray, np.ndarray, np.ndarray]  # good, origin, destination


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
    cost = TradeCost(*np.empty((len(TradeCost._fields), *regime.freight_usd_per_kg.shape)))
    _lane_costs(
        regime.freight_usd_per_kg,
        regime.vat_not_refunded_share,
        regime.export_duty_share,
        regime.export_duty_usd_per_kg,
        regime.import_duty_share,
        regime.import_duty_usd_per_kg,
        regime.minimum_import_price_usd_per_kg,
        netback_usd_per_kg,
        insurance_share,
        *cost,
    )
    return cost


@compiled
def _lane_costs(
    freight_usd_per_kg: np.ndarray,
    vat_not_refunded_share: np.ndarray,
    export_duty_share: np.ndarray,
    export_duty_usd_per_kg: np.ndarray,
    import_duty_share: np.ndarray,
    import_duty_usd_per_kg: np.ndarray,
    minimum_import_price_usd_per_kg: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    insurance_share: float,
    freight: np.ndarray,
    export_tax: np.ndarray,
    import_duty: np.ndarray,
    total: np.ndarray,
) -> None:
    """Write the parts of :class:`TradeCost`, the last four."""
    goods, places, _ = freight.shape
    for g in range(goods):
        for o in range(places):
            price = netback_usd_per_kg[g, o]
            tax_share = export_burden_share(vat_not_refunded_share[g, o], export_duty_share[g, o])
            tax = tax_share * price + export_duty_usd_per_kg[g, o]
            for d in range(places):
                lane, paid_tax, duty = (g, o, d), 0.0, 0.0
                carried = freight_usd_per_kg[lane]
                if o != d:
                    carried += insurance_share * price
                    paid_tax = tax
                    if np.isfinite(carried):
                        at_border = price + carried + tax
                        duty = import_duty_share[lane] * at_border + import_duty_usd_per_kg[lane]
                        duty = max(duty, minimum_import_price_usd_per_kg[lane] - at_border)
                freight[lane], export_tax[lane], import_duty[lane] = carried, paid_tax, duty
                total[lane] = carried + paid_tax + duty


# one payment: accounts are kind * places + place; no good is -1
PAYMENT = np.dtype(
    [
        ("period", np.int32),
        ("payer", np.int16),
        ("payee", np.int16),
        ("reason", np.int16),
        ("good", np.int16),
        ("tonnes", np.float64),
        ("usd", np.float64),
    ],
    align=True,
)


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
    """

    def __init__(self, places: int, policies: int = 0) -> None:
        self.places = places
        self.balance_usd = np.zeros((len(KINDS), places, len(REASONS)))
        self.spent_usd = np.zeros(policies)
        self.rebated_usd = np.zeros(policies)
        self._accounts_usd = self.balance_usd.reshape(-1, len(REASONS))  # a view
        self._payments = np.empty(ROOM, PAYMENT)  # of this month and of those before
        self._first, self._booked, self._period = 0, 0, 0

    def open_month(self, period: int = 0) -> None:
        """Start a month with empty accounts, and a year without rebates."""
        self.balance_usd[:] = 0.0
        self._first, self._period = self._booked, period
        if period % MONTHS_PER_YEAR == 0:
            self.rebated_usd[:] = 0.0

    def payments(self) -> np.ndarray:
        """Payments of the month that are not nothing, rows of :data:`PAYMENT`; they stay."""
        return self._payments[self._first : self._booked]

    def charge(self, policy: int, usd: float) -> None:
        """Count what a state paid on a policy; negative where it received."""
        if policy < len(self.spent_usd):
            self.spent_usd[policy] += usd

    def rebate(self, policy: int, usd: float) -> None:
        """Count what was rebated under a policy this year."""
        if policy < len(self.rebated_usd):
            self.rebated_usd[policy] += usd

    def account(self, kind: str, place: np.ndarray) -> np.ndarray:
        """Code of the accounts of one kind of payer at places."""
        return KIND[kind] * self.places + place

    def pay(
        self,
        payer: tuple[str, np.ndarray],
        payee: tuple[str, np.ndarray],
        reason: str,
        usd: np.ndarray,
        good: np.ndarray = NOTHING,
        tonnes: np.ndarray = NO_TONNES,
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
        (paying, payer_place), (paid, payee_place) = payer, payee
        self._make_room(len(usd))
        self._booked = _book(
            self._accounts_usd, self._payments, self._booked, self._period,
            KIND[paying] * self.places, payer_place, KIND[paid] * self.places, payee_place,
            REASON[reason], usd, good, tonnes,
        )  # fmt: skip

    def book(
        self,
        payer: np.ndarray,
        payee: np.ndarray,
        reason: str,
        usd: np.ndarray,
        good: np.ndarray = NOTHING,
        tonnes: np.ndarray = NO_TONNES,
    ) -> None:
        """Book payments between accounts, ``[payment]``; else as :meth:`pay`."""
        self._make_room(len(usd))
        self._booked = _book(
            self._accounts_usd, self._payments, self._booked, self._period,
            0, payer, 0, payee, REASON[reason], usd, good, tonnes,
        )  # fmt: skip

    def _make_room(self, payments: int) -> None:
        """Have room for more payments."""
        if self._booked + payments > len(self._payments):
            before = self.payments()
            self._first, self._booked = 0, len(before)
            self._payments = np.empty(max(ROOM, 2 * (len(before) + payments)), PAYMENT)
            self._payments[: len(before)] = before

    def pay_lanes(self, payer: str, cost: TradeCost, lane: Lane, tonnes: np.ndarray) -> np.ndarray:
        """Pay freight and taxes of deliveries over lanes, ``[delivery]``; returns USD.

        Parameters
        ----------
        payer
            kind of those at the destination who pay.
        cost
            of each lane.
        lane, tonnes
            ``[delivery]``.
        """
        self._make_room(3 * len(tonnes))
        self._booked, paid_usd = _book_lanes(
            self._accounts_usd, self._payments, self._booked, self._period, KIND[payer], *lane,
            tonnes, *cost, self.places,
        )  # fmt: skip
        return paid_usd

    def settle_trade(
        self,
        flow_t: np.ndarray,
        price_usd_per_kg: np.ndarray,
        netback_usd_per_kg: np.ndarray,
        cost: TradeCost,
        excluded_origin: np.ndarray,
        refusal_usd_per_kg: np.ndarray,
    ) -> None:
        r"""Pay freight, taxes and rents on the month's flows; goods are paid by their traders.

        What it costs buyers to take goods they would rather not is spent at the destination.

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
        excluded_origin, refusal_usd_per_kg
            ``[buyer class, good, origin, destination]`` bool, and ``[buyer class]`` cost of taking
            goods excluded.
        """
        room = 6 * flow_t.size
        if self._booked + room > len(self._payments):  # few lanes carry anything
            room = 6 * int(np.count_nonzero(flow_t))
        self._make_room(room)
        self._booked = _book_trade(
            self._accounts_usd, self._payments, self._booked, self._period,
            flow_t, price_usd_per_kg, netback_usd_per_kg,
            cost.freight, cost.export_tax, cost.import_duty, excluded_origin, refusal_usd_per_kg,
            self.places,
        )  # fmt: skip

    def imbalance_usd(self) -> float:
        """Sum of all accounts: zero but for rounding."""
        return float(self.balance_usd.sum())


@compiled
def _enter(
    accounts_usd: np.ndarray,
    payments: np.ndarray,
    booked: int,
    period: int,
    payer: int,
    payee: int,
    reason: int,
    usd: float,
    good: int,
    tonnes: float,
) -> int:
    """Enter one payment behind those booked; returns how many there are then."""
    if usd == 0.0:
        return booked
    accounts_usd[payer, reason] -= usd
    accounts_usd[payee, reason] += usd
    row = payments[booked]
    row.period, row.payer, row.payee, row.reason = period, payer, payee, reason
    row.good, row.tonnes, row.usd = good, tonnes, usd
    return booked + 1


@compiled
def _book(
    accounts_usd: np.ndarray,
    payments: np.ndarray,
    booked: int,
    period: int,
    first_payer: int,
    payer: np.ndarray,
    first_payee: int,
    payee: np.ndarray,
    reason: int,
    usd: np.ndarray,
    good: np.ndarray,
    tonnes: np.ndarray,
) -> int:
    """Enter ``[payment]`` columns, accounts counted from a first; without goods those are empty."""
    for i in range(len(usd)):
        what, amount_t = (good[i], tonnes[i]) if len(good) else (NO_GOOD, 0.0)
        booked = _enter(
            accounts_usd, payments, booked, period, first_payer + payer[i],
            first_payee + payee[i], reason, usd[i], what, amount_t,
        )  # fmt: skip
    return booked


@compiled
def _book_lanes(
    accounts_usd: np.ndarray,
    payments: np.ndarray,
    booked: int,
    period: int,
    payer: int,
    good: np.ndarray,
    origin: np.ndarray,
    destination: np.ndarray,
    tonnes: np.ndarray,
    freight_usd_per_kg: np.ndarray,
    export_tax_usd_per_kg: np.ndarray,
    import_duty_usd_per_kg: np.ndarray,
    total_usd_per_kg: np.ndarray,
    places: int,
) -> tuple[int, np.ndarray]:
    """See :meth:`Ledger.pay_lanes`; nothing is paid on lanes that carry nothing."""
    economy, state, paid_usd = ECONOMY * places, STATE * places, np.zeros(len(tonnes))
    for i in range(len(tonnes)):
        if tonnes[i] == 0.0:
            continue
        g, o, d = good[i], origin[i], destination[i]
        for payee, reason, usd_per_kg in (
            (economy + o, FREIGHT, freight_usd_per_kg[g, o, d]),
            (state + o, EXPORT_TAX, export_tax_usd_per_kg[g, o, d]),
            (state + d, IMPORT_DUTY, import_duty_usd_per_kg[g, o, d]),
        ):
            booked = _enter(
                accounts_usd, payments, booked, period, payer * places + d, payee, reason,
                tonnes[i] * usd_per_kg * KG_PER_T, g, tonnes[i],
            )  # fmt: skip
        paid_usd[i] = tonnes[i] * total_usd_per_kg[g, o, d] * KG_PER_T
    return booked, paid_usd


@compiled
def _book_trade(
    accounts_usd: np.ndarray,
    payments: np.ndarray,
    booked: int,
    period: int,
    flow_t: np.ndarray,
    price_usd_per_kg: np.ndarray,
    netback_usd_per_kg: np.ndarray,
    freight_usd_per_kg: np.ndarray,
    export_tax_usd_per_kg: np.ndarray,
    import_duty_usd_per_kg: np.ndarray,
    excluded_origin: np.ndarray,
    refusal_usd_per_kg: np.ndarray,
    places: int,
) -> int:
    """Enter the payments of every flow.

    Buyers paid carriers at the destination, sellers are paid by carriers at the origin.
    """
    carriers, economy, state = CARRIER * places, ECONOMY * places, STATE * places
    goods, _, nodes = flow_t.shape
    classes = len(refusal_usd_per_kg)
    for g in range(goods):
        for o in range(places):
            for n in range(nodes):
                tonnes = flow_t[g, o, n]
                if tonnes == 0.0:
                    continue
                d, c, kg = n // classes, n % classes, tonnes * KG_PER_T
                refused = refusal_usd_per_kg[c] * kg if excluded_origin[c, g, o, d] else 0.0
                wedge = (price_usd_per_kg[g, n] - netback_usd_per_kg[g, o]) * kg
                freight = freight_usd_per_kg[g, o, d] * kg
                tax = export_tax_usd_per_kg[g, o, d] * kg
                duty = import_duty_usd_per_kg[g, o, d] * kg
                rent = wedge - freight - tax - duty - refused
                for payer, payee, reason, usd in (
                    (carriers + d, carriers + o, GOODS, price_usd_per_kg[g, n] * kg),
                    (carriers + o, economy + o, FREIGHT, freight),
                    (carriers + o, state + o, EXPORT_TAX, tax),
                    (carriers + o, state + d, IMPORT_DUTY, duty),
                    (carriers + o, economy + d, REQUALIFICATION, refused),
                    (carriers + o, state + o, SCARCITY_RENT, rent),
                ):
                    booked = _enter(
                        accounts_usd, payments, booked, period, payer, payee, reason, usd, g, tonnes
                    )
    return booked
