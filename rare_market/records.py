"""What is kept of a run, and the bulletin: the part of it that every trader sees.

Arrays are filled month by month; :meth:`Records.frame` gives any of them as a tidy table.
"""

from __future__ import annotations

import dataclasses
import platform
import subprocess
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rare_market.compiled import compiled
from rare_market.content import HEAPS, OFFERED, Content, Touch
from rare_market.goods import BUYER_CLASSES, FACILITY_STAGES, MONTHS_PER_YEAR, OPEN, Catalogue
from rare_market.ledger import KINDS, PAYMENT, REASONS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from rare_market.board import PriceBoard
    from rare_market.clearing import Clearing

CHANNELS = ("market", "tied", "offtake", "reserve")
# what keeps a planned project from being decided; the last is the half-year of the decision
BLOCKS = ("", "price", "finance", "credibility", "permit", "decision")
FACILITY_STATUSES = ("operating", "mothballed", "building", "planned", "closed")
GAP_LIMIT = 1e-9  # largest relative primal-dual gap of a valid month
EXCESS_LIMIT = 1e-9  # largest excess demand, and violated slackness in USD/kg, per tonne traded
STATUSES = ("cleared", "no trade", "supply short", "demand short")
MOST_WINDOWS = 16  # of months whose mean flows are kept
MASS_COLUMNS = ("mined_t", "collected_t", "consumed_t", "lost_t", "stock_t")


class Label(NamedTuple):
    """A column of names kept as codes: ``names[codes]``."""

    names: tuple[str, ...]
    codes: np.ndarray


class Bulletin(NamedTuple):
    """What was published at the start of a month.

    Attributes
    ----------
    period
        month of the run, from 0.
    year
        calendar year with its fraction, at the start of the month.
    price_usd_per_kg
        ``[good, place, buyer class]`` last delivered price.
    netback_usd_per_kg
        ``[good, place]`` last price a seller there kept.
    trend_per_month
        ``[good, place]`` smoothed growth of that price.
    long_price_usd_per_kg, long_netback_usd_per_kg
        ``[good, place]`` means that investors expect to go on (open class).
    stock_ratio
        ``[good, place]`` producers' and processors' stock of what they sell over its target; 1
        where nobody sells it.
    ore_stock_ratio
        ``[place]`` the same for all ore of a place together.
    rival_cost_usd_per_kg
        ``[good]`` full cost, delivered, of the median supplier outside China; NaN where there is
        none.
    responsible_cost_usd_per_kg
        ``[part of COST_PARTS, good, place]`` NaN where the good is not made.
    entry_share
        separation capacity being built outside China as a share of that operating there.
    moved_t
        ``[month so far, good, origin, destination]`` tonnes that moved in each month of the run, on
        the market and under contract.
    reserve_t
        ``[place, good]`` that states keep in reserve.
    touches, content_share
        whose hands on goods are followed, and ``[touch, heap, good, place]`` the part of the goods
        there that they have touched.
    military_share
        ``[good, place]`` military part of what open users use.
    catalogue
        codes of goods and places.
    usual_t
        mean flows, and what follows from them, asked for lately; by the months they are means of.
    """

    period: int
    year: float
    price_usd_per_kg: np.ndarray
    netback_usd_per_kg: np.ndarray
    trend_per_month: np.ndarray
    long_price_usd_per_kg: np.ndarray
    long_netback_usd_per_kg: np.ndarray
    stock_ratio: np.ndarray
    ore_stock_ratio: np.ndarray
    rival_cost_usd_per_kg: np.ndarray
    responsible_cost_usd_per_kg: np.ndarray
    entry_share: float
    moved_t: np.ndarray
    reserve_t: np.ndarray
    touches: tuple[Touch, ...]
    content_share: np.ndarray
    military_share: np.ndarray
    catalogue: Catalogue
    usual_t: dict[tuple[str, int, int], np.ndarray]

    def prudent_netback_usd_per_kg(self) -> np.ndarray:
        """Price on which capital is risked, ``[good, place]``: the lower of the mean and the last.

        Who can wait does not build on a price that has already gone, nor on one that is new (the
        value of waiting, Dixit and Pindyck 1994).
        """
        return np.minimum(self.long_netback_usd_per_kg, self.netback_usd_per_kg)

    def content_of(self, touch: Touch) -> np.ndarray:
        """Share of the goods for sale at each place that a state has touched, ``[good, place]``."""
        return np.asarray(self.content_share[self.touches.index(touch), OFFERED])

    def usual_flow_t(self, year: float) -> np.ndarray:
        """Mean monthly flow of the year before a moment, ``[good, origin, destination]``.

        Where the run starts within that year it is the mean of the months there are, and where
        there is none it is zero.
        """
        last = self.period + round((year - self.year) * MONTHS_PER_YEAR)
        first, end = max(last - MONTHS_PER_YEAR, 0), min(max(last, 0), self.period)

        def mean_t() -> np.ndarray:
            return np.asarray(self.moved_t[first:end].sum(axis=0) / max(end - first, 1))

        return self._once(("flow", first, end), mean_t)

    def _once(self, what: tuple[str, int, int], read: Callable[[], np.ndarray]) -> np.ndarray:
        """What is read of some months, for all who ask; they must not write to it."""
        if what not in self.usual_t:
            if len(self.usual_t) >= MOST_WINDOWS:
                self.usual_t.clear()
            self.usual_t[what] = read()
            self.usual_t[what].flags.writeable = False
        return self.usual_t[what]

    def usual_arrivals_t(self) -> np.ndarray:
        """Mean monthly deliveries to a place, from itself included, in the last year.

        Returns
        -------
        np.ndarray
            ``[good, place]``.
        """
        first = max(self.period - MONTHS_PER_YEAR, 0)
        return self._once(
            ("arrivals", self.period, self.period),
            lambda: _mean_arrivals_t(self.moved_t[first : self.period]),
        )

    def shortfall_share(self) -> np.ndarray:
        r"""Part of usual deliveries that did not come last month, ``[good, place]``.

        .. math:: \Bigl(1 - \frac{a_t}{\tfrac{1}{12}\sum_{k=1}^{12} a_{t-k}}\Bigr)^+
        """
        if self.period < 2:
            return np.zeros(self.moved_t.shape[1::2])
        return self._once(
            ("shortfall", self.period, self.period),
            lambda: _shortfall_share(self.moved_t[-MONTHS_PER_YEAR - 1 :]),
        )


