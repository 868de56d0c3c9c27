"""Worlds under the same luck, side by side: the comparison behind ``rare-market run``.

A world is a named set of policies. Every world is run for the same replications, so that a
difference between two worlds in one replication is due to policy alone.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rare_market import accounts, measures, resilience
from rare_market.declare import InvalidValueError
from rare_market.goods import MONTHS_PER_YEAR
from rare_market.policies import (
    Embargo,
    OfftakeGuarantee,
    Policy,
    PriceFloor,
    Tariff,
    Undercutting,
)
from rare_market.records import Records
from rare_market.runner import LocalProcesses
from rare_market.scenario import Scenario
from rare_market.series import BLOCKED_SERIES, HEADLINE_GOOD, SERIES

if TYPE_CHECKING:
    import pandas as pd

SAVED_FRAMES = (
    "prices",
    "trades",
    "capacity",
    "facilities",
    "accounts",
    "ledger",
    "demand",
    "production",
    "content",
    "certificate",
)
NULL_WORLD, NO_POLICY_WORLD = "no undercutting", "no policy"
MILLION = 1e6
DISCOUNT_PER_YEAR = 0.05  # of public cost, to the first policy year, where a measure says so
FIRST_POLICY_YEAR = 2026  # when the standard policies start


@dataclass(frozen=True)
class World:
    """A named set of policies.

    Attributes
    ----------
    name, policies
        as said.
    changed
        scenario fields that differ in this world, with their values: a null model of the past is
        another China, not only other policies.
    """

    name: str
    policies: tuple[Policy, ...]
    changed: tuple[tuple[str, Any], ...] = ()


def default_worlds(package: Sequence[Policy] = ()) -> tuple[World, ...]:
    """Undercutting against five answers and the null; or against one package if it is given.

    Parameters
    ----------
    package
        policies of the user. An undercutting among them replaces the default one everywhere.
    """
    own = [p for p in package if isinstance(p, Undercutting)]
    attack: tuple[Policy, ...] = tuple(own) or (Undercutting(),)
    answer = tuple(p for p in package if not isinstance(p, Undercutting))
    first = (World(NULL_WORLD, ()), World(NO_POLICY_WORLD, attack))
    if package:
        return (*first, World("package", (*attack, *answer))) if answer else first
    offtake, floor, tariff = OfftakeGuarantee(), PriceFloor(), Tariff()
    return (
        *first,
        World("offtake", (*attack, offtake)),
        World("price floor", (*attack, floor)),
        World("tariff", (*attack, tariff)),
        World("floor + offtake", (*attack, floor, offtake)),
    )


def policy_years(start_year: int, years: int, begins: int = FIRST_POLICY_YEAR) -> tuple[int, int]:
    """First and last year over which prices and costs are counted; all years of the past.

    Parameters
    ----------
    start_year, years
        of the run.
    begins
        year in which the first policy starts.
    """
    last = start_year + years - 1
    if last < begins:
        return start_year, last
    return min(max(start_year, begins), last), last


def first_policy_year(worlds: Sequence[World]) -> int:
    """Year in which the first policy of any world starts, that of the standard ones at latest."""
    starts = [int(policy.start_year) for world in worlds for policy in world.policies]
    return min([FIRST_POLICY_YEAR, *starts])


def outcomes(records: Records, begins: int = FIRST_POLICY_YEAR) -> dict[str, float]:
    """Measures of one run over the years of policy, :func:`policy_years`, and at its end."""
    since, last = policy_years(records.start_year, records.periods // MONTHS_PER_YEAR, begins)
    row: dict[str, float] = {}
    for good, short in (("ndpr_oxide", "ndpr"), ("dy_oxide", "dy")):
        row[f"{short}_inside_usd_per_kg"] = measures.price_inside_usd_per_kg(
            records, good, since, last
        )
        row[f"{short}_outside_usd_per_kg"] = measures.price_outside_usd_per_kg(
            records, good, since, last
        )
    for stage in ("separation", "magnet"):
        row[f"{stage}_capacity_outside_t_per_year"] = measures.capacity_outside_t_per_year(
            records, stage, last
        )
    for stage in measures.CHAIN:
        row[f"{stage}_cover_share"] = measures.supply_cover_share(records, stage, last)
    row["met_without_china_share"] = measures.met_without_china_share(records, last)
    row["oxide_outside_t"] = measures.oxide_outside_t(records, HEADLINE_GOOD, since, last)
    row["public_cost_musd"] = measures.public_cost_usd(records, since, last) / MILLION
    row["public_cost_discounted_musd"] = (
        measures.public_cost_usd(records, since, last, DISCOUNT_PER_YEAR) / MILLION
    )
    row["china_separation_share"] = measures.china_share(records, "separation", last)
    welfare = accounts.welfare_usd(records, since, last)["welfare"]
    row["allied_welfare_musd"] = float(welfare[records.catalogue.allied].sum()) / MILLION
    row["duty_revenue_musd"] = measures.duty_revenue_usd(records, since, last) / MILLION
    row["buyers_cost_musd"] = measures.buyers_cost_usd(records, since, last) / MILLION
    row["china_cost_musd"] = measures.undercutting_cost_usd(records, since, last) / MILLION
    row["china_income_musd"] = measures.china_income_usd(records, since, last) / MILLION
    return row


FIGURE_SERIES = (
    "price_inside_usd_per_kg",
    "price_outside_usd_per_kg",
    "separation_outside_t_per_year",
    "magnet_outside_t_per_year",
    *BLOCKED_SERIES,
)


@dataclass(frozen=True)
class Comparison:
    """Runs of several worlds under the same replications.

    Attributes
    ----------
    scenario, worlds, replications
        what was run.
    rows
        one dictionary of outcomes per run, with ``world`` and ``replication``.
    sides
        ``[world]`` for each replication what each side got for each reason, USD.
    welfare
        ``[world]`` for each replication welfare and its parts by place, USD.
    series
        ``[name][world]`` arrays ``[replication, month]``.
    valid
        whether every clearing of every run passed its certificate. If not, tables and figures are
        refused, unless `allow_invalid` is set: ``dataclasses.replace(c, allow_invalid=True)``.
    provenance
        of each world.
    """

    scenario: Scenario
    worlds: tuple[World, ...]
    replications: int
    rows: list[dict[str, Any]]
    sides: dict[str, list[dict[tuple[str, str], float]]]
    welfare: dict[str, list[dict[tuple[str, str], float]]]
    series: dict[str, dict[str, np.ndarray]]
    valid: bool
    provenance: dict[str, Any]
    allow_invalid: bool = False

    @property
    def null(self) -> str:
        """The world against which China's income is measured: the first."""
        return self.worlds[0].name

    @property
    def base(self) -> str:
        """The world against which what a policy secures is measured: the second, if there is."""
        return self.worlds[min(1, len(self.worlds) - 1)].name

    @property
    def counted_years(self) -> tuple[int, int]:
        """First and last year over which prices and costs are counted."""
        begins = first_policy_year(self.worlds)
        return policy_years(self.scenario.start_year, self.scenario.years, begins)

    def check(self) -> None:
        """Refuse a comparison with a run whose certificate failed.

        Raises
        ------
        rare_market.declare.InvalidValueError
            naming the first such run, unless `allow_invalid` is set.
        """
        if self.valid or self.allow_invalid:
            return
        failed = next((row for row in self.rows if not row["valid"]), None)
        where = (
            f" in world {failed['world']!r}, replication {failed['replication']}" if failed else ""
        )
        raise InvalidValueError(
            f"a clearing failed its certificate{where}: tables and figures are refused unless "
            "invalid runs are allowed (--allow-invalid)."
        )

    def runs(self) -> pd.DataFrame:
        """Outcomes by world and replication, with paired differences between worlds.

        Runs whose certificate failed are kept and marked in the column ``valid``.
        """
        import pandas as pd

        frame = pd.DataFrame(self.rows)
        order = [world.name for world in self.worlds]
        frame["world"] = pd.Categorical(frame["world"], order)
        frame = frame.sort_values(["world", "replication"], ignore_index=True)
        frame["secured_t"] = _against(frame, self.base, "oxide_outside_t")
        frame["china_income_change_musd"] = _against(frame, self.null, "china_income_musd")
        frame["allied_welfare_change_musd"] = _against(frame, self.base, "allied_welfare_musd")
        frame["capacity_kept_t_per_year"] = _against(
            frame, self.base, "separation_capacity_outside_t_per_year"
        )
        frame["points_removed"] = -100.0 * _against(frame, self.base, "china_separation_share")
        for cost, name in (
            ("public_cost_musd", ""),
            ("public_cost_discounted_musd", "_discounted"),
        ):
            for amount, per in (
                ("secured_t", "usd_per_kg_secured"),
                ("capacity_kept_t_per_year", "usd_per_kg_per_year_kept"),
                ("points_removed", "musd_per_point"),
            ):
                paid = (frame[amount] > 0) & (frame[cost].abs() > 0)
                ratio = (frame[cost] / frame[amount]).where(paid)
                scale = 1.0 if amount == "points_removed" else MILLION / 1000.0
                frame[f"public_cost{name}_{per}"] = scale * ratio
        return frame

    def welfare_musd(self) -> pd.DataFrame:
        """Mean over replications of welfare and its parts by world and place, million USD.

        A mean and not a median, so that the parts add up.
        """
        import pandas as pd

        parts = {}
        for world, (first, *rest) in self.welfare.items():
            mean = np.mean([list(run.values()) for run in (first, *rest)], axis=0) / MILLION
            index = pd.MultiIndex.from_tuples(list(first), names=["place", "part"])
            parts[world] = pd.Series(mean, index).unstack(level="part", sort=False)
        return pd.concat(parts, names=["world"]).rename_axis(columns=None).reset_index()

    def received_musd(self, world: str) -> pd.DataFrame:
        """Mean over replications of what each side got for each reason, million USD.

        Every row sums to zero, which medians would not. Reasons for which nobody paid a million
        are left out. A payment is negative.
        """
        import pandas as pd

        first, *_ = runs = self.sides[world]
        mean = np.mean([list(run.values()) for run in runs], axis=0) / MILLION
        frame = pd.Series(mean, pd.MultiIndex.from_tuples(list(first))).unstack(level=0)
        return frame.loc[frame.abs().max(axis=1) >= 1.0]

    def table(self) -> pd.DataFrame:
        """Median and the 10 % and 90 % quantiles over replications, a row per world and measure.

        Raises
        ------
        rare_market.declare.InvalidValueError
            see :meth:`check`.
        """
        import pandas as pd

        self.check()
        runs = self.runs().drop(columns=["replication", "valid"])
        grouped = runs.groupby("world", observed=True)
        parts = {
            "median": grouped.quantile(0.5),
            "low": grouped.quantile(0.1),
            "high": grouped.quantile(0.9),
        }
        table = pd.concat(
            {
                name: part.rename_axis(columns="measure").stack(future_stack=True)
                for name, part in parts.items()
            },
            axis=1,
        )
        return table.reset_index()


