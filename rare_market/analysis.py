r"""What a sweep says: which factors matter, where an outcome happens, which policy is robust.

Every function refuses a sweep with a missing run or a NaN and names the run: estimators of indices
would return zeros for it. Morris screening and the estimators of Sobol' indices are SALib's and
need the extra ``analysis``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rare_market.declare import InvalidValueError, refuse_unknown
from rare_market.design import Design, problem
from rare_market.paired import LABELS
from rare_market.store import FAILED, FINISHED, Store

if TYPE_CHECKING:
    import pandas as pd

MORRIS_LEVELS = 4  # of SALib's trajectories
SMALLEST_BOX = 20  # runs in a box of scenario discovery, at least


def complete(store: Store, measure: str, world: str) -> np.ndarray:
    """Values ``[point, draw]`` of a measure in a world; points alike to it share their runs.

    Raises
    ------
    rare_market.declare.InvalidValueError
        naming the first run that is missing, failed or not finite, or an unknown world or measure.
    rare_market.store.StoreDamagedError
        naming the damaged files; their runs are not missing.
    """
    store.refuse_damage()
    design = store.design
    names = [w.name for w in design.worlds]
    refuse_unknown(names, world, "the sweep's list of worlds")
    cells = design.cell_of_point(names.index(world))
    own = cells[:, None] * design.replications + np.arange(design.replications)
    for run in own[store.state[own] != FINISHED].tolist():
        why = store.failures[run].reason if store.state[run] == FAILED else "it was not made"
        raise InvalidValueError(f"analysis: {design.run(run).name} has no result: {why}.")
    frame = store.runs().set_index("run")
    known = [name for name in frame.columns if name not in (*LABELS, *design.factors)]
    refuse_unknown(known, measure, "the sweep's list of measures")
    values = frame.loc[own.ravel(), measure].to_numpy().reshape(own.shape)
    for run in own[~np.isfinite(values)].tolist():
        raise InvalidValueError(f"analysis: {design.run(run).name} has no number for {measure}.")
    return np.asarray(values)


# -- which factors matter -----------------------------------------------------------------------


def sensitivity(store: Store, measure: str, world: str, confidence: float = 0.9) -> pd.DataFrame:
    """Morris screening or Sobol' indices, whichever the design was drawn for.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a sweep drawn for neither, or as :func:`complete`.
    """
    design, method = store.design, store.design.sample["method"]
    if method not in ("morris", "saltelli"):
        raise InvalidValueError(
            f"analysis: the design's method is {method}; sensitivity needs morris or saltelli."
        )
    values = complete(store, measure, world)
    bounds = [tuple(pair) for pair in design.sample["bounds"]]
    if method == "morris":
        return morris(design.factors, bounds, design.points, values, confidence)
    return sobol_indices(design.factors, values, confidence)


def morris(
    factors: Sequence[str],
    bounds: Sequence[tuple[float, ...]],
    points: np.ndarray,
    values: np.ndarray,
    confidence: float = 0.9,
) -> pd.DataFrame:
    r"""Elementary effects of the mean over draws (Morris 1991; Campolongo et al. 2007).

    Parameters
    ----------
    factors, bounds
        names and ranges.
    points, values
        ``[point, factor]`` and ``[point, draw]``.
    confidence
        of the interval of :math:`\mu^*`.

    Returns
    -------
    pandas.DataFrame
        by factor, the most influential first: ``mu_star``, mean absolute effect of crossing the
        range, its ``low`` and ``high``, ``mu`` and ``sigma``, which tells interaction or
        curvature.
    """
    import pandas as pd
    from SALib.analyze import morris as salib

    _finite(values)
    pairs = [(pair[0], pair[1]) for pair in bounds]
    found = salib.analyze(
        problem(factors, pairs),
        points,
        values.mean(axis=1),
        conf_level=confidence,
        num_levels=MORRIS_LEVELS,
        seed=0,
    )
    star, half = np.asarray(found["mu_star"]), np.asarray(found["mu_star_conf"])
    frame = pd.DataFrame(
        {
            "factor": list(factors),
            "mu_star": star,
            "low": star - half,
            "high": star + half,
            "mu": np.asarray(found["mu"]),
            "sigma": np.asarray(found["sigma"]),
        }
    )
    return frame.sort_values("mu_star", ascending=False, ignore_index=True)


def sobol_indices(
    factors: Sequence[str], values: np.ndarray, confidence: float = 0.9, resamples: int = 300
) -> pd.DataFrame:
    """Shares of variance of the mean over draws, first-order and total (Saltelli et al. 2010).

    All points meet the same draws, so indices are conditional on these draws. Two bootstraps tell
    how far they can be trusted: over base points, for the finite sample, and over draws, for the
    luck that all points share.

    Parameters
    ----------
    factors
        names.
    values
        ``[point, draw]`` at Saltelli points: for each base point itself, one point per factor, and
        its partner.
    confidence, resamples
        of the bootstraps.

    Returns
    -------
    pandas.DataFrame
        by factor and order: ``index``, ``points_low``, ``points_high``, ``draws_low`` and
        ``draws_high``; the last two are NaN with one draw.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a NaN, a number of points that is none of Saltelli's, or an outcome without variance.
    """
    import pandas as pd
    from scipy.stats import bootstrap

    _finite(values)
    block, draws = len(factors) + 2, values.shape[1]
    if len(values) % block:
        raise InvalidValueError(f"analysis: {len(values)} points are not a multiple of {block}.")
    cube = values.reshape(-1, block, draws)
    if np.ptp(cube.mean(axis=2)) == 0.0:
        raise InvalidValueError("analysis: the outcome is the same at every point.")
    options: dict[str, Any] = {
        "vectorized": False,
        "n_resamples": resamples,
        "confidence_level": confidence,
        "method": "percentile",
        "rng": 0,
    }

    def over_points(rows: np.ndarray) -> np.ndarray:
        return _indices(cube[rows.astype(int)].mean(axis=2))

    def over_draws(columns: np.ndarray) -> np.ndarray:
        return _indices(cube[:, :, columns.astype(int)].mean(axis=2))

    found = over_points(np.arange(len(cube)))
    spread = bootstrap((np.arange(len(cube)),), over_points, **options).confidence_interval
    low = high = np.full_like(found, np.nan)
    if draws > 1:
        luck = bootstrap((np.arange(draws),), over_draws, **options).confidence_interval
        low, high = luck.low, luck.high
    return pd.DataFrame(
        {
            "factor": [*factors, *factors],
            "order": ["first"] * len(factors) + ["total"] * len(factors),
            "index": found,
            "points_low": spread.low,
            "points_high": spread.high,
            "draws_low": low,
            "draws_high": high,
        }
    )


def _indices(outcome: np.ndarray) -> np.ndarray:
    """First-order and total indices from ``[base point, block]``."""
    from SALib.analyze.sobol import first_order, total_order

    outcome = (outcome - outcome.mean()) / outcome.std()
    a, b = outcome[:, 0], outcome[:, -1]
    mixed = outcome[:, 1:-1].T
    first = [float(np.squeeze(first_order(a, ab, b))) for ab in mixed]
    total = [float(np.squeeze(total_order(a, ab, b))) for ab in mixed]
    return np.array(first + total)


# -- where an outcome happens -------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """A region of factor space in which an outcome is frequent.

    Attributes
    ----------
    bounds
        by restricted factor, its least and greatest value.
    coverage_share
        part of all cases of the outcome that lie in the box.
    density_share
        part of the runs in the box that are cases.
    runs
        runs in the box.
    p_value
        by restricted factor, probability that the density would be as high without it (Bryant and
        Lempert 2010).
    """

    bounds: dict[str, tuple[float, float]]
    coverage_share: float
    density_share: float
    runs: int
    p_value: dict[str, float]


def discover(
    factors: Sequence[str], points: np.ndarray, cases: np.ndarray, peel_share: float = 0.05
) -> list[Box]:
    """Scenario discovery: boxes of rising density, peeled one thin slice at a time.

    The patient rule induction method (Friedman and Fisher 1999) without pasting: each step takes
    away, at one end of one factor, the slice whose loss raises the density most.

    Parameters
    ----------
    factors, points
        names and ``[run, factor]`` values.
    cases
        ``[run]`` bool, whether the outcome happened.
    peel_share
        part of the runs in the box that a slice holds.

    Returns
    -------
    list of Box
        from all runs to the densest box; coverage falls along it.

    Raises
    ------
    rare_market.declare.InvalidValueError
        if the outcome never or always happens.
    """
    if not cases.any() or cases.all():
        share = float(cases.mean())
        raise InvalidValueError(f"analysis: the outcome happens in {share:.0%} of runs: no box.")
    low, high = points.min(axis=0), points.max(axis=0)
    whole = low.copy(), high.copy()
    boxes = [_box(factors, points, cases, low, high, whole)]
    while boxes[-1].density_share < 1.0:
        inside = ((points >= low) & (points <= high)).all(axis=1)
        best: tuple[float, int, float, bool] | None = None
        for column in range(len(factors)):
            own = np.sort(points[inside, column])
            if own[0] == own[-1]:
                continue
            count = max(1, int(peel_share * len(own)))
            # of equal values all are taken away or none
            first = own[count] if own[count] > own[0] else own[own > own[0]][0]
            last = own[-count - 1] if own[-count - 1] < own[-1] else own[own < own[-1]][-1]
            for value, is_low in ((first, True), (last, False)):
                x = points[:, column]
                left = inside & ((x >= value) if is_low else (x <= value))
                if not SMALLEST_BOX <= left.sum() < inside.sum():
                    continue
                density = float(cases[left].mean())
                if best is None or density > best[0]:
                    best = (density, column, float(value), is_low)
        if best is None or best[0] <= boxes[-1].density_share:
            break
        (low if best[3] else high)[best[1]] = best[2]
        boxes.append(_box(factors, points, cases, low, high, whole))
    return boxes


def _box(
    factors: Sequence[str],
    points: np.ndarray,
    cases: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    whole: tuple[np.ndarray, np.ndarray],
) -> Box:
    from scipy.stats import binom

    within = (points >= low) & (points <= high)
    inside = within.all(axis=1)
    hits, size = int(cases[inside].sum()), int(inside.sum())
    bounds, p_value = {}, {}
    for column in np.nonzero((low > whole[0]) | (high < whole[1]))[0].tolist():
        others = np.delete(within, column, axis=1).all(axis=1)
        name = factors[column]
        bounds[name] = (float(low[column]), float(high[column]))
        p_value[name] = float(binom.sf(hits - 1, size, cases[others].mean()))
    return Box(bounds, hits / cases.sum(), hits / size, size, p_value)


# -- which policy is robust ---------------------------------------------------------------------


def regret(
    store: Store,
    measure: str,
    worlds: Sequence[str] = (),
    *,
    lower_is_better: bool = False,
    at_least: float | None = None,
) -> pd.DataFrame:
    """Regret and satisficing of policies over all points and draws.

    In a point and draw, the regret of a world is what the best world there does better. All worlds
    meet the same points and the same luck.

    Parameters
    ----------
    store, measure
        a sweep and one of its measures.
    worlds
        by default all.
    lower_is_better
        for costs.
    at_least
        a value to reach (to stay below, if lower is better); its share is the satisficing one.

    Returns
    -------
    pandas.DataFrame
        by world: ``mean``, ``regret_mean``, ``regret_90`` (its 90 % quantile), ``regret_most``,
        ``best_share`` of cases in which it is best, and ``satisfied_share``.

    Raises
    ------
    rare_market.declare.InvalidValueError
        as :func:`complete`.
    """
    import pandas as pd

    names = list(worlds) or [world.name for world in store.design.worlds]
    values = np.stack([complete(store, measure, name).ravel() for name in names])
    sign = -1.0 if lower_is_better else 1.0
    lost = (sign * values).max(axis=0) - sign * values
    frame = pd.DataFrame(
        {
            "world": names,
            "mean": values.mean(axis=1),
            "regret_mean": lost.mean(axis=1),
            "regret_90": np.quantile(lost, 0.9, axis=1),
            "regret_most": lost.max(axis=1),
            "best_share": (lost == 0.0).mean(axis=1),
        }
    )
    if at_least is not None:
        frame["satisfied_share"] = (sign * values >= sign * at_least).mean(axis=1)
    return frame.sort_values("regret_90", ignore_index=True)


def cases_of(
    store: Store, measure: str, world: str, threshold: float, *, below: bool
) -> tuple[Design, np.ndarray, np.ndarray]:
    """Design, ``[run, factor]`` values and ``[run]`` whether a measure lies beyond a threshold."""
    values = complete(store, measure, world)
    points = np.repeat(store.design.points, store.design.replications, axis=0)
    flat = values.ravel()
    return store.design, points, (flat < threshold) if below else (flat > threshold)


def _finite(values: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise InvalidValueError(
            f"analysis: point {bad[0][0]}, draw {bad[0][1]} has no number: no index is computed."
        )