@compiled
def _mean_arrivals_t(moved_t: np.ndarray) -> np.ndarray:
    """Mean arrivals at each place, ``[good, place]``; zero of no month."""
    months, goods, places, _ = moved_t.shape
    arrivals_t, flow_t = np.zeros((goods, places)), np.empty(places)
    for g in range(goods):
        for o in range(places):
            flow_t[:] = 0.0
            for month in range(months):
                for d in range(places):
                    flow_t[d] += moved_t[month, g, o, d]
            for d in range(places):
                arrivals_t[g, d] += flow_t[d] / max(months, 1)
    return arrivals_t


@compiled
def _shortfall_share(moved_t: np.ndarray) -> np.ndarray:
    """Part of the mean arrivals of the months before that did not come in the last month."""
    before, goods, places, _ = moved_t.shape
    before -= 1
    share = np.zeros((goods, places))
    for g in range(goods):
        usual_t, came_t = np.zeros(places), np.zeros(places)
        for month in range(before + 1):
            usual_t += came_t  # of the month before
            came_t[:] = 0.0
            for o in range(places):
                for d in range(places):
                    came_t[d] += moved_t[month, g, o, d]
        for d in range(places):
            if usual_t[d] > 0.0:
                share[g, d] = max(1.0 - came_t[d] / (usual_t[d] / before), 0.0)
    return share


