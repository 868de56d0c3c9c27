"""The joint linear programme of all goods and quotas, solved by HiGHS (https://highs.dev)."""

from __future__ import annotations

from typing import NamedTuple

import highspy
import numpy as np


class HighsClearing(NamedTuple):
    welfare: float  # USD/kg times t
    quota_rent_usd_per_kg: np.ndarray
    node_price_usd_per_kg: np.ndarray  # one optimal dual, [good, node]


def programme(market) -> tuple[highspy.HighsLp, int]:
    """Build the programme; columns are asks, bids and the open lanes of each good in turn."""
    places, demands = market.places, market.places * market.buyer_classes
    nodes = places + demands
    open_good, open_origin, open_demand = np.nonzero(np.isfinite(market.lane_cost_usd_per_kg))
    lanes = open_good, open_origin, open_demand
    rows_of = [
        (market.ask_good * nodes + market.ask_place, 1.0),
        (market.bid_good * nodes + places + market.bid_node, -1.0),
    ]
    entries = [(row, column, sign) for row, column, sign in _columns(rows_of)]
    first_lane = len(market.ask_good) + len(market.bid_good)
    lane_column = first_lane + np.arange(len(open_good))
    entries.append((open_good * nodes + open_origin, lane_column, -1.0))
    entries.append((open_good * nodes + places + open_demand, lane_column, 1.0))
    quota_row = market.goods * nodes
    quotas = market.quotas
    for k in range(len(quotas.quota_t)):
        place = open_demand // market.buyer_classes
        counted = (
            quotas.quota_goods[k][open_good]
            & (open_origin != place)
            & ((quotas.quota_origin[k] < 0) | (open_origin == quotas.quota_origin[k]))
            & ((quotas.quota_destination[k] < 0) | (place == quotas.quota_destination[k]))
        )
        columns = lane_column[counted]
        entries.append((np.full(len(columns), quota_row + k), columns, 1.0))

    rows = np.concatenate([row for row, _, _ in entries]).astype(int)
    columns = np.concatenate([column for _, column, _ in entries]).astype(int)
    values = np.concatenate([np.full(len(row), sign) for row, _, sign in entries])
    order = np.lexsort((rows, columns))
    lp = highspy.HighsLp()
    lp.num_col_ = first_lane + len(open_good)
    lp.num_row_ = quota_row + len(quotas.quota_t)
    lp.col_cost_ = np.concatenate(
        [
            market.ask_limit_usd_per_kg,
            -market.bid_limit_usd_per_kg,
            market.lane_cost_usd_per_kg[lanes],
        ]
    )
    lp.col_lower_ = np.zeros(lp.num_col_)
    limit = np.where(np.isinf(market.lane_limit_t), highspy.kHighsInf, market.lane_limit_t)
    lp.col_upper_ = np.concatenate([market.ask_quantity_t, market.bid_quantity_t, limit[lanes]])
    balance = np.zeros(quota_row)
    lp.row_lower_ = np.concatenate([balance, np.full(len(quotas.quota_t), -highspy.kHighsInf)])
    lp.row_upper_ = np.concatenate([balance, quotas.quota_t])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.searchsorted(columns[order], np.arange(lp.num_col_ + 1))
    lp.a_matrix_.index_ = rows[order]
    lp.a_matrix_.value_ = values[order]
    return lp, quota_row


def _columns(rows_of):
    first = 0
    for rows, sign in rows_of:
        yield rows, first + np.arange(len(rows)), sign
        first += len(rows)


def quiet_solver() -> highspy.Highs:
    """Return a solver that neither prints nor runs threads."""
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    return solver


def clear_highs(market, solver: highspy.Highs | None = None) -> HighsClearing:
    """Solve the joint programme of a `tests.strategies.Market`."""
    lp, quota_row = programme(market)
    if lp.num_col_ == 0:  # HiGHS has no optimum of nothing
        none = np.zeros((market.goods, quota_row // market.goods))
        return HighsClearing(0.0, np.zeros(len(market.quotas.quota_t)), none)
    solver = solver or quiet_solver()
    solver.passModel(lp)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS: {solver.getModelStatus()}")
    dual = np.asarray(solver.getSolution().row_dual)
    return HighsClearing(
        -solver.getInfo().objective_function_value,
        -dual[quota_row:],
        dual[:quota_row].reshape(market.goods, -1),
    )
