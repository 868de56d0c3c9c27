"""The kernel's own text run by Python, on tables that check every index.

The compiled kernel checks none. Here its modules are imported once more, with stand-ins for what
only numba understands: vectors of eight are numpy arrays, rows and tables know their bounds, and
fresh memory is filled with rubbish, so that what is read before it is written shows.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

import rare_market

RUBBISH = 0x5A  # in every byte of fresh memory
PACKAGE = "rare_market.clearing"


def plain_clearing() -> ModuleType:
    """Import `rare_market.clearing` anew, uncompiled; the compiled one stays where it is."""
    known = {name: module for name, module in sys.modules.items() if name.startswith(PACKAGE)}
    for name in known:
        del sys.modules[name]
    for part, names in (("jit", _jit()), ("eights", _eights()), ("tables", _tables())):
        module = ModuleType(f"{PACKAGE}.{part}")
        vars(module).update(names)
        sys.modules[module.__name__] = module
    try:
        plain = importlib.import_module(PACKAGE)
        sys.modules[f"{PACKAGE}.month"].np = _rubbish()
        return plain
    finally:
        for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
            del sys.modules[name]
        sys.modules.update(known)
        rare_market.clearing = known[PACKAGE]


def _rubbish() -> SimpleNamespace:
    def empty(shape: Any, dtype: Any = np.float64) -> np.ndarray:
        fresh = np.empty(shape, dtype)
        fresh.reshape(-1).view(np.uint8)[:] = RUBBISH
        return fresh

    return SimpleNamespace(**{**vars(np), "empty": empty})


def _jit() -> dict[str, Any]:
    names = ("compiled", "compiled_apart", "compiled_with_arrays")
    return dict.fromkeys(names, lambda kernel: kernel)


class Row:
    """Entries of a column from `first` on."""

    def __init__(self, entries: Any, first: int) -> None:
        column = entries.column if isinstance(entries, Row) else entries
        assert column.ndim == 1
        assert column.flags.c_contiguous
        self.column = column[first:]

    def __getitem__(self, index: int) -> Any:
        self._check(index)
        if self.column.dtype.names:
            return self.column.view(np.recarray)[index]
        entry = self.column[index]
        return np.int64(entry) if entry.dtype == np.uint32 else entry

    def __setitem__(self, index: int, entry: Any) -> None:
        self._check(index)
        self.column[index] = entry

    def _check(self, index: int) -> None:
        assert 0 <= index < len(self.column), "beyond the memory"


class Table(Row):
    """The same in rows; no index leaves its row."""

    def __init__(self, entries: Any, first: int, columns: int) -> None:
        super().__init__(entries, first)
        self.columns = columns

    def place(self, row: int, column: int, count: int = 1) -> int:
        """Say where entries of a row stand."""
        assert column >= 0, "before the row"
        assert column + count <= self.columns, "beyond the row"
        last = row * self.columns + column + count - 1
        self._check(last)
        return int(last - count + 1)

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(self.place(*index))

    def __setitem__(self, index: Any, entry: Any) -> None:
        super().__setitem__(self.place(*index), entry)


def _tables() -> dict[str, Any]:
    return {"row": Row, "table": Table, "hold": lambda *arrays: None}


class Eight:
    """Eight numbers; a comparison gives -1 or 0."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers


def _operator(name: str, mask: bool) -> None:
    def apply(a: Eight, b: Eight) -> Eight:
        result = getattr(a.numbers, name)(b.numbers)
        return Eight(-result.astype(np.int64) if mask else result)

    setattr(Eight, name, apply)


for _name in ("add", "sub", "mul", "truediv", "and", "or", "xor", "lshift", "rshift"):
    _operator(f"__{_name}__", mask=False)
for _name in ("lt", "le", "eq"):
    _operator(f"__{_name}__", mask=True)


def _of(table: Any, row: int, column: int, count: int) -> np.ndarray:
    if isinstance(table, Table):
        at = table.place(row, column, count) if count else 0
        return table.column[at : at + count]
    assert column + count <= table.shape[1]
    return np.asarray(table[row, column : column + count])


def _eights() -> dict[str, Any]:
    def spread(value: Any) -> Eight:
        floating = isinstance(value, float | np.floating)
        return Eight(np.full(8, value, np.float64 if floating else np.int64))

    def load_some(table: Any, row: int, column: int, count: int, other: float) -> Eight:
        known = _of(table, row, column, max(0, min(8, int(count))))
        return Eight(np.append(known, np.full(8 - len(known), other)))

    def store(table: Any, row: int, column: int, values: Eight) -> None:
        _of(table, row, column, 8)[:] = values.numbers

    def gather(column: Row, index: Row, first: int) -> Eight:
        return Eight(np.array([column[index[first + k]] for k in range(8)]))

    def scatter(column: Row, index: Row, first: int, values: Eight) -> None:
        for k in reversed(range(8)):
            column[index[first + k]] = values.numbers[k]

    def pick(mask: Eight, yes: Eight, no: Eight) -> Eight:
        return Eight(np.where(mask.numbers < 0, yes.numbers, no.numbers))

    def sum_of(values: Eight) -> float:
        return float(np.add.accumulate(values.numbers)[-1])  # one by one

    return {
        "ALL": 255,
        "load": lambda table, row, column: Eight(_of(table, row, column, 8).copy()),
        "load_some": load_some,
        "store": store,
        "gather": gather,
        "fetch_ahead": gather,
        "scatter": scatter,
        "spread": spread,
        "count_from": lambda first: Eight(np.arange(8) + np.int64(first)),
        "pick": pick,
        "smaller": lambda a, b: pick(a < b, a, b),
        "larger": lambda a, b: pick(b < a, a, b),
        "total": lambda values: values.numbers.sum(),
        "largest": lambda values: values.numbers.max(),
        "smallest": lambda values: values.numbers.min(),
        "sum_of": sum_of,
        "bits": lambda mask: np.int64(sum(1 << k for k in range(8) if mask.numbers[k] < 0)),
        "lowest_bit": lambda number: np.int64((int(number) & -int(number)).bit_length() - 1),
        "floor": lambda values: Eight(np.floor(values.numbers)),
        "ratio": lambda values, divisor: Eight(values.numbers / np.float64(divisor)),
        "nearest": lambda values: Eight(np.rint(values.numbers).astype(np.int64)),
        "whole": lambda values: Eight(values.numbers.astype(np.int64)),
        "floats": lambda values: Eight(values.numbers.astype(np.float64)),
    }
