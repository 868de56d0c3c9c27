"""The rules in force without any policy, built from dated data: the status quo is not code.

Freight, value-added tax that China does not refund on exports, import duties, resource taxes, and
the choice of some buyers to avoid Chinese magnets. Every row has its source in the data tables.
"""

from __future__ import annotations

import numpy as np

from rare_market.goods import (
    BOUND,
    BUYER_CLASSES,
    DOMESTIC,
    LOYAL,
    MONTHS_PER_YEAR,
    STAGES,
    Catalogue,
    codes,
)
from rare_market.inputs import InputError, Tables
from rare_market.regime import Regime, open_regime

MOMENT = 1e-6  # years; the rounding of a month's start
TAX_KINDS = ("vat_not_refunded", "resource_tax", "import_duty")


def law_changes(tables: Tables, start_year: float) -> list[float]:
    """Moments at which the law differs from before: the start, and each later start or end."""
    taxes = tables.taxes
    first = [_moment(month) for month in taxes["start"].tolist()]
    after = [_moment(month) + 1.0 / MONTHS_PER_YEAR for month in taxes["end"].tolist() if month]
    return [float(start_year), *sorted({y for y in (*first, *after) if y > start_year + MOMENT})]


def law_of(tables: Tables, catalogue: Catalogue, year: float) -> Regime:
    """Regime of a moment from the tables ``freight`` and ``taxes``.

    Raises
    ------
    rare_market.inputs.InputError
        for a tax of an unknown kind or place.
    """
    c = catalogue
    freight = np.full((len(STAGES), len(c.places), len(c.places)), np.inf)
    rows = tables.freight
    freight[
        codes(STAGES, rows["stage"]),
        codes(c.places, rows["origin"]),
        codes(c.places, rows["destination"]),
    ] = rows["freight_usd_per_kg"]
    regime = open_regime(freight[c.stage], len(BUYER_CLASSES))
    taxes = tables.taxes
    # a row for one good or one origin overrides the general one
    general = [
        (taxes["scope"][i] not in STAGES) + (taxes["origin"][i] != "any") for i in range(taxes.rows)
    ]
    for i in np.argsort(general, kind="stable"):
        if not _in_force(str(taxes["start"][i]), str(taxes["end"][i]), year):
            continue
        scope, rate = str(taxes["scope"][i]), float(taxes["rate_share"][i])
        goods = c.of_stage(scope) if scope in STAGES else np.array([g == scope for g in c.goods])
        kind, where = str(taxes["kind"][i]), str(taxes["place"][i])
        if kind not in TAX_KINDS or where not in c.places:
            raise InputError(
                f"taxes.csv, row {i + 2}: kind = {kind!r} at place = {where!r} must be one of "
                f"{', '.join(TAX_KINDS)} at a single place."
            )
        place = c.place(where)
        if kind == "vat_not_refunded":
            regime.vat_not_refunded_share[goods, place] = rate
        elif kind == "resource_tax":
            regime.resource_tax_share[goods, place] = rate
        elif kind == "import_duty":
            origin = str(taxes["origin"][i])
            origins = slice(None) if origin == "any" else c.place(origin)
            regime.import_duty_share[goods, origins, place] = rate
    regime.excluded_origin[[BOUND, LOYAL], :, c.china, :] = True
    regime.excluded_origin[DOMESTIC] = ~np.eye(len(c.places), dtype=bool)
    return regime


def _moment(month: str) -> float:
    """Calendar year, with its fraction, at the start of a month such as ``2015-05``."""
    year, _, number = month.partition("-")
    return int(year) + (int(number or 1) - 1) / MONTHS_PER_YEAR


def _in_force(start: str, end: str, year: float) -> bool:
    """Whether a row holds at a moment; its last month included."""
    ended = bool(end) and year + MOMENT >= _moment(end) + 1.0 / MONTHS_PER_YEAR
    return year + MOMENT >= _moment(start) and not ended
