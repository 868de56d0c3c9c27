"""What an instrument is: dated terms, and one method that amends the rule book."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from operator import is_
from typing import Any, ClassVar, Concatenate, NamedTuple

import numpy as np

from rare_market.content import Touch
from rare_market.contracts import COST_PARTS, Scheme
from rare_market.declare import InvalidValueError, check_ranges, parameter
from rare_market.goods import BUYER_CLASSES, FACILITY_STAGES, STAGES, Catalogue
from rare_market.records import Bulletin
from rare_market.regime import Regime

ALLIED = "allied"
MOMENT = 1e-9  # years: dates closer than this are the same
NO_LIMIT_MUSD = 1e6
ANYWHERE = "any"
NO_PLACE = -1
# columns of the rule book that bear the scheme of their policy; of the first three investors are
# told before they are in force
PROMISES = ("price_floors", "offtakes", "threats")
CONTRACTS = (*PROMISES, "purchases", "finance")


class Desk(NamedTuple):
    """Markets on which states may bid for a policy.

    Attributes
    ----------
    places, goods
        bool masks ``[place]`` and ``[good]``.
    buyer_class
        which origins they may buy.
    """

    places: np.ndarray
    goods: np.ndarray
    buyer_class: int


@dataclass(frozen=True, kw_only=True)
class Policy(ABC):
    """An instrument of one state or coalition.

    A policy never touches an agent or a price. :meth:`amend` is pure: it returns the rules in force
    with this instrument added. Instruments apply in the order listed; taxes add up, ceilings take
    the lower value, contracts and quotas stand side by side.

    Raises
    ------
    rare_market.declare.InvalidValueError
        on construction, for a value out of its declared range.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reads_rules: ClassVar[bool] = False  # applied after the instruments whose rules it reads
    tells_shocks: ClassVar[bool] = False  # applied before those that wait for a shock

    start_year: float = parameter(2026.0, "year", 2000.0, 2100.0, "first moment in force", "choice")
    duration_years: float = parameter(10.0, "years", 0.0, 100.0, "time in force", "choice")
    announced_years: float = parameter(
        0.0, "years", 0.0, 20.0, "time before its start at which it is announced", "choice"
    )
    belief_share: float = parameter(
        1.0, "share", 0.0, 1.0, "probability that investors give to its being kept", "choice"
    )
    withdrawn_after_years: float = parameter(
        100.0,
        "years",
        0.0,
        100.0,
        "time in force after which it is withdrawn unexpectedly",
        "choice",
    )
    budget_musd: float = parameter(
        NO_LIMIT_MUSD, "million USD", 0.0, NO_LIMIT_MUSD, "most the state pays in all", "choice"
    )

    only_in_shock: bool = parameter(
        False, "", None, None, "whether it waits for a shock that is answered together", "choice"
    )

    def __post_init__(self) -> None:
        check_ranges(self, self.name)

    def __getstate__(self) -> dict[str, Any]:
        """Terms alone: what is :func:`kept` of them can be read again."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def end_year(self) -> float:
        """Moment at which it ends or is withdrawn."""
        return self.start_year + min(self.duration_years, self.withdrawn_after_years)

    def in_force(self, year: float) -> bool:
        """Whether the instrument applies at a moment."""
        return self.start_year - MOMENT <= year < self.end_year - MOMENT

    def is_announced(self, year: float) -> bool:
        """Whether it is announced and not yet in force at a moment."""
        return self.start_year - self.announced_years - MOMENT <= year < self.start_year - MOMENT

    def apply(self, regime: Regime, bulletin: Bulletin, policy: int, spent_usd: float) -> Regime:
        """Return the rules of a month with this instrument in the state it is in.

        In force it amends them, until its budget is spent, and where it waits for a shock only
        while a collective response tells one. Announced, its contracts are there for
        investors to count on. Else the rules are those given.

        Parameters
        ----------
        regime, bulletin
            rules so far, and what is published.
        policy
            its position in the run.
        spent_usd
            what the state has paid out on it so far.
        """
        if self.only_in_shock and not self.tells_shocks and not regime.shock:
            return regime
        year, budget_left_usd = bulletin.year, self.budget_musd * 1e6 - spent_usd
        in_force = self.in_force(year)
        if not (budget_left_usd > 0.0 if in_force else self.is_announced(year)):
            return regime
        scheme = Scheme(
            policy, max(self.start_year - year, 0.0), self.belief_share, budget_left_usd
        )
        rules = self.amend(regime, bulletin)
        if rules is regime:
            return regime
        new: dict[str, Any] = {}
        for column in CONTRACTS:
            before, after = getattr(regime, column), getattr(rules, column)
            if after is not before:
                own = after[len(before) :]
                new[column] = tuple(terms._replace(scheme=scheme) for terms in own)
        if not in_force:
            promises = tuple(terms for column in PROMISES for terms in new.get(column, ()))
            return regime.amended(announced=regime.announced + promises) if promises else regime
        changed: dict[str, Any] = {
            column: getattr(regime, column) + terms for column, terms in new.items()
        }
        if rules.state_loss_cover_share is not regime.state_loss_cover_share:
            changed["loss_cover"] = scheme
        return rules.amended(**changed) if changed else rules

    def check(self, catalogue: Catalogue) -> None:
        """Refuse a good or place the catalogue does not know.

        Raises
        ------
        rare_market.declare.InvalidValueError
            naming the field and what there is.
        """
        readers = {
            **dict.fromkeys(("goods", "answered", "adjusted"), choose_goods),
            **dict.fromkeys(
                ("producers", "origins", "destinations", "members", "partners"), choose_places
            ),
            **dict.fromkeys(("payer", "buyer", "state", "target"), one_place),
            "buys": choose_class,
            "cost_parts": check_cost_parts,
            "stages": choose_facility_stages,
            "facilities": choose_facilities,
        }
        for field, read in readers.items():
            if hasattr(self, field):
                read(catalogue, getattr(self, field), f"{self.name}: {field}")

    def years_left(self, year: float) -> float:
        """Time from a moment until the instrument ends."""
        return self.start_year + self.duration_years - year

    def desk(self, catalogue: Catalogue) -> Desk | None:
        """Markets on which states may bid for this policy; most policies buy nothing."""
        return None

    def content(self, catalogue: Catalogue) -> Touch | None:
        """Whose hands on goods it asks about; most policies do not."""
        return None

    def routes(self, law: Regime, catalogue: Catalogue) -> np.ndarray:
        """Third places through which goods may get round it, ``[good, place]`` bool."""
        return np.zeros((len(catalogue.goods), len(catalogue.places)), dtype=bool)

    @abstractmethod
    def amend(self, regime: Regime, bulletin: Bulletin) -> Regime:
        """Return the rules with this instrument added; only called while it is in force."""


def kept[Owner, **Given, Value](
    read: Callable[Concatenate[Owner, Given], Value],
) -> Callable[Concatenate[Owner, Given], Value]:
    """Keep what a method returned last, for as long as it is given the very same.

    Terms never change, so what they mean for a catalogue is worked out once in a run and not every
    month, and what they make of rules in force when those change. Nobody writes to tables of the
    rule book, nor to what is kept.
    """
    name = f"_kept{read.__name__}"

    @wraps(read)
    def reader(self: Owner, /, *given: Given.args, **named: Given.kwargs) -> Value:
        told, known = (*given, *named.values()), vars(self).get(name)
        if known is None or not all(map(is_, known[0], told)):
            known = vars(self)[name] = told, read(self, *given, **named)
        value: Value = known[1]
        return value

    return reader


def in_order(policies: Sequence[Policy]) -> tuple[Policy, ...]:
    """Policies as listed; first those that tell shocks, last those that read others' rules."""
    return tuple(sorted(policies, key=lambda policy: (not policy.tells_shocks, policy.reads_rules)))


