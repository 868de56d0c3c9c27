"""One call for all goods of a month: read, search, quote, publish."""

# mypy: allow-untyped-defs, allow-untyped-calls
from __future__ import annotations

import numpy as np

from rare_market.clearing.answer import (
    Answer,
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
from rare_market.clearing.jit import compiled, compiled_apart, compiled_with_arrays
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
    Good,
    Tables,
    grains,
    price_lanes,
    read_lanes,
    read_orders,
)
from rare_market.clearing.quotas import add_use, charge, charge_all
from rare_market.clearing.simplex import is_tied, search, start
from rare_market.clearing.tables import hold, row, table


@compiled_with_arrays
def clear_goods(
    which, plan, tie_weight, ask_quantity_t, ask_limit, bid_quantity_t, bid_limit, lane_cost,
    lane_limit_t, hint, counted, trial, weights, pivot_limit, answer,
):  # fmt: skip
    """Clear the goods `which`; return a problem code.

    The programme is solved at the rents in every row of `trial` but the first two (quarters of a
    tick, one column per quota) and the solutions are summed by weight; prices are quoted at the
    rents in its first row. With no weights nothing is published: its second row gains the lots
    under each quota and, in two columns more, the value of the trade
    (:func:`rare_market.clearing.quotas.exact_value`), and `hint` takes over the prices. Without
    quotas none of the three is read.
    """
    goods, all_places, all_demands = lane_cost.shape
    all_nodes, lanes = all_places + all_demands, all_places * all_demands
    columns = tie_weight.shape[1]  # the demand nodes, in eights
    charges, solutions = len(counted) > 0, len(trial) - 2
    good_start, sellers, node_start = row(plan, 0), row(plan, goods + 1), row(plan, 2 * goods + 1)
    known = good_start[goods]  # nodes with orders
    blocks = node_start[known]
    seats = row(node_start, known + 1)
    block_node = row(seats, known)
    slot_order = row(block_node, 2 * blocks)
    ask_t, ask_usd_per_kg = row(ask_quantity_t, 0), row(ask_limit, 0)
    bid_t, bid_usd_per_kg = row(bid_quantity_t, 0), row(bid_limit, 0)
    cost_usd_per_kg, limit_t = lane_cost.reshape(-1), lane_limit_t.reshape(-1)
    flow_t, rent_usd_per_kg = row(answer, 0), row(answer, goods * lanes)
    price_usd_per_kg = row(rent_usd_per_kg, goods * lanes)
    certificate = row(price_usd_per_kg, 3 * goods * all_nodes)
    ask_fill_t = row(certificate, 4 * goods)
    bid_fill_t = row(ask_fill_t, len(ask_limit))
    noted = row(answer.view(np.int64), len(answer) - 3 * goods * all_nodes)

    # the nodes in the book, and if some are absent all nodes; eights reach fourteen beyond the last
    slots, width = 8 * blocks, (all_nodes + 16 + 7) // 8 * 8
    node_columns = width if known == goods * all_nodes else 2 * width
    piece, zeros = all_places * columns, NODE_ROWS * node_columns + 8 * all_places * columns
    words = _from_a_line(np.empty(8 + zeros + columns + ORDER_ROWS * slots, np.int64))
    for i in range(zeros):
        words[i] = 0
    floats = _from_a_line(np.empty(8 + slots + 4 * width))
    for i in range(slots, slots + 4 * width):
        floats[i] = np.nan
    limited = np.empty(lanes, LIMITED)
    trades = np.empty((lanes + all_nodes) * (solutions + 1), TRADE)
    of_lanes, prices = row(words, NODE_ROWS * node_columns), row(floats, slots)
    tables = Tables(
        order=table(words, zeros + columns, slots),
        offered_t=table(floats, 0, slots),
        node=table(words, 0, node_columns),
        arc=row(limited, 0),
        trade=row(trades, 0),
        carrying=row(trades, lanes + all_nodes),
        ticks=table(of_lanes, 0, columns),
        charged=table(of_lanes, 2 * piece, columns),
        weight=table(of_lanes, 4 * piece, columns),
        rent=table(of_lanes, 6 * piece, columns),
        cost=table(of_lanes, 7 * piece, columns),
        gaps=table(of_lanes, 8 * piece, columns),
        price=table(prices, 0, width),
        hinted=table(prices, 3 * width, width),
        block_node=block_node,
        block_size=row(block_node, blocks),
        slot_order=slot_order,
    )
    order, node, weight, hinted = tables.order, tables.node, tables.weight, tables.hinted
    for o in range(all_places):
        for d in range(columns):
            weight[o, d] = tie_weight[o, d]

    unit_shift = np.int64(2 if charges else 0)
    problem = OK
    for g in which:
        result = Answer(
            table(flow_t, g * lanes, all_demands),
            table(rent_usd_per_kg, g * lanes, all_demands),
            table(price_usd_per_kg, g * all_nodes, goods * all_nodes),
            table(certificate, g, goods),
            ask_fill_t,
            bid_fill_t,
            table(noted, g * all_nodes, goods * all_nodes),
        )
        begin, end = good_start[g], good_start[g + 1]
        places, nodes = sellers[g], end - begin
        first, last = node_start[begin], node_start[end]
        middle = node_start[begin + places]
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
            first, middle, first, unit_shift, ask_t, ask_usd_per_kg, tables
        )  # fmt: skip
        if problem != OK:
            break
        problem, low_bid, top_bid = read_orders(
            middle, last, first, unit_shift, bid_t, bid_usd_per_kg, tables
        )  # fmt: skip
        if problem != OK:
            if problem != TOO_MUCH:
                problem += BAD_BID_QUANTITY - BAD_ASK_QUANTITY
            break
        if last < blocks:  # the next good's orders come near while this one is cleared
            between = node_start[end + sellers[g + 1]]
            for b in range(last, between):
                fetch_ahead(ask_t, slot_order, 8 * b)
                fetch_ahead(ask_usd_per_kg, slot_order, 8 * b)
            for b in range(between, node_start[good_start[g + 2]]):
                fetch_ahead(bid_t, slot_order, 8 * b)
                fetch_ahead(bid_usd_per_kg, slot_order, 8 * b)
        lowest, highest = min(low_ask, low_bid), max(top_ask, top_bid)
        lowest, highest = (lowest, highest) if lowest < FAR else (np.int64(0), np.int64(0))
        # from this cost on a lane is of no use
        both = low_ask < FAR and low_bid < FAR
        useful = top_bid - low_ask + RENT_UNIT if both else -UNLIMITED
        problem, arcs, others, span = read_lanes(
            all_places, all_demands, places, nodes, inner, first, last, useful, unit_shift,
            table(cost_usd_per_kg, g * lanes, all_demands),
            table(limit_t, g * lanes, all_demands), tables,
        )  # fmt: skip
        if problem != OK:
            break
        bound = max(abs(highest), abs(lowest)) + 2 * span
        if charges:
            bound += 2 * max(useful, 0)
        shift, tie_shift = grains(bound, all_places)
        for s in range(0, 8 * (last - first), 8):
            limit = load(order, PRICE, s)
            dead = limit == spread(FAR)
            store(order, PRICE, s, pick(dead, limit, limit << spread(shift)))
        good = Good(
            all_places, all_nodes, places, nodes, inner, outer, arcs, others, first, middle, last,
            shift, tie_shift, unit_shift, useful, lowest, highest,
        )  # fmt: skip
        if charges:
            _clear_at_rents(
                g, counted, trial, weights, pivot_limit, hint, good, tables, result
            )  # fmt: skip
            continue
        result.certificate[3, 0] = 0.0
        _carry_nothing(good, result)
        found, in_use = _solve(pivot_limit, good, tables)
        if not found:
            result.certificate[3, 0] = 1.0
        carried = bound_prices(0, True, in_use, 0, good, tables)
        narrow_prices(carried, good, tables)
        quote_prices(good, tables, result)
        note_reach(good, tables, result)
        publish(1.0, in_use, good, tables, result)
    hold(words, floats, limited, trades)  # no return before
    return np.int64(problem)


