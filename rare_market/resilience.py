"""A standard shock, and the damage it does: the resilience of a state of the market.

The shock stops the exports of one state for a time. The same run is made with it and without it,
under the same policies and the same luck; what the allies lose in the months after its start is the
damage.
"""

from __future__ import annotations

import numpy as np

from rare_market.declare import InvalidValueError
from rare_market.goods import MONTHS_PER_YEAR, OPEN
from rare_market.ledger import KINDS
from rare_market.policies import Embargo
from rare_market.records import Records

DAMAGE_MONTHS = 24
SHOCK = "export_stop"
FIELDS = ("month", "duration", "goods", "state")


def read_shock(text: str) -> Embargo:
    """Read ``export_stop:month=2028-01,duration=6,goods=oxide+metal``.

    ``month`` is when it starts, ``duration`` is in months, ``goods`` are goods and stages joined by
    ``+`` and ``state`` is who stops its exports (China if absent).

    Raises
    ------
    rare_market.declare.InvalidValueError
        for another name, field or value.

    Examples
    --------
    >>> shock = read_shock("export_stop:month=2028-07,duration=6,goods=dy_oxide")
    >>> shock.start_year, shock.duration_years, shock.destinations
    (2028.5, 0.5, 'any')
    """
    name, _, assignments = text.partition(":")
    if name != SHOCK:
        raise InvalidValueError(f"shock {name!r} is unknown: there is {SHOCK}.")
    values = {"duration": "6", "goods": "oxide+metal+magnet", "state": "CHN"}
    for assignment in filter(None, assignments.split(",")):
        field, sign, value = assignment.partition("=")
        if not sign or field.strip() not in FIELDS:
            raise InvalidValueError(f"{SHOCK}: {assignment!r} must set one of {', '.join(FIELDS)}.")
        values[field.strip()] = value.strip()
    year, _, month = values.get("month", "").partition("-")
    if not (len(year) == 4 and year.isdigit() and month.isdigit() and 1 <= int(month) <= 12):
        raise InvalidValueError(f"{SHOCK}: month = {values.get('month', '')!r} must be as 2028-01.")
    if not (values["duration"].isdigit() and 1 <= int(values["duration"]) <= 120):
        raise InvalidValueError(
            f"{SHOCK}: duration = {values['duration']!r} must be a whole number within 1 to 120 "
            "months."
        )
    return Embargo(
        start_year=int(year) + (int(month) - 1) / MONTHS_PER_YEAR,
        duration_years=int(values["duration"]) / MONTHS_PER_YEAR,
        state=values["state"],
        goods=values["goods"],
        destinations="any",
        leak_share=0.0,
    )


def first_month(shock: Embargo, start_year: int, periods: int) -> int:
    """Month of a run in which a shock starts.

    Raises
    ------
    rare_market.declare.InvalidValueError
        if it starts before the run, or with less than 24 months to go.
    """
    first = round((shock.start_year - start_year) * MONTHS_PER_YEAR)
    if not 0 <= first <= periods - DAMAGE_MONTHS:
        last_year = start_year + periods // MONTHS_PER_YEAR - 1
        raise InvalidValueError(
            f"{SHOCK}: month must be within the run of {start_year} to {last_year}, with "
            f"{DAMAGE_MONTHS} months to go from it."
        )
    return first


def damage(hit: Records, calm: Records, shock: Embargo) -> dict[str, float]:
    """What the shock did to the allies in the 24 months from its start.

    Parameters
    ----------
    hit, calm
        the same run with and without it.
    shock
        that hit it.

    Returns
    -------
    dict
        ``damage_musd``, welfare of allied places lost (consumers, firms and treasuries);
        ``damage_lost_use_share``, part of what allied buyers would have used, by value at the
        prices of the calm run; ``damage_price_ratio``, highest ratio of the allied price of NdPr
        metal to that of the calm run.

    Raises
    ------
    rare_market.declare.InvalidValueError
        as :func:`first_month`.
    """
    first = first_month(shock, calm.start_year, calm.periods)
    months = slice(first, first + DAMAGE_MONTHS)
    allied = calm.catalogue.allied

    def welfare_usd(run: Records) -> float:
        surplus = (run.use_value_usd - run.final_spend_usd)[months][:, :, allied].sum()
        rows = [KINDS.index(kind) for kind in ("producer", "processor", "state")]
        return float(surplus + run.balance_usd[months][:, rows][:, :, allied].sum())

    price = calm.price_usd_per_kg[months, :, :, OPEN]
    used = [(run.used_t[months] * price)[:, :, allied].sum() for run in (hit, calm)]
    metal = calm.catalogue.goods.index("ndpr_metal") if "ndpr_metal" in calm.catalogue.goods else 0
    ratio = hit.price_usd_per_kg[months, metal, :, OPEN] / price[:, metal]
    return {
        "damage_musd": (welfare_usd(calm) - welfare_usd(hit)) / 1e6,
        "damage_lost_use_share": float(1.0 - used[0] / used[1]),
        "damage_price_ratio": float(np.nanmax(ratio[:, allied])),
    }
