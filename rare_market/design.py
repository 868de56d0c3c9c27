"""The design of a sweep: which runs are to be made, read from TOML or built in Python.

A design is a base scenario, worlds (named sets of policies), points (values of factors) and
replications. A factor is a field of the scenario, ``demand_growth_multiplier``, or a term of an
instrument, ``undercutting.depth_share``. A world without that instrument does not depend on it, so
it is run once for all points that differ in nothing else, and its rows leave the factor empty.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rare_market.compare import World
from rare_market.dataset import read_data
from rare_market.declare import Declaration, InvalidValueError, declarations, refuse_unknown
from rare_market.policies import INSTRUMENTS, Policy, read_policies
from rare_market.scenario import Scenario, read_toml
from rare_market.series import SERIES

LARGEST_POINTS, LARGEST_RUNS = 2**17, 10**7
SAMPLED = ("latin_hypercube", "sobol", "morris", "saltelli")
METHODS = ("factorial", "table", *SAMPLED)
SECTIONS = ("title", "replications", "series", "scenario", "worlds", "factors", "sample")
# chance has its own names, and a sweep has one calendar and one set of tables
NOT_VARIED = ("seed", "replication", "start_year", "data_folder")


class Run(NamedTuple):
    """One run of a design.

    Attributes
    ----------
    number
        its place in the design.
    point, world, replication
        which values, which policies, which draw of all chance.
    scenario, policies
        what is simulated.
    series
        monthly series that are kept.
    """

    number: int
    point: int
    world: str
    replication: int
    scenario: Scenario
    policies: tuple[Policy, ...]
    series: tuple[str, ...]

    @property
    def name(self) -> str:
        """How a message calls the run."""
        return f"run {self.number} ({self.world}, point {self.point}, draw {self.replication})"


@dataclass(frozen=True)
class Design:
    """Scenarios, worlds and replications.

    Attributes
    ----------
    title
        what the sweep is for.
    scenario
        the base; its ``replication`` is the first one used.
    worlds
        named sets of policies.
    factors
        names of what varies.
    points
        ``[point, factor]``; one row and no column if nothing varies.
    replications
        draws of all chance, the same for each point and world.
    series
        monthly series kept of each run, names of :data:`rare_market.series.SERIES`.
    sample
        how the points were chosen, for those who analyse them.

    Raises
    ------
    rare_market.declare.InvalidValueError
        on construction, for an unknown factor, a value out of range or a size out of bounds.
    """

    title: str
    scenario: Scenario
    worlds: tuple[World, ...]
    factors: tuple[str, ...] = ()
    points: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((1, 0)))
    replications: int = 20
    series: tuple[str, ...] = ()
    sample: dict[str, Any] = dataclasses.field(default_factory=lambda: {"method": "factorial"})

    def __post_init__(self) -> None:
        _within("replications", self.replications, 1, 100_000)
        _within("points", len(self.points), 1, LARGEST_POINTS)
        if not self.worlds:
            raise InvalidValueError("design: worlds is empty: give at least one.")
        names = [world.name for world in self.worlds]
        if len(set(names)) < len(names) or len(set(self.factors)) < len(self.factors):
            raise InvalidValueError("design: two worlds or two factors have the same name.")
        if self.points.ndim != 2 or self.points.shape[1] != len(self.factors):
            raise InvalidValueError("design: points must have a column for each factor.")
        for name in self.series:
            refuse_unknown(SERIES, name, "design: series")
        for column, factor in enumerate(self.factors):
            declaration = declared(factor)
            values = self.points[:, column]
            _check_values(factor, declaration, values)
            if "." in factor and not any(self._applies(factor, world) for world in self.worlds):
                raise InvalidValueError(f"design: no world has the instrument of factor {factor}.")
        catalogue = read_data(self.scenario.data_folder, self.scenario.start_year).catalogue
        for policy in (p for world in self.worlds for p in world.policies):
            policy.check(catalogue)
        _within("runs", self.runs, 1, LARGEST_RUNS)

    @cached_property
    def cells(self) -> tuple[tuple[int, int], ...]:
        """Pairs of point and world that are run: those that differ in something a world has."""
        firsts = [np.unique(self._first_alike(w)).tolist() for w in range(len(self.worlds))]
        return tuple(sorted((point, w) for w, points in enumerate(firsts) for point in points))

    def cell_of_point(self, world: int) -> np.ndarray:
        """Number of the cell that stands for each point in a world, ``[point]``."""
        number = {cell: i for i, cell in enumerate(self.cells)}
        return np.array([number[point, world] for point in self._first_alike(world).tolist()])

    def _first_alike(self, world: int) -> np.ndarray:
        """First point equal to each point in all that a world has, ``[point]``."""
        own = [i for i, f in enumerate(self.factors) if self._applies(f, self.worlds[world])]
        if not own:
            return np.zeros(len(self.points), dtype=int)
        _, first, which = np.unique(
            self.points[:, own], axis=0, return_index=True, return_inverse=True
        )
        return np.asarray(first[which.ravel()])

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.cells) * self.replications

    def run(self, number: int) -> Run:
        """Return the run of that number; the replications of a cell follow each other."""
        cell, draw = divmod(number, self.replications)
        point, w = self.cells[cell]
        world, replication = self.worlds[w], self.scenario.replication + draw
        values = {
            factor: _typed(factor, value)
            for factor, value in zip(self.factors, self.points[point].tolist(), strict=True)
        }
        own: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
        policies = tuple(_with_terms(policy, values) for policy in world.policies)
        scenario = dataclasses.replace(self.scenario, replication=replication, **own)
        return Run(number, point, world.name, replication, scenario, policies, self.series)

    def all_runs(self, numbers: Sequence[int] | np.ndarray) -> Iterator[Run]:
        """Runs of these numbers, made when asked for."""
        return (self.run(int(number)) for number in numbers)

    def labels(self, numbers: np.ndarray) -> dict[str, Any]:
        """Columns that say which run it was: number, point, world, replication, factors.

        A factor that the world does not have is NaN.
        """
        cell, draw = np.divmod(numbers, self.replications)
        cells = np.array(self.cells)[cell]
        point, world = cells[:, 0], cells[:, 1]
        has = np.array([[self._applies(f, w) for f in self.factors] for w in self.worlds])
        columns: dict[str, Any] = {
            "run": numbers,
            "point": point,
            "world": world,
            "replication": self.scenario.replication + draw,
        }
        for column, factor in enumerate(self.factors):
            values = self.points[point, column]
            columns[factor] = np.where(has[world, column], values, np.nan)
        return columns

    def _applies(self, factor: str, world: World) -> bool:
        instrument, dot, _ = factor.partition(".")
        return not dot or any(policy.name == instrument for policy in world.policies)

    # -- as data --------------------------------------------------------------------------------

    def as_data(self) -> dict[str, Any]:
        """Everything a run depends on, as plain data; :meth:`from_data` is its inverse."""
        return {
            "title": self.title,
            "scenario": dataclasses.asdict(self.scenario),
            "worlds": [
                {
                    "name": world.name,
                    "policies": [{"name": p.name, **dataclasses.asdict(p)} for p in world.policies],
                }
                for world in self.worlds
            ],
            "factors": list(self.factors),
            "points": self.points.tolist(),
            "replications": self.replications,
            "series": list(self.series),
            "sample": self.sample,
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Design:
        """Build the design again from :meth:`as_data`."""
        worlds = tuple(
            World(world["name"], tuple(_policy_from(dict(terms)) for terms in world["policies"]))
            for world in data["worlds"]
        )
        return cls(
            title=data["title"],
            scenario=Scenario(**data["scenario"]),
            worlds=worlds,
            factors=tuple(data["factors"]),
            points=np.array(data["points"], dtype=float).reshape(len(data["points"]), -1),
            replications=data["replications"],
            series=tuple(data["series"]),
            sample=data["sample"],
        )

    @property
    def sha256(self) -> str:
        """Hash of everything in the design."""
        text = json.dumps(self.as_data(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def read_design(file: Path) -> Design:
    """Design from a TOML file.

    Raises
    ------
    rare_market.declare.InvalidValueError
        one sentence naming section, field, value and bound.
    """
    content = read_toml(file, "design")
    for name in content:
        refuse_unknown(SECTIONS, name, str(file))
    wanted = {"title": str, "replications": int, "series": list}
    wanted |= dict.fromkeys(("scenario", "worlds", "factors", "sample"), dict)
    for name, value in content.items():
        if not isinstance(value, wanted[name]) or isinstance(value, bool):
            raise InvalidValueError(f"{file}: {name} must be a {wanted[name].__name__}.")
    base = content.get("scenario", {})
    known = {field.name for field in declarations(Scenario)}
    for name in base:
        refuse_unknown(sorted(known), name, f"{file}: scenario")
    sample = {"method": "factorial", **content.get("sample", {})}
    factors, points = _points(file, content.get("factors", {}), sample)
    return Design(
        title=content.get("title", file.stem),
        scenario=Scenario(**base),
        worlds=tuple(_world(file, *item) for item in content.get("worlds", {"null": []}).items()),
        factors=factors,
        points=points,
        replications=content.get("replications", 20),
        series=tuple(str(name) for name in content.get("series", [])),
        sample=sample,
    )


def _world(file: Path, name: str, texts: Any) -> World:
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidValueError(
            f"{file}: world {name!r} must be a list of policies such as "
            '["undercutting", "tariff:rate_share=0.4"].'
        )
    return World(name, tuple(policy for text in texts for policy in read_policies(text)))


# -- points -------------------------------------------------------------------------------------


def _points(
    file: Path, factors: dict[str, Any], sample: dict[str, Any]
) -> tuple[tuple[str, ...], np.ndarray]:
    method = sample["method"]
    allowed = {"factorial": (), "table": ("file",)}.get(method, ("points", "seed"))
    if method not in METHODS:
        raise InvalidValueError(
            f"{file}: sample: method = {method!r} must be one of {', '.join(METHODS)}."
        )
    for name in sample:
        refuse_unknown(("method", *allowed), name, f"{file}: sample of method {method}")
    if method == "table":
        if factors:
            raise InvalidValueError(f"{file}: factors come from the table, not from a section.")
        return _table(file.parent / str(sample.get("file", "")))
    for name in factors:
        declared(name)
    if method == "factorial":
        return tuple(factors), factorial(list(factors.values()), str(file))
    bounds = [_bounds(file, name, value) for name, value in factors.items()]
    count, seed = sample.setdefault("points", 64), sample.setdefault("seed", 1)
    _within("sample: points", count, 1, LARGEST_POINTS)
    _within("sample: seed", seed, 0, 2**31)
    sample["bounds"] = [list(pair) for pair in bounds]
    return tuple(factors), draw_points(method, list(factors), bounds, count, seed)


def factorial(levels: Sequence[Any], owner: str = "design") -> np.ndarray:
    """Every combination of levels, the last factor varying fastest, ``[point, factor]``."""
    for values in levels:
        if not isinstance(values, list | tuple) or not values:
            raise InvalidValueError(
                f"{owner}: a factor of a factorial design must be a list of levels, got {values!r}."
            )
        if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            raise InvalidValueError(f"{owner}: levels {values!r} must be numbers.")
    _within("points", int(np.prod([len(values) for values in levels])), 1, LARGEST_POINTS)
    grid = np.meshgrid(*(np.array(values, dtype=float) for values in levels), indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, len(levels)) if levels else np.zeros((1, 0))


def draw_points(
    method: str,
    factors: Sequence[str],
    bounds: Sequence[tuple[float, float]],
    count: int,
    seed: int,
) -> np.ndarray:
    """Points spread over ranges, ``[point, factor]``.

    Parameters
    ----------
    method
        ``latin_hypercube`` or ``sobol`` (scrambled; ``count`` points), ``morris`` (``count``
        trajectories of one more point than factors) or ``saltelli`` (``count`` base points, times
        two more than factors); the last two need the extra ``analysis``.
    factors, bounds
        names, and least and greatest value of each.
    count, seed
        how many, and the root of the scrambling.

    Raises
    ------
    rare_market.declare.InvalidValueError
        without factors, or for a number of Sobol' points that is no power of two.
    """
    if not bounds:
        raise InvalidValueError(f"sample: method {method} needs at least one factor.")
    if method in ("sobol", "saltelli") and count & (count - 1):
        raise InvalidValueError(f"sample: points = {count} must be a power of two for {method}.")
    if method == "morris":
        from SALib.sample import morris

        return np.asarray(morris.sample(problem(factors, bounds), count, seed=seed))
    if method == "saltelli":
        from SALib.sample import sobol

        drawn = sobol.sample(problem(factors, bounds), count, calc_second_order=False, seed=seed)
        return np.asarray(drawn)
    from scipy.stats import qmc

    sampler = qmc.Sobol if method == "sobol" else qmc.LatinHypercube
    low, high = np.array(bounds).T
    return np.asarray(qmc.scale(sampler(d=len(bounds), rng=seed).random(count), low, high))


def problem(factors: Sequence[str], bounds: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Factors and their ranges as SALib wants them."""
    return {"num_vars": len(factors), "names": list(factors), "bounds": [list(b) for b in bounds]}


