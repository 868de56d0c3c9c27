r"""Origin rule: bound buyers may not buy what a state has dug or processed, stage by stage.

A tonne is refused if the state touched it at one of the stages named. How much of each good at each
place it touched is followed month by month through trade, stocks and recipes
(:mod:`rare_market.content`). Sellers keep lots apart: of what is on offer at an origin bound buyers
may take

.. math:: u_{god} \le (1 - \phi_{go})\, a_{go}\,
          \frac{b_{gd}}{\sum_{d' \in D} b_{gd'}}

with the share :math:`\phi` touched, the tonnes :math:`a` on offer and the bids :math:`b` of bound
buyers at the places :math:`D` under the rule. What they pay above the price of other goods goes to
the sellers of the place. Plants that make such goods outside the state ask for untouched feed in
the part in which bound buyers ask for their product
(:meth:`rare_market.agents.processor.Processors.clean_share`), pay up to that premium for it, and
obey the same limit, as far upstream as the stages that count. A rule that widens from stage to
stage is written as one instrument for each set of stages.

Instance: the rule of the United States on magnets for defence (10 U.S.C. 4872; DFARS
252.225-7052): melted and made without China before 2027, from 1 January 2027 mined, refined and
separated without it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rare_market.content import Touch
from rare_market.declare import parameter
from rare_market.goods import Catalogue
from rare_market.policies.base import (
    Policy,
    choose_facility_stages,
    choose_goods,
    choose_places,
    kept,
    one_place,
)
from rare_market.records import Bulletin
from rare_market.regime import CleanRule, Regime


@dataclass(frozen=True, kw_only=True)
class OriginRule(Policy):
    """Bound buyers buy only what a state has not touched."""

    name: ClassVar[str] = "origin_rule"
    summary: ClassVar[str] = "bound buyers must buy without content of a state, stage by stage"

    start_year: float = parameter(
        2027.0, "year", 2000.0, 2100.0, "first moment in force", "dfars_magnets"
    )
    members: str = parameter(
        "USA", "", None, None, "places whose bound buyers obey it", "dfars_magnets"
    )
    goods: str = parameter(
        "magnet", "", None, None, "goods or stages they buy under it", "dfars_magnets"
    )
    state: str = parameter("CHN", "", None, None, "whose content is refused", "dfars_magnets")
    stages: str = parameter(
        "mine+separation+metal+magnet+recycling",
        "",
        None,
        None,
        "stages that count",
        "dfars_magnets",
    )

    @kept
    def content(self, catalogue: Catalogue) -> Touch:
        """What the state has touched at the stages that count."""
        stages = choose_facility_stages(catalogue, self.stages, f"{self.name}: stages")
        state = one_place(catalogue, self.state, f"{self.name}: state")
        return Touch(state, tuple(stages.tolist()))

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the rule to those in force."""
        rule = self._rule(bulletin.catalogue)
        return regime.amended(clean_rules=(*regime.clean_rules, rule))

    @kept
    def _rule(self, catalogue: Catalogue) -> CleanRule:
        """The rule as bound buyers read it."""
        return CleanRule(
            touch=self.content(catalogue),
            goods=choose_goods(catalogue, self.goods, f"{self.name}: goods"),
            places=choose_places(catalogue, self.members, f"{self.name}: members"),
        )
