"""How the kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from llvmlite.binding import set_option
from numba import njit

# Loops here take one to three turns. Unrolled for many they are twice as much code, which takes
# a tenth more time. For lack of a way to ask it of one function, it holds for all of the process.
set_option("rare_market", "-unroll-runtime=0")

_njit: Any = partial(njit, cache=True, error_model="numpy")  # its types lack the option _nrt


def compiled[Kernel: Callable[..., Any]](kernel: Kernel) -> Kernel:
    """Compile a kernel; no fastmath and no threads, so that results are the same everywhere.

    It may not make arrays: then numba counts no references, which would cost more than the work.
    It is put where it is called, where the compiler sees what stays the same across the call.
    """
    return cast(Kernel, _njit(_nrt=False, forceinline=True)(kernel))


def compiled_apart[Kernel: Callable[..., Any]](kernel: Kernel) -> Kernel:
    """Compile a kernel that is seldom called and stays where it is."""
    return cast(Kernel, _njit(_nrt=False)(kernel))


def compiled_with_arrays[Kernel: Callable[..., Any]](kernel: Kernel) -> Kernel:
    """Compile a kernel that makes arrays."""
    return cast(Kernel, _njit(_nrt=True)(kernel))
