"""The rule book in force in one month.

A policy amends it; agents, the clearing and the ledger read it and do not know which policies
exist. :func:`open_regime` is trade with no rule at all: freight is then the only wedge.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rare_market.compiled import compiled
from rare_market.content import Touch
from rare_market.contracts import Offtake, PriceFloor, Scheme, Threat
from rare_market.finance import Finance
from rare_market.goods import CIVIL_USE, FACILITY_STAGES, LOYAL, MILITARY_USE
from rare_market.inputs import END_USES


class ExportQuota(NamedTuple):
    """One tonnage over a set of goods leaving one place: one rent per tonne for all of them.

    Attributes
    ----------
    origin
        place code.
    goods
        ``[good]`` bool, the goods it counts.
    quota_t
        tonnes this month.
    to_exporters
        whether the rent of the licences is left to the sellers there, or the treasury sells them.
    """

    origin: int
    goods: np.ndarray
    quota_t: float
    to_exporters: bool


class ProductionQuota(NamedTuple):
    """One tonnage over the output of the formal mines of one place.

    Attributes
    ----------
    place
        place code.
    goods
        ``[good]`` bool, the ores it counts.
    quota_t
        tonnes this month.
    fulfilled
        whether it is a plan, too: state mines open what it allows.
    """

    place: int
    goods: np.ndarray
    quota_t: float
    fulfilled: bool = False


class CleanRule(NamedTuple):
    """Bound buyers buy only what a state has not touched.

    Attributes
    ----------
    touch
        whose hands count.
    goods, places
        bool masks ``[good]`` and ``[place]`` of what they buy, and of where they are.
    """

    touch: Touch
    goods: np.ndarray
    places: np.ndarray


class Purchase(NamedTuple):
    """What states bid for this month, for their reserves.

    Attributes
    ----------
    quantity_t, limit_usd_per_kg
        ``[place, good]``.
    scheme
        of the policy that buys.
    """

    quantity_t: np.ndarray
    limit_usd_per_kg: np.ndarray
    scheme: Scheme = Scheme()


class Release(NamedTuple):
    """What a state lets go of its reserves this month.

    Attributes
    ----------
    holder, receiver
        place codes; the state of the receiver offers it on its market.
    quantity_t
        ``[good]`` at most.
    """

    holder: int
    receiver: int
    quantity_t: np.ndarray


class Regime(NamedTuple):
    """Arrays ``[good, origin, destination]`` unless said otherwise.

    Attributes
    ----------
    freight_usd_per_kg
        ``inf`` where there is no lane.
    import_duty_share
        ad valorem, on last month's price at the origin plus freight; paid to the destination.
    import_duty_usd_per_kg
        specific duty, on top of it.
    minimum_import_price_usd_per_kg
        a levy lifts the price at the border, duty paid, to it; 0 where there is none.
    vat_not_refunded_share
        ``[good, origin]`` value-added tax that stays on exports; paid to the origin.
    export_duty_share, export_duty_usd_per_kg
        ``[good, origin]`` ad valorem and specific duty on exports; paid to the origin.
    resource_tax_share
        ``[good, place]`` ad valorem tax on what a mine there sells; paid to the place.
    flow_limit_t
        tonnes per month of all users together, ``inf`` if free.
    permitted_t
        ``[end use, good, origin, destination]`` tonnes per month that permits allow, ``inf`` if
        none is needed.
    diverted_t
        ``[good, place]`` tonnes that merchants of a third place may buy this month, to sell them on
        to those whom a rule cuts off.
    excluded_origin
        ``[buyer class, good, origin, destination]`` bool: what a buyer of that class does not buy,
        or only at a cost.
    clean_rules
        what bound buyers may not buy because of its content.
    export_quotas, production_quotas
        quotas that may span goods.
    price_floors, offtakes
        the contract schemes that states offer this month.
    purchases, releases
        what states bid for on the market, and let go of their reserves.
    threats
        prices at which states are expected to sell against entrants.
    finance
        terms on which states finance projects.
    lead_time_cut_share, early_permit_share
        ``[facility stage, place]`` part of the lead time saved, and the chance of it.
    time_added_share, capital_added_share
        ``[facility stage, place]`` what projects decided now take longer, and cost more, to build.
    mine_cost_usd_per_kg, mine_support_usd_per_kg
        ``[good, place]`` what mines and collectors must spend on top, and what their state pays of
        their cost.
    conversion_factor, conversion_borne_share
        ``[facility stage, place]`` cost of conversion relative to that of the data, and the part of
        it that the state pays.
    spillover_factor
        ``[facility stage, place]`` part of what others usually learn from output there that still
        reaches them.
    scrap_reach_added_share
        ``[good, place]`` of the scrap thrown away, reached beside what collectors reach anyway.
    research_speed
        ``[place]`` of users who design a good out or in, relative to usual.
    programme_usd
        ``[place]`` what the state spends on programmes this month.
    announced
        contract schemes and threats that are announced and not yet in force.
    ask_floor_usd_per_kg
        ``[good, place]`` the least that any seller there may ask; 0 if free.
    state_ask_ceiling_usd_per_kg
        ``[good, place]`` the most that state producers there may ask; ``inf`` if free.
    state_loss_cover_share
        ``[place]`` part of its state producers' losses on full cost that the treasury pays.
    loss_cover
        scheme of the policy that covers them.
    output_growth_per_year
        ``[place]`` extra growth of the state mining quota ordered from above.
    shock
        whether a shock to one member of a coalition is being answered by all.
    informal_closed_share
        ``[place]`` part of informal mining capacity that is shut.
    announced_alarm_share
        ``[place]`` part of orders that users there are told to fear for.
    """

    freight_usd_per_kg: np.ndarray
    import_duty_share: np.ndarray
    import_duty_usd_per_kg: np.ndarray
    minimum_import_price_usd_per_kg: np.ndarray
    vat_not_refunded_share: np.ndarray
    export_duty_share: np.ndarray
    export_duty_usd_per_kg: np.ndarray
    resource_tax_share: np.ndarray
    flow_limit_t: np.ndarray
    permitted_t: np.ndarray
    diverted_t: np.ndarray
    excluded_origin: np.ndarray
    clean_rules: tuple[CleanRule, ...]
    export_quotas: tuple[ExportQuota, ...]
    production_quotas: tuple[ProductionQuota, ...]
    price_floors: tuple[PriceFloor, ...]
    offtakes: tuple[Offtake, ...]
    purchases: tuple[Purchase, ...]
    releases: tuple[Release, ...]
    threats: tuple[Threat, ...]
    finance: tuple[Finance, ...]
    lead_time_cut_share: np.ndarray
    early_permit_share: np.ndarray
    time_added_share: np.ndarray
    capital_added_share: np.ndarray
    mine_cost_usd_per_kg: np.ndarray
    mine_support_usd_per_kg: np.ndarray
    conversion_factor: np.ndarray
    conversion_borne_share: np.ndarray
    spillover_factor: np.ndarray
    scrap_reach_added_share: np.ndarray
    research_speed: np.ndarray
    programme_usd: np.ndarray
    announced: tuple[PriceFloor | Offtake | Threat, ...]
    ask_floor_usd_per_kg: np.ndarray
    state_ask_ceiling_usd_per_kg: np.ndarray
    state_loss_cover_share: np.ndarray
    loss_cover: Scheme
    output_growth_per_year: np.ndarray
    shock: bool
    informal_closed_share: np.ndarray
    announced_alarm_share: np.ndarray

    def amended(self, **columns: Any) -> Regime:
        """Rules with other columns; ``_replace`` does the same and takes seven times as long."""
        changed = list(self)
        for name, column in columns.items():
            changed[POSITION[name]] = column
        return tuple.__new__(Regime, changed)

    @property
    def export_tax_share(self) -> np.ndarray:
        """``[good, origin]``: see :func:`export_burden_share`."""
        return export_burden_share(self.vat_not_refunded_share, self.export_duty_share)

    @property
    def civil_limit_t(self) -> np.ndarray:
        """What may go to civil users, contracts included, ``[good, origin, destination]``."""
        return np.minimum(self.flow_limit_t, self.permitted_t[CIVIL_USE])

    def under_clean_rules(self) -> np.ndarray:
        """Where a rule forbids loyal buyers what they would rather not take, ``[good, place]``."""
        bound = np.zeros(self.vat_not_refunded_share.shape, dtype=bool)
        for rule in self.clean_rules:
            refused = self.excluded_origin[LOYAL][:, rule.touch.state]
            bound |= rule.goods[:, None] & rule.places & refused
        return bound

    def end_uses_apart(self) -> np.ndarray:
        """Where military users need permits of their own, ``[good, destination]`` bool."""
        return np.asarray(np.isfinite(self.permitted_t[MILITARY_USE]).any(axis=1))

    @property
    def doubted(self) -> bool:
        """Whether investors do not fully believe some contract or offer of finance."""
        offers = (*self.price_floors, *self.offtakes, *self.finance, *self.announced)
        return any(
            offer.scheme.belief_share < 1.0 for offer in offers if not isinstance(offer, Threat)
        )

    def believed(self) -> Regime:
        """Rules of which investors believe every contract and offer; threats are as they are."""

        def sure(offers: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(
                offer
                if isinstance(offer, Threat)
                else offer._replace(scheme=offer.scheme._replace(belief_share=1.0))
                for offer in offers
            )

        return self.amended(
            price_floors=sure(self.price_floors),
            offtakes=sure(self.offtakes),
            finance=sure(self.finance),
            announced=sure(self.announced),
        )

    def promised(self) -> Regime:
        """Rules with the contracts and threats that investors reckon with: announced ones too."""
        if not self.announced:
            return self
        floors = tuple(terms for terms in self.announced if isinstance(terms, PriceFloor))
        offtakes = tuple(terms for terms in self.announced if isinstance(terms, Offtake))
        threats = tuple(terms for terms in self.announced if isinstance(terms, Threat))
        return self.amended(
            price_floors=self.price_floors + floors,
            offtakes=self.offtakes + offtakes,
            threats=self.threats + threats,
        )


@compiled
def export_burden_share(
    vat_not_refunded_share: np.ndarray, export_duty_share: np.ndarray
) -> np.ndarray:
    """Ad valorem burden on exports: tax not refunded plus duty."""
    return vat_not_refunded_share + export_duty_share


POSITION = {name: i for i, name in enumerate(Regime._fields)}


def open_regime(freight_usd_per_kg: np.ndarray, buyer_classes: int) -> Regime:
    """No duty, limit, quota, contract or exclusion: freight alone."""
    goods, places, _ = freight_usd_per_kg.shape
    lanes = freight_usd_per_kg.shape
    return Regime(
        freight_usd_per_kg=freight_usd_per_kg,
        import_duty_share=np.zeros(lanes),
        import_duty_usd_per_kg=np.zeros(lanes),
        minimum_import_price_usd_per_kg=np.zeros(lanes),
        vat_not_refunded_share=np.zeros((goods, places)),
        export_duty_share=np.zeros((goods, places)),
        export_duty_usd_per_kg=np.zeros((goods, places)),
        resource_tax_share=np.zeros((goods, places)),
        flow_limit_t=np.full(lanes, np.inf),
        permitted_t=np.full((len(END_USES), *lanes), np.inf),
        diverted_t=np.zeros((goods, places)),
        excluded_origin=np.zeros((buyer_classes, *lanes), dtype=bool),
        clean_rules=(),
        export_quotas=(),
        production_quotas=(),
        price_floors=(),
        offtakes=(),
        purchases=(),
        releases=(),
        threats=(),
        finance=(),
        lead_time_cut_share=np.zeros((len(FACILITY_STAGES), places)),
        early_permit_share=np.zeros((len(FACILITY_STAGES), places)),
        time_added_share=np.zeros((len(FACILITY_STAGES), places)),
        capital_added_share=np.zeros((len(FACILITY_STAGES), places)),
        mine_cost_usd_per_kg=np.zeros((goods, places)),
        mine_support_usd_per_kg=np.zeros((goods, places)),
        conversion_factor=np.ones((len(FACILITY_STAGES), places)),
        conversion_borne_share=np.zeros((len(FACILITY_STAGES), places)),
        spillover_factor=np.ones((len(FACILITY_STAGES), places)),
        scrap_reach_added_share=np.zeros((goods, places)),
        research_speed=np.ones(places),
        programme_usd=np.zeros(places),
        announced=(),
        ask_floor_usd_per_kg=np.zeros((goods, places)),
        state_ask_ceiling_usd_per_kg=np.full((goods, places), np.inf),
        state_loss_cover_share=np.zeros(places),
        loss_cover=Scheme(),
        output_growth_per_year=np.zeros(places),
        shock=False,
        informal_closed_share=np.zeros(places),
        announced_alarm_share=np.zeros(places),
    )
