"""The scoreboard: the past simulated with one set of parameters, and held against the record.

Every historical scenario runs for the same replications as it was, without a strategic China (the
null model), and, for one target, with a price floor. A target passes when the median over
replications, or the share of runs where the target is one, lies in its band. Two naive forecasts
made at the start of each episode stand beside it: prices stay, or return to their mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rare_market.dataset import read_data
from rare_market.declare import InvalidValueError
from rare_market.episodes import MEASURES, Past
from rare_market.goods import MONTHS_PER_YEAR, Catalogue
from rare_market.history import named_scenario, names
from rare_market.inputs import SHIPPED, Table, read_table
from rare_market.model import simulate
from rare_market.policies import read_policy
from rare_market.runner import Failure, LocalProcesses, Workers, execute

if TYPE_CHECKING:
    import pandas as pd

HISTORY, NULL, FLOOR = "history", "null", "floor"
FLOOR_POLICY = (
    "price_floor:goods=ndpr_oxide,producers=USA,payer=USA,strike_usd_per_kg=110,"
    "start_year=2011,duration_years=10"
)
FLOOR_TARGETS = ("molycorp_fails_with_floor",)
FIXED = ("start_year", "years", "replication")  # by every scenario of the past, or the job
LATER_YEARS = {"history_2007_2014": 12}  # run on until the failed plant may be back
SHARE_OF_RUNS = "share of runs"
ORIGIN = {"history_2007_2014": 2010.5, "history_2018_2024": 2020.25}  # of the naive forecasts
NAIVE = ("no change", "mean reversion")
HALF_LIFE_YEARS = 2.0  # of the distance to the mean in the second
FOB, DOMESTIC = "fob_china", "domestic_ex_vat"

# mechanisms that can be taken out: scenario fields, and instruments left out of the history
ABLATIONS: dict[str, tuple[dict[str, float], tuple[str, ...]]] = {
    "hoarding on past rises": ({"hoarding_response": 0.0}, ()),
    "alarm": ({"alarm_response": 0.0}, ()),
    "speculators": ({"speculation_months": 0.0}, ()),
    "smuggling": ({"smuggling_most_share": 0.0}, ()),
    "thrift": ({"thrift_elasticity": 0.0}, ()),
    "substitution": ({"switch_elasticity": 0.0}, ()),
    "quota rule": ({"quota_price_response": 0.0, "quota_demand_share": 0.0}, ()),
    "aims of state producers": (
        {
            "state_output_aim_share": 0.0,
            "state_layoff_share_per_month": 1.0,
            "state_downstream_share": 0.0,
        },
        (),
    ),
    "debt of private projects": ({"debt_share": 0.0}, ()),
    "export quota": ({}, ("export_quota",)),
    "export duty": ({}, ("export_duty",)),
    "enforcement and mining quota": ({}, ("enforcement", "production_quota")),
}


class Target(NamedTuple):
    """A number of the record and the band in which a simulation passes; fields as in the table."""

    target: str
    episode: str
    scenario: str
    record: float
    low: float
    high: float
    unit: str
    mechanism: str
    source: str
    confidence: str
    note: str

    def passes(self, value: float) -> bool:
        """Whether a value lies in the band; one that is no number does not."""
        return bool(self.low <= value <= self.high)

    def middle(self, values: Sequence[float]) -> float:
        """Median over runs, or the share of runs."""
        known = np.array([v for v in values if not math.isnan(v)])
        if not len(known):
            return float("nan")
        return float(known.mean() if self.unit == SHARE_OF_RUNS else np.median(known))


def targets(episodes: Iterable[str] = ()) -> list[Target]:
    """Targets of the episodes named, or all.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for an episode without targets.
    """
    rows = read_table(SHIPPED / "targets.csv")
    every = [Target(*(rows[name][i].item() for name in Target._fields)) for i in range(rows.rows)]
    known = sorted({row.episode for row in every})
    for episode in episodes:
        if episode not in known:
            raise InvalidValueError(
                f"episode {episode!r} has no targets: there are {', '.join(known)}."
            )
    return [row for row in every if not episodes or row.episode in episodes]


class Job(NamedTuple):
    """One run of a scoreboard."""

    scenario: str
    variant: str
    replication: int
    changed: tuple[tuple[str, Any], ...] = ()
    left_out: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What is kept of a run.

    Attributes
    ----------
    values
        of each measure of the scenario's targets.
    series
        by name of a side (``inside``, ``outside``) and kind: ``[good, period]``.
    """

    values: dict[str, float]
    series: dict[str, np.ndarray]


