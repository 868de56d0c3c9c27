"""One call for all goods of a month: read, search, quote, publish."""

# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

import numpy as np

from rare_market.clearing.answer import (
    bound_prices,
    list_trade,
    narrow_prices,
    publish,
    quote_prices,
)
from rare_market.clearing.paths import trade_by_paths
from rare_market.clearing.problem import (
    BAD_ASK_QUANTITY,
    BAD_BID_QUANTITY,
    FAR,
    LIMITED,
    NODE_ROWS,
    NUMBER_ROWS,
    OK,
    ORDER_ROWS,
    PRICE,
    RENT_UNIT,
    TICKS_PER_USD,
    TOO_MUCH,
    TRADE,
    UNLIMITED,
    compiled_with_arrays,
    grains,
    price_lanes,
    read_lanes,
    read_orders,
)
from rare_market.clearing.quotas import add_use, charge
from rare_market.clearing.simplex import search, start


@compiled_with_arrays
def clear_goods(
    which, node_start, slot_order, slot_node, tie_weight,
    ask_quantity_t, ask_limit, bid_quantity_t, bid_limit, lane_cost, lane_limit_t, hint,
    counted, rents, weights, rent, pivot_limit,
    ask_fill_t, bid_fill_t, flow_and_rent, quoted, noted, certificate, use,
):  # fmt: skip
    """Clear the goods `which`; return a problem code.

    The programme is solved at every row of `rents` (quarters of a tick, one column per quota) and
    the solutions are summed by weight; prices are quoted at `rent`. With no weights nothing is
    published: `use` gains the lots under each quota and, last, the value of the trade, and `hint`
    takes over the prices.
    """
    _, places, demands = lane_cost.shape
    nodes, lanes, classes = places + demands, places * demands, demands // places
    charges, published, solutions = len(rent) > 0, len(weights) > 0, len(rents)
    unit = RENT_UNIT if charges else np.int64(1)
    slots = len(slot_order) + 1
    number = np.empty((NUMBER_ROWS, slots), np.uint32)
    order = np.empty((ORDER_ROWS, slots), np.int64)
    node = np.empty((NODE_ROWS, nodes + 1), np.int64)
    arc, trades = np.empty(lanes, LIMITED), np.empty((lanes + nodes) * (solutions + 1), TRADE)
    trade, carrying = trades[: lanes + nodes], trades[lanes + nodes :]
    rows, scratch = np.zeros((4, lanes), np.int64), np.empty(demands, np.int64)
    tables = rows.reshape((4, places, demands))
    ticks, cost, extra, charged = tables[0], tables[1], tables[2], tables[3]
    cost_rows, limit_rows = lane_cost.reshape((-1, lanes)), lane_limit_t.reshape((-1, lanes))
    weight_row = tie_weight.reshape(lanes)
    for g in which:
        if published and not charges:
            certificate[3, g] = 0.0
        problem, asks, low_ask, top_ask = read_orders(
            0, 0, places, g * nodes, unit, node_start, slot_order, slot_node, ask_quantity_t,
            ask_limit, number, order, node,
        )  # fmt: skip
        if problem != OK:
            return problem
        problem, count, low_bid, top_bid = read_orders(
            asks, places, nodes, g * nodes, unit, node_start, slot_order, slot_node, bid_quantity_t,
            bid_limit, number, order, node,
        )  # fmt: skip
        if problem != OK:
            return problem if problem == TOO_MUCH else problem + BAD_BID_QUANTITY - BAD_ASK_QUANTITY
        lowest = min(low_ask, low_bid) if count > 0 else np.int64(0)
        highest = max(top_ask, top_bid) if count > 0 else np.int64(0)
        # from this cost on a lane is of no use
        useful = top_bid - low_ask + RENT_UNIT if 0 < asks < count else -UNLIMITED
        problem, arcs, span = read_lanes(
            g, places, useful, unit, cost_rows, limit_rows, rows[0], arc
        )  # fmt: skip
        if problem != OK:
            return problem
        bound = max(abs(highest), abs(lowest)) + 2 * span
        if charges:
            bound += 2 * max(useful, 0)
            charge(g, classes, counted, rent, charged)
        shift, tie_shift = grains(bound, places)
        for s in range(np.uint64(count)):
            order[PRICE, s] = order[PRICE, s] << shift

        in_use, carried = 0, 0
        for turn in range(2 if published else 1):
            for m in range(solutions):
                if turn == 0 or solutions > 1:
                    if charges:
                        charge(g, classes, counted, rents[m], extra)
                    price_lanes(
                        arcs, places, useful, shift, tie_shift, weight_row, rows[2], rows[0],
                        rows[1], arc,
                    )  # fmt: skip
                    start(g, shift, lowest, highest, unit, hint, arcs, order, cost, node, arc)
                    if not search(pivot_limit, arcs, order, cost, node, arc, scratch):
                        certificate[3, g] = 1.0
                        trade_by_paths(arcs, order, cost, node, arc)
                    in_use = list_trade(places, nodes, arcs, node, arc, trade)
                if turn == 1:
                    publish(
                        g, weights[m], unit, shift, arcs, in_use, ticks, charged, number, order,
                        node, arc, trade, ask_fill_t, bid_fill_t, flow_and_rent, noted, certificate,
                    )  # fmt: skip
                elif published:
                    carried = bound_prices(
                        m, solutions == 1 and not charges, shift, nodes, arcs, in_use, carried,
                        ticks, node, arc, trade, carrying,
                    )  # fmt: skip
                else:
                    add_use(
                        g, classes, shift, in_use, arcs, counted, ticks, order, node, arc, trade,
                        use,
                    )  # fmt: skip
                    for v in range(nodes):  # the next trial starts from here
                        if abs(node[PRICE, v]) < FAR:
                            hint[g, v] = (node[PRICE, v] >> shift) / (unit * TICKS_PER_USD)
            if turn == 0 and published:
                if charges:  # take back what was published without quotas
                    for s in range(node_start[g * nodes], node_start[g * nodes + places]):
                        ask_fill_t[slot_order[s]] = 0.0
                    for s in range(node_start[g * nodes + places], node_start[(g + 1) * nodes]):
                        bid_fill_t[slot_order[s]] = 0.0
                    flow_and_rent[:, g] = 0.0
                narrow_prices(carried, arcs, ticks, charged, node, arc, carrying)
                quote_prices(
                    g, unit, arcs, ticks, charged, node, arc, flow_and_rent, quoted, noted,
                    certificate,
                )  # fmt: skip
    return OK
