"""Products in use: what sectors built in past years, and what of it returns as scrap this month.

What a buyer uses of a magnet that scrap can be made of sits in products until they are thrown away.
A collector reaches a fixed share of what returns at its place, the share of the first month.
"""

from __future__ import annotations

import numpy as np

from rare_market.compiled import compiled
from rare_market.goods import MONTHS_PER_YEAR

AGES = 4  # stages of a life, so that its spread is half its mean
PAST_YEARS = 60  # before the run from which products may still be in use


@compiled
def returned_t(in_use_t: np.ndarray, added_t: np.ndarray, lifetime_years: np.ndarray) -> np.ndarray:
    r"""Age products by a month, in place; returns the tonnes thrown away.

    .. math:: n_k' = n_k + h\,(n_{k-1} - n_k), \qquad h = \frac{K}{12\,L}, \qquad
              r = h\,n_K, \qquad h\,n_0 = u

    A life has :math:`K` stages of equal mean length, so it is spread around its mean :math:`L` as
    an Erlang distribution with the coefficient of variation :math:`1/\sqrt K`. What is made,
    :math:`u`, enters the first stage; nothing is lost: :math:`\sum_k n_k' = \sum_k n_k + u - r`.

    Parameters
    ----------
    in_use_t
        ``[stage of life, row]``; changed.
    added_t
        ``[row]`` built into products this month.
    lifetime_years
        ``[row]`` mean life.

    Returns
    -------
    np.ndarray
        ``[row]``.
    """
    returned = np.empty(len(added_t))
    for i in range(len(added_t)):
        entering = added_t[i]
        share = min(AGES / (MONTHS_PER_YEAR * lifetime_years[i]), 1.0)
        for k in range(AGES):
            leaving = in_use_t[k, i] * share
            in_use_t[k, i] = in_use_t[k, i] - leaving + entering
            entering = leaving
        returned[i] = entering
    return returned


@compiled
def _returned_after_t(
    in_use_t: np.ndarray, past_t: np.ndarray, lifetime_years: np.ndarray
) -> np.ndarray:
    """Let the months before the run pass; returns what the last of them threw away, ``[row]``."""
    returned = np.zeros(in_use_t.shape[1])
    for month in range(len(past_t)):
        returned = returned_t(in_use_t, past_t[month], lifetime_years)
    return returned


class Products:
    """Magnets in use by the buyer that built them in.

    Parameters
    ----------
    buyer, good, place
        ``[row]`` the buyer's row, and codes of the good and its place.
    lifetime_years
        ``[row]`` mean life of the sector's products.
    scrap
        ``[row]`` code of the scrap that the good becomes.
    scrap_t_per_t
        ``[row]`` tonnes of scrap per tonne of the good.
    past_t
        ``[month before the run, row]`` built into products.
    """

    def __init__(
        self,
        *,
        buyer: np.ndarray,
        good: np.ndarray,
        place: np.ndarray,
        lifetime_years: np.ndarray,
        scrap: np.ndarray,
        scrap_t_per_t: np.ndarray,
        past_t: np.ndarray,
    ) -> None:
        self.buyer, self.good, self.place = buyer, good, place
        self.lifetime_years = lifetime_years
        self.scrap, self.scrap_t_per_t = scrap, scrap_t_per_t
        self.in_use_t = np.zeros((AGES, len(buyer)))
        self.returned_t = _returned_after_t(self.in_use_t, past_t, lifetime_years)

    def settle(self, consumed_t: np.ndarray) -> None:
        """Build in what buyers used this month, ``[buyer]``, and throw away what is old."""
        self.returned_t = returned_t(self.in_use_t, consumed_t[self.buyer], self.lifetime_years)

    def scrap_t(self, goods: int, places: int) -> np.ndarray:
        """Scrap in the products thrown away this month, ``[good, place]``."""
        total_t = np.zeros((goods, places))
        _add_scrap(self.scrap, self.place, self.scrap_t_per_t, self.returned_t, total_t)
        return total_t


@compiled
def _add_scrap(
    scrap: np.ndarray,
    place: np.ndarray,
    scrap_t_per_t: np.ndarray,
    returned_t: np.ndarray,
    total_t: np.ndarray,
) -> None:
    """See :meth:`Products.scrap_t`; added to the last."""
    for i in range(len(returned_t)):
        total_t[scrap[i], place[i]] += returned_t[i] * scrap_t_per_t[i]