def alarmed(regime: Regime, places: np.ndarray, share: float) -> Regime:
    """Regime in which users at places fear for at least that part of their orders.

    Parameters
    ----------
    places
        ``[place]`` bool.
    share
        part of usual supply that a measure takes away; nothing below zero.
    """
    least = min(max(share, 0.0), 1.0) * places
    return regime.amended(announced_alarm_share=np.maximum(regime.announced_alarm_share, least))


def third_place(freight_usd_per_kg: np.ndarray, origin: int, closed: np.ndarray) -> np.ndarray:
    r"""Place by which goods get from an origin round a rule at the least freight.

    .. math:: v_{gd} = \arg\min_{v \notin D} (F_{gov} + F_{gvd})

    Parameters
    ----------
    freight_usd_per_kg
        ``[good, origin, destination]``.
    origin
        code of the place whose exports are under the rule.
    closed
        ``[place]`` bool, the destinations :math:`D` under it.

    Returns
    -------
    np.ndarray
        ``[good, destination]`` place code; :data:`NO_PLACE` where there is none or no need.
    """
    places = len(closed)
    detour = freight_usd_per_kg[:, origin, :, None] + freight_usd_per_kg
    passable = ~(closed | (np.arange(places) == origin))
    detour = np.where(passable[:, None] & closed, detour, np.inf)
    return np.where(np.isfinite(detour.min(axis=1)), detour.argmin(axis=1), NO_PLACE)


def routes_through(via: np.ndarray) -> np.ndarray:
    """Where merchants are needed for the third places given, ``[good, place]`` bool."""
    good, destination = np.nonzero(via != NO_PLACE)
    through = np.zeros(via.shape, dtype=bool)
    through[good, via[good, destination]] = True
    return through


