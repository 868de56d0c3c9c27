"""The numbers of the episodes of the past, measured on a simulated run as the record measures them.

A target is a row of ``data/targets.csv``: one number of an episode, what the record says, and the
band in which a simulation passes. :data:`MEASURES` holds the function of each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from rare_market.goods import FACILITY_STAGES, MONTHS_PER_YEAR, OPEN
from rare_market.records import FACILITY_STATUSES, Records

VAT_SHARE = 0.17  # in Chinese quotes of 2011
HEADLINE_BASKET = "monazite_concentrate"  # the basket of Mt Weld, whose index was published


class Past:
    """Series of one simulated run, in the terms of the record.

    Parameters
    ----------
    records
        of the run.
    """

    def __init__(self, records: Records) -> None:
        self.records = records
        self.catalogue = records.catalogue

    def month(self, year: float) -> int:
        """Period of a moment, within the run."""
        period = round((year - self.records.start_year) * MONTHS_PER_YEAR)
        return min(max(period, 0), self.records.periods - 1)

    def months(self, since: float, until: float) -> slice:
        """Periods from a moment up to, not including, another."""
        return slice(self.month(since), max(self.month(until), self.month(since) + 1))

    def inside(self, good: str) -> np.ndarray:
        """Price in China without value-added tax, ``[period]``."""
        c, r = self.catalogue, self.records
        return np.asarray(r.price_usd_per_kg[: r.periods, c.good(good), c.china, OPEN])

    def outside(self, good: str) -> np.ndarray:
        """Median price delivered to allied places, ``[period]``."""
        c, r = self.catalogue, self.records
        prices = r.price_usd_per_kg[: r.periods, c.good(good)][:, c.allied, OPEN]
        return np.asarray(np.median(prices, axis=1))

    def series(self) -> dict[str, np.ndarray]:
        """Quotes, transaction prices and volumes of oxides and magnets, ``[good, period]`` each."""
        c, r = self.catalogue, self.records
        goods = np.nonzero(c.of_stage("oxide") | c.of_stage("magnet"))[0]
        n, china = r.periods, c.china
        price, quote = r.price_usd_per_kg[:n, goods], r.quote_usd_per_kg[:n, goods]
        bought, paid = r.bought_t[:n, goods].sum(axis=3), r.paid_usd[:n, goods].sum(axis=3)
        tax = r.export_tax_share[:n, goods, china]
        away = np.arange(len(c.places)) != china
        out_t, out_usd = bought[:, :, away].sum(axis=2), paid[:, :, away].sum(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside_paid = paid[:, :, china] / bought[:, :, china] / 1000.0
            outside_paid = out_usd / out_t / 1000.0
        return {
            "price_inside_usd_per_kg": price[:, :, china, OPEN].T,
            "price_outside_usd_per_kg": np.median(price[:, :, c.allied, OPEN], axis=2).T,
            "fob_usd_per_kg": (price[:, :, china, OPEN] * (1.0 + tax)).T,
            "quote_inside_usd_per_kg": quote[:, :, china, OPEN].T,
            "quote_outside_usd_per_kg": np.median(quote[:, :, c.allied, OPEN], axis=2).T,
            "transaction_inside_usd_per_kg": inside_paid.T,
            "transaction_outside_usd_per_kg": outside_paid.T,
            "volume_inside_t": bought[:, :, china].T,
            "volume_outside_t": out_t.T,
        }

    def peak(self, good: str, since: float, until: float) -> tuple[float, float]:
        """Highest quarterly mean of the price outside, and the year of its middle month."""
        at = self.months(since, until)
        quarter = np.convolve(self.outside(good), np.ones(3) / 3.0, mode="same")[at]
        best = int(np.argmax(quarter))
        return float(quarter[best]), self.records.start_year + (at.start + best) / MONTHS_PER_YEAR

    def year_mean(self, series: np.ndarray, year: int) -> float:
        """Mean over a calendar year."""
        return float(series[self.months(year, year + 1)].mean())

    @cached_property
    def basket(self) -> np.ndarray:
        """Value outside China of the oxides in a kilogram of Mt Weld ore, ``[period]``."""
        c = self.catalogue
        content = c.composition_reo_t_per_t[c.good(HEADLINE_BASKET)]
        total = np.zeros(self.records.periods)
        for element, share in zip(c.elements, content, strict=True):
            oxide = f"{element.lower()}_oxide"
            if oxide in c.goods:
                total += share * self.outside(oxide)
        return total

    def exports_t(self, year: int) -> float:
        """Oxides and metals that left China in a year."""
        c, r = self.catalogue, self.records
        counted = c.of_stage("oxide") | c.of_stage("metal")
        flow = r.flow_t[self.months(year, year + 1)][:, counted, c.china]
        return float(flow.sum() - flow[:, :, c.china].sum())

    def mined_t(self, year: int, places: np.ndarray | slice = slice(None)) -> float:
        """Mine output of a year."""
        mine = FACILITY_STAGES.index("mine")
        return float(self.records.output_t[self.months(year, year + 1), mine][:, places].sum())

    def status(self, facility: str) -> np.ndarray:
        """Status of a facility, ``[period]``."""
        row = self.records.facility.tolist().index(facility)
        return np.asarray(self.records.facility_status[: self.records.periods, row])

    def decisions(self) -> list[tuple[str, float]]:
        """Facilities outside China whose building was decided, with the year."""
        r, c = self.records, self.catalogue
        planned = FACILITY_STATUSES.index("planned")
        building = FACILITY_STATUSES.index("building")
        status = r.facility_status[: r.periods]
        went = (status[:-1] == planned) & (status[1:] == building)
        early = np.isin(
            r.facility_stage, [FACILITY_STAGES.index(s) for s in ("mine", "separation")]
        )
        went &= (early & (r.facility_place != c.china))[None, :]
        return [
            (str(r.facility[row]), r.start_year + (period + 1) / MONTHS_PER_YEAR)
            for period, row in np.argwhere(went)
        ]


# -- the numbers of the episodes -----------------------------------------------------------------

BOOM = (2010.5, 2013.0)  # in which the peak after the quota cut is sought
CUT = 2010.5


def _peak_multiple(past: Past, good: str) -> float:
    return past.peak(good, *BOOM)[0] / past.year_mean(past.outside(good), 2009)


def _months_to_peak(past: Past, good: str) -> float:
    return (past.peak(good, *BOOM)[1] - CUT) * MONTHS_PER_YEAR


def _rank_of_peaks(past: Past) -> float:
    la, ce, dy, ndpr = (
        _peak_multiple(past, g) for g in ("la_oxide", "ce_oxide", "dy_oxide", "ndpr_oxide")
    )
    return float(min(la, ce) > dy) + float(dy > ndpr)


def _lead_of_lights(past: Past) -> float:
    light = 0.5 * (_months_to_peak(past, "la_oxide") + _months_to_peak(past, "ce_oxide"))
    return 0.5 * (_months_to_peak(past, "ndpr_oxide") + _months_to_peak(past, "dy_oxide")) - light


def _out_in_ratio(past: Past, good: str) -> float:
    """Price outside over the Chinese quote with value-added tax, autumn 2011."""
    at = past.months(2011.667, 2011.834)
    return float(past.outside(good)[at].mean() / (past.inside(good)[at].mean() * (1 + VAT_SHARE)))


def _rent_spread(past: Past) -> float:
    """Largest over smallest wedge per kg left after tax, of La, Ce and NdPr, while rent is high."""
    tax = past.records.export_tax_share
    wedges = []
    for good in ("la_oxide", "ce_oxide", "ndpr_oxide"):
        at = past.catalogue.good(good), past.catalogue.china
        wedges.append(past.outside(good) - past.inside(good) * (1.0 + tax[:, at[0], at[1]]))
    rent = np.array(wedges)[:, past.months(*BOOM)]
    high = np.argsort(rent.mean(axis=0))[-6:]
    rent = rent[:, high].mean(axis=1)
    return float(rent.max() / max(rent.min(), 1e-6))


def _quota_use(past: Past, year: int, quota_t: float) -> float:
    return past.exports_t(year) / quota_t


def _slack_in_fall(past: Past) -> float:
    """Part of the months of falling prices after the peak in which the quota does not bind."""
    index = past.basket
    at = past.months(*BOOM)
    peak = at.start + int(np.argmax(index[at]))
    rent = np.array([x.max() if len(x) else 0.0 for x in past.records.quota_scarcity_usd_per_kg])
    months = np.arange(peak + 1, min(peak + 25, past.records.periods))
    falling = months[index[months] < index[months - 1]]
    return float((rent[falling] < 0.1).mean()) if len(falling) else 0.0


def _fall(series: np.ndarray, past: Past, since: float, until: float) -> float:
    return float(series[past.month(until)] / series[past.month(since)] - 1.0)


def _half_year_fall(past: Past, good: str) -> float:
    """Largest fall of the price in China within six months after its peak."""
    series = past.inside(good)
    at = past.months(*BOOM)
    peak = at.start + int(np.argmax(series[at]))
    later = series[peak : peak + 30]
    return float(min(later[6:] / later[:-6]) - 1.0)


def _end_over_peak(past: Past, good: str, year: float) -> float:
    return float(past.outside(good)[past.month(year)] / past.peak(good, *BOOM)[0])


def _basket_rise(past: Past) -> float:
    at = past.months(2011.5, 2011.75)
    return float(past.basket[at].mean() / past.basket[past.month(2009.92)])


def _basket_fall(past: Past) -> float:
    return float(
        past.basket[past.months(2014.75, 2015.0)].mean() / past.basket[past.months(*BOOM)].max()
        - 1.0
    )


def _japan_use_change(past: Past) -> float:
    """Use of rare earths in Japan, by element, from 2010 to mid 2012 to mid 2013."""
    c, r = past.catalogue, past.records
    japan = c.place("JPN")
    reo = c.composition_reo_t_per_t.sum(axis=1)
    use = r.used_t[: r.periods, :, japan] @ reo
    return float(use[past.months(2012.5, 2013.5)].mean() / use[past.months(2010, 2011)].mean() - 1)


def _japan_share(past: Past, year: float) -> float:
    """Part of the oxides and metals that Japan buys from abroad that come from China."""
    c, r = past.catalogue, past.records
    counted = c.of_stage("oxide") | c.of_stage("metal")
    japan = c.place("JPN")
    flow = r.flow_t[past.months(year, year + 0.5)][:, counted][:, :, :, japan].sum(axis=(0, 1))
    return float(flow[c.china] / max(flow.sum() - flow[japan], 1e-9))


MOLYCORP = "mountain_pass_phoenix_separation"
MOLYCORP_ASSETS = (MOLYCORP, "mountain_pass_phoenix_mine")  # the mine came back first


def _molycorp_idle(past: Past) -> float:
    """Year in which the plant that was built at the peak stops; inf if it does not."""
    status = past.status(MOLYCORP)
    ran = np.nonzero(status == FACILITY_STATUSES.index("operating"))[0]
    if not len(ran):
        return float("inf")
    idle = np.nonzero(
        (status == FACILITY_STATUSES.index("mothballed")) & (np.arange(len(status)) > ran[0])
    )[0]
    return past.records.start_year + idle[0] / MONTHS_PER_YEAR if len(idle) else float("inf")


def _molycorp_fails(past: Past) -> float:
    return float(2014.0 <= _molycorp_idle(past) <= 2017.0)


def _molycorp_back(past: Past) -> float:
    """Years from the stop to the restart of mine or plant; NaN if it did not stop."""
    stopped = _molycorp_idle(past)
    if not np.isfinite(stopped):
        return float("nan")
    runs = [past.status(f) == FACILITY_STATUSES.index("operating") for f in MOLYCORP_ASSETS]
    restarts = np.logical_or(*(np.diff(run.astype(int), prepend=1) > 0 for run in runs))
    again = np.nonzero(restarts & (np.arange(past.records.periods) > past.month(stopped)))[0]
    back = past.records.start_year + again[0] / MONTHS_PER_YEAR if len(again) else float("inf")
    return back - stopped


def _molycorp_output(past: Past, year: int) -> float:
    row = past.records.facility.tolist().index(MOLYCORP)
    return float(past.records.facility_output_t[past.months(year, year + 1), row].sum())


RALLY = (2020.25, 2023.0)


def _rally(past: Past) -> tuple[int, int]:
    """Periods of the start, April 2020, and the highest price of NdPr in the rally."""
    start = past.month(RALLY[0])
    at = past.months(*RALLY)
    return start, at.start + int(np.argmax(past.inside("ndpr_oxide")[at]))


def _rally_multiple(past: Past) -> float:
    start, top = _rally(past)
    series = past.inside("ndpr_oxide")
    return float(series[top] / series[start])


def _rally_months(past: Past) -> float:
    start, top = _rally(past)
    return float(top - start)


def _rally_of_light(past: Past, good: str) -> float:
    start, top = _rally(past)
    series = past.inside(good)
    return float(series[top] / series[start] - 1.0)


def _rally_correlation(past: Past) -> float:
    """Of yearly log changes of NdPr with the mean of La and Ce, during the rally."""
    start, top = _rally(past)
    log = {g: np.log(past.inside(g)) for g in ("ndpr_oxide", "la_oxide", "ce_oxide")}
    span = slice(start, max(top, start + 6))
    ndpr = np.diff(log["ndpr_oxide"][span])
    light = 0.5 * (np.diff(log["la_oxide"][span]) + np.diff(log["ce_oxide"][span]))
    if ndpr.std() == 0 or light.std() == 0:
        return 0.0
    return float(np.corrcoef(ndpr, light)[0, 1])


def _fob(past: Past, good: str, year: int) -> float:
    """Price in China and the tax that is not refunded."""
    c = past.catalogue
    tax = past.records.export_tax_share[:, c.good(good), c.china]
    return past.year_mean(past.inside(good) * (1.0 + tax), year)


def _change(past: Past, good: str, first: int, last: int) -> float:
    return _fob(past, good, last) / _fob(past, good, first) - 1.0


def _decisions_below(past: Past, limit_usd_per_kg: float, since: float) -> float:
    """Decisions outside China in months in which NdPr was below a price."""
    c = past.catalogue
    tax = past.records.export_tax_share[:, c.good("ndpr_oxide"), c.china]
    fob = past.inside("ndpr_oxide") * (1.0 + tax)
    return float(
        sum(
            year >= since and fob[past.month(year)] < limit_usd_per_kg
            for _, year in past.decisions()
        )
    )


def _output_change(past: Past, first: int, last: int) -> float:
    china = np.arange(len(past.catalogue.places)) == past.catalogue.china
    return past.mined_t(last, china) / past.mined_t(first, china) - 1.0


def _least_growth(past: Past, first: int, last: int) -> float:
    """Smallest yearly growth of Chinese mining."""
    return min(_output_change(past, year, year + 1) for year in range(first, last))


MEASURES: dict[str, Callable[[Past], float]] = {
    "la_peak_multiple": lambda p: _peak_multiple(p, "la_oxide"),
    "ce_peak_multiple": lambda p: _peak_multiple(p, "ce_oxide"),
    "ndpr_peak_multiple": lambda p: _peak_multiple(p, "ndpr_oxide"),
    "dy_peak_multiple": lambda p: _peak_multiple(p, "dy_oxide"),
    "rank_of_peaks": _rank_of_peaks,
    "la_months_to_peak": lambda p: _months_to_peak(p, "la_oxide"),
    "ce_months_to_peak": lambda p: _months_to_peak(p, "ce_oxide"),
    "ndpr_months_to_peak": lambda p: _months_to_peak(p, "ndpr_oxide"),
    "dy_months_to_peak": lambda p: _months_to_peak(p, "dy_oxide"),
    "lead_of_lights_months": _lead_of_lights,
    "la_out_in_ratio": lambda p: _out_in_ratio(p, "la_oxide"),
    "ndpr_out_in_ratio": lambda p: _out_in_ratio(p, "ndpr_oxide"),
    "rent_spread": _rent_spread,
    "quota_use_2010": lambda p: _quota_use(p, 2010, 30258.0),
    "quota_use_2011": lambda p: _quota_use(p, 2011, 30184.0),
    "quota_use_2012": lambda p: _quota_use(p, 2012, 30996.0),
    "quota_use_2013": lambda p: _quota_use(p, 2013, 30999.0),
    "quota_slack_in_fall": _slack_in_fall,
    "ndpr_half_year_fall": lambda p: _half_year_fall(p, "ndpr_oxide"),
    "dy_half_year_fall": lambda p: _half_year_fall(p, "dy_oxide"),
    "la_end_2012_over_peak": lambda p: _end_over_peak(p, "la_oxide", 2012.95),
    "ce_end_2012_over_peak": lambda p: _end_over_peak(p, "ce_oxide", 2012.95),
    "ndpr_end_2012_over_peak": lambda p: _end_over_peak(p, "ndpr_oxide", 2012.95),
    "dy_end_2012_over_peak": lambda p: _end_over_peak(p, "dy_oxide", 2012.95),
    "basket_rise": _basket_rise,
    "basket_fall": _basket_fall,
    "mine_output_2011": lambda p: _output_change(p, 2010, 2011),
    "japan_use_change": _japan_use_change,
    "japan_import_share_2012": lambda p: _japan_share(p, 2012.0),
    "molycorp_fails": _molycorp_fails,
    "molycorp_back_years": _molycorp_back,
    "molycorp_output_2013": lambda p: _molycorp_output(p, 2013),
    "molycorp_output_2014": lambda p: _molycorp_output(p, 2014),
    "molycorp_fails_with_floor": _molycorp_fails,
    "ndpr_rally_multiple": _rally_multiple,
    "ndpr_rally_months": _rally_months,
    "la_change_in_rally": lambda p: _rally_of_light(p, "la_oxide"),
    "ce_change_in_rally": lambda p: _rally_of_light(p, "ce_oxide"),
    "light_correlation_in_rally": _rally_correlation,
    "ndpr_fob_2021": lambda p: _fob(p, "ndpr_oxide", 2021),
    "ndpr_fob_2022": lambda p: _fob(p, "ndpr_oxide", 2022),
    "ndpr_fob_2023": lambda p: _fob(p, "ndpr_oxide", 2023),
    "ndpr_fob_2024": lambda p: _fob(p, "ndpr_oxide", 2024),
    "ndpr_slump": lambda p: _change(p, "ndpr_oxide", 2022, 2024),
    "decisions_below_75": lambda p: _decisions_below(p, 75.0, 2022.5),
    "china_output_in_slump": lambda p: _output_change(p, 2022, 2024),
    "china_least_growth": lambda p: _least_growth(p, 2019, 2024),
}
