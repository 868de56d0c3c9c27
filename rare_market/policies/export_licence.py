r"""Export licence: exports of some goods need a permit, which comes late or not at all.

Part :math:`\gamma` of the usual civil trade goes under general licences and part :math:`\delta` of
all trade moves under false papers. For the rest firms apply; a decision takes :math:`D` months, is
positive with probability :math:`\alpha` for civil and :math:`\alpha_m` for military end use, and
who is refused applies again. :math:`k` months after firms began to apply a lane may carry

.. math:: L_c &= (1-\mu)\,\bar f\,
              \bigl[\gamma + \delta + (1 - \gamma - \delta)\,A_n(\alpha)\bigr] \\
          L_m &= \mu\,\bar f\,\bigl[\delta + (1 - \delta)\,A_n(\alpha_m)\bigr],
          \qquad A_n(\alpha) = 1 - (1-\alpha)^n,\quad n = \lfloor k / D \rfloor

to civil and to military users, where :math:`\bar f` is its usual flow and :math:`\mu` the part of
the open use of the good at the destination that is military: sectors marked so in the table
``sectors``. Where some place abroad is not under the rule nothing moves under false papers:
merchants of the third place with the least freight (:func:`rare_market.policies.base.third_place`)
may buy :math:`\delta \bar f` to sell it on (:class:`rare_market.agents.merchant.Merchants`). While
the rule lasts military users buy apart from others, as the class ``military``. With a threshold
:math:`\bar\phi` below 1 the rule reaches through to foreign goods: lanes between third places need
the same permits where the part :math:`\phi_{go}` of the goods at the origin that the state has dug
or processed (:mod:`rare_market.content`) is larger. Use one instrument for each group of goods or
destinations that is treated alike, and start one where another ends for an easing, with
``applied_since_year`` the start of the first: who has a permit keeps it.

Instance: MOFCOM and customs announcement No. 18 of 4 April 2025 (Sm, Gd, Tb, Dy, Lu, Sc, Y and
their magnets; 45 working days or more; 19 of 141 European applications approved by early October),
widened to foreign goods with 0.1 % of Chinese content by No. 61 of 9 October 2025, suspended from 7
November 2025 to 10 November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import ClassVar

import numpy as np

from rare_market.content import Touch
from rare_market.declare import parameter
from rare_market.goods import (
    CIVIL_USE,
    FACILITY_STAGES,
    MILITARY_USE,
    MONTHS_PER_YEAR,
    Catalogue,
)
from rare_market.policies.base import (
    MOMENT,
    NO_PLACE,
    Policy,
    choose_goods,
    choose_places,
    diverted,
    kept,
    one_place,
    routes_through,
    third_place,
)
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class ExportLicence(Policy):
    """Permits for exports, as a queue."""

    name: ClassVar[str] = "export_licence"
    summary: ClassVar[str] = "exports need permits that come late or not at all"

    state: str = parameter("CHN", "", None, None, "the place that licenses exports", "choice")
    goods: str = parameter(
        "sm_oxide+gd_oxide+tb_oxide+dy_oxide+y_oxide+sm_metal+tb_metal+dy_metal"
        "+smco_magnet+ndfeb_ht_magnet",
        "",
        None,
        None,
        "goods or stages that need a licence",
        "mofcom_18_2025",
    )
    destinations: str = parameter("any", "", None, None, "places licensed to", "mofcom_18_2025")
    delay_months: float = parameter(
        2.0, "months", 0.1, 60.0, "time a decision takes", "mofcom_18_2025"
    )
    approval_share: float = parameter(
        0.13, "share", 0.0, 1.0, "probability of approval for civil use", "mofcom_18_2025"
    )
    military_approval_share: float = parameter(
        0.0, "share", 0.0, 1.0, "probability of approval for military use", "mofcom_18_2025"
    )
    general_share: float = parameter(
        0.0, "share", 0.0, 1.0, "part of usual civil trade under general licences", "choice"
    )
    diversion_share: float = parameter(
        0.1, "share", 0.0, 1.0, "part of usual trade that gets round the rule", "assumed"
    )

    reach_above_share: float = parameter(
        1.0,
        "share",
        0.0,
        1.0,
        "content above which foreign goods need a licence too; none at 1",
        "mofcom_18_2025",
    )
    usual_before_year: float = parameter(
        0.0, "year", 0.0, 2100.0, "moment before which trade was usual; 0 for the start", "choice"
    )

    applied_since_year: float = parameter(
        0.0, "year", 0.0, 2100.0, "moment since when firms apply; 0 for the start", "choice"
    )

    @kept
    def content(self, catalogue: Catalogue) -> Touch | None:
        """What the state has dug or processed, at any stage, where the rule reaches through."""
        if self.reach_above_share >= 1.0:
            return None
        state = one_place(catalogue, self.state, f"{self.name}: state")
        return Touch(state, (True,) * len(FACILITY_STAGES))

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Limit the lanes to what is licensed or diverted by now."""
        c = bulletin.catalogue
        origin, goods, abroad = self._terms(c)
        usual_t = bulletin.usual_flow_t(self.usual_before_year or self.start_year)
        via, touch = self._via(regime.freight_usd_per_kg, c), self.content(c)
        lanes = self._lanes(c)
        if touch is not None:
            reached = goods[:, None] & (bulletin.content_of(touch) > self.reach_above_share)
            through = reached[:, :, None] & abroad & ~np.eye(len(c.places), dtype=bool)
            through[lanes] = True
            lanes = np.nonzero(through)
        permitted_t = self._permitted_t(
            regime.permitted_t, usual_t, bulletin.military_share, lanes, via,
            self.rounds(bulletin.year), origin,
        )  # fmt: skip
        regime = regime.amended(permitted_t=permitted_t)
        return diverted(regime, via, self.diversion_share * usual_t[:, origin])

    @kept
    def _permitted_t(
        self,
        permitted_t: np.ndarray,
        usual_t: np.ndarray,
        military_share: np.ndarray,
        lanes: tuple[np.ndarray, np.ndarray, np.ndarray],
        via: np.ndarray,
        rounds: int,
        origin: int,
    ) -> np.ndarray:
        """Permits in force, and those of this rule on its lanes after rounds of decisions."""
        good, lane_origin, destination = lanes
        direct = (lane_origin != origin) | (via[good, destination] == NO_PLACE)
        military, lane_t = military_share[good, destination], usual_t[lanes]
        permits = self.open_share(rounds, 0.0)
        misdeclared = self.open_share(rounds, self.diversion_share)
        permitted_t = permitted_t.copy()
        for use, of_flow in ((CIVIL_USE, 1.0 - military), (MILITARY_USE, military)):
            share = np.where(direct, misdeclared[use], permits[use])
            least_t = np.minimum(permitted_t[use][lanes], share * of_flow * lane_t)
            permitted_t[use][lanes] = least_t
        return permitted_t

    def routes(self, law: Regime, catalogue: Catalogue) -> np.ndarray:
        """Those of :meth:`_via`."""
        return routes_through(self._via(law.freight_usd_per_kg, catalogue))

    @kept
    def _via(self, freight_usd_per_kg: np.ndarray, catalogue: Catalogue) -> np.ndarray:
        """Third place for each good and destination; none where nothing is diverted."""
        origin, goods, abroad = self._terms(catalogue)
        via = third_place(freight_usd_per_kg, origin, abroad)
        return np.where(goods[:, None] & (self.diversion_share > 0.0), via, NO_PLACE)

    @kept
    def _lanes(self, catalogue: Catalogue) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lanes out of the state that are licensed: good, origin and destination of each."""
        origin, goods, abroad = self._terms(catalogue)
        good, destination = np.nonzero(goods[:, None] & abroad)
        return good, np.full(len(good), origin), destination

    @kept
    def _terms(self, catalogue: Catalogue) -> tuple[int, np.ndarray, np.ndarray]:
        """Place code of the origin, ``[good]`` and ``[place]`` bool of what is licensed whereto."""
        origin = one_place(catalogue, self.state, f"{self.name}: state")
        abroad = choose_places(catalogue, self.destinations, f"{self.name}: destinations")
        abroad[origin] = False
        return origin, choose_goods(catalogue, self.goods, f"{self.name}: goods"), abroad

    def rounds(self, year: float) -> int:
        """Rounds of decisions there have been at a moment."""
        since = self.applied_since_year or self.start_year
        months = max(year - since, 0.0) * MONTHS_PER_YEAR
        return floor(months / self.delay_months + MOMENT)

    def open_share(self, rounds: int, free_share: float) -> tuple[float, float]:
        """Part of the usual civil and military trade that may move.

        Parameters
        ----------
        rounds
            of decisions so far.
        free_share
            part of all trade that moves without a permit.
        """
        general = min(self.general_share, 1.0 - free_share)
        civil, military = (
            free + (1.0 - free) * (1.0 - (1.0 - approval) ** rounds)
            for free, approval in (
                (free_share + general, self.approval_share),
                (free_share, self.military_approval_share),
            )
        )
        return civil, military
