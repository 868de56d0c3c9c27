r"""Value-added tax on exports, and how much of it is refunded.

A tax that is charged on all sales at rate :math:`v` and refunded on exports by the share
:math:`\rho` leaves :math:`v(1-\rho)` on exports. Refunding it on later stages only taxes the export
of raw goods and not of what is made from them.

Instance: China refunds its value-added tax (17 % until April 2018, 13 % since April 2019) on
magnets; the refund on oxides and metals was withdrawn in 2007.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import Policy, choose_goods, kept, one_place
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class VatRefund(Policy):
    """Rate of value-added tax and the part of it refunded on exports."""

    name: ClassVar[str] = "vat_refund"
    summary: ClassVar[str] = "value-added tax refunded on exports, by good"

    state: str = parameter("CHN", "", None, None, "the place that taxes its exports", "choice")
    goods: str = parameter("oxide+metal", "", None, None, "goods or stages", "choice")
    vat_share: float = parameter(0.13, "share", 0.0, 1.0, "rate of the tax", "vat_quartz_kalvig")
    refund_share: float = parameter(
        1.0, "share", 0.0, 1.0, "part of it refunded on exports", "vat_quartz_kalvig"
    )

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Put the tax that is left in the place of the one in force."""
        left = self._left_share(bulletin.catalogue, regime.vat_not_refunded_share)
        return regime.amended(vat_not_refunded_share=left)

    @kept
    def _left_share(self, catalogue: Catalogue, share: np.ndarray) -> np.ndarray:
        """Tax that is left on exports, where before it was this, ``[good, place]``."""
        place = one_place(catalogue, self.state, f"{self.name}: state")
        where = choose_goods(catalogue, self.goods, f"{self.name}: goods")
        left = share.copy()
        left[where, place] = self.vat_share * (1.0 - self.refund_share)
        return left
