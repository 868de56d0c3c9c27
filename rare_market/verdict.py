r"""Does undercutting pay? A game between China and the allies, played on the runs of a sweep.

China chooses a depth, a duration and an entry trigger, or not to undercut; the allies choose a
package. Both are judged against the world of the same package and the same luck in which nobody
undercuts. With discount factor :math:`\delta^{y}` in year :math:`y` after the first, China's gain
is

.. math:: \underbrace{\sum_{y \le T} \delta^{y}\,\Delta(\pi^{up}_y + \tau_y)}_{\text{sacrifice}}
          + \underbrace{\sum_{y > T} \delta^{y}\,\Delta(\pi^{up}_y + \tau_y)}_{\text{recoupment}}
          + \underbrace{\sum_{y} \delta^{y}\,\Delta(\pi^{down}_y + v_y - e_y)}_{\text{downstream}}

where :math:`\pi` is what Chinese mines and separators, or plants below them, earn, :math:`\tau`
what the treasury receives less what it pays, :math:`v` what Chinese final users would have paid at
most for what they use (:func:`rare_market.settlement.use_value_usd`), :math:`e` what they spend,
:math:`T` the end of the undercutting and :math:`\Delta` the difference to the null in the same
draw. Payments between them cancel. Nothing after the last year of the runs is counted.

Undercutting is rational against a package if the gain of some strategy is above zero with the
confidence asked for, not rational if that of every strategy is below, else undecided. Intervals are
Student's on paired differences, widened for the number of strategies tried (Bonferroni). The theory
is that of McGee (1958), Milgrom and Roberts (1982) and Bolton and Scharfstein (1990).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rare_market.compare import World
from rare_market.declare import InvalidValueError
from rare_market.design import Design, factorial
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.paired import mean_interval
from rare_market.policies import OfftakeGuarantee, Policy, PriceFloor, Tariff, Undercutting
from rare_market.scenario import Scenario
from rare_market.store import FINISHED, Store

if TYPE_CHECKING:
    import pandas as pd

ATTACKED = " | undercut"  # ends the name of a package's world in which China may undercut
TERMS = ("depth_share", "duration_years", "entry_trigger_share")
FACTORS = tuple(f"{Undercutting.name}.{term}" for term in TERMS)
SERIES = (
    "separation_outside_t_per_year",
    "separation_idle_outside_t_per_year",
    "ndpr_oxide_outside_t",
    "ndpr_used_t",
    "china_upstream_musd",
    "china_downstream_musd",
    "china_treasury_musd",
    "china_users_value_musd",
    "china_users_spend_musd",
    "outside_upstream_musd",
    "outside_downstream_musd",
    "allied_treasury_musd",
    "allied_users_value_musd",
    "allied_users_spend_musd",
)
RATIONAL, NOT_RATIONAL, UNDECIDED = "rational", "not rational", "undecided"
DEPTHS = (0.15, 0.30, 0.45, 0.60)
DURATIONS_YEARS = (2.0, 4.0, 6.0, 10.0)
TRIGGERS_SHARE = (0.0, 0.1)


class Strategy(NamedTuple):
    """What China may do; all NaN for not undercutting."""

    depth_share: float
    duration_years: float
    entry_trigger_share: float

    @property
    def label(self) -> str:
        """How a table names it."""
        if np.isnan(self.depth_share):
            return "none"
        when = f", if entry > {self.entry_trigger_share:g}" if self.entry_trigger_share else ""
        return f"{self.depth_share:.0%} for {self.duration_years:g} years{when}"


NONE = Strategy(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Game:
    """Payoffs in million USD, discounted.

    Attributes
    ----------
    packages, strategies
        what the allies and China choose from; the first strategy is not to undercut.
    china
        ``[package, strategy, draw]`` China's value.
    allies
        ``[package, strategy, draw]`` value of allied treasuries, industry outside China and the
        surplus of allied users.
    secured_t
        ``[package, strategy, draw]`` NdPr oxide separated outside China, discounted.
    parts
        ``[package, strategy, draw]`` parts of China's gain and what moves it, by name.
    users_count
        whether the surplus of final users is part of either value.
    """

    packages: tuple[str, ...]
    strategies: tuple[Strategy, ...]
    china: np.ndarray
    allies: np.ndarray
    secured_t: np.ndarray
    parts: dict[str, np.ndarray]
    users_count: bool = True


class Response(NamedTuple):
    """China's answer to a package.

    Attributes
    ----------
    package, verdict
        against which, and whether undercutting is rational there.
    best
        strategy of the highest mean value, not undercutting included.
    tried
        strategy of undercutting of the highest mean value.
    gain, low, high
        its mean gain over not undercutting in million USD, and its widened interval.
    paying, losing
        numbers of strategies whose interval lies above zero, and below.
    """

    package: str
    verdict: str
    best: Strategy
    tried: Strategy
    gain: float
    low: float
    high: float
    paying: int
    losing: int


class Play(NamedTuple):
    """Where best responses lead from one start.

    Attributes
    ----------
    start
        strategy of China from which the allies answer first.
    steps
        pairs of package and strategy visited again and again: one for an equilibrium in pure
        strategies, several for a cycle.
    """

    start: Strategy
    steps: tuple[tuple[str, Strategy], ...]

    @property
    def is_cycle(self) -> bool:
        """Whether no pair is a best response to itself."""
        return len(self.steps) > 1


def standard_packages() -> tuple[World, ...]:
    """Answers of the allies: none, an offtake, a floor, a tariff, floor and offtake."""
    offtake, floor, tariff = OfftakeGuarantee(), PriceFloor(), Tariff()
    return (
        World("no answer", ()),
        World("offtake", (offtake,)),
        World("price floor", (floor,)),
        World("tariff", (tariff,)),
        World("floor + offtake", (floor, offtake)),
    )


def verdict_design(
    scenario: Scenario,
    packages: Sequence[World] = (),
    depths: Sequence[float] = DEPTHS,
    durations_years: Sequence[float] = DURATIONS_YEARS,
    triggers_share: Sequence[float] = TRIGGERS_SHARE,
    replications: int = 10,
) -> Design:
    """Every package with every strategy, and every package without undercutting."""
    worlds: list[World] = []
    for package in packages or standard_packages():
        if any(isinstance(policy, Undercutting) for policy in package.policies):
            raise InvalidValueError(f"verdict: package {package.name} must not undercut.")
        attacked: tuple[Policy, ...] = (Undercutting(), *package.policies)
        worlds += [package, World(package.name + ATTACKED, attacked)]
    return Design(
        title="Does undercutting pay?",
        scenario=scenario,
        worlds=tuple(worlds),
        factors=FACTORS,
        points=factorial([list(depths), list(durations_years), list(triggers_share)]),
        replications=replications,
        series=SERIES,
    )


def read_game(store: Store, discount_per_year: float = 0.05, *, users_count: bool = True) -> Game:
    """Payoffs from a finished sweep of :func:`verdict_design`.

    Parameters
    ----------
    store
        the sweep.
    discount_per_year
        rate of both sides.
    users_count
        whether the surplus of final users counts, China's in its value and the allies' in theirs.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a discount rate out of range, or a run that is missing or holds a NaN; it is named.
    rare_market.store.StoreDamagedError
        naming the damaged files; their runs are not missing.
    """
    if not 0.0 <= discount_per_year <= 0.5:
        raise InvalidValueError(
            f"verdict: discount_per_year = {discount_per_year} is not within 0 to 0.5."
        )
    cube, packages, strategies = _cube(store)
    first = store.design.scenario.start_year
    begins = Undercutting().start_year
    years = cube[SERIES[0]].shape[-1]
    weight = (1.0 + discount_per_year) ** -(np.arange(years) + first - begins)
    weight[np.arange(years) + first < begins] = 0.0  # equal to the bit before the first year
    keep = 1.0 if users_count else 0.0

    upstream = cube["china_upstream_musd"] + cube["china_treasury_musd"]
    surplus = {
        side: cube[f"{side}_users_value_musd"] - cube[f"{side}_users_spend_musd"]
        for side in ("china", "allied")
    }
    downstream = cube["china_downstream_musd"] + keep * surplus["china"]
    allies = (
        cube["allied_treasury_musd"]
        + cube["outside_upstream_musd"]
        + cube["outside_downstream_musd"]
        + keep * surplus["allied"]
    )
    return Game(
        packages=packages,
        strategies=strategies,
        china=(upstream + downstream) @ weight,
        allies=allies @ weight,
        secured_t=cube["ndpr_oxide_outside_t"] @ weight,
        parts=_parts(cube, upstream, downstream, strategies, weight, int(begins - first)),
        users_count=users_count,
    )


def _cube(
    store: Store,
) -> tuple[dict[str, np.ndarray], tuple[str, ...], tuple[Strategy, ...]]:
    """Yearly values ``[package, strategy, draw, year]`` of each series."""
    design = store.design
    if design.factors != FACTORS or not set(SERIES) <= set(design.series):
        raise InvalidValueError("verdict: the sweep is not one of a verdict's design.")
    store.refuse_damage()
    missing = np.nonzero(store.state != FINISHED)[0]
    if len(missing):
        raise InvalidValueError(f"verdict: {design.run(int(missing[0])).name} has no result.")
    packages = tuple(w.name for w in design.worlds if not w.name.endswith(ATTACKED))
    strategies = (NONE, *(Strategy(*row) for row in design.points.tolist()))
    draws, years = design.replications, design.scenario.years
    series = store.series()
    labels = design.labels(np.arange(design.runs))
    names = np.array([world.name for world in design.worlds])[labels["world"]]
    p = np.array([packages.index(name.removesuffix(ATTACKED)) for name in names])
    s = np.where([name.endswith(ATTACKED) for name in names], 1 + labels["point"], 0)
    d = labels["replication"] - design.scenario.replication
    cube = {}
    for name in SERIES:
        monthly = series[name].to_numpy(dtype=float).reshape(design.runs, years, MONTHS_PER_YEAR)
        bad = np.nonzero(~np.isfinite(monthly).all(axis=(1, 2)))[0]
        if len(bad):
            raise InvalidValueError(f"verdict: {design.run(int(bad[0])).name} has no {name}.")
        yearly = monthly.mean(axis=2) if name.endswith("per_year") else monthly.sum(axis=2)
        cube[name] = np.empty((len(packages), len(strategies), draws, years))
        cube[name][p, s, d] = yearly
    return cube, packages, strategies


def _parts(
    cube: dict[str, np.ndarray],
    upstream: np.ndarray,
    downstream: np.ndarray,
    strategies: tuple[Strategy, ...],
    weight: np.ndarray,
    begins: int,
) -> dict[str, np.ndarray]:
    """Parts of China's gain, and capacity outside that left, was deterred or came back."""

    def change(values: np.ndarray) -> np.ndarray:
        return values - values[:, :1]

    years = len(weight)
    lasts = np.array([0.0 if np.isnan(s.duration_years) else s.duration_years for s in strategies])
    # the last year of undercutting, and whether a year is one of it
    end = np.minimum(begins + np.ceil(lasts).astype(int), years) - 1
    during = np.arange(years) < (begins + lasts)[:, None]
    upstream, downstream = change(upstream) * weight, change(downstream) * weight
    operating = cube["separation_outside_t_per_year"]
    at_end = np.take_along_axis(operating, end[None, :, None, None], axis=3)[..., 0]
    standing = operating[..., :1][..., 0]  # in the first year of the run, equal in all worlds
    at_null = np.stack([operating[:, 0, :, e] for e in end], axis=1)
    exits = np.minimum(at_null, standing) - np.minimum(at_end, standing)
    idle = change(cube["separation_idle_outside_t_per_year"])
    idle_end = np.take_along_axis(idle, end[None, :, None, None], axis=3)[..., 0]
    use = cube["ndpr_used_t"][..., -2:].sum(axis=-1)
    return {
        "sacrifice_musd": (upstream * during[None, :, None, :]).sum(axis=-1),
        "recoupment_musd": (upstream * ~during[None, :, None, :]).sum(axis=-1),
        "downstream_musd": downstream.sum(axis=-1),
        "exits_t_per_year": exits,
        "deterred_t_per_year": (at_null - at_end) - exits,
        "reentry_t_per_year": idle_end - idle[..., -1],
        "use_change_share": use / use[:, :1] - 1.0,
    }