def _against(frame: pd.DataFrame, world: str, measure: str) -> pd.Series:
    """Difference of a measure to a world, paired by replication."""
    base = frame[frame["world"] == world].set_index("replication")[measure]
    return frame[measure] - frame["replication"].map(base)


def compare(
    scenario: Scenario,
    worlds: Sequence[World],
    replications: int,
    records_folder: Path | None = None,
    processes: int | None = None,
    progress: Callable[[int], object] | None = None,
    shock: Embargo | None = None,
) -> Comparison:
    """Run every world for every replication on local processes.

    Parameters
    ----------
    scenario
        the world no state controls; its ``replication`` is the first one used.
    worlds
        what is compared: first the null, then the world without an answer, then the answers.
    replications
        draws of all chance, the same for each world.
    records_folder
        where the records of each run go as Parquet; ``None`` keeps none.
    processes
        worker processes; by default one per core.
    shock
        a stop of exports; every run is then made a second time with it, for its damage alone.
    progress
        called with the number of runs just finished.
    """
    chunk = max(1, min(5, replications))
    first, begins = scenario.replication, first_policy_year(worlds)
    tasks = [
        (
            scenario,
            world,
            list(range(at, min(at + chunk, first + replications))),
            begins,
            records_folder,
            shock,
        )
        for at in range(first, first + replications, chunk)
        for world in worlds
    ]
    done: list[dict[str, Any]] = []
    workers = min(processes or multiprocessing.cpu_count(), len(tasks))
    if workers == 1:
        for task in tasks:
            done.extend(_run_chunk(*task))
            if progress:
                progress(len(task[2]))
    else:
        with LocalProcesses(workers).open() as pool:
            waiting = {pool.submit(_run_chunk, *task) for task in tasks}
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    results = future.result()
                    done.extend(results)
                    if progress:
                        progress(len(results))
    done.sort(key=lambda run: (run["world"], run["replication"]))
    names = list(done[0]["paths"])
    series = {
        name: {
            world.name: np.stack([r["paths"][name] for r in done if r["world"] == world.name])
            for world in worlds
        }
        for name in names
    }
    return Comparison(
        scenario=scenario,
        worlds=tuple(worlds),
        replications=replications,
        rows=[
            {
                **{key: r[key] for key in ("world", "replication", "valid")},
                **r["outcomes"],
            }
            for r in done
        ],
        sides={
            world.name: [r["sides"] for r in done if r["world"] == world.name] for world in worlds
        },
        welfare={
            world.name: [r["welfare"] for r in done if r["world"] == world.name] for world in worlds
        },
        series=series,
        valid=all(r["valid"] for r in done),
        provenance={
            world.name: next(r["provenance"] for r in done if r["world"] == world.name)
            for world in worlds
        },
    )