def _bounds(file: Path, name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, dict) or set(value) != {"low", "high"}:
        raise InvalidValueError(f"{file}: factor {name} must be {{ low = …, high = … }}.")
    low, high = value["low"], value["high"]
    if not all(isinstance(v, int | float) and np.isfinite(v) for v in (low, high)) or low >= high:
        raise InvalidValueError(f"{file}: factor {name}: low = {low} must be below high = {high}.")
    return float(low), float(high)


def _table(file: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Points of a user: a CSV with a column for each factor."""
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            header, *rows = list(csv.reader(lines))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValueError(f"sample: file = {file} cannot be read: {error}.") from None
    except ValueError:
        raise InvalidValueError(f"sample: {file} is empty.") from None
    points = np.empty((len(rows), len(header)))
    for number, row in enumerate(rows):
        try:
            points[number] = [float(cell) for cell in row]
        except ValueError:
            raise InvalidValueError(
                f"{file}, row {number + 2}: {','.join(row)!r} must be {len(header)} numbers."
            ) from None
    return tuple(name.strip() for name in header), points


# -- factors ------------------------------------------------------------------------------------


def declared(factor: str) -> Declaration:
    """Return the declaration of a factor.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a name that is no number of a scenario or an instrument.
    """
    instrument, dot, field = factor.partition(".")
    if dot:
        refuse_unknown(INSTRUMENTS, instrument, "design: the list of instruments")
    kind: Any = INSTRUMENTS[instrument] if dot else Scenario
    known = {
        d.name: d
        for d in declarations(kind)
        if d.low is not None and d.name not in (() if dot else NOT_VARIED)
    }
    name = field if dot else factor
    refuse_unknown(known, name, f"design: {instrument if dot else 'scenario'}")
    return known[name]


def _typed(factor: str, value: float) -> int | float:
    return int(value) if isinstance(declared(factor).default, int) else value


def _check_values(factor: str, declaration: Declaration, values: np.ndarray) -> None:
    assert declaration.low is not None
    assert declaration.high is not None
    bad = ~((values >= declaration.low) & (values <= declaration.high))
    if isinstance(declaration.default, int):
        bad |= values != np.round(values)
    if bad.any():
        whole = "a whole number " if isinstance(declaration.default, int) else ""
        raise InvalidValueError(
            f"design: {factor} = {values[bad][0]:g} is not {whole}within "
            f"{declaration.low:g} to {declaration.high:g} {declaration.unit}".rstrip()
            + "."
        )


def _with_terms(policy: Policy, values: dict[str, int | float]) -> Policy:
    terms: dict[str, Any] = {
        name.partition(".")[2]: value
        for name, value in values.items()
        if name.partition(".")[0] == policy.name and "." in name
    }
    return dataclasses.replace(policy, **terms) if terms else policy


def _policy_from(terms: dict[str, Any]) -> Policy:
    return INSTRUMENTS[terms.pop("name")](**terms)


def _within(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidValueError(
            f"design: {name} = {value!r} is not a whole number within {low} to {high}."
        )