# -- the game -----------------------------------------------------------------------------------


def best_response(game: Game, package: int, confidence: float = 0.9) -> Response:
    """China's best answer to a package and the verdict on undercutting."""
    gains = game.china[package] - game.china[package, 0]
    tried = range(1, len(game.strategies))
    each = 1.0 - (1.0 - confidence) / len(tried)
    intervals = {s: mean_interval(gains[s], each) for s in tried}
    paying = sum(low > 0.0 for _, low, _ in intervals.values())
    losing = sum(high < 0.0 for _, _, high in intervals.values())
    verdict = RATIONAL if paying else NOT_RATIONAL if losing == len(tried) else UNDECIDED
    top = max(tried, key=lambda s: intervals[s][0])
    best = int(np.argmax(game.china[package].mean(axis=1)))
    return Response(
        game.packages[package],
        verdict,
        game.strategies[best],
        game.strategies[top],
        *intervals[top],
        paying,
        losing,
    )


def allied_value(game: Game, security_usd_per_kg: float) -> np.ndarray:
    """Allied value ``[package, strategy, draw]`` with a worth of every kg secured outside China."""
    return game.allies + security_usd_per_kg * game.secured_t / 1000.0


def leader_follower(game: Game, security_usd_per_kg: float) -> tuple[str, Strategy, float]:
    """Package the allies choose when they move first, China's answer, and their mean value.

    Ties go to the package and strategy listed first.
    """
    answers = game.china.mean(axis=2).argmax(axis=1)
    value = allied_value(game, security_usd_per_kg).mean(axis=2)
    reached = value[np.arange(len(game.packages)), answers]
    first = int(np.argmax(reached))
    return game.packages[first], game.strategies[answers[first]], float(reached[first])


