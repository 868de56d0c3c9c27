r"""Price undercutting: state producers sell below what rivals need.

While it lasts, Chinese state producers ask no more than

.. math:: \bar a_g = (1 - d)\, C_g / (1 + t_g)

for each good, where :math:`C_g` is the full cost of the median rival delivered, :math:`d` the depth
and :math:`t_g` the export tax: what they export then stands :math:`d` below the rival's cost where
they set the price, which they do only while they have more than is wanted at it;
and while the price presses on that ceiling the mining quota grows faster, until stocks at home are
full. The treasury covers what its producers then fall short of their full cost, until its budget is
spent. With an entry trigger it acts only while enough capacity is being built outside China.

Whether it acts or waits for its trigger, investors abroad who believe in it with a probability
count on the lower price for the part of their capital recovery that falls within its years
(:func:`rare_market.contracts.feared_usd_per_kg`): what is never carried out still deters, and a
floor or an offtake takes the fear away.

After the years of attack comes recoupment: nobody at home may ask less than

.. math:: \underline a_g = \rho\, C_g / (1 + t_g)

so that the export price stands at the part :math:`\rho` of rivals' cost, as near to it as keeps
them out.

The claim it stands for: the US House Select Committee's report on predatory pricing (November 2025)
that NdPr and samarium were sold below cost; the theory of recoupment is older (McGee 1958; Bolton
and Scharfstein 1990).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rare_market.contracts import Threat
from rare_market.declare import InvalidValueError, parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import MOMENT, Policy, choose_goods, kept, one_place
from rare_market.records import Bulletin
from rare_market.regime import Regime, export_burden_share

PRESSING_SHARE = 0.97  # of the ceiling, above which a price presses on it
EMPTY_RATIO, FULL_RATIO = 0.95, 1.1  # stock over target: all the extra output is ordered, and none


@dataclass(frozen=True, kw_only=True)
class Undercutting(Policy):
    """Chinese state producers sell below rivals' full cost."""

    name: ClassVar[str] = "undercutting"
    summary: ClassVar[str] = "Chinese state producers sell below rivals' full cost"
    reads_rules: ClassVar[bool] = True  # the export tax

    state: str = parameter("CHN", "", None, None, "the state that undercuts", "choice")
    goods: str = parameter(
        "ndpr_oxide", "", None, None, "goods or stages undercut", "house_committee_2025"
    )
    depth_share: float = parameter(
        0.45, "share", 0.0, 0.95, "how far below rivals' full cost the export price is held"
    )
    entry_trigger_share: float = parameter(
        0.0,
        "share",
        0.0,
        5.0,
        "separation capacity being built abroad, relative to that operating, that sets it off",
    )
    extra_output_growth_per_year: float = parameter(
        0.08, "1/year", 0.0, 0.5, "extra growth of the mining quota while the price presses on it"
    )

    belief_share: float = parameter(
        0.5,
        "share",
        0.0,
        1.0,
        "probability that investors abroad give to being undercut if they enter",
        "choice",
    )
    attack_years: float = parameter(
        100.0, "years", 0.0, 100.0, "time of low prices, after which recoupment begins", "choice"
    )
    recoup_share: float = parameter(
        0.95, "share", 0.0, 5.0, "part of rivals' full cost at which the price is then held"
    )

    def check(self, catalogue: Catalogue) -> None:
        """Refuse goods other than oxides: only they have a rivals' cost to undercut."""
        super().check(catalogue)
        chosen = choose_goods(catalogue, self.goods, f"{self.name}: goods")
        if (chosen & ~catalogue.of_stage("oxide")).any():
            raise InvalidValueError(f"{self.name}: goods = {self.goods!r} must be oxides only.")

    def ordered_growth_per_year(self, price_share: float, stock_ratio: float) -> float:
        r"""Extra growth of the mining quota that is ordered.

        .. math:: g_p = \Bigl[g_x + (p - 1)^+\Bigr]\,
                  \operatorname{clip}\Bigl(\frac{s_1 - s}{s_1 - s_0},\,0,\,1\Bigr)
                  \;\text{ if } p > 0.97

        with :math:`p` the price over its ceiling and :math:`s` the larger of oxide and ore stock
        over target, between :math:`s_0` and :math:`s_1`: while the price presses on the ceiling
        output is raised, by more if it breaks through, until stocks are full.
        """
        if price_share <= PRESSING_SHARE:
            return 0.0
        room = min(max((FULL_RATIO - stock_ratio) / (FULL_RATIO - EMPTY_RATIO), 0.0), 1.0)
        return room * (self.extra_output_growth_per_year + max(price_share - 1.0, 0.0))

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Lower what state producers may ask, cover losses, order output; later lift all asks.

        Until then entrants are threatened with it.
        """
        recoups = bulletin.year - self.start_year >= self.attack_years - MOMENT
        goods, place, abroad, threatened = self._terms(
            bulletin.catalogue, bulletin.rival_cost_usd_per_kg
        )
        if not len(threatened):
            return regime
        if recoups:
            least = regime.ask_floor_usd_per_kg.copy()
            held = self.recoup_share * bulletin.rival_cost_usd_per_kg[goods]
            held /= 1.0 + regime.export_tax_share[goods, place]
            least[goods, place] = np.maximum(least[goods, place], held)
            return regime.amended(ask_floor_usd_per_kg=least)
        threat = Threat(
            goods=goods,
            places=abroad,
            price_usd_per_kg=threatened,
            years_left=min(
                self.years_left(bulletin.year), self.start_year + self.attack_years - bulletin.year
            ),
        )
        regime = regime.amended(threats=(*regime.threats, threat))
        if bulletin.entry_share < self.entry_trigger_share:
            return regime
        wanted, ceiling = self._ceiling_usd_per_kg(
            bulletin.catalogue, bulletin.rival_cost_usd_per_kg, regime.vat_not_refunded_share,
            regime.export_duty_share, regime.state_ask_ceiling_usd_per_kg,
        )  # fmt: skip
        cover = regime.state_loss_cover_share.copy()
        cover[place] = 1.0
        growth = regime.output_growth_per_year.copy()
        growth[place] += self.ordered_growth_per_year(
            price_share=float(np.max(bulletin.netback_usd_per_kg[goods, place] / wanted)),
            stock_ratio=float(
                max(bulletin.stock_ratio[goods, place].max(), bulletin.ore_stock_ratio[place])
            ),
        )
        return regime.amended(
            state_ask_ceiling_usd_per_kg=ceiling,
            state_loss_cover_share=cover,
            output_growth_per_year=growth,
        )

    @kept
    def _ceiling_usd_per_kg(
        self,
        catalogue: Catalogue,
        rival_cost_usd_per_kg: np.ndarray,
        vat_not_refunded_share: np.ndarray,
        export_duty_share: np.ndarray,
        ceiling_usd_per_kg: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Most that is asked, ``[good undercut]``, and that with what is in force."""
        goods, place, _, threatened = self._terms(catalogue, rival_cost_usd_per_kg)
        tax_share = export_burden_share(vat_not_refunded_share, export_duty_share)[goods, place]
        wanted, ceiling = threatened[goods] / (1.0 + tax_share), ceiling_usd_per_kg.copy()
        ceiling[goods, place] = np.minimum(ceiling[goods, place], wanted)
        return wanted, ceiling

    @kept
    def _terms(
        self, catalogue: Catalogue, rival_cost_usd_per_kg: np.ndarray
    ) -> tuple[np.ndarray, int, np.ndarray, np.ndarray]:
        """Goods undercut, the state, all other places, and the price threatened with.

        ``[good]`` and ``[place]`` bool, and ``[good]`` USD/kg; the last is empty where no rival's
        cost is known.
        """
        place = one_place(catalogue, self.state, f"{self.name}: state")
        goods = choose_goods(catalogue, self.goods, f"{self.name}: goods")
        goods = goods & np.isfinite(rival_cost_usd_per_kg)
        price = (1.0 - self.depth_share) * rival_cost_usd_per_kg
        abroad = np.arange(len(catalogue.places)) != place
        return goods, place, abroad, price if goods.any() else price[:0]
