"""Terms of every instrument under which it has nothing to do, and under which it acts at once."""

from __future__ import annotations

from typing import Any

SLACK: dict[str, dict[str, Any]] = {
    "undercutting": {"entry_trigger_share": 5.0},
    "offtake_guarantee": {"volume_t_per_year": 0.0},
    "price_floor": {"strike_usd_per_kg": 0.001, "upside_share": 0.0},
    "tariff": {"rate_share": 0.0},
    "export_quota": {"quota_t_per_year": 1e7},
    "export_duty": {"rate_share": 0.0},
    "vat_refund": {"refund_share": 0.0},
    "embargo": {"destinations": "CHN"},
    "production_quota": {"quota_t_per_year": 1e7},
    "subsidy": {"rate_usd_per_kg": 0.0},
    "minimum_import_price": {"minimum_usd_per_kg": 0.001},
    "regulated_minimum": {"minimum_usd_per_kg": 0.001},
}
BINDING: dict[str, dict[str, Any]] = {
    "undercutting": {"depth_share": 0.7},
    "offtake_guarantee": {"volume_t_per_year": 3000.0},
    "price_floor": {"covers_stockpiled": True},
    "tariff": {"rate_share": 0.5},
    "export_quota": {"quota_t_per_year": 20000.0},
    "export_duty": {"rate_share": 0.25, "rate_usd_per_kg": 2.0},
    "vat_refund": {},
    "embargo": {"destinations": "JPN+USA"},
    "production_quota": {"quota_t_per_year": 200000.0},
    "subsidy": {"producers": "allied"},
    "minimum_import_price": {},
    "regulated_minimum": {},
}