def simultaneous(game: Game, security_usd_per_kg: float) -> list[Play]:
    """Best responses in turn, from every strategy of China, until they come back on themselves."""
    china = game.china.mean(axis=2)
    allies = allied_value(game, security_usd_per_kg).mean(axis=2)
    plays = []
    for start in range(len(game.strategies)):
        seen: list[tuple[int, int]] = []
        strategy = start
        while True:
            package = int(np.argmax(allies[:, strategy]))
            strategy = int(np.argmax(china[package]))
            if (package, strategy) in seen:
                loop = seen[seen.index((package, strategy)) :]
                break
            seen.append((package, strategy))
        steps = tuple((game.packages[p], game.strategies[s]) for p, s in loop)
        plays.append(Play(game.strategies[start], steps))
    return plays


def table(game: Game, confidence: float = 0.9) -> pd.DataFrame:
    """Gain of every strategy against every package, with its interval and parts (means).

    Beside the mean stand the gain in the median draw and the share of draws in which there is one.
    """
    import pandas as pd

    rows = []
    each = 1.0 - (1.0 - confidence) / (len(game.strategies) - 1)
    for p, package in enumerate(game.packages):
        for s, strategy in enumerate(game.strategies[1:], start=1):
            gains = game.china[p, s] - game.china[p, 0]
            gain, low, high = mean_interval(gains, each)
            row = {"package": package, **strategy._asdict()}
            row |= {"gain_musd": gain, "low_musd": low, "high_musd": high}
            row |= {
                "median_musd": float(np.median(gains)),
                "above_share": float((gains > 0).mean()),
            }
            rows.append(row | {name: part[p, s].mean() for name, part in game.parts.items()})
    return pd.DataFrame(rows)