def run_job(job: Job) -> Outcome:
    """Simulate a run and measure it."""
    past = Past(simulate(*world_of(job)))
    return Outcome(measured(past, job.scenario, job.variant), past.series())


def world_of(job: Job) -> tuple[Any, list[Any]]:
    """Scenario and policies of a run."""
    changed = dict(job.changed)
    if job.scenario in LATER_YEARS:
        changed.setdefault("years", LATER_YEARS[job.scenario])
    scenario, policies = named_scenario(job.scenario).world(
        job.variant == NULL, replication=job.replication, **changed
    )
    chosen = [policy for policy in policies if policy.name not in job.left_out]
    if job.variant == FLOOR:
        chosen.append(read_policy(FLOOR_POLICY))
    return scenario, chosen


def measured(past: Any, scenario: str, variant: str = HISTORY) -> dict[str, float]:
    """Value of every target of a scenario; NaN where the past says nothing of it."""
    values = {}
    for row in targets():
        if row.scenario != scenario or (row.target in FLOOR_TARGETS) != (variant == FLOOR):
            continue
        try:
            values[row.target] = MEASURES[row.target](past)
        except AttributeError:  # a naive forecast has prices and nothing else
            values[row.target] = float("nan")
    return values


def jobs(
    episodes: Iterable[str] = (),
    replications: int = 30,
    *,
    variants: Sequence[str] = (HISTORY, NULL, FLOOR),
    changed: dict[str, Any] | None = None,
    left_out: tuple[str, ...] = (),
) -> list[Job]:
    """List the runs that score the targets of some episodes.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for an episode without targets, or a changed field that the past fixes.
    """
    rows = targets(episodes)
    changed = changed or {}
    for name in FIXED:
        if name in changed:
            raise InvalidValueError(
                f"validate: {name} = {changed[name]} cannot be set: the past fixes it."
            )
    fields = tuple(sorted(changed.items()))
    return [
        Job(scenario, variant, replication, fields, left_out)
        for scenario in dict.fromkeys(row.scenario for row in rows)
        for variant in variants
        if variant != FLOOR
        or any(row.target in FLOOR_TARGETS and row.scenario == scenario for row in rows)
        for replication in range(replications)
    ]


def kept_aside(replications: int, changed: dict[str, Any] | None = None) -> list[Job]:
    """List the runs of scenarios whose outcomes are no targets, and their null models."""
    scored = {row.scenario for row in targets()}
    fields = tuple(sorted((changed or {}).items()))
    return [
        Job(scenario, variant, replication, fields)
        for scenario in names()
        if scenario not in scored
        for variant in (HISTORY, NULL)
        for replication in range(replications)
    ]


