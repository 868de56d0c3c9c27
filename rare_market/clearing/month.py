"""One call for all goods of a month: read, search, quote, publish."""

# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

import numpy as np

from rare_market.clearing.answer import (
    bound_prices,
    list_trade,
    narrow_prices,
    note_reach,
    publish,
    quote_prices,
)
from rare_market.clearing.eights import (
    count_from,
    fetch_ahead,
    load,
    load_some,
    pick,
    spread,
    store,
)
from rare_market.clearing.jit import compiled_with_arrays
from rare_market.clearing.paths import trade_by_paths
from rare_market.clearing.problem import (
    BAD_ASK_QUANTITY,
    BAD_BID_QUANTITY,
    FAR,
    FIRST,
    INSIDE,
    LIMITED,
    LIVE,
    NODE_ROWS,
    OK,
    ORDER_ROWS,
    PRICE,
    RENT_UNIT,
    SEAT,
    TICKS_PER_USD,
    TOO_MUCH,
    TRADE,
    UNLIMITED,
    grains,
    price_lanes,
    read_lanes,
    read_orders,
)
from rare_market.clearing.quotas import add_use, charge, charge_all
from rare_market.clearing.simplex import is_tied, search, start


@compiled_with_arrays
def clear_goods(
    which, plan, tie_weight, ask_quantity_t, ask_limit, bid_quantity_t, bid_limit, lane_cost,
    lane_limit_t, hint, counted, trial, weights, pivot_limit, answer,
):  # fmt: skip
    """Clear the goods `which`; return a problem code.

    The programme is solved at the rents in every row of `trial` but the first two (quarters of a
    tick, one column per quota) and the solutions are summed by weight; prices are quoted at the
    rents in its first row. With no weights nothing is published: its second row gains the lots
    under each quota and, last, the value of the trade, and `hint` takes over the prices.
    """
    goods, all_places, all_demands = lane_cost.shape
    all_nodes, lanes = all_places + all_demands, all_places * all_demands
    classes = all_demands // all_places
    columns = tie_weight.shape[1]  # the demand nodes, in eights
    charges, published, solutions = len(counted) > 0, len(weights) > 0, len(trial) - 2
    rents, rent, use = trial[2:], trial[0], trial[1]
    good_start, sellers, node_start = plan[: goods + 1], plan[goods + 1 :], plan[2 * goods + 1 :]
    seats = node_start[np.int64(good_start[goods]) + 1 :]
    block_node = seats[np.int64(good_start[goods]) :]
    blocks = np.int64(node_start[good_start[goods]])
    block_size = block_node[blocks:]
    slot_order = block_size[blocks:]
    flow_and_rent = answer[: 2 * goods * lanes].reshape((2, goods, all_places, all_demands))
    rest = answer[2 * goods * lanes :]
    quoted = rest[: 3 * goods * all_nodes].reshape((3, goods, all_nodes))
    rest = rest[3 * goods * all_nodes :]
    certificate, rest = rest[: 4 * goods].reshape((4, goods)), rest[4 * goods :]
    ask_fill_t, rest = rest[: len(ask_limit)], rest[len(ask_limit) :]
    bid_fill_t, rest = rest[: len(bid_limit)], rest[len(bid_limit) :]
    noted = rest.view(np.int64).reshape((3, goods, all_nodes))
    unit_shift = np.int64(2 if charges else 0)
    unit = np.int64(1) << unit_shift
    slots = len(slot_order)
    order, offered_t = np.empty((ORDER_ROWS, slots), np.int64), np.empty((1, slots))
    width = all_nodes + columns + 24
    node = np.zeros((NODE_ROWS, 2 * width), np.int64)  # those in the book, then all of the good
    arc, trades = np.empty(lanes, LIMITED), np.empty((lanes + all_nodes) * (solutions + 1), TRADE)
    trade, carrying = trades[: lanes + all_nodes], trades[lanes + all_nodes :]
    # lanes between all nodes, and then those between nodes in the book
    tables = np.zeros((3, 2 * all_places, columns), np.int64)
    ticks, charged, weight = tables[0], tables[1], tables[2]
    weight[:all_places] = tie_weight
    cost, scratch = np.empty((all_places, columns), np.int64), np.empty((1, columns), np.int64)
    extra = np.zeros((all_places, columns), np.int64)
    prices, hinted = np.empty((3, all_nodes + 8)), np.full((1, all_nodes + 24), np.nan)
    cost_rows, limit_rows = lane_cost.reshape((-1, lanes)), lane_limit_t.reshape((-1, lanes))
    for g in which:
        if published and not charges:
            certificate[3, g] = 0.0
            for o in range(all_places):
                for d in range(all_demands):
                    flow_and_rent[0, g, o, d], flow_and_rent[1, g, o, d] = 0.0, 0.0
        begin, end = np.int64(good_start[g]), np.int64(good_start[g + 1])
        places, nodes = np.int64(sellers[g]), end - begin
        first, last = np.int64(node_start[begin]), np.int64(node_start[end])
        middle = np.int64(node_start[begin + places])
        # from which row on the lanes between nodes in the book stand, and from which column on all
        # nodes; where none is absent they are the same
        whole = nodes == all_nodes
        inner, outer = (0, 0) if whole else (all_places, width)
        for v in range(nodes):
            node[FIRST, v], node[SEAT, v] = 8 * (node_start[begin + v] - first), seats[begin + v]
        node[FIRST, nodes] = 8 * (last - first)
        if len(hint) > 0 and whole:
            for v in range(0, nodes, 8):
                store(hinted, 0, v, load_some(hint, g, v, nodes - v, np.nan))
        elif len(hint) > 0:
            for v in range(nodes):
                hinted[0, v] = hint[g, node[SEAT, v]]
        for v in range(0, nodes + 8, 8):
            store(node, LIVE, v, spread(np.int64(0)))
        store(node, PRICE, nodes, spread(-FAR))
        store(node, INSIDE, nodes, count_from(nodes))
        problem, low_ask, top_ask = read_orders(
            first, middle, first, unit_shift, block_node, block_size, slot_order, ask_quantity_t,
            ask_limit, order, offered_t, node,
        )  # fmt: skip
        if problem != OK:
            return problem
        problem, low_bid, top_bid = read_orders(
            middle, last, first, unit_shift, block_node, block_size, slot_order, bid_quantity_t,
            bid_limit, order, offered_t, node,
        )  # fmt: skip
        if problem != OK:
            return problem if problem == TOO_MUCH else problem + BAD_BID_QUANTITY - BAD_ASK_QUANTITY
        if last < blocks:  # the next good's orders come near while this one is cleared
            between = np.int64(node_start[end + sellers[g + 1]])
            for b in range(last, between):
                fetch_ahead(ask_quantity_t, slot_order, 8 * b)
                fetch_ahead(ask_limit, slot_order, 8 * b)
            for b in range(between, np.int64(node_start[good_start[g + 2]])):
                fetch_ahead(bid_quantity_t, slot_order, 8 * b)
                fetch_ahead(bid_limit, slot_order, 8 * b)
        lowest, highest = min(low_ask, low_bid), max(top_ask, top_bid)
        lowest, highest = (lowest, highest) if lowest < FAR else (np.int64(0), np.int64(0))
        # from this cost on a lane is of no use
        both = low_ask < FAR and low_bid < FAR
        useful = top_bid - low_ask + RENT_UNIT if both else -UNLIMITED
        problem, arcs, others, span = read_lanes(
            g, places, nodes, inner, useful, unit_shift, cost_rows, limit_rows, ticks, weight, node,
            arc,
        )  # fmt: skip
        if problem != OK:
            return problem
        bound = max(abs(highest), abs(lowest)) + 2 * span
        if charges:
            bound += 2 * max(useful, 0)
            charge(g, classes, places, nodes, inner, counted, rent, node, charged)
        shift, tie_shift = grains(bound, all_places)
        for s in range(0, 8 * (last - first), 8):
            limit = load(order, PRICE, s)
            dead = limit == spread(FAR)
            store(order, PRICE, s, pick(dead, limit, limit << spread(shift)))

        in_use, carried = 0, 0
        for turn in range(2 if published else 1):
            for m in range(solutions):
                if turn == 0 or solutions > 1:
                    if charges:
                        charge(g, classes, places, nodes, 0, counted, rents[m], node, extra)
                    price_lanes(
                        places, nodes, inner, arcs, useful, shift, tie_shift, weight, extra, ticks,
                        cost, arc,
                    )  # fmt: skip
                    start(
                        places, nodes, shift, lowest, highest, unit_shift, hinted, arcs, block_node,
                        first, middle, last, order, cost, node, arc, scratch,
                    )  # fmt: skip
                    found = search(
                        pivot_limit, arcs, places, nodes, order, cost, node, arc, scratch
                    )
                    if not found:
                        certificate[3, g] = 1.0
                    if not found or is_tied(places, nodes, arcs, cost, node, arc):
                        trade_by_paths(places, nodes, inner, arcs, weight, order, cost, node, arc)
                    in_use = list_trade(places, nodes, arcs, node, arc, trade)
                if turn == 1:
                    publish(
                        g, weights[m], unit, shift, places, nodes, inner, arcs, in_use, ticks,
                        charged, block_node, slot_order, first, middle, last, order, offered_t,
                        node, arc, trade, ask_fill_t, bid_fill_t, flow_and_rent, noted, certificate,
                    )  # fmt: skip
                elif published:
                    carried = bound_prices(
                        m, solutions == 1 and not charges, shift, places, nodes, inner, arcs,
                        in_use, carried, ticks, node, arc, trade, carrying,
                    )  # fmt: skip
                else:
                    add_use(
                        g, classes, shift, places, nodes, inner, in_use, arcs, counted, ticks,
                        order, node, arc, trade, use,
                    )  # fmt: skip
                    for v in range(nodes):  # the next trial starts from here
                        if abs(node[PRICE, v]) < FAR:
                            price = (node[PRICE, v] >> shift) / (unit * TICKS_PER_USD)
                            hint[g, node[SEAT, v]] = price
            if turn == 0 and published:
                if charges:  # take back what was published without quotas
                    for s in range(8 * first, 8 * middle):
                        ask_fill_t[slot_order[s]] = 0.0
                    for s in range(8 * middle, 8 * last):
                        bid_fill_t[slot_order[s]] = 0.0
                    flow_and_rent[:, g] = 0.0
                narrow_prices(
                    places, nodes, inner, carried, arcs, ticks, charged, node, arc, carrying
                )  # fmt: skip
                if charges and not whole:
                    charge_all(g, classes, counted, rent, charged)
                quote_prices(
                    g, unit, places, nodes, outer, arcs, others, ticks, charged, node, arc, prices,
                    flow_and_rent, quoted, certificate,
                )  # fmt: skip
                note_reach(g, places, nodes, outer, arcs, others, ticks, node, arc, noted)
    return OK
