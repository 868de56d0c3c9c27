"""Eight whole numbers, or eight floats, at a time: a small vector type for the kernels.

numba leaves it to the compiler to find loops that run abreast, and the compiler's loops take
sixteen turns at once and the rest one by one; the orders of a node are fewer. Here the eight are
written out, as two vectors of four, which is what most machines have. A mask is eight whole
numbers, -1 for true and 0 for false. Nothing is rounded or summed otherwise than one by one.
"""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from rare_market.clearing.jit import compiled

_inline: Any = intrinsic  # its types take what it decorates for the function to be called
_INT, _FLOAT, _SHORT = ir.IntType(64), ir.DoubleType(), ir.IntType(32)
_INTS, _FLOATS = ir.VectorType(_INT, 4), ir.VectorType(_FLOAT, 4)
_COUNT = [ir.Constant(_INTS, [4 * half + k for k in range(4)]) for half in range(2)]

ALL = 255  # the bits of a mask that is true throughout


class Eight(types.Type):
    """The numba type of eight whole numbers (int64) or floats (float64)."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(name=f"Eight({kind})")


WHOLE, FLOAT = Eight("whole"), Eight("float")


@register_model(Eight)
class _EightModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, kind: Eight) -> None:
        half = _INTS if kind == WHOLE else _FLOATS
        super().__init__(dmm, kind, ir.LiteralStructType([half, half]))


def _by_half(builder, build, *eights):
    """Do the same with both halves of some eights."""
    halves = [build(*(builder.extract_value(x, half) for x in eights)) for half in range(2)]
    return _joined(builder, halves)


def _joined(builder, halves):
    both = ir.Constant(ir.LiteralStructType([half.type for half in halves]), ir.Undefined)
    for k, half in enumerate(halves):
        both = builder.insert_value(both, half, k)
    return both


def _spread(builder, value):
    vector = ir.VectorType(value.type, 4)
    nothing = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(nothing, value, _SHORT(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_SHORT, 4), [0] * 4))


def _true(builder, mask):
    return builder.icmp_signed("<", mask, ir.Constant(_INTS, [0] * 4))


def _operator(symbol, whole, floats, mask=False):
    """Give an operator a meaning between two eights; a comparison makes a mask."""

    @infer_global(symbol)
    class _Typed(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and args[0] == args[1] and isinstance(args[0], Eight):
                return signature(WHOLE if mask else args[0], *args)
            return None

    for kind, build in ((WHOLE, whole), (FLOAT, floats)):
        if build:

            @lower_builtin(symbol, kind, kind)
            def _lower(context, builder, sig, args, build=build):
                def half(a, b):
                    result = build(builder, a, b)
                    return builder.sext(result, _INTS) if mask else result

                return _by_half(builder, half, *args)


_B = ir.IRBuilder
for _symbols, _whole, _float in (
    ((operator.add, operator.iadd), _B.add, _B.fadd),
    ((operator.sub,), _B.sub, _B.fsub),
    ((operator.mul,), None, _B.fmul),
    ((operator.truediv,), None, _B.fdiv),
    ((operator.and_, operator.iand), _B.and_, None),
    ((operator.or_, operator.ior), _B.or_, None),
    ((operator.xor,), _B.xor, None),
    ((operator.lshift,), _B.shl, None),
    ((operator.rshift,), _B.ashr, None),
):
    for _symbol in _symbols:
        _operator(_symbol, _whole, _float)
for _symbol, _sign in ((operator.lt, "<"), (operator.le, "<="), (operator.eq, "==")):
    _operator(
        _symbol,
        lambda builder, a, b, sign=_sign: builder.icmp_signed(sign, a, b),
        lambda builder, a, b, sign=_sign: builder.fcmp_ordered(sign, a, b),
        mask=True,
    )


def _place(context, builder, kind, table, index):
    """Address of an entry of a C-contiguous array."""
    array = context.make_array(kind)(context, builder, table)
    index = [builder.zext(i, _INT) if i.type.width < 64 else i for i in index]
    offset = index[-1]
    if len(index) == 2:
        columns = builder.extract_value(array.shape, 1)
        offset = builder.add(builder.mul(index[0], columns), offset)
    return builder.gep(array.data, [offset])


def _half_at(builder, at, half, vector):
    """Address of half of the eight numbers that begin at an address."""
    return builder.bitcast(builder.gep(at, [_INT(4 * half)]), vector.as_pointer())


def _entry(context, builder, sig, args, k):
    """Address of the entry of a column whose index stands `k` behind the first."""
    behind = builder.add(args[2], args[2].type(k))
    index = builder.load(_place(context, builder, sig.args[1], args[1], [behind]))
    return _place(context, builder, sig.args[0], args[0], [index])


@_inline
def load(typingctx, table, row, column):
    """Eight entries of a row of a table."""

    def build(context, builder, sig, args):
        at = _place(context, builder, sig.args[0], args[0], args[1:])
        vector = ir.VectorType(at.type.pointee, 4)
        halves = [builder.load(_half_at(builder, at, half, vector), align=8) for half in range(2)]
        return _joined(builder, halves)

    kind = WHOLE if isinstance(table.dtype, types.Integer) else FLOAT
    return kind(table, row, column), build


@_inline
def load_some(typingctx, table, row, column, count, other):
    """The next eight entries of a row of floats, or as many as `count`, then `other`."""
    kind = ir.FunctionType(
        _FLOATS, [_FLOATS.as_pointer(), _SHORT, ir.VectorType(ir.IntType(1), 4), _FLOATS]
    )

    def build(context, builder, sig, args):
        at = _place(context, builder, sig.args[0], args[0], args[1:3])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.load.v4f64.p0")
        count, other = _spread(builder, args[3]), _spread(builder, args[4])
        halves = []
        for half in range(2):
            inside = builder.icmp_signed("<", _COUNT[half], count)
            pointer = _half_at(builder, at, half, _FLOATS)
            halves.append(builder.call(function, [pointer, _SHORT(8), inside, other]))
        return _joined(builder, halves)

    return FLOAT(table, row, column, types.int64, types.float64), build


@_inline
def store(typingctx, table, row, column, values):
    """Write eight entries of a row of a table."""

    def build(context, builder, sig, args):
        at = _place(context, builder, sig.args[0], args[0], args[1:3])
        for half in range(2):
            part = builder.extract_value(args[3], half)
            builder.store(part, _half_at(builder, at, half, part.type), align=8)
        return context.get_dummy_value()

    return types.void(table, row, column, values), build


@_inline
def gather(typingctx, column, index, first):
    """Entries of a column of floats at eight indices, those from `first` on."""

    def build(context, builder, sig, args):
        halves = []
        for half in range(2):
            part = ir.Constant(_FLOATS, ir.Undefined)
            for k in range(4):
                entry = builder.load(_entry(context, builder, sig, args, 4 * half + k))
                part = builder.insert_element(part, entry, _SHORT(k))
            halves.append(part)
        return _joined(builder, halves)

    return FLOAT(column, index, first), build


@_inline
def fetch_ahead(typingctx, column, index, first):
    """Begin to bring the entry of a column at an index near; nothing else happens."""

    def build(context, builder, sig, args):
        address = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [address, _SHORT, _SHORT, _SHORT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        entry = builder.bitcast(_entry(context, builder, sig, args, 0), address)
        builder.call(function, [entry, _SHORT(0), _SHORT(3), _SHORT(1)])
        return context.get_dummy_value()

    return types.void(column, index, first), build


@_inline
def scatter(typingctx, column, index, first, values):
    """Write eight entries of a column; of several at one index the first stands."""

    def build(context, builder, sig, args):
        for k in reversed(range(8)):
            part = builder.extract_value(args[3], k // 4)
            value = builder.extract_element(part, _SHORT(k % 4))
            builder.store(value, _entry(context, builder, sig, args, k))
        return context.get_dummy_value()

    return types.void(column, index, first, values), build


@_inline
def spread(typingctx, value):
    """Eight times the same."""
    floating = isinstance(value, types.Float)
    kind, number = (FLOAT, types.float64) if floating else (WHOLE, types.int64)

    def build(context, builder, sig, args):
        return _joined(builder, [_spread(builder, args[0])] * 2)

    return kind(number), build


@_inline
def count_from(typingctx, first):
    """Eight consecutive whole numbers."""

    def build(context, builder, sig, args):
        first = _spread(builder, args[0])
        return _joined(builder, [builder.add(first, count) for count in _COUNT])

    return WHOLE(types.int64), build


@_inline
def pick(typingctx, mask, yes, no):
    """By the mask, entries of one or of the other."""

    def build(context, builder, sig, args):
        def half(mask, yes, no):
            return builder.select(_true(builder, mask), yes, no)

        return _by_half(builder, half, *args)

    return yes(mask, yes, no), build


@compiled
def smaller(a, b):
    """Return the smaller entries of two eights."""
    return pick(a < b, a, b)


@compiled
def larger(a, b):
    """Return the larger entries of two eights."""
    return pick(b < a, a, b)


def _reduction(name, combine):
    kind = ir.FunctionType(_INT, [_INTS])

    @_inline
    def reduction(typingctx, values):
        def build(context, builder, sig, args):
            function = cgutils.get_or_insert_function(
                builder.module, kind, f"llvm.vector.reduce.{name}.v4i64"
            )
            halves = [builder.extract_value(args[0], half) for half in range(2)]
            return builder.call(function, [combine(builder, *halves)])

        return types.int64(values), build

    return reduction


def _choose(sign):
    def choose(builder, a, b):
        return builder.select(builder.icmp_signed(sign, a, b), a, b)

    return choose


total = _reduction("add", _B.add)
largest, smallest = _reduction("smax", _choose(">")), _reduction("smin", _choose("<"))


@_inline
def sum_of(typingctx, values):
    """Add eight floats one by one."""
    kind = ir.FunctionType(_FLOAT, [_FLOAT, _FLOATS])

    def build(context, builder, sig, args):
        name = "llvm.vector.reduce.fadd.v4f64"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        result = _FLOAT(0.0)
        for half in range(2):
            result = builder.call(function, [result, builder.extract_value(args[0], half)])
        return result

    return types.float64(values), build


@_inline
def bits(typingctx, mask):
    """The mask as a whole number, a bit for each entry, the first lowest."""

    def build(context, builder, sig, args):
        halves = [_true(builder, builder.extract_value(args[0], half)) for half in range(2)]
        low, high = (builder.zext(builder.bitcast(h, ir.IntType(4)), _INT) for h in halves)
        return builder.or_(low, builder.shl(high, _INT(4)))

    return types.int64(mask), build


@_inline
def some(typingctx, mask):
    """Whether the mask is true anywhere: a number, or 0."""

    def build(context, builder, sig, args):
        either = builder.or_(*(builder.extract_value(args[0], half) for half in range(2)))
        return builder.zext(builder.bitcast(_true(builder, either), ir.IntType(4)), _INT)

    return types.int64(mask), build


@_inline
def lowest_bit(typingctx, number):
    """Which is the lowest bit that is set."""

    def build(context, builder, sig, args):
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.int64(types.int64), build


def _bit_cast(to, vector):
    @_inline
    def cast(typingctx, values):
        def build(context, builder, sig, args):
            return _by_half(builder, lambda half: builder.bitcast(half, vector), args[0])

        return to(values), build

    return cast


_as_bits, _as_floats = _bit_cast(WHOLE, _INTS), _bit_cast(FLOAT, _FLOATS)


@_inline
def floor(typingctx, values):
    """Round down."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS])

    def build(context, builder, sig, args):
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.floor.v4f64")
        return _by_half(builder, lambda half: builder.call(function, [half]), args[0])

    return FLOAT(values), build