def _run_chunk(
    scenario: Scenario,
    world: World,
    replications: list[int],
    begins: int,
    records_folder: Path | None,
    shock: Embargo | None,
) -> list[dict[str, Any]]:
    """Run one world for some replications; executed in a worker process."""
    from rare_market.model import simulate  # workers load the model, the parent does not

    results = []
    scenario = dataclasses.replace(scenario, **dict(world.changed))
    for replication in replications:
        records = simulate(scenario.replicate(replication), world.policies)
        if records_folder is not None:
            save_records(records, records_folder / slug(world.name) / f"{replication:04d}")
        damage: dict[str, float] = {}
        if shock is not None:
            hit = simulate(scenario.replicate(replication), (*world.policies, shock))
            damage = resilience.damage(hit, records, shock)
        years = policy_years(records.start_year, records.periods // MONTHS_PER_YEAR, begins)
        results.append(
            {
                "world": world.name,
                "replication": replication,
                "outcomes": outcomes(records, begins) | damage,
                "sides": accounts.by_side(records, *years),
                "welfare": _welfare_usd(records, years),
                "paths": {name: SERIES[name](records) for name in FIGURE_SERIES},
                "valid": records.valid,
                "provenance": records.provenance,
            }
        )
    gc.collect()  # a finished model is a cycle of objects
    return results


def _welfare_usd(records: Records, years: tuple[int, int]) -> dict[tuple[str, str], float]:
    """Welfare and its parts over these years, by place and part."""
    parts = accounts.welfare_usd(records, *years)
    return {
        (place, part): float(usd[code])
        for code, place in enumerate(records.catalogue.places)
        for part, usd in parts.items()
    }


def slug(name: str) -> str:
    """File name of a world."""
    return "".join(ch if ch.isalnum() else "_" for ch in name).strip("_").replace("___", "_")


def save_records(records: Records, folder: Path) -> None:
    """Write the saved frames of a run as Parquet files, provenance inside each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    provenance = {**records.provenance, "valid": records.valid}
    stamp = {b"rare_market": json.dumps(provenance).encode()}
    for name in SAVED_FRAMES:
        table = records.table(name)
        pq.write_table(
            table.replace_schema_metadata(stamp),
            folder / f"{name}.parquet",
            # dictionaries pay for names, not for numbers
            use_dictionary=[f.name for f in table.schema if pa.types.is_dictionary(f.type)],
            compression="zstd",
            compression_level=1,
        )