@dataclass
class Scoreboard:
    """Runs of the past and their scores.

    Attributes
    ----------
    rows
        the targets scored.
    runs
        outcome of each job.
    """

    rows: list[Target]
    runs: dict[Job, Outcome] = field(default_factory=dict)

    def values(self, row: Target, variant: str = HISTORY) -> list[float]:
        """Values of a target over replications, in their order."""
        wanted = FLOOR if row.target in FLOOR_TARGETS and variant == HISTORY else variant
        return [
            outcome.values[row.target]
            for job, outcome in sorted(self.runs.items(), key=lambda run: run[0].replication)
            if job.scenario == row.scenario
            and job.variant == wanted
            and row.target in outcome.values
        ]

    def passed(self, variant: str = HISTORY) -> dict[str, bool]:
        """Whether each target passes."""
        return {row.target: row.passes(row.middle(self.values(row, variant))) for row in self.rows}

    def score_share(self, variant: str = HISTORY) -> float:
        """Part of the targets that pass."""
        return float(np.mean(list(self.passed(variant).values())))

    def table(self) -> list[dict[str, Any]]:
        """Every target with the model's value and interval, the null model's and the naive ones."""
        naive = {kind: naive_values(kind) for kind in NAIVE}
        lines = []
        for row in self.rows:
            values = self.values(row)
            known = np.array([v for v in values if math.isfinite(v)])
            low, high = np.quantile(known, [0.1, 0.9]) if len(known) else (np.nan, np.nan)
            null = row.middle(self.values(row, NULL))
            line: dict[str, Any] = {
                "episode": row.episode,
                "target": row.target,
                "unit": row.unit,
                "record": row.record,
                "band_low": row.low,
                "band_high": row.high,
                "median": row.middle(values),
                "low": float(low),
                "high": float(high),
                "passed": row.passes(row.middle(values)),
                "null": null,
                "null_passed": row.passes(null),
            }
            for kind in NAIVE:
                value = naive[kind].get(row.target, float("nan"))
                line[kind] = value
                line[f"{kind} passed"] = row.passes(value)
            lines.append(line | {"mechanism": row.mechanism})
        return lines

    def prices(self) -> pd.DataFrame:
        """Monthly prices of every oxide and magnet, by scenario, variant and replication."""
        import pandas as pd

        frames = []
        for job, outcome in sorted(self.runs.items()):
            if job.variant == FLOOR:
                continue
            scenario, _ = world_of(job)
            catalogue = read_data(scenario.data_folder, scenario.start_year).catalogue
            goods = np.array(catalogue.goods)[quoted_goods(catalogue)]
            periods = next(iter(outcome.series.values())).shape[1]
            months = np.datetime64(f"{scenario.start_year}-01", "M") + np.arange(periods)
            frames.append(
                pd.DataFrame(
                    {
                        "scenario": job.scenario,
                        "variant": job.variant,
                        "replication": job.replication,
                        "good": np.repeat(goods, periods),
                        "month": np.tile(months.astype("datetime64[s]"), len(goods)),
                        **{name: values.ravel() for name, values in outcome.series.items()},
                    }
                )
            )
        return pd.concat(frames, ignore_index=True)


def validate(
    episodes: Iterable[str] = (),
    replications: int = 30,
    *,
    workers: Workers | None = None,
    progress: Callable[[int], object] | None = None,
    **changed: Any,
) -> Scoreboard:
    """Simulate the past and score it.

    Parameters
    ----------
    episodes
        names such as ``E1``; all by default.
    replications
        draws of all chance, the same for every variant.
    workers
        where runs are made; by default the processes of this machine.
    progress
        called with the number of runs just finished.
    changed
        scenario fields that differ from the defaults.

    Raises
    ------
    rare_market.declare.InvalidValueError
        before any run, for an unknown episode or a value out of range.
    RuntimeError
        if a run fails, naming it.
    """
    episodes = tuple(episodes)
    board = Scoreboard(targets(episodes))
    return fill(board, jobs(episodes, replications, changed=changed), workers, progress)


def fill(
    board: Scoreboard,
    todo: Sequence[Job],
    workers: Workers | None = None,
    progress: Callable[[int], object] | None = None,
) -> Scoreboard:
    """Make the runs of a scoreboard."""
    for job in todo[:1]:
        scenario, _ = world_of(job)
        read_data(scenario.data_folder, scenario.start_year)  # refuses bad tables before any run
    for batch in execute(run_job, todo, workers or LocalProcesses(), batch=1):
        for job, outcome in batch:
            if isinstance(outcome, Failure):
                raise RuntimeError(
                    f"run {job.replication} of {job.scenario} ({job.variant}) failed: "
                    f"{outcome.reason}."
                )
            board.runs[job] = outcome
        if progress:
            progress(len(batch))
    return board


def ablations(
    replications: int = 30,
    workers: Workers | None = None,
    progress: Callable[[int], object] | None = None,
) -> list[dict[str, Any]]:
    """Score of the history with each mechanism taken out, and the targets that fail without it."""
    rows = targets()
    full = fill(
        Scoreboard(rows),
        jobs(replications=replications, variants=(HISTORY, FLOOR)),
        workers,
        progress,
    )
    before = full.passed()
    lines = [{"without": "nothing", "passed": sum(before.values()), "lost": "", "gained": ""}]
    for name, (changed, left_out) in ABLATIONS.items():
        todo = jobs(
            replications=replications,
            variants=(HISTORY, FLOOR),
            changed=changed,
            left_out=left_out,
        )
        after = fill(Scoreboard(rows), todo, workers, progress).passed()
        lines.append(
            {
                "without": name,
                "passed": sum(after.values()),
                "lost": ", ".join(t for t in before if before[t] and not after[t]),
                "gained": ", ".join(t for t in before if after[t] and not before[t]),
            }
        )
    return lines


