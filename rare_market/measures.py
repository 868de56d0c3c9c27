"""One number from a run: what a policy is judged by.

Years are calendar years of the run, inclusive. Money is real USD of 2024, not discounted.
"""

from __future__ import annotations

import numpy as np

from rare_market.goods import FACILITY_STAGES, MONTHS_PER_YEAR, OPEN
from rare_market.ledger import KINDS, REASONS
from rare_market.records import Records

# The stages an ally's magnet passes through, and the good that stands for each.
CHAIN = {
    "separation": ("ndpr_oxide",),
    "metal": ("ndpr_metal",),
    "magnet": ("ndfeb_standard_magnet", "ndfeb_ht_magnet"),
}
CHAIN_ELEMENT = "NdPr"
SCHEME_REASONS = (
    "price_floor", "subsidy", "offtake", "reserve", "grant", "loan", "guarantee", "equity",
    "programme", "goods", "freight",
)  # fmt: skip


def years_of(records: Records, first_year: int, last_year: int) -> slice:
    """Months of calendar years of a run, inclusive; ``ValueError`` where it has not got them."""
    start = (first_year - records.start_year) * MONTHS_PER_YEAR
    stop = (last_year + 1 - records.start_year) * MONTHS_PER_YEAR
    if not 0 <= start < stop <= records.periods:
        last = records.start_year + records.periods // MONTHS_PER_YEAR - 1
        raise ValueError(
            f"years {first_year} to {last_year} are not within the run's "
            f"{records.start_year} to {last}."
        )
    return slice(start, stop)


def price_inside_usd_per_kg(records: Records, good: str, first_year: int, last_year: int) -> float:
    """Mean price in China, value-added tax excluded."""
    c = records.catalogue
    months = years_of(records, first_year, last_year)
    return float(records.price_usd_per_kg[months, c.good(good), c.china, OPEN].mean())


def price_outside_usd_per_kg(records: Records, good: str, first_year: int, last_year: int) -> float:
    """Mean delivered price in allied places, weighted by their purchases, duties included.

    Without any purchase in the window it is the plain mean of the quotes.
    """
    months = years_of(records, first_year, last_year)
    price, weight_t = _allied_prices(records, good, months)
    return float((price * weight_t).sum() / weight_t.sum())


def price_outside_path_usd_per_kg(records: Records, good: str) -> np.ndarray:
    """Mean delivered price in allied places month by month, weighted by their purchases."""
    price, weight_t = _allied_prices(records, good, slice(0, records.periods))
    bought_t = weight_t.sum(axis=(1, 2), keepdims=True)
    weight_t = np.where(bought_t > 0, weight_t, 1.0)
    return (price * weight_t).sum(axis=(1, 2)) / weight_t.sum(axis=(1, 2))


def _allied_prices(records: Records, good: str, months: slice) -> tuple[np.ndarray, np.ndarray]:
    """Delivered prices in allied places and tonnes bought at them, ``[month, place, class]``."""
    c = records.catalogue
    price = records.price_usd_per_kg[months, c.good(good)][:, c.allied]
    bought_t = records.bought_t[months, c.good(good)][:, c.allied]
    return price, bought_t if bought_t.sum() > 0 else np.ones_like(bought_t)


def capacity_outside_t_per_year(records: Records, stage: str, year: int) -> float:
    """Capacity in operation outside China at the end of a year, tonnes of activity per year."""
    c = records.catalogue
    month = years_of(records, year, year).stop - 1
    row = records.operating_t[month, FACILITY_STAGES.index(stage)]
    return float(np.delete(row, c.china).sum() * MONTHS_PER_YEAR)


def china_share(records: Records, stage: str, year: int) -> float:
    """China's share of the output of a stage in a year (separation: of feed treated)."""
    c = records.catalogue
    output = records.output_t[years_of(records, year, year), FACILITY_STAGES.index(stage)].sum(
        axis=0
    )
    return float(output[c.china] / output.sum())


def mine_output_t(records: Records, year: int) -> float:
    """World mine output in a year, t REO."""
    months = years_of(records, year, year)
    return float(records.output_t[months, FACILITY_STAGES.index("mine")].sum())


