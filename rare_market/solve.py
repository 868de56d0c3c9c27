r"""The smallest value of a policy's term that reaches a target: break-even floors and volumes.

In draw :math:`r` of all chance the target is reached from a threshold :math:`x_r` of the lever
upwards. The lever reaches it with probability :math:`p` from the :math:`p`-quantile of these
thresholds upwards, which is estimated by the order statistic :math:`x_{(k)}`, :math:`k = \lceil pn
\rceil`. Its interval is that of order statistics, :math:`[x_{(l)}, x_{(u)}]` with :math:`l` and
:math:`u` from the binomial distribution, and assumes nothing about the thresholds. All levels
meet the same draws, so thresholds are bracketed draw by draw: a level is only simulated in
draws it can decide. That a higher level never fails where a lower one succeeds is assumed in the
search and checked at the answer, where every draw is simulated at the level, 5 % below and above.
If too few draws then reach the target at the level, it is raised until enough of them do.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rare_market import measures
from rare_market.declare import InvalidValueError, refuse_unknown
from rare_market.design import declared
from rare_market.goods import FACILITY_STAGES, MONTHS_PER_YEAR
from rare_market.inputs import LARGE
from rare_market.policies import INSTRUMENTS, Policy
from rare_market.records import FACILITY_STATUSES, Records
from rare_market.runner import Failure, Given, LocalProcesses, Workers, execute
from rare_market.scenario import Scenario

LEVERS = {
    "floor": "price_floor.strike_usd_per_kg",
    "volume": "offtake_guarantee.volume_t_per_year",
    "tariff": "tariff.rate_share",
    "subsidy": "subsidy.rate_usd_per_kg",
}
SIDE_SHARE = 0.05  # how far below and above the answer it is checked
WIDEST = 16.0  # multiple of an instrument's default up to which a lever is tried


@dataclass(frozen=True)
class Target:
    """What is to be reached at the end of a year.

    Attributes
    ----------
    kind
        ``capacity`` outside China of a stage (t/year), ``demand``, the share of allied demand that
        could be met without China, or ``survival``, the share of named plants in operation.
    at_least
        the value to reach.
    year
        calendar year of the run.
    names
        the stage, or the plants.
    """

    kind: str
    at_least: float
    year: int
    names: tuple[str, ...] = ()

    def value(self, records: Records) -> float:
        """What a run achieved."""
        if self.kind == "capacity":
            return measures.capacity_outside_t_per_year(records, self.names[0], self.year)
        if self.kind == "demand":
            return measures.met_without_china_share(records, self.year)
        month = (self.year + 1 - records.start_year) * MONTHS_PER_YEAR - 1
        status = records.facility_status[month]
        rows = np.isin(records.facility, self.names)
        return float(np.mean(status[rows] == FACILITY_STATUSES.index("operating")))

    def check(self, scenario: Scenario) -> None:
        """Refuse a year, stage or plant the run does not have, and a value that cannot be reached.

        Raises
        ------
        rare_market.declare.InvalidValueError
            naming the field, the value and what there is.
        """
        last = scenario.start_year + scenario.years - 1
        if not scenario.start_year <= self.year <= last:
            raise InvalidValueError(
                f"target: year = {self.year} is not within {scenario.start_year} to {last}."
            )
        if self.kind == "capacity":
            refuse_unknown(FACILITY_STAGES, self.names[0], "target: the list of stages")
        elif self.kind == "survival":
            from rare_market.dataset import read_data

            known = (
                read_data(scenario.data_folder, scenario.start_year)
                .tables.facilities["facility"]
                .tolist()
            )
            for name in self.names:
                if name not in known:
                    raise InvalidValueError(f"target: {name!r} is no facility of facilities.csv.")
        top = LARGE if self.kind == "capacity" else 1.0
        if not 0.0 <= self.at_least <= top:
            raise InvalidValueError(
                f"target: {self.kind} = {self.at_least:g} is not within 0 to {top:g}."
            )

    def __str__(self) -> str:
        if self.kind == "capacity":
            return (
                f"{self.names[0]} capacity outside China of {self.at_least:,.0f} t/year "
                f"at the end of {self.year}"
            )
        if self.kind == "demand":
            return f"{self.at_least:.0%} of allied demand met without China in {self.year}"
        return f"{', '.join(self.names)} in operation at the end of {self.year}"


class Trial(NamedTuple):
    """A run whose achievement is asked for."""

    scenario: Scenario
    policies: tuple[Policy, ...]
    target: Target


@dataclass(frozen=True)
class Answer:
    """The smallest level of a lever that reaches a target.

    Attributes
    ----------
    lever, target, probability, confidence, replications
        what was asked.
    value
        the level; NaN if no level tried reaches the target with that probability.
    low, high
        ends of its interval; NaN where the number of draws cannot tell. With few draws or a high
        probability the upper end is open.
    runs
        simulations made.
    share_at, share_below, share_above
        share of draws that reach the target at the level, 5 % below and 5 % above; NaN if there is
        no level.
    tried
        lowest and highest level simulated.
    """

    lever: str
    target: Target
    probability: float
    confidence: float
    replications: int
    value: float
    low: float
    high: float
    runs: int
    share_at: float
    share_below: float
    share_above: float
    tried: tuple[float, float]

    @property
    def confirmed(self) -> bool:
        """Whether the target is missed 5 % below the level and reached at and 5 % above it."""
        met = self.share_at >= self.probability and self.share_above >= self.probability
        return met and (self.share_below < self.probability or self.value == self.tried[0])


def lever_of(name: str) -> str:
    """Instrument and term of a lever: one of :data:`LEVERS` or ``instrument.term`` itself.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for an instrument or term there is not.
    """
    factor = LEVERS.get(name, name)
    if "." not in factor:
        raise InvalidValueError(
            f"lever {name!r} is none of {', '.join(LEVERS)} and no instrument.term."
        )
    declared(factor)
    return factor


def solve(
    lever: str,
    target: Target,
    scenario: Scenario,
    policies: Sequence[Policy],
    *,
    probability: float = 0.8,
    replications: int = 20,
    confidence: float = 0.9,
    tolerance_share: float = 0.01,
    up_to: float | None = None,
    workers: Workers | None = None,
    progress: Callable[[int], object] | None = None,
) -> Answer:
    """Find the smallest level of a lever that reaches a target with a probability.

    Parameters
    ----------
    lever
        see :func:`lever_of`.
    target
        what is to be reached.
    scenario, policies
        the world; an instrument of the lever's name among the policies gives its other terms,
        otherwise one with its defaults is added.
    probability
        share of draws of all chance in which the target is to be reached.
    replications
        draws.
    confidence
        of the interval.
    tolerance_share
        width of the last bracket relative to the level.
    up_to
        highest level tried; by default sixteen times the instrument's default, within its range.
    workers
        where runs are made.
    progress
        called with the number of runs just made.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a lever, target or probability that cannot be used.
    RuntimeError
        if a run fails; the message names its draw and level.
    """
    factor = lever_of(lever)
    _inside("probability", probability, 0.01, 0.999)
    _inside("confidence", confidence, 0.5, 0.999)
    _inside("tolerance_share", tolerance_share, 1e-4, 0.04)
    if not 2 <= replications <= 100_000:
        raise InvalidValueError(f"solve: replications = {replications} is not within 2 to 100000.")
    target.check(scenario)
    field = declared(factor)
    assert field.low is not None
    assert field.high is not None
    if up_to is not None:
        _inside(f"up_to of {factor}", up_to, field.low, field.high)
    ranks = _ranks(probability, replications, confidence)
    with (workers or LocalProcesses()).open() as executor:  # kept from level to level
        search = _Search(
            factor, target, scenario, tuple(policies), replications, Given(executor), progress
        )
        top = min(field.high, WIDEST * search.start) if up_to is None else up_to
        search.bracket(ranks[1], field.low, min(search.start, top), top)
        low, value, high = (search.quantile(rank, tolerance_share) for rank in ranks)
        if math.isfinite(value):
            value = search.settle(value, probability, top, tolerance_share)
            low, high = min(low, value), max(high, value)  # NaN where it is not known
        shares = [math.nan] * 3
        if math.isfinite(value):
            levels = [value, value * (1 - SIDE_SHARE), min(value * (1 + SIDE_SHARE), field.high)]
            shares = [search.share(level) for level in levels]
    return Answer(
        lever=factor,
        target=target,
        probability=probability,
        confidence=confidence,
        replications=replications,
        value=value,
        low=low,
        high=high,
        runs=len(search.achieved),
        share_at=shares[0],
        share_below=shares[1],
        share_above=shares[2],
        tried=(field.low, search.top),
    )


def break_even(
    lever: str,
    target: Target,
    scenario: Scenario,
    policies: Sequence[Policy],
    factor: str,
    levels: Iterable[float],
    **options: Any,
) -> list[tuple[float, Answer]]:
    """Answer at every level of another term, such as the depth of undercutting.

    Parameters
    ----------
    lever, target, scenario, policies, options
        as in :func:`solve`.
    factor, levels
        the other term, ``instrument.term`` of one of the policies, and its values.

    Raises
    ------
    rare_market.declare.InvalidValueError
        if no policy has that term, or a level is out of its range.
    """
    declared(factor)
    instrument = factor.partition(".")[0]
    if not any(policy.name == instrument for policy in policies):
        raise InvalidValueError(f"solve: no policy has {factor}.")
    worlds = [(level, with_term(policies, factor, level)) for level in levels]
    return [(level, solve(lever, target, scenario, own, **options)) for level, own in worlds]


def with_term(policies: Sequence[Policy], factor: str, level: float) -> tuple[Policy, ...]:
    """Policies with a term of one instrument set, the instrument added if it is not there."""
    instrument, _, term = factor.partition(".")
    if not any(policy.name == instrument for policy in policies):
        policies = (*policies, INSTRUMENTS[instrument]())
    changed: dict[str, Any] = {term: level}
    return tuple(
        dataclasses.replace(policy, **changed) if policy.name == instrument else policy
        for policy in policies
    )


class _Search:
    """Brackets of the thresholds of all draws.

    Attributes
    ----------
    below, above
        ``[draw]`` highest level known to miss the target and lowest known to reach it.
    achieved
        what each simulated run achieved, by draw and level.
    """

    def __init__(
        self,
        factor: str,
        target: Target,
        scenario: Scenario,
        policies: tuple[Policy, ...],
        replications: int,
        workers: Workers,
        progress: Callable[[int], object] | None,
    ) -> None:
        self.factor, self.target, self.scenario = factor, target, scenario
        self.policies, self.workers = policies, workers
        self.below = np.full(replications, -np.inf)
        self.above = np.full(replications, np.inf)
        self.achieved: dict[tuple[int, float], float] = {}
        self.progress = progress
        self.top = -math.inf
        instrument, _, term = factor.partition(".")
        own = [policy for policy in policies if policy.name == instrument]
        self.start = float(getattr(own[0] if own else INSTRUMENTS[instrument](), term))

    def bracket(self, rank: int, low: float, level: float, top: float) -> None:
        """Double the level until the target is reached in ``rank`` draws, and try none at all."""
        self.decide(low)
        level = max(level, low)
        while (self.above <= self.top).sum() < rank and self.top < top:
            self.decide(level)
            level = min(2.0 * level if level > 0.0 else 0.1 * top, top)

    def quantile(self, rank: int, tolerance_share: float) -> float:
        """Threshold of a rank among the draws, from 1; NaN if no draw has it in the range tried."""
        if not 1 <= rank <= len(self.above):
            return math.nan
        while True:
            low, high = np.sort(self.below)[rank - 1], np.sort(self.above)[rank - 1]
            if not np.isfinite(high):
                return math.nan
            if not np.isfinite(low) or high - low <= tolerance_share * high:
                return float(high)
            self.decide(0.5 * (low + high))

    def settle(self, level: float, probability: float, top: float, tolerance_share: float) -> float:
        """Raise a level until the target is reached with every draw simulated; NaN if it is not.

        Draws in which a higher level fails where a lower one succeeds are not told by brackets.
        """
        missed = math.nan
        while self.share(level) < probability:
            if level >= top:
                return math.nan
            missed, level = level, min(level * (1.0 + SIDE_SHARE), top)
        while level - missed > tolerance_share * level:
            middle = 0.5 * (missed + level)
            if self.share(middle) < probability:
                missed = middle
            else:
                level = middle
        return level

    def decide(self, level: float) -> None:
        """Simulate a level in the draws whose threshold it may split."""
        self.top = max(self.top, level)
        self._simulate(level, np.nonzero((self.below < level) & (level < self.above))[0])

    def share(self, level: float) -> float:
        """Share of draws that reach the target at a level, every one simulated."""
        draws = np.arange(len(self.above))
        self._simulate(level, draws)
        reached = [self.achieved[draw, level] >= self.target.at_least for draw in draws.tolist()]
        return float(np.mean(reached))

    def _simulate(self, level: float, draws: np.ndarray) -> None:
        wanted = [draw for draw in draws.tolist() if (draw, level) not in self.achieved]
        policies = with_term(self.policies, self.factor, level)
        first = self.scenario.replication
        trials = {
            Trial(self.scenario.replicate(first + draw), policies, self.target): draw
            for draw in wanted
        }
        for results in execute(achievement, trials, self.workers):
            for trial, value in results:
                if isinstance(value, Failure):
                    raise RuntimeError(
                        f"draw {trials[trial]} at {self.factor} = {level:g}: {value.reason}"
                    )
                draw = trials[trial]
                self.achieved[draw, level] = value
                if value >= self.target.at_least:
                    self.above[draw] = min(self.above[draw], level)
                else:
                    self.below[draw] = max(self.below[draw], level)
            if self.progress:
                self.progress(len(results))


def achievement(trial: Trial) -> float:
    """What a run achieved of its target; done in a worker."""
    from rare_market.model import simulate

    records = simulate(trial.scenario, trial.policies)
    if not records.valid:
        raise RuntimeError("a clearing failed its certificate.")
    return trial.target.value(records)


def _ranks(probability: float, draws: int, confidence: float) -> tuple[int, int, int]:
    """Ranks of the order statistics that are the quantile and the ends of its interval."""
    from scipy.stats import binom

    tail = (1.0 - confidence) / 2.0
    low = int(binom.ppf(tail, draws, probability))
    high = int(binom.ppf(1.0 - tail, draws, probability)) + 1
    return low, math.ceil(probability * draws - 1e-9), high


def _inside(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidValueError(f"solve: {name} = {value} is not within {low:g} to {high:g}.")
