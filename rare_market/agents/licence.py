"""Holders of export licences: they ask a price for letting a tonne leave, and lower it by and by.

A licence that is not used this month can be used later, so its holder does not give it away because
trade is slack today: the rent of a quota falls more slowly than the scarcity that made it.
"""

from __future__ import annotations

import numpy as np

from rare_market.regime import ExportQuota


def licence_ask_usd_per_kg(rent_usd_per_kg: float, used_share: float) -> float:
    r"""Rent that holders ask next month, from the last one and the part of the licences it sold.

    .. math:: a' = u R, \qquad R = a + \lambda

    Buyers paid :math:`R`: what was asked and, where the whole tonnage left (:math:`u = 1`), its
    shadow price :math:`\lambda` on top. Sold out, holders ask that again; unsold, they give up the
    part that they could not sell (half of the Chinese quota of 2011 went unused at 46 to 48
    USD/kg).

    >>> licence_ask_usd_per_kg(40.0, 1.0), licence_ask_usd_per_kg(40.0, 0.5)
    (40.0, 20.0)
    """
    return rent_usd_per_kg * used_share


def let_out_t(quota: ExportQuota, flow_t: np.ndarray) -> float:
    """Tonnes of the goods of a quota that left its origin, of ``[good, origin, demand node]``."""
    classes = flow_t.shape[2] // flow_t.shape[1]
    sent_t = flow_t[quota.goods, quota.origin]
    home = slice(quota.origin * classes, (quota.origin + 1) * classes)
    return float(sent_t.sum() - sent_t[:, home].sum())


class LicenceHolders:
    """What the holders of the licences of each quota ask.

    Parameters
    ----------
    memory_months
        of the part of the licences sold.
    """

    def __init__(self, memory_months: float) -> None:
        self._memory_months = memory_months
        self._ask_usd_per_kg: dict[tuple[int, bytes], float] = {}
        self._used_share: dict[tuple[int, bytes], float] = {}

    def ask_usd_per_kg(self, quota: ExportQuota) -> float:
        """Rent asked this month; licences that a treasury sells go for what they bring."""
        if not quota.to_exporters:
            return 0.0
        return self._ask_usd_per_kg.get(_key(quota), 0.0)

    def sell(
        self,
        quotas: list[ExportQuota],
        scarcity_usd_per_kg: np.ndarray,
        left_t: np.ndarray,
        flow_t: np.ndarray,
    ) -> np.ndarray:
        """Sell a month's licences and set next month's asks; returns the rents paid, ``[quota]``.

        What was asked for a quota no longer in force is forgotten.

        Parameters
        ----------
        quotas
            that could bind this month.
        scarcity_usd_per_kg, left_t
            ``[quota]`` shadow price, and tonnage there was to sell.
        flow_t
            ``[good, origin, demand node]`` tonnes that moved.
        """
        asks, used = {}, {}
        rent = np.empty(len(quotas))
        for i, quota in enumerate(quotas):
            sold_t, key = let_out_t(quota, flow_t), _key(quota)
            share = min(max(sold_t / left_t[i], 0.0), 1.0) if left_t[i] > 0.0 else 1.0
            rent[i] = self.ask_usd_per_kg(quota) + scarcity_usd_per_kg[i]
            used[key] = self._smoothed(key, share)
            asks[key] = licence_ask_usd_per_kg(float(rent[i]), used[key])
        self._ask_usd_per_kg, self._used_share = asks, used
        return rent

    def _smoothed(self, key: tuple[int, bytes], used_share: float) -> float:
        before = self._used_share.get(key, used_share)
        return before + (used_share - before) / self._memory_months


def _key(quota: ExportQuota) -> tuple[int, bytes]:
    return quota.origin, quota.goods.tobytes()
