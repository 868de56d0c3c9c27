"""Rules compiled by numba: what holds of one row, and loops over the rows of columns.

Columns are short, so the fixed cost of array operations would be most of a month; a loop that
holds a whole rule is one call. No fastmath and no threads: results are the same everywhere.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from numba import njit


def _stamp() -> str:
    """Digest of all files that hold compiled rules."""
    texts = [file.read_bytes() for file in sorted(Path(__file__).parent.rglob("*.py"))]
    return hashlib.sha256(b"".join(text for text in texts if b"@compiled\n" in text)).hexdigest()


STAMP = _stamp()


def compiled[Rule: Callable[..., Any]](rule: Rule) -> Rule:
    """Compile a function of numbers and arrays; dividing by zero gives ``inf``, as in numpy.

    A rule written with ``np.minimum`` and the like takes numbers and columns alike. What was
    compiled is kept on disk; numba would not see that a rule of another file, called by this one,
    has changed, so all are compiled again when one of them changes.
    """
    function = njit(cache=True, error_model="numpy")(rule)
    if hasattr(function, "_cache"):  # not where compiling is switched off
        function._cache._cache_file._source_stamp = STAMP
    return cast(Rule, function)
