"""Eight whole numbers, or eight floats, at a time: a small vector type for the kernels.

numba leaves it to the compiler to find loops that run abreast, and the compiler's loops take
sixteen turns at once and the rest one by one; the orders of a node are fewer. Here the eight are
written out, as one vector, which the compiler splits where the machine's are shorter. A mask is
eight whole numbers, -1 for true and 0 for false. Nothing is rounded or summed otherwise than one
by one.
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
from rare_market.clearing.tables import address

_inline: Any = intrinsic  # its types take what it decorates for the function to be called
_INT, _FLOAT, _SHORT = ir.IntType(64), ir.DoubleType(), ir.IntType(32)
_INTS, _FLOATS = ir.VectorType(_INT, 8), ir.VectorType(_FLOAT, 8)
_ZEROS, _COUNT = ir.Constant(_INTS, [0] * 8), ir.Constant(_INTS, list(range(8)))

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
        super().__init__(dmm, kind, _INTS if kind == WHOLE else _FLOATS)


def _spread(builder, value):
    nothing = ir.Constant(ir.VectorType(value.type, 8), ir.Undefined)
    one = builder.insert_element(nothing, value, _SHORT(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_SHORT, 8), [0] * 8))


def _true(builder, mask):
    return builder.icmp_signed("<", mask, _ZEROS)


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
                result = build(builder, *args)
                return builder.sext(result, _INTS) if mask else result


_B = ir.IRBuilder
for _symbols, _whole, _float in (
    ((operator.add, operator.iadd), _B.add, _B.fadd),
    ((operator.sub,), _B.sub, _B.fsub),
    ((operator.mul,), None, _B.fmul),
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


def _eight_at(builder, at, vector):
    """Address of the eight numbers that begin at an address."""
    return builder.bitcast(at, vector.as_pointer())


def _entry(context, builder, sig, args, k):
    """Address of the entry of a row whose index stands `k` behind the first."""
    behind = builder.add(args[2], args[2].type(k))
    index = builder.load(address(context, builder, *_typed(sig, args, 1), sig.args[2:3], [behind]))
    return address(context, builder, *_typed(sig, args, 0), [sig.args[1].dtype], [index])


def _typed(sig: Any, args: Any, k: int) -> tuple[Any, Any]:
    return sig.args[k], args[k]


@_inline
def load(typingctx, table, row, column):
    """Eight entries of a row of a table."""

    def build(context, builder, sig, args):
        at = address(context, builder, *_typed(sig, args, 0), sig.args[1:], args[1:])
        return builder.load(_eight_at(builder, at, ir.VectorType(at.type.pointee, 8)), align=8)

    kind = WHOLE if isinstance(table.dtype, types.Integer) else FLOAT
    return kind(table, row, column), build


@_inline
def load_some(typingctx, table, row, column, count, other):
    """The next eight entries of a row of floats, or as many as `count`, then `other`."""
    kind = ir.FunctionType(
        _FLOATS, [_FLOATS.as_pointer(), _SHORT, ir.VectorType(ir.IntType(1), 8), _FLOATS]
    )

    def build(context, builder, sig, args):
        at = address(context, builder, *_typed(sig, args, 0), sig.args[1:3], args[1:3])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.load.v8f64.p0")
        count, other = _spread(builder, args[3]), _spread(builder, args[4])
        inside = builder.icmp_signed("<", _COUNT, count)
        return builder.call(function, [_eight_at(builder, at, _FLOATS), _SHORT(8), inside, other])

    return FLOAT(table, row, column, types.int64, types.float64), build


@_inline
def store(typingctx, table, row, column, values):
    """Write eight entries of a row of a table."""

    def build(context, builder, sig, args):
        at = address(context, builder, *_typed(sig, args, 0), sig.args[1:3], args[1:3])
        builder.store(args[3], _eight_at(builder, at, args[3].type), align=8)
        return context.get_dummy_value()

    return types.void(table, row, column, values), build


@_inline
def gather(typingctx, column, index, first):
    """Entries of a column of floats at eight indices, those from `first` on."""

    def build(context, builder, sig, args):
        eight = ir.Constant(_FLOATS, ir.Undefined)
        for k in range(8):
            entry = builder.load(_entry(context, builder, sig, args, k))
            eight = builder.insert_element(eight, entry, _SHORT(k))
        return eight

    return FLOAT(column, index, first), build


@_inline
def fetch_ahead(typingctx, column, index, first):
    """Begin to bring near what :func:`gather` reads with these; nothing else happens.

    Every second entry is asked for: its neighbour often lies beside it.
    """

    def build(context, builder, sig, args):
        memory = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [memory, _SHORT, _SHORT, _SHORT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for k in range(0, 8, 2):
            entry = builder.bitcast(_entry(context, builder, sig, args, k), memory)
            builder.call(function, [entry, _SHORT(0), _SHORT(3), _SHORT(1)])
        return context.get_dummy_value()

    return types.void(column, index, first), build


@_inline
def scatter(typingctx, column, index, first, values):
    """Write eight entries of a column; of several at one index the first stands."""

    def build(context, builder, sig, args):
        for k in reversed(range(8)):
            value = builder.extract_element(args[3], _SHORT(k))
            builder.store(value, _entry(context, builder, sig, args, k))
        return context.get_dummy_value()

    return types.void(column, index, first, values), build


@_inline
def spread(typingctx, value):
    """Eight times the same."""
    floating = isinstance(value, types.Float)
    kind, number = (FLOAT, types.float64) if floating else (WHOLE, types.int64)

    def build(context, builder, sig, args):
        return _spread(builder, args[0])

    return kind(number), build


@_inline
def count_from(typingctx, first):
    """Eight consecutive whole numbers."""

    def build(context, builder, sig, args):
        return builder.add(_spread(builder, args[0]), _COUNT)

    return WHOLE(types.int64), build


@_inline
def pick(typingctx, mask, yes, no):
    """By the mask, entries of one or of the other."""

    def build(context, builder, sig, args):
        return builder.select(_true(builder, args[0]), *args[1:])

    return yes(mask, yes, no), build


@compiled
def smaller(a, b):
    """Return the smaller entries of two eights."""
    return pick(a < b, a, b)


@compiled
def larger(a, b):
    """Return the larger entries of two eights."""
    return pick(b < a, a, b)


def _reduction(name):
    kind = ir.FunctionType(_INT, [_INTS])

    @_inline
    def reduction(typingctx, values):
        def build(context, builder, sig, args):
            function = cgutils.get_or_insert_function(
                builder.module, kind, f"llvm.vector.reduce.{name}.v8i64"
            )
            return builder.call(function, args)

        return types.int64(values), build

    return reduction


total, largest, smallest = _reduction("add"), _reduction("smax"), _reduction("smin")


@_inline
def sum_of(typingctx, values):
    """Add eight floats one by one."""
    kind = ir.FunctionType(_FLOAT, [_FLOAT, _FLOATS])

    def build(context, builder, sig, args):
        name = "llvm.vector.reduce.fadd.v8f64"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(function, [_FLOAT(0.0), args[0]])

    return types.float64(values), build


@_inline
def bits(typingctx, mask):
    """The mask as a whole number, a bit for each entry, the first lowest."""

    def build(context, builder, sig, args):
        return builder.zext(builder.bitcast(_true(builder, args[0]), ir.IntType(8)), _INT)

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
            return builder.bitcast(args[0], vector)

        return to(values), build

    return cast


_as_bits, _as_floats = _bit_cast(WHOLE, _INTS), _bit_cast(FLOAT, _FLOATS)


@_inline
def floor(typingctx, values):
    """Round down."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS])

    def build(context, builder, sig, args):
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.floor.v8f64")
        return builder.call(function, args)

    return FLOAT(values), build


@_inline
def _fused(typingctx, a, b, c):
    """Return a * b + c, rounded once."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)

    def build(context, builder, sig, args):
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.v8f64")
        return builder.call(function, args)

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
