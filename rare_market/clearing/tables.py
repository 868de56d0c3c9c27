"""Tables and rows of memory, as the kernels hand them to one another: an address, no more.

An array of numba's is seven words or more, all of which are copied when a kernel that is compiled
apart is called. A row here is the address of its first entry; a table has the length of its rows
beside it. An entry is written ``row[i]`` or ``table[row, column]``; no index counts from the end,
and smaller whole numbers are read as such of 64 bits.
Neither keeps its memory: numba lets an array go after the last line that names it, so who makes
them from one of its own must :func:`hold` it until they are used no more. A caller's stay.
"""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

_inline: Any = intrinsic  # its types take what it decorates for the function to be called
_WORD = ir.IntType(64)


class Row(types.Type):
    """The numba type of entries one after the other: numbers, or records."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(name=f"Row({dtype})")


class Table(types.Type):
    """The numba type of rows of the same length one after the other."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(name=f"Table({dtype})")


def _pointer(manager: Any, dtype: types.Type) -> ir.Type:
    if isinstance(dtype, types.Record):  # a record is its address
        return manager.lookup(dtype).get_value_type()
    return manager.lookup(dtype).get_data_type().as_pointer()


@register_model(Row)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Row) -> None:
        super().__init__(manager, kind, _pointer(manager, kind.dtype))


@register_model(Table)
class _TableModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Table) -> None:
        both = ir.LiteralStructType([_pointer(manager, kind.dtype), _WORD])
        super().__init__(manager, kind, both)


def _word(builder, kind, number):
    if number.type.width == _WORD.width:
        return number
    return (builder.sext if kind.signed else builder.zext)(number, _WORD)


def address(context, builder, kind, value, kinds, index):
    """Address of an entry of a row, of a table, or of a C-contiguous array."""
    index = [_word(builder, k, i) for k, i in zip(kinds, index, strict=True)]
    offset = index[-1]
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        first = array.data
        if len(index) == 2:
            columns = builder.extract_value(array.shape, 1)
            offset = builder.add(builder.mul(index[0], columns), offset)
    elif isinstance(kind, Table):
        first = builder.extract_value(value, 0)
        offset = builder.add(builder.mul(index[0], builder.extract_value(value, 1)), offset)
    else:
        first = value
    return builder.gep(first, [offset])


def _indices(kind: Any) -> tuple[types.Type, ...]:
    several = isinstance(kind, types.BaseTuple)
    return tuple(kind) if several else (kind,)


def _fits(table: types.Type, index: types.Type) -> bool:
    count = {Row: 1, Table: 2}.get(type(table))
    kinds = _indices(index)
    return count == len(kinds) and all(isinstance(kind, types.Integer) for kind in kinds)


@infer_global(operator.getitem)
class _Get(AbstractTemplate):
    """Type of an entry that is read."""

    def generic(self, args, kws):
        """Give the signature, if the index is one for a row or table."""
        if isinstance(args[0], Row | Table) and _fits(*args):
            dtype: Any = args[0].dtype
            small = isinstance(dtype, types.Integer) and dtype != types.uint64
            return signature(types.int64 if small else dtype, *args)
        return None


@infer_global(operator.setitem)
class _Set(AbstractTemplate):
    """Type of an entry that is written."""

    def generic(self, args, kws):
        """Give the signature likewise."""
        if isinstance(args[0], Row | Table) and _fits(*args[:2]):
            return signature(types.none, *args[:2], args[0].dtype)
        return None


def _entry(context, builder, sig, args):
    kinds = _indices(sig.args[1])
    index = cgutils.unpack_tuple(builder, args[1]) if len(kinds) > 1 else [args[1]]
    return address(context, builder, sig.args[0], args[0], kinds, index)


@lower_builtin(operator.getitem, Row, types.Any)
@lower_builtin(operator.getitem, Table, types.Any)
def _get(context, builder, sig, args):
    at, dtype = _entry(context, builder, sig, args), sig.args[0].dtype
    if isinstance(dtype, types.Record):
        return at
    entry = builder.load(at)
    return _word(builder, dtype, entry) if isinstance(dtype, types.Integer) else entry


@lower_builtin(operator.setitem, Row, types.Any, types.Any)
@lower_builtin(operator.setitem, Table, types.Any, types.Any)
def _set(context, builder, sig, args):
    builder.store(args[2], _entry(context, builder, sig, args))
    return context.get_dummy_value()


def _in_line(entries: types.Type) -> bool:
    """Whether these are a row, or an array whose entries lie one after the other."""
    column = isinstance(entries, types.Array) and entries.ndim == 1 and entries.layout == "C"
    return column or isinstance(entries, Row)


def _first(context, builder, kind, value):
    """Address of the first entry of a row or of a column array."""
    if not isinstance(kind, Row):
        value = context.make_array(kind)(context, builder, value).data
    return value


@_inline
def row(typingctx, entries, first):
    """Entries of a column array, or of a row, from `first` on."""
    if not _in_line(entries):
        return None

    def build(context, builder, sig, args):
        start = builder.gep(_first(context, builder, sig.args[0], args[0]), [args[1]])
        return builder.bitcast(start, context.get_value_type(sig.return_type))

    return Row(entries.dtype)(entries, types.int64), build


@_inline
def table(typingctx, entries, first, columns):
    """Entries of a column array, or of a row, from `first` on, in rows of so many."""
    if not _in_line(entries):
        return None

    def build(context, builder, sig, args):
        kind = context.get_value_type(sig.return_type)
        start = builder.gep(_first(context, builder, sig.args[0], args[0]), [args[1]])
        both = ir.Constant(kind, ir.Undefined)
        for k, part in enumerate((builder.bitcast(start, kind.elements[0]), args[2])):
            both = builder.insert_value(both, part, k)
        return both

    return Table(entries.dtype)(entries, types.int64, types.int64), build


@_inline
def hold(typingctx, *arrays):
    """Keep arrays until here: rows and tables in them do not."""

    def build(context, builder, sig, args):
        return context.get_dummy_value()

    return types.void(types.StarArgTuple.from_types(arrays)), build