def diverted(regime: Regime, via: np.ndarray, wanted_t: np.ndarray) -> Regime:
    """Regime in which merchants of third places may buy more, for those who are cut off.

    Parameters
    ----------
    via
        ``[good, destination]`` as of :func:`third_place`.
    wanted_t
        ``[good, destination]`` tonnes that seek a way round.
    """
    good, destination = np.nonzero(via != NO_PLACE)
    if len(good) == 0:
        return regime
    diverted_t = regime.diverted_t.copy()
    np.add.at(diverted_t, (good, via[good, destination]), wanted_t[good, destination])
    return regime.amended(diverted_t=diverted_t)


def choose_goods(catalogue: Catalogue, text: str, owner: str) -> np.ndarray:
    """Mask ``[good]`` of goods and stages named in a text, joined by ``+``.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a name that is neither.
    """
    mask = np.zeros(len(catalogue.goods), dtype=bool)
    for word in text.split("+"):
        if word in STAGES:
            mask |= catalogue.of_stage(word)
        elif word in catalogue.goods:
            mask[catalogue.goods.index(word)] = True
        else:
            raise InvalidValueError(
                f"{owner} = {word!r} is neither a stage ({', '.join(STAGES)}) "
                f"nor a good ({', '.join(catalogue.goods)})."
            )
    return mask


def choose_places(catalogue: Catalogue, text: str, owner: str) -> np.ndarray:
    """Mask ``[place]`` of places named in a text, joined by ``+``.

    ``allied`` stands for the allied places, ``any`` for all.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a name that is no place.
    """
    mask = np.zeros(len(catalogue.places), dtype=bool)
    for word in text.split("+"):
        if word == ALLIED:
            mask |= catalogue.allied
        elif word == ANYWHERE:
            mask[:] = True
        elif word in catalogue.places:
            mask[catalogue.places.index(word)] = True
        else:
            raise InvalidValueError(
                f"{owner} = {word!r} is not a place: there are {ALLIED}, {ANYWHERE}, "
                f"{', '.join(catalogue.places)}."
            )
    return mask


def choose_facility_stages(catalogue: Catalogue, text: str, owner: str) -> np.ndarray:
    """Mask ``[facility stage]`` of the stages named in a text, joined by ``+``.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a name that is no stage of plants.
    """
    for word in text.split("+"):
        if word not in FACILITY_STAGES:
            raise InvalidValueError(
                f"{owner} = {word!r} is no stage of plants: there are {', '.join(FACILITY_STAGES)}."
            )
    return np.isin(FACILITY_STAGES, text.split("+"))


def choose_facilities(catalogue: Catalogue, text: str, owner: str) -> tuple[str, ...]:
    """Names of mines and plants in a text, joined by ``+``; none for ``any``.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a name that is neither.
    """
    names = () if text == ANYWHERE else tuple(text.split("+"))
    for name in names:
        if name not in catalogue.facilities:
            raise InvalidValueError(
                f"{owner} = {name!r} is no mine or plant of the table facilities, nor {ANYWHERE}."
            )
    return names


def check_cost_parts(catalogue: Catalogue, text: str, owner: str) -> None:
    """Refuse a part that the responsible-extraction cost has not got; nothing is a number's place.

    Raises
    ------
    rare_market.declare.InvalidValueError
        naming the parts there are.
    """
    for part in filter(None, text.split("+")):
        if part not in COST_PARTS:
            raise InvalidValueError(
                f"{owner} = {text!r} is no part of cost: there are {', '.join(COST_PARTS)}."
            )


def choose_class(catalogue: Catalogue, text: str, owner: str) -> int:
    """Code of a buyer class: which origins a state may buy.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a name that is none.
    """
    if text not in BUYER_CLASSES:
        raise InvalidValueError(
            f"{owner} = {text!r} is not a class of buyers: there are {', '.join(BUYER_CLASSES)}."
        )
    return BUYER_CLASSES.index(text)


def refuse_ore(catalogue: Catalogue, text: str, owner: str) -> None:
    """Refuse goods that mines sell.

    Raises
    ------
    rare_market.declare.InvalidValueError
        if the text names a concentrate.
    """
    if (choose_goods(catalogue, text, owner) & catalogue.of_stage("concentrate")).any():
        raise InvalidValueError(f"{owner}: goods = {text!r} must not contain a concentrate.")


def one_place(catalogue: Catalogue, text: str, owner: str) -> int:
    """Code of a single place.

    Raises
    ------
    rare_market.declare.InvalidValueError
        if the text names none or several.
    """
    chosen = np.nonzero(choose_places(catalogue, text, owner))[0]
    if len(chosen) != 1:
        raise InvalidValueError(f"{owner} = {text!r} must be one place.")
    return int(chosen[0])