@_inline
def _fused(typingctx, a, b, c):
    """Return a * b + c, rounded once."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)

    def build(context, builder, sig, args):
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.v4f64")
        return _by_half(builder, lambda *halves: builder.call(function, halves), *args)

    return FLOAT(a, b, c), build


@compiled
def ratio(values, divisor):
    """Divide by one number, rounded as a division is (Markstein 1990), which takes longer."""
    inverse = spread(1.0 / divisor)
    near = values * inverse
    return _fused(_fused(spread(0.0) - near, spread(divisor), values), inverse, near)


_ROUNDER = 1.5 * 2.0**52  # added to a float below 2^51 it leaves a whole number in the low bits
_ROUNDER_BITS = np.float64(_ROUNDER).view(np.int64)


@compiled
def nearest(values):
    """Round floats below 2^51 in size to whole numbers."""
    return _as_bits(values + spread(_ROUNDER)) - spread(_ROUNDER_BITS)


@compiled
def whole(values):
    """Turn floats without a fraction, from 0 to 2^62, into whole numbers."""
    high = floor(values * spread(2.0**-32))
    return (nearest(high) << spread(32)) + nearest(values - high * spread(2.0**32))


@compiled
def floats(values):
    """Turn whole numbers below 2^51 in size into floats."""
    return _as_floats(values + spread(_ROUNDER_BITS)) - spread(_ROUNDER)
