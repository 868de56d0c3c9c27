"""Monthly series of a run: what figures draw, sweeps may keep and the verdict adds up.

Money is million real USD of 2024 in the month, not discounted. A figure of a state or of industry
is what it received less what it paid.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from rare_market import measures
from rare_market.goods import FACILITY_STAGES, MONTHS_PER_YEAR, OPEN
from rare_market.ledger import KINDS
from rare_market.records import BLOCKS, FACILITY_STATUSES, Records

HEADLINE_GOOD = "ndpr_oxide"
UPSTREAM = ("mine", "separation")
MUSD = 1e6


def _price_inside(records: Records) -> np.ndarray:
    c = records.catalogue
    price = records.price_usd_per_kg[: records.periods, c.good(HEADLINE_GOOD), c.china, OPEN]
    return np.asarray(price)


def _price_outside(records: Records) -> np.ndarray:
    return measures.price_outside_path_usd_per_kg(records, HEADLINE_GOOD)


def _outside(records: Records, values: np.ndarray) -> np.ndarray:
    """Sum over all places but China of ``[period, …, place]`` values."""
    return np.asarray(
        np.delete(values[: records.periods], records.catalogue.china, axis=-1).sum(-1)
    )


def _operating_outside(records: Records, stage: str) -> np.ndarray:
    operating_t = _outside(records, records.operating_t[:, FACILITY_STAGES.index(stage)])
    return operating_t * MONTHS_PER_YEAR


def _idle_outside(records: Records, stage: str) -> np.ndarray:
    row = FACILITY_STAGES.index(stage)
    idle_t = records.capacity_t[:, row] - records.operating_t[:, row]
    return _outside(records, idle_t) * MONTHS_PER_YEAR


def _made_outside(records: Records) -> np.ndarray:
    return _outside(records, records.made_t[:, records.catalogue.good(HEADLINE_GOOD)])


def _earned(records: Records, china: bool, upstream: bool) -> np.ndarray:
    """Cash that facilities of a side and part of the chain took in, by month."""
    chosen = [stage in UPSTREAM for stage in FACILITY_STAGES]
    cash = records.cash_usd[: records.periods, np.array(chosen) == upstream].sum(axis=1)
    home = cash[:, records.catalogue.china]
    total = home if china else cash.sum(axis=1) - home
    return np.diff(total, prepend=0.0) / MUSD


def _treasury(records: Records, china: bool) -> np.ndarray:
    c = records.catalogue
    state = records.balance_usd[: records.periods, KINDS.index("state")].sum(axis=-1)
    return np.asarray(state[:, c.china] if china else state[:, c.allied].sum(axis=1)) / MUSD


def _users(records: Records, china: bool, field: str) -> np.ndarray:
    c = records.catalogue
    usd = getattr(records, field)[: records.periods].sum(axis=1)
    return np.asarray(usd[:, c.china] if china else usd[:, c.allied].sum(axis=1)) / MUSD


def _used_ndpr(records: Records) -> np.ndarray:
    c = records.catalogue
    content = c.composition_reo_t_per_t[:, c.elements.index("NdPr")]
    return np.asarray(records.used_t[: records.periods].sum(axis=2) @ content)


def _blocked(records: Records, block: str) -> np.ndarray:
    """Planned projects outside China that wait for a reason, by month."""
    abroad = records.facility_place != records.catalogue.china
    waiting = records.facility_blocked[: records.periods, abroad] == BLOCKS.index(block)
    return np.asarray(waiting.sum(axis=1, dtype=float))


def _decided(records: Records) -> np.ndarray:
    """Projects outside China planned in the first month and decided since, by month."""
    abroad = records.facility_place != records.catalogue.china
    planned = FACILITY_STATUSES.index("planned")
    status = records.facility_status[: records.periods, abroad]
    first = records.facility_blocked[0, abroad] > 0
    return np.asarray((first & (status != planned)).sum(axis=1, dtype=float))


SERIES: dict[str, Callable[[Records], np.ndarray]] = {
    "price_inside_usd_per_kg": _price_inside,
    "price_outside_usd_per_kg": _price_outside,
    "separation_outside_t_per_year": partial(_operating_outside, stage="separation"),
    "magnet_outside_t_per_year": partial(_operating_outside, stage="magnet"),
    "separation_idle_outside_t_per_year": partial(_idle_outside, stage="separation"),
    "ndpr_oxide_outside_t": _made_outside,
    "ndpr_used_t": _used_ndpr,
    "china_upstream_musd": partial(_earned, china=True, upstream=True),
    "china_downstream_musd": partial(_earned, china=True, upstream=False),
    "china_treasury_musd": partial(_treasury, china=True),
    "china_users_value_musd": partial(_users, china=True, field="use_value_usd"),
    "china_users_spend_musd": partial(_users, china=True, field="final_spend_usd"),
    "outside_upstream_musd": partial(_earned, china=False, upstream=True),
    "outside_downstream_musd": partial(_earned, china=False, upstream=False),
    "allied_treasury_musd": partial(_treasury, china=False),
    "allied_users_value_musd": partial(_users, china=False, field="use_value_usd"),
    "allied_users_spend_musd": partial(_users, china=False, field="final_spend_usd"),
    **{f"blocked_by_{block}_projects": partial(_blocked, block=block) for block in BLOCKS[1:]},
    "decided_projects": _decided,
}
# what becomes of the projects outside China that were planned at the start, layer by layer
BLOCKED_SERIES = (
    "decided_projects",
    "blocked_by_decision_projects",
    "blocked_by_permit_projects",
    "blocked_by_credibility_projects",
    "blocked_by_finance_projects",
    "blocked_by_price_projects",
)
