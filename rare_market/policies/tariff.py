r"""Import tariff: an ad valorem duty on goods of chosen origins.

It adds :math:`\tau` to the duty on the customs value; the revenue goes to the importing treasury. A
protected price rises by at most the tariff, less where the foreign supplier bears part of it.

Instance: the Section 301 duty of the United States on Chinese permanent magnets (25 % from January
2026).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rare_market.declare import parameter
from rare_market.policies.base import Policy, choose_goods, choose_places
from rare_market.records import Bulletin
from rare_market.regime import Regime


@dataclass(frozen=True, kw_only=True)
class Tariff(Policy):
    """Duty on imports from chosen origins."""

    name: ClassVar[str] = "tariff"
    summary: ClassVar[str] = "ad valorem import duty of the allies on Chinese goods"

    rate_share: float = parameter(
        0.25, "share", 0.0, 10.0, "duty on the customs value", "section_301_magnets"
    )
    goods: str = parameter("oxide+metal+magnet", "", None, None, "goods or stages", "choice")
    origins: str = parameter("CHN", "", None, None, "places whose goods pay", "choice")
    destinations: str = parameter("allied", "", None, None, "places that levy it", "choice")

    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Add the duty to those in force."""
        c = bulletin.catalogue
        goods = choose_goods(c, self.goods, f"{self.name}: goods")
        origins = choose_places(c, self.origins, f"{self.name}: origins")
        destinations = choose_places(c, self.destinations, f"{self.name}: destinations")
        where = goods[:, None, None] & origins[None, :, None] & destinations[None, None, :]
        return regime._replace(import_duty_share=regime.import_duty_share + self.rate_share * where)