@compiled_with_arrays
def _from_a_line(column):
    """Leave out what lies before the first line of the caches: eights then lie in one line each."""
    return column[-(column.ctypes.data // 8) % 8 :]


@compiled
def _carry_nothing(good, result):
    """Publish lanes without flow and rent, to which both are added."""
    for o in range(good.all_places):
        for d in range(good.all_nodes - good.all_places):
            result.flow_t[o, d], result.rent_usd_per_kg[o, d] = 0.0, 0.0


@compiled
def _solve(pivot_limit, good, tables):
    """Solve the programme; returns whether the simplex ended, and how many lanes are in use."""
    price_lanes(good, tables)
    start(good, tables)
    found = search(pivot_limit, good, tables)
    if not found or is_tied(good, tables):
        trade_by_paths(good, tables)
    return found, list_trade(good, tables)


@compiled_apart
def _clear_at_rents(g, counted, trial, weights, pivot_limit, hint, good, tables, result):
    """Solve a good at several rents; publish the mix, or note how much of each quota is used."""
    node, unit = tables.node, np.int64(1) << good.unit_shift
    rents, use, carried = trial[2:], trial[1], 0
    for m in range(len(rents)):
        charge(g, counted, rents[m], 0, good, tables.rent, node)
        found, in_use = _solve(pivot_limit, good, tables)
        if not found:
            result.certificate[3, 0] = 1.0
        if len(weights) > 0:
            carried = bound_prices(m, False, in_use, carried, good, tables)
            continue
        add_use(g, counted, in_use, good, tables, use)
        for v in range(good.nodes):  # the next trial starts from here
            if abs(node[PRICE, v]) < FAR:
                price = (node[PRICE, v] >> good.shift) / (unit * TICKS_PER_USD)
                hint[g, node[SEAT, v]] = price
    if len(weights) == 0:
        return
    # take back what was published without quotas
    for s in range(8 * good.first, 8 * good.middle):
        result.ask_fill_t[tables.slot_order[s]] = 0.0
    for s in range(8 * good.middle, 8 * good.last):
        result.bid_fill_t[tables.slot_order[s]] = 0.0
    _carry_nothing(good, result)
    charge(g, counted, trial[0], good.inner, good, tables.charged, node)
    narrow_prices(carried, good, tables)
    if good.inner > 0:
        charge_all(g, counted, trial[0], good, tables.charged)
    quote_prices(good, tables, result)
    note_reach(good, tables, result)
    for m in range(len(rents)):
        if len(rents) > 1:
            charge(g, counted, rents[m], 0, good, tables.rent, node)
            _, in_use = _solve(pivot_limit, good, tables)
        publish(weights[m], in_use, good, tables, result)