# -- the record ------------------------------------------------------------------------------------


def quoted_goods(catalogue: Catalogue) -> np.ndarray:
    """Mask ``[good]`` of oxides and magnets."""
    return np.asarray(catalogue.of_stage("oxide") | catalogue.of_stage("magnet"))


def price_record(good: str, basis: str) -> tuple[np.ndarray, np.ndarray]:
    """Recorded prices of a good: moments (years with fraction) and USD/kg, in order of time.

    Parameters
    ----------
    basis
        :data:`FOB` or :data:`DOMESTIC`.
    """
    rows = _record()
    chosen = (rows["good"] == good) & (rows["basis"] == basis)
    moments = np.array([_moment(period) for period in rows["period"][chosen].tolist()])
    order = np.argsort(moments, kind="stable")
    return moments[order], rows["price_usd_per_kg"][chosen][order]


def annual_record(good: str) -> dict[int, float]:
    """Recorded yearly means of the export price."""
    rows = _record()
    yearly = (rows["good"] == good) & (rows["basis"] == FOB)
    return {
        int(period): float(price)
        for period, price in zip(
            rows["period"][yearly], rows["price_usd_per_kg"][yearly], strict=True
        )
        if len(period) == len("2024")
    }


def monthly_record(good: str) -> dict[str, float]:
    """Recorded prices in China by month, ``YYYY-MM``."""
    rows = _record()
    monthly = (rows["good"] == good) & (rows["basis"] == DOMESTIC)
    return {
        str(period): float(price)
        for period, price in zip(
            rows["period"][monthly], rows["price_usd_per_kg"][monthly], strict=True
        )
        if len(period) == len("2024-01") and "Q" not in period
    }


def _record() -> Table:
    return read_table(SHIPPED / "price_record.csv")


def _moment(period: str) -> float:
    """Middle of a year, quarter (``2011-Q2``) or month."""
    year, _, part = period.partition("-")
    if not part:
        return int(year) + 0.5
    if part.startswith("Q"):
        return int(year) + (int(part[1:]) - 0.5) / 4.0
    return int(year) + (int(part) - 0.5) / MONTHS_PER_YEAR


def naive_values(kind: str) -> dict[str, float]:
    """Value of every target under a naive forecast of prices; NaN where it says nothing."""
    values: dict[str, float] = {}
    for scenario in ORIGIN:
        values |= measured(naive_past(kind, scenario), scenario)
    return values


def naive_past(kind: str, scenario: str) -> Past:
    """Prices as recorded until the episode begins, then as the naive forecast has them.

    Parameters
    ----------
    kind
        one of :data:`NAIVE`: the last price goes on, or half of its distance to the mean of the
        years before is gone every :data:`HALF_LIFE_YEARS`.
    """
    world, _ = named_scenario(scenario).world()
    data = read_data(world.data_folder, world.start_year)
    c, origin = data.catalogue, ORIGIN[scenario]
    moments = world.start_year + (np.arange(world.periods) + 0.5) / MONTHS_PER_YEAR
    price = np.full((world.periods, len(c.goods), len(c.places), 2), np.nan)
    tax = np.broadcast_to(
        data.law_at(origin).export_tax_share, (world.periods, len(c.goods), len(c.places))
    )
    for good in c.goods:
        known_at, known = price_record(good, FOB)
        before = known_at < origin
        if not before.any():
            continue
        log = np.log(known[before])
        path = np.interp(moments, known_at[before], log)
        if kind == "mean reversion":
            left = 0.5 ** (np.maximum(moments - origin, 0.0) / HALF_LIFE_YEARS)
            path = np.where(moments < origin, path, log.mean() + left * (log[-1] - log.mean()))
        price[:, c.good(good)] = np.exp(path)[:, None, None]
        price[:, c.good(good), c.china] /= 1.0 + tax[:, c.good(good), c.china][:, None]
    return Past(
        SimpleNamespace(  # type: ignore[arg-type]  # prices are all it has
            catalogue=c,
            start_year=world.start_year,
            periods=world.periods,
            price_usd_per_kg=price,
            export_tax_share=tax,
        )
    )