def supply_cover_share(records: Records, stage: str, year: int) -> float:
    r"""Output of a stage outside China as a share of what allied demand needs of it, at most 1.

    The need is the NdPr in the goods that allied final buyers use, and the supply the NdPr in the
    output of that stage outside China, wherever its feed came from:
    :math:`\min\bigl(1, \sum_{g,p\ne CHN} k_g q_{gp} / \sum_{g,p\in A} k_g u_{gp}\bigr)`. For
    magnets only magnets count on both sides.
    """
    c = records.catalogue
    months = years_of(records, year, year)
    content = c.composition_reo_t_per_t[:, c.elements.index(CHAIN_ELEMENT)]
    goods = [c.good(g) for g in CHAIN[stage]]
    made = np.delete(records.made_t[months][:, goods].sum(axis=0), c.china, axis=1).sum(axis=1)
    used = records.used_t[months][:, :, c.allied].sum(axis=(0, 2)) * content
    needed = used.sum() if stage == "separation" else used[c.of_stage("magnet")].sum()
    return float(min(1.0, (made * content[goods]).sum() / needed)) if needed > 0 else 1.0


def met_without_china_share(records: Records, year: int) -> float:
    """Share of allied demand that could be met without China: the weakest link of the chain."""
    return min(supply_cover_share(records, stage, year) for stage in CHAIN)


def oxide_outside_t(records: Records, good: str, first_year: int, last_year: int) -> float:
    """Tonnes of an oxide separated outside China."""
    c = records.catalogue
    made = records.made_t[years_of(records, first_year, last_year), c.good(good)].sum(axis=0)
    return float(np.delete(made, c.china).sum())


def public_cost_usd(
    records: Records, first_year: int, last_year: int, discount_per_year: float = 0.0
) -> float:
    """What states other than China paid on their instruments, less what they got back.

    Discounted to the start of the first year where a rate is given.
    """
    c = records.catalogue
    months = years_of(records, first_year, last_year)
    columns = [REASONS.index(reason) for reason in SCHEME_REASONS]
    state = records.balance_usd[months, KINDS.index("state")][:, :, columns].sum(axis=2)
    weights = discount_weights(months, discount_per_year)
    return -float((weights @ np.delete(state, c.china, axis=1)).sum())


def discount_weights(months: slice, discount_per_year: float) -> np.ndarray:
    """Weight of each of these months, at its beginning, seen from the first."""
    elapsed = np.arange(months.stop - months.start) / MONTHS_PER_YEAR
    return np.asarray((1.0 + discount_per_year) ** -elapsed)


def duty_revenue_usd(records: Records, first_year: int, last_year: int) -> float:
    """Import duties received by allied treasuries."""
    c = records.catalogue
    months = years_of(records, first_year, last_year)
    state = records.balance_usd[months, KINDS.index("state"), :, REASONS.index("import_duty")]
    return float(state[:, c.allied].sum())


def buyers_cost_usd(records: Records, first_year: int, last_year: int) -> float:
    """What allied final buyers paid for rare-earth goods, duties included."""
    c = records.catalogue
    months = years_of(records, first_year, last_year)
    return float(records.final_spend_usd[months][:, :, c.allied].sum())


def undercutting_cost_usd(records: Records, first_year: int, last_year: int) -> float:
    """What the Chinese treasury paid its producers for selling below full cost."""
    c = records.catalogue
    months = years_of(records, first_year, last_year)
    column = REASONS.index("undercutting")
    return -float(records.balance_usd[months, KINDS.index("state"), c.china, column].sum())


def china_income_usd(records: Records, first_year: int, last_year: int) -> float:
    """What Chinese mines and plants earned after all costs, treasury's cover left out."""
    c = records.catalogue
    months = years_of(records, first_year, last_year)
    kinds = [KINDS.index("producer"), KINDS.index("processor")]
    own = records.balance_usd[months][:, kinds, c.china].copy()
    own[:, :, REASONS.index("undercutting")] = 0.0
    return float(own.sum())
