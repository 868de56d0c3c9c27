"""Who paid and who got: accounts by side, welfare by place, and what public money bought.

Years are calendar years of the run, inclusive. Money is real USD of the base year, discounted to
the first year where a rate is given.
"""

from __future__ import annotations

import numpy as np

from rare_market.goods import FACILITY_STAGES, MONTHS_PER_YEAR
from rare_market.ledger import KINDS, REASONS
from rare_market.measures import (
    china_share,
    discount_weights,
    oxide_outside_t,
    public_cost_usd,
    years_of,
)
from rare_market.records import Records

GROUPS = ("allied", "China", "other")
SIDES = {
    "state": "state",
    **dict.fromkeys(("producer", "processor", "merchant"), "firms"),
    "buyer": "buyers",
}


def _groups(records: Records) -> np.ndarray:
    """Group of each place, an index into :data:`GROUPS`."""
    c = records.catalogue
    group = np.where(c.allied, 0, 2)
    group[c.china] = 1
    return group


def by_side(
    records: Records, first_year: int, last_year: int, discount_per_year: float = 0.0
) -> dict[tuple[str, str], float]:
    """Received less paid by side and reason, USD; all sides of a reason sum to zero.

    Sides are the states, firms and buyers of the allies, of China and of others, and the rest of
    the economy with the carriers.
    """
    months = years_of(records, first_year, last_year)
    weights = discount_weights(months, discount_per_year)
    balance = np.tensordot(weights, records.balance_usd[months], axes=1)
    group = _groups(records)
    table: dict[tuple[str, str], float] = {}
    for kind, name in enumerate(KINDS):
        for code, label in enumerate(GROUPS):
            side = f"{label} {SIDES[name]}" if name in SIDES else "economy"
            received = balance[kind][group == code].sum(axis=0)
            for reason, usd in zip(REASONS, received.tolist(), strict=True):
                table[side, reason] = table.get((side, reason), 0.0) + usd
    return table


def welfare_usd(
    records: Records, first_year: int, last_year: int, discount_per_year: float = 0.0
) -> dict[str, np.ndarray]:
    r"""Welfare by place and its parts, ``[place]`` USD.

    .. math:: W = \underbrace{(V - E)}_{\text{consumers}} + \underbrace{\Pi}_{\text{firms}}
              + \underbrace{T}_{\text{treasury}} - \underbrace{X}_{\text{external cost}}

    with the value :math:`V` of what buyers used, their spending :math:`E`, the cash of mines,
    plants and merchants :math:`\Pi` after all costs, the treasury's balance :math:`T` and the cost
    of mining to others :math:`X`. Everything else is paid to the rest of the economy at cost, so
    over all places

    .. math:: \sum W = \sum V - \sum C - \sum X

    where :math:`C` is what the rest of the economy was paid for labour, materials, capital and
    freight. Stocks are not valued.
    """
    months = years_of(records, first_year, last_year)
    weights = discount_weights(months, discount_per_year)
    balance = np.tensordot(weights, records.balance_usd[months], axes=1).sum(axis=2)
    spent = np.tensordot(weights, records.final_spend_usd[months], axes=1).sum(axis=0)
    value = np.tensordot(weights, records.use_value_usd[months], axes=1).sum(axis=0)
    external = np.tensordot(weights, records.external_usd[months], axes=1)
    firms = sum(
        (balance[KINDS.index(kind)] for kind, side in SIDES.items() if side == "firms"),
        np.zeros(len(value)),
    )
    parts = {
        "consumers": value - spent,
        "firms": firms,
        "treasury": balance[KINDS.index("state")],
        "external_cost": -external,
    }
    return {**parts, "welfare": sum(parts.values(), np.zeros(len(value)))}


def bought(
    records: Records,
    without: Records,
    first_year: int,
    last_year: int,
    discount_per_year: float = 0.0,
    good: str = "ndpr_oxide",
) -> dict[str, float]:
    """What public money bought, against the same run without the instruments.

    Returns
    -------
    dict
        ``public_cost_usd``; ``usd_per_t_secured``, per tonne of the good separated outside China
        that would not have been; ``usd_per_t_per_year_alive``, per tonne of yearly separation
        capacity outside China at the end; ``usd_per_point``, per percentage point by which China's
        share of separation fell. NaN where the instrument bought nothing.
    """
    cost = public_cost_usd(records, first_year, last_year, discount_per_year)
    cost -= public_cost_usd(without, first_year, last_year, discount_per_year)
    stage = FACILITY_STAGES.index("separation")

    def alive_t(run: Records) -> float:
        row = run.operating_t[years_of(run, last_year, last_year).stop - 1, stage]
        return float(np.delete(row, run.catalogue.china).sum() * MONTHS_PER_YEAR)

    gained = {
        "usd_per_t_secured": oxide_outside_t(records, good, first_year, last_year)
        - oxide_outside_t(without, good, first_year, last_year),
        "usd_per_t_per_year_alive": alive_t(records) - alive_t(without),
        "usd_per_point": 100.0
        * (
            china_share(without, "separation", last_year)
            - china_share(records, "separation", last_year)
        ),
    }
    per = {name: cost / amount if amount > 0.0 else np.nan for name, amount in gained.items()}
    return {"public_cost_usd": cost, **per}
