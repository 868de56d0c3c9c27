"""rare_market: an agent-based market model of rare-earth pricing.

The public names are imported on first use, so that asking for help does not load a model.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Policy", "Records", "Scenario", "read_policy", "simulate"]

_HOME = {
    "Policy": "rare_market.policies",
    "Records": "rare_market.records",
    "Scenario": "rare_market.scenario",
    "read_policy": "rare_market.policies",
    "simulate": "rare_market.model",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