def as_text(game: Game, confidence: float, security_usd_per_kg: Sequence[float]) -> str:
    """Verdicts by package, and the two games, as lines to read."""
    import pandas as pd

    means = {name: part.mean(axis=2) for name, part in game.parts.items()}
    lines = [
        f"China's gain over not undercutting, billion USD of 2024, {game.china.shape[2]} draws; "
        f"joint {confidence:.0%} interval over {len(game.strategies) - 1} strategies",
        "",
    ]
    found: dict[str, list[str]] = {}
    for p, package in enumerate(game.packages):
        answer = best_response(game, p, confidence)
        s = game.strategies.index(answer.tried)
        own = {name: float(mean[p, s]) / 1000.0 for name, mean in means.items()}
        gains = game.china[p, s] - game.china[p, 0]
        found[package] = [
            answer.verdict,
            f"{answer.paying} / {answer.losing} / "
            f"{len(game.strategies) - 1 - answer.paying - answer.losing}",
            answer.best.label,
            answer.tried.label,
            f"{answer.gain / 1000:+.2f} ({answer.low / 1000:+.2f} to {answer.high / 1000:+.2f})",
            f"{np.median(gains) / 1000:+.2f}, above zero in {(gains > 0).mean():.0%}",
            f"{own['sacrifice_musd']:+.2f}",
            f"{own['recoupment_musd']:+.2f}",
            f"{own['downstream_musd']:+.2f}",
            f"{own['exits_t_per_year']:.1f}",
            f"{own['deterred_t_per_year']:.1f}",
            f"{own['reentry_t_per_year']:.1f}",
            f"{100_000 * own['use_change_share']:+.1f} %",
        ]
    index = [
        "undercutting is",
        "strategies that pay / lose / undecided",
        "best response",
        "best undercutting",
        "its gain",
        "  in the median draw",
        "  while it lasts",
        "  afterwards",
        "  downstream and users" if game.users_count else "  downstream",
        "kt feed/year closed",
        "kt feed/year not built",
        "kt feed/year reopened",
        "NdPr use at the end",
    ]
    lines.append(pd.DataFrame(found, index=index).to_string())
    lines += ["", "If the allies choose first, China answering, by worth of a kg secured:"]
    for worth in security_usd_per_kg:
        package, strategy, _ = leader_follower(game, worth)
        lines.append(f"  {worth:g} USD/kg: {package}; China: {strategy.label}")
    lines.append("If both choose at once, best responses lead to:")
    for worth in security_usd_per_kg:
        ends = {frozenset(play.steps): play for play in simultaneous(game, worth)}
        for play in ends.values():
            kind = "a cycle of " if play.is_cycle else ""
            steps = " -> ".join(f"[{p}; China: {s.label}]" for p, s in play.steps)
            lines.append(f"  {worth:g} USD/kg: {kind}{steps}")
    return "\n".join(lines)