class Records:
    """Everything kept of one run.

    Attributes
    ----------
    price_usd_per_kg, price_low_usd_per_kg, price_high_usd_per_kg
        ``[period, good, place, buyer class]`` delivered quote and its dual interval.
    quote_usd_per_kg
        ``[period, good, place, buyer class]`` what price reporters published: sticky.
    netback_usd_per_kg
        ``[period, good, place]``.
    export_tax_share
        ``[period, good, place]`` ad valorem burden on exports under the law of the month.
    age_months, status
        ``[period, good, place, buyer class]`` age of a carried price, and the market's status.
    bought_t, paid_usd
        ``[period, good, place, buyer class]`` on the market. The transaction price of the frame
        ``prices`` is the mean of these and of what came under contract, at the contract's price.
    flow_t
        ``[period, good, origin, destination]`` on the market.
    moved_t
        the same with deliveries under contract.
    capacity_t, operating_t, building_t, output_t
        ``[period, facility stage, place]`` tonnes per month.
    cash_usd
        ``[period, facility stage, place]`` all that facilities received less all they paid since
        the start of the run.
    balance_usd
        ``[period, kind, place, reason]`` the ledger.
    payments
        every payment of each month: rows of :data:`rare_market.ledger.PAYMENT`.
    used_t, shortage_t, final_spend_usd, use_value_usd
        ``[period, good, place]`` of buyers; the last is what they would have paid at most.
    in_use_t, thrown_away_t
        ``[period, good, place]`` of goods that become scrap: in products, and in those thrown away
        this month.
    external_usd
        ``[period, place]`` cost of mining to others.
    made_t
        ``[period, good, place]`` produced.
    stock_t
        ``[period, good, place]`` held by anyone.
    content_share, heap_t
        share touched by whose hands (``CHN: mine+separation``), where a rule asks, and tonnes:
        ``[period, heap, good, place]``.
    mass
        ``[period, element, column of MASS_COLUMNS]`` tonnes as oxide.
    facility_status, facility_output_t
        ``[period, facility]``.
    facility_blocked
        ``[period, facility]`` code of :data:`BLOCKS`, of planned projects.
    gap_relative, excess_demand_t, slackness_usd, fallback
        ``[period, good]`` the clearing's certificate, and whether the slower method was needed.
    quota_rent_usd_per_kg, quota_scarcity_usd_per_kg
        ``[period, quota]`` rent per kg, and the part of it that the limit makes (the rest is what
        licence holders ask).
    provenance
        what is needed to make the run again.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        periods: int,
        start_year: int,
        facility: np.ndarray,
        facility_place: np.ndarray,
        facility_stage: np.ndarray,
        provenance: dict[str, Any],
    ) -> None:
        self.catalogue = catalogue
        self.start_year = start_year
        self.provenance = provenance
        self.facility, self.facility_place = facility, facility_place
        self.facility_stage = facility_stage
        month = np.zeros(periods, _month_columns(catalogue, len(facility)))
        self.price_usd_per_kg = month["price_usd_per_kg"]
        self.quote_usd_per_kg = month["quote_usd_per_kg"]
        self.export_tax_share = month["export_tax_share"]
        self.price_low_usd_per_kg = month["price_low_usd_per_kg"]
        self.price_high_usd_per_kg = month["price_high_usd_per_kg"]
        self.netback_usd_per_kg = month["netback_usd_per_kg"]
        self.age_months, self.status = month["age_months"], month["status"]
        self.bought_t, self.paid_usd = month["bought_t"], month["paid_usd"]
        self.flow_t, self.moved_t = month["flow_t"], month["moved_t"]
        self._contract_trades: list[tuple[int, np.ndarray]] = []
        self.capacity_t, self.operating_t = month["capacity_t"], month["operating_t"]
        self.building_t, self.output_t = month["building_t"], month["output_t"]
        self.cash_usd, self.balance_usd = month["cash_usd"], month["balance_usd"]
        self.used_t, self.shortage_t = month["used_t"], month["shortage_t"]
        self.final_spend_usd, self.stock_t = month["final_spend_usd"], month["stock_t"]
        self.use_value_usd, self.made_t = month["use_value_usd"], month["made_t"]
        self.in_use_t, self.thrown_away_t = month["in_use_t"], month["thrown_away_t"]
        self.external_usd = month["external_usd"]
        self.payments: list[np.ndarray] = []
        self.content_share: dict[str, np.ndarray] = {}
        self.heap_t = np.zeros((0, len(HEAPS), len(catalogue.goods), len(catalogue.places)))
        self.mass = month["mass"]
        self.facility_status = month["facility_status"]
        self.facility_output_t = month["facility_output_t"]
        self.facility_blocked = month["facility_blocked"]
        self.gap_relative = month["gap_relative"]
        self.excess_demand_t = month["excess_demand_t"]
        self.slackness_usd = month["slackness_usd"]
        self.fallback = month["fallback"]
        self.quota_rent_usd_per_kg: list[np.ndarray] = []
        self.quota_scarcity_usd_per_kg: list[np.ndarray] = []
        self.periods = 0  # months recorded so far

    def write_market(
        self,
        period: int,
        board: PriceBoard,
        clearing: Clearing,
        bought_t: np.ndarray,
        paid_usd: np.ndarray,
        contract_trades: list[np.ndarray],
        contract_t: np.ndarray,
    ) -> None:
        """Write a month's prices, flows and certificate.

        Parameters
        ----------
        period
            month of the run.
        board, clearing
            the market after clearing.
        bought_t, paid_usd
            ``[good, place, buyer class]`` on the market.
        contract_trades
            deliveries outside the market, tables ``[delivery, column]``: channel, good, origin,
            destination, tonnes, USD/kg.
        contract_t
            ``[good, origin, destination]`` the tonnes of all of them.
        """
        t, shape = period, board.price_usd_per_kg.shape
        self.price_usd_per_kg[t] = board.price_usd_per_kg
        self.quote_usd_per_kg[t] = board.quote_usd_per_kg
        self.price_low_usd_per_kg[t] = clearing.price_low_usd_per_kg.reshape(shape)
        self.price_high_usd_per_kg[t] = clearing.price_high_usd_per_kg.reshape(shape)
        self.netback_usd_per_kg[t] = board.netback_usd_per_kg
        self.age_months[t] = board.age_months
        self.status[t] = clearing.status.reshape(shape)
        self.bought_t[t], self.paid_usd[t] = bought_t, paid_usd
        _sum_classes(clearing.flow_t, contract_t, self.flow_t[t], self.moved_t[t])
        self._contract_trades.extend((t, trades) for trades in contract_trades)
        certificate = clearing.certificate
        self.gap_relative[t], self.excess_demand_t[t] = certificate[0], certificate[1]
        self.slackness_usd[t], self.fallback[t] = certificate[2], certificate[3] != 0.0
        self.quota_rent_usd_per_kg.append(clearing.quota_rent_usd_per_kg)

    @property
    def contract_trades(self) -> list[tuple[int, int, int, int, int, float, float]]:
        """Deliveries outside the market.

        Period, channel, good, origin, destination, tonnes, USD/kg of each.
        """
        return [
            (period, int(channel), int(good), int(origin), int(destination), tonnes, price)
            for period, trades in self._contract_trades
            for channel, good, origin, destination, tonnes, price in trades.tolist()
        ]

    def write_content(self, period: int, content: Content) -> None:
        """Write the shares of all heaps after a month."""
        if not self.content_share:
            self.heap_t = np.zeros((len(self.made_t), *content.stock_t.shape))
            self.content_share = {label: np.zeros_like(self.heap_t) for label in content.labels}
        self.heap_t[period] = content.stock_t
        for label, share in zip(content.labels, content.share, strict=True):
            self.content_share[label][period] = share

    @property
    def valid(self) -> bool:
        """Whether every month's clearing passed its certificate."""
        n = self.periods
        turnover_t = self.bought_t[:n].sum(axis=(2, 3))
        return bool(
            (self.gap_relative[:n] <= GAP_LIMIT).all()
            and (self.excess_demand_t[:n] <= EXCESS_LIMIT * (1.0 + turnover_t)).all()
            and (self.slackness_usd[:n] <= EXCESS_LIMIT * (1.0 + turnover_t) * 1000.0).all()
        )

    def months(self) -> np.ndarray:
        """First day of each recorded month, ``datetime64[D]``."""
        first = np.datetime64(f"{self.start_year}-01", "M")
        return (first + np.arange(self.periods)).astype("datetime64[D]")

    def frame(self, name: str) -> pd.DataFrame:
        """Return one part of the records as a tidy table.

        Parameters
        ----------
        name
            one of :data:`FRAMES`.

        Raises
        ------
        KeyError
            for any other name; the message lists those there are.
        """
        import pandas as pd

        columns = {
            key: pd.Categorical.from_codes(values.codes.tolist(), pd.Index(values.names))
            if isinstance(values, Label)
            else values
            for key, values in self._columns(name).items()
        }
        return pd.DataFrame(columns)

    def table(self, name: str) -> pa.Table:
        """Return the same part as an Arrow table, for writing."""
        import pyarrow as pa

        arrays = {
            key: pa.DictionaryArray.from_arrays(
                pa.array(values.codes.astype(np.int16)), pa.array(values.names)
            )
            if isinstance(values, Label)
            else pa.array(values)
            for key, values in self._columns(name).items()
        }
        return pa.table(arrays)

    def _columns(self, name: str) -> dict[str, Any]:
        if name not in FRAMES:
            raise KeyError(f"no frame {name!r}: there are {', '.join(FRAMES)}")
        columns: dict[str, Any] = getattr(self, f"_{name}")()
        return columns

    # -- the frames ---------------------------------------------------------------------------

    def _grid(
        self, values: dict[str, np.ndarray], axes: dict[str, tuple[str, ...]], keep: np.ndarray
    ) -> dict[str, Any]:
        """Columns of the cells of ``[period, *axes]`` arrays for which ``keep`` holds."""
        index = np.nonzero(keep)
        columns: dict[str, Any] = {"month": self.months()[index[0]]}
        for (axis, names), codes in zip(axes.items(), index[1:], strict=True):
            columns[axis] = Label(names, codes)
        columns.update({name: array[: self.periods][index] for name, array in values.items()})
        return columns

    def _prices(self) -> dict[str, Any]:
        n = self.periods
        places = self.catalogue.places
        netback = np.broadcast_to(self.netback_usd_per_kg[..., None], self.price_usd_per_kg.shape)
        bought, paid = self.bought_t.copy(), self.paid_usd / 1000.0
        for t, _, good, _, destination, tonnes, price in self.contract_trades:
            bought[t, good, destination, OPEN] += tonnes
            paid[t, good, destination, OPEN] += tonnes * price
        with np.errstate(invalid="ignore", divide="ignore"):
            transaction = paid / bought
        # bound buyers exist for some goods only; elsewhere their price is a copy of the open one
        traded = bought[:n].any(axis=(0, 2))[None, :, None, :]
        traded[..., OPEN] = True
        columns = self._grid(
            {
                "price_usd_per_kg": self.price_usd_per_kg,
                "quote_usd_per_kg": self.quote_usd_per_kg,
                "price_low_usd_per_kg": self.price_low_usd_per_kg,
                "price_high_usd_per_kg": self.price_high_usd_per_kg,
                "netback_usd_per_kg": netback,
                "transaction_usd_per_kg": np.where(bought > 0, transaction, np.nan),
                "bought_t": self.bought_t,
                "age_months": self.age_months,
                "status": self.status,
            },
            {"good": self.catalogue.goods, "place": places, "buyer_class": BUYER_CLASSES},
            np.isfinite(self.price_usd_per_kg[:n]) & traded,
        )
        columns["status"] = Label(STATUSES, columns["status"].astype(np.int64))
        return columns

    def _flows(self) -> dict[str, Any]:
        places = self.catalogue.places
        return self._grid(
            {"flow_t": self.flow_t},
            {"good": self.catalogue.goods, "origin": places, "destination": places},
            self.flow_t[: self.periods] > 0,
        )

    def _trades(self) -> dict[str, Any]:
        n, c = self.periods, self.catalogue
        period, good, origin, destination = np.nonzero(self.flow_t[:n])
        flow = self.flow_t[period, good, origin, destination]
        # a market trade is priced at what its seller keeps
        netback = self.netback_usd_per_kg[period, good, origin]
        rows = np.array(self.contract_trades).reshape(-1, 7)
        codes = rows[:, :5].astype(np.int64)

        def joined(market: np.ndarray, contract: np.ndarray) -> np.ndarray:
            return np.concatenate([market, contract])

        return {
            "month": self.months()[joined(period, codes[:, 0])],
            "channel": Label(CHANNELS, joined(np.zeros(len(period), dtype=np.int64), codes[:, 1])),
            "good": Label(c.goods, joined(good, codes[:, 2])),
            "origin": Label(c.places, joined(origin, codes[:, 3])),
            "destination": Label(c.places, joined(destination, codes[:, 4])),
            "quantity_t": joined(flow, rows[:, 5]),
            "seller_price_usd_per_kg": joined(netback, rows[:, 6]),
        }

    def _capacity(self) -> dict[str, Any]:
        year = MONTHS_PER_YEAR
        everywhere = np.ones((self.periods, *self.capacity_t.shape[1:]), dtype=bool)
        return self._grid(
            {
                "capacity_t_per_year": self.capacity_t * year,
                "operating_t_per_year": self.operating_t * year,
                "building_t_per_year": self.building_t * year,
                "output_t": self.output_t,
            },
            {"stage": FACILITY_STAGES, "place": self.catalogue.places},
            everywhere,
        )

    def _accounts(self) -> dict[str, Any]:
        return self._grid(
            {"received_usd": self.balance_usd},
            {"kind": KINDS, "place": self.catalogue.places, "reason": REASONS},
            self.balance_usd[: self.periods] != 0,
        )

    def _treasury(self) -> dict[str, Any]:
        state = self.balance_usd[:, KINDS.index("state")]
        return self._grid(
            {"received_usd": state},
            {"place": self.catalogue.places, "reason": REASONS},
            state[: self.periods] != 0,
        )

    def _ledger(self) -> dict[str, Any]:
        rows = np.concatenate([np.zeros(0, PAYMENT), *self.payments])
        # one row for each month, payer, payee, reason and good; no good is the first
        goods, places = ("", *self.catalogue.goods), self.catalogue.places
        accounts, at = len(KINDS) * len(places), len(places)
        shape = (self.periods, accounts, accounts, len(REASONS), len(goods))
        names = ("period", "payer", "payee", "reason", "good")
        codes = [rows[name].astype(np.int64) for name in names]
        codes[-1] += 1
        keys, row = np.unique(np.ravel_multi_index(tuple(codes), shape), return_inverse=True)
        tonnes, usd = (
            np.bincount(row, rows[name], minlength=len(keys)) for name in ("tonnes", "usd")
        )
        period, payer, payee, reason, good = np.unravel_index(keys, shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            price = np.where(tonnes > 0.0, usd / (tonnes * 1000.0), np.nan)
        return {
            "month": self.months()[period],
            "payer": Label(KINDS, payer // at),
            "payer_place": Label(places, payer % at),
            "payee": Label(KINDS, payee // at),
            "payee_place": Label(places, payee % at),
            "reason": Label(REASONS, reason),
            "good": Label(goods, good),
            "quantity_t": tonnes,
            "price_usd_per_kg": price,
            "paid_usd": usd,
        }

    def _demand(self) -> dict[str, Any]:
        return self._grid(
            {
                "used_t": self.used_t,
                "shortage_t": self.shortage_t,
                "spend_usd": self.final_spend_usd,
                "value_usd": self.use_value_usd,
                "in_use_t": self.in_use_t,
                "thrown_away_t": self.thrown_away_t,
            },
            {"good": self.catalogue.goods, "place": self.catalogue.places},
            self.used_t[: self.periods] > 0,
        )

    def _production(self) -> dict[str, Any]:
        return self._grid(
            {"made_t": self.made_t},
            {"good": self.catalogue.goods, "place": self.catalogue.places},
            self.made_t[: self.periods] > 0,
        )

    def _stocks(self) -> dict[str, Any]:
        return self._grid(
            {"stock_t": self.stock_t},
            {"good": self.catalogue.goods, "place": self.catalogue.places},
            self.stock_t[: self.periods] > 0,
        )

    def _content(self) -> dict[str, Any]:
        c, whole_t = self.catalogue, self.heap_t
        shape = (len(whole_t), len(self.content_share), *whole_t.shape[1:])
        share = np.zeros(shape)
        for i, values in enumerate(self.content_share.values()):
            share[:, i] = values
        heap_t = np.broadcast_to(whole_t[:, None], shape)
        axes = {"touched_by": tuple(self.content_share), "heap": HEAPS}
        return self._grid(
            {"touched_share": share, "heap_t": heap_t},
            {**axes, "good": c.goods, "place": c.places},
            heap_t[: self.periods] > 0,
        )

    def _mass(self) -> dict[str, Any]:
        keep = np.ones(self.mass[: self.periods, :, 0].shape, dtype=bool)
        values = {name: self.mass[..., i] for i, name in enumerate(MASS_COLUMNS)}
        return self._grid(values, {"element": self.catalogue.elements}, keep)

    def _facilities(self) -> dict[str, Any]:
        n, rows = self.periods, len(self.facility)
        return {
            "month": np.repeat(self.months(), rows),
            "facility": Label(tuple(self.facility.tolist()), np.tile(np.arange(rows), n)),
            "stage": Label(FACILITY_STAGES, np.tile(self.facility_stage, n)),
            "place": Label(self.catalogue.places, np.tile(self.facility_place, n)),
            "status": Label(FACILITY_STATUSES, self.facility_status[:n].ravel()),
            "blocked_by": Label(BLOCKS, self.facility_blocked[:n].ravel()),
            "output_t": self.facility_output_t[:n].ravel(),
        }

    def _certificate(self) -> dict[str, Any]:
        keep = np.ones((self.periods, len(self.catalogue.goods)), dtype=bool)
        return self._grid(
            {
                "gap_relative": self.gap_relative,
                "excess_demand_t": self.excess_demand_t,
                "slackness_usd": self.slackness_usd,
                "fallback": self.fallback,
            },
            {"good": self.catalogue.goods},
            keep,
        )


def _month_columns(catalogue: Catalogue, facilities: int) -> np.dtype:
    """Columns of what is kept of a month; as one row it is written to few pages of memory."""
    goods, places = len(catalogue.goods), len(catalogue.places)
    node = (goods, places, len(BUYER_CLASSES))
    shapes = [
        (
            node,
            "price_usd_per_kg quote_usd_per_kg price_low_usd_per_kg price_high_usd_per_kg "
            "bought_t paid_usd",
        ),
        (
            (goods, places),
            "netback_usd_per_kg export_tax_share used_t shortage_t final_spend_usd stock_t "
            "use_value_usd made_t in_use_t thrown_away_t",
        ),
        ((goods, places, places), "flow_t moved_t"),
        ((len(FACILITY_STAGES), places), "capacity_t operating_t building_t output_t cash_usd"),
        ((len(KINDS), places, len(REASONS)), "balance_usd"),
        ((places,), "external_usd"),
        ((len(catalogue.elements), len(MASS_COLUMNS)), "mass"),
        ((facilities,), "facility_output_t"),
        ((goods,), "gap_relative excess_demand_t slackness_usd"),
    ]
    numbers = [(name, float, shape) for shape, names in shapes for name in names.split()]
    marks = [
        ("age_months", np.int32, node),
        ("status", np.int8, node),
        ("facility_status", np.int8, (facilities,)),
        ("facility_blocked", np.int8, (facilities,)),
        ("fallback", np.bool_, (goods,)),
    ]
    return np.dtype(numbers + marks, align=True)


@compiled
def _sum_classes(
    flow_t: np.ndarray, contract_t: np.ndarray, total_t: np.ndarray, moved_t: np.ndarray
) -> None:
    """Sum flows to demand nodes, ``[good, origin, node]``, by place, ``[good, origin, place]``.

    ``moved_t`` is that and what moved under contract.
    """
    goods, origins, places = total_t.shape
    classes = flow_t.shape[2] // places
    for g in range(goods):
        for o in range(origins):
            for d in range(places):
                tonnes = 0.0
                for n in range(d * classes, (d + 1) * classes):
                    tonnes += flow_t[g, o, n]
                total_t[g, o, d] = tonnes
                moved_t[g, o, d] = tonnes + contract_t[g, o, d]


FRAMES = (
    "prices",
    "flows",
    "trades",
    "capacity",
    "facilities",
    "treasury",
    "accounts",
    "ledger",
    "demand",
    "production",
    "stocks",
    "content",
    "mass",
    "certificate",
)


def provenance_of(
    scenario: Any, policies: tuple[Any, ...], checksums: dict[str, str]
) -> dict[str, Any]:
    """Version, scenario, policies, data checksums and library versions of a run."""
    return {
        **software(),
        "scenario": dataclasses.asdict(scenario),
        "policies": [{"name": p.name, **dataclasses.asdict(p)} for p in policies],
        "data_sha256": checksums,
    }


@cache
def software() -> dict[str, Any]:
    """Versions of package, Python and libraries, and the commit of the source tree."""
    libraries = ("mesa", "numpy", "numba", "pandas", "pyarrow", "matplotlib")
    return {
        "package": "rare_market",
        "version": version("rare-market"),
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: version(name) for name in libraries},
    }


def _commit() -> str:
    """Commit of the source tree the package runs from; empty when it is not a work tree."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()