# -- moments and yearly fit ------------------------------------------------------------------------

MOMENTS = ("volatility_per_year", "autocorrelation", "unchanged_share", "correlation_with_ndpr")


def moments_of(prices: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Monthly moments of price series by good.

    Parameters
    ----------
    prices
        ``[month]`` by good; must hold ``ndpr_oxide``.

    Returns
    -------
    dict
        by good: yearly standard deviation and first autocorrelation of monthly log returns, share
        of months without a change, correlation with NdPr.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = {good: np.diff(np.log(path)) for good, path in prices.items()}
        return {
            good: {
                "volatility_per_year": float(change.std() * math.sqrt(MONTHS_PER_YEAR)),
                "autocorrelation": float(np.corrcoef(change[1:], change[:-1])[0, 1]),
                "unchanged_share": float((np.abs(change) < 1e-9).mean()),
                "correlation_with_ndpr": float(np.corrcoef(change, returns["ndpr_oxide"])[0, 1]),
            }
            for good, change in returns.items()
        }


def moments_table(board: Scoreboard, scenario: str = "history_2018_2024") -> list[dict[str, Any]]:
    """Moments of quotes in China, of the record (2013 to 2024) and of the median run.

    Empty where no episode of the scenario was simulated.
    """
    recorded = {}
    for good in ("la_oxide", "ce_oxide", "ndpr_oxide"):
        known = monthly_record(good)
        recorded[good] = np.array([known[month] for month in sorted(known) if month >= "2013"])
    shortest = min(len(path) for path in recorded.values())
    record = moments_of({good: path[-shortest:] for good, path in recorded.items()})
    world, _ = named_scenario(scenario).world()
    c = read_data(world.data_folder, world.start_year).catalogue
    goods = np.array(c.goods)[quoted_goods(c)].tolist()
    runs = [
        moments_of(
            {
                good: outcome.series["quote_inside_usd_per_kg"][goods.index(good)]
                for good in goods
                if good.endswith("_oxide")
            }
        )
        for job, outcome in sorted(board.runs.items())
        if job.scenario == scenario and job.variant == HISTORY
    ]
    return [
        {
            "good": good,
            "moment": moment,
            "record": record.get(good, {}).get(moment, float("nan")),
            "median": float(np.median([run[good][moment] for run in runs])),
        }
        for good in (runs[0] if runs else ())
        for moment in MOMENTS
    ]


def yearly_fit(board: Scoreboard) -> list[dict[str, Any]]:
    """Fit of yearly mean export prices by good: R² of logs and root mean square log error."""
    lines = []
    for scenario in ORIGIN:
        world, _ = named_scenario(scenario).world()
        c = read_data(world.data_folder, world.start_year).catalogue
        goods = np.array(c.goods)[quoted_goods(c)].tolist()
        runs = [
            o.series["fob_usd_per_kg"]
            for job, o in sorted(board.runs.items())
            if job.scenario == scenario and job.variant == HISTORY
        ]
        if not runs:
            continue
        years = runs[0].shape[1] // MONTHS_PER_YEAR
        yearly = np.median(
            [run.reshape(len(goods), years, MONTHS_PER_YEAR).mean(axis=2) for run in runs], axis=0
        )
        for i, good in enumerate(goods):
            known = annual_record(good)
            at = [y for y in range(years) if world.start_year + y in known]
            if len(at) < 3:
                continue
            actual = np.log([known[world.start_year + y] for y in at])
            model = np.log(yearly[i, at])
            spread = float(((actual - actual.mean()) ** 2).sum())
            lines.append(
                {
                    "scenario": scenario,
                    "good": good,
                    "years": len(at),
                    "r2": 1.0 - float(((actual - model) ** 2).sum()) / spread,
                    "log_error": float(np.sqrt(((actual - model) ** 2).mean())),
                }
            )
    return lines


def write_prices(board: Scoreboard, folder: Path) -> list[Path]:
    """Write the simulated prices as Parquet and CSV; returns the files."""
    frame = board.prices()
    files = [folder / "prices.parquet", folder / "prices.csv"]
    frame.to_parquet(files[0], index=False)
    frame.to_csv(files[1], index=False, float_format="%.6g")
    return files
