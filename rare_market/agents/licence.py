"""Holders of export licences: they ask a price for letting a tonne leave, and lower it slowly.

A licence that is not used this month can be used later, so its holder does not give it away because
trade is slack today: the rent of a quota falls more slowly than the scarcity that made it.
"""

from __future__ import annotations

import numpy as np

from rare_market.regime import ExportQuota


def licence_ask_usd_per_kg(
    rent_usd_per_kg: float, used_share: float, fall_per_month: float
) -> float:
    r"""Rent that holders ask next month, from the last one and the part of the licences it sold.

    .. math:: a' = R\,[1 - \delta\,(1 - u)], \qquad R = a + \lambda

    Buyers paid :math:`R`: what was asked and, where the whole tonnage left (:math:`u = 1`), its
    shadow price :math:`\lambda` on top. Sold out, holders ask that again; unsold, they give up part
    :math:`\delta` of it in a month (prices of a durable right are sticky downwards: Genesove and
    Mayer 2001; half of the Chinese quota of 2011 went unused at 46 to 48 USD/kg).

    >>> licence_ask_usd_per_kg(40.0, 1.0, 0.2), licence_ask_usd_per_kg(40.0, 0.5, 0.2)
    (40.0, 36.0)
    """
    return rent_usd_per_kg * (1.0 - fall_per_month * (1.0 - used_share))


class LicenceHolders:
    """What the holders of the licences of each quota ask.

    Parameters
    ----------
    fall_per_month
        part of their ask that holders of unsold licences give up in a month.
    memory_months
        of the part of the licences sold.
    """

    def __init__(self, fall_per_month: float, memory_months: float) -> None:
        self._fall_per_month, self._memory_months = fall_per_month, memory_months
        self._ask_usd_per_kg: dict[tuple[int, bytes], float] = {}
        self._used_share: dict[tuple[int, bytes], float] = {}

    def ask_usd_per_kg(self, quota: ExportQuota) -> float:
        """Rent asked this month; licences that a treasury sells go for what they bring."""
        if not quota.to_exporters:
            return 0.0
        return self._ask_usd_per_kg.get(_key(quota), 0.0)

    def learn(
        self, quotas: list[ExportQuota], rent_usd_per_kg: np.ndarray, used_share: np.ndarray
    ) -> None:
        """Set next month's asks; those of quotas no longer in force are forgotten.

        Parameters
        ----------
        quotas
            that could bind this month.
        rent_usd_per_kg, used_share
            ``[quota]`` what buyers paid, and the part of the tonnage that left.
        """
        self._used_share = {
            _key(quota): self._smoothed(_key(quota), used)
            for quota, used in zip(quotas, used_share.tolist(), strict=True)
        }
        self._ask_usd_per_kg = {
            key: licence_ask_usd_per_kg(rent, self._used_share[key], self._fall_per_month)
            for key, rent in zip(map(_key, quotas), rent_usd_per_kg.tolist(), strict=True)
        }

    def _smoothed(self, key: tuple[int, bytes], used_share: float) -> float:
        before = self._used_share.get(key, used_share)
        return before + (used_share - before) / self._memory_months


def _key(quota: ExportQuota) -> tuple[int, bytes]:
    return quota.origin, quota.goods.tobytes()
