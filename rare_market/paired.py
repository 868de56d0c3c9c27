"""Differences between worlds under the same luck, with their intervals.

Two runs of one replication meet the same draws of every source of chance, whatever their policies,
so their difference is due to policy alone and varies far less than either. Intervals are Student's
for the mean of these differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rare_market.declare import refuse_unknown

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("run", "point", "world", "replication")


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean and its two-sided Student interval; the interval of one value is unknown (NaN).

    Examples
    --------
    >>> mean, low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(mean, 3), round(low, 3), round(high, 3)
    (2.0, -0.484, 4.484)
    """
    from scipy.stats import t

    mean, draws = float(np.mean(values)), len(values)
    if draws < 2:
        return mean, np.nan, np.nan
    half = float(t.ppf(0.5 + confidence / 2, draws - 1) * np.std(values, ddof=1) / np.sqrt(draws))
    return mean, mean - half, mean + half


def paired_differences(
    runs: pd.DataFrame,
    against: str,
    factors: Sequence[str] = (),
    measures: Sequence[str] = (),
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Mean difference of every world to one of them, at every point.

    Parameters
    ----------
    runs
        results of a sweep.
    against
        the world that is subtracted.
    factors
        what varies over points; a world without a factor is compared at each of its values.
    measures
        by default all of them.
    confidence
        of the intervals.

    Returns
    -------
    pandas.DataFrame
        a row per world, point and measure: factors, ``difference``, ``low``, ``high`` and
        ``pairs``, the number of replications that have both runs.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for an unknown world or measure.
    """
    import pandas as pd

    columns = [name for name in runs.columns if name not in (*LABELS, *factors)]
    for name in measures:
        refuse_unknown(columns, name, "the sweep")
    refuse_unknown(runs["world"].unique().tolist(), against, "the sweep's list of worlds")
    wanted = list(measures or columns)
    base = runs[runs["world"] == against]
    shared_base = [name for name in factors if base[name].notna().all()]
    rows = []
    for world, own in runs[runs["world"] != against].groupby("world", sort=False):
        has = [name for name in factors if own[name].notna().all()]
        common = [name for name in has if name in shared_base]
        pairs = own.merge(base, on=["replication", *common], suffixes=("", " base"))
        for name in set(shared_base) - set(has):
            pairs[name] = pairs[f"{name} base"]
        every = [name for name in factors if name in has or name in shared_base]
        groups = pairs.groupby(every, sort=True) if every else [((), pairs)]
        for values, group in groups:
            label = dict(zip(every, values, strict=True))
            for measure in wanted:
                difference = (group[measure] - group[f"{measure} base"]).to_numpy()
                mean, low, high = mean_interval(difference, confidence)
                rows.append(
                    {
                        "world": world,
                        **label,
                        "measure": measure,
                        "difference": mean,
                        "low": low,
                        "high": high,
                        "pairs": len(group),
                    }
                )
    return pd.DataFrame(rows)
