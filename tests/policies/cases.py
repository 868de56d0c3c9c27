"""Terms of every instrument under which it has nothing to do, and under which it acts at once."""

from __future__ import annotations

from typing import Any

from rare_market.policies import Policy, read_policy

RESERVES: dict[str, Any] = {
    "members": "allied",
    "goods": "ndpr_oxide+ndpr_metal+dy_metal",
    "cover_days": 200.0,
    "buy_below_share": 10.0,
    "build_months": 3.0,
}
# Japan is cut off in December 2024
EMBARGO = "embargo:start_year=2024.91,duration_years=0.6,leak_share=0.0"


def assignments(terms: dict[str, Any]) -> str:
    """Write terms as on the command line."""
    return ",".join(f"{field}={value}" for field, value in terms.items())


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
    "state_purchase": {"volume_t_per_year": 0.0},
    "stockpile": {"cover_days": 0.0, "release_above_share": 1.0},
    "rapid_response": {"met_share": 0.0},
    "collective_response": {"rate_share": 0.0},
    "export_licence": {"destinations": "CHN"},
    "grant": {"capital_share": 0.0},
    "loan": {"capital_share": 0.0},
    "guarantee": {"capital_share": 0.0},
    "equity": {"capital_share": 0.0},
    "permit_fast_track": {"cut_share": 0.0},
    "environmental_standard": {"cost_usd_per_kg": 0.0},
    "recycling_support": {
        "collection_usd_per_kg": 0.0,
        "reach_added_share": 0.0,
        "conversion_share": 0.0,
    },
    "technology_sharing": {
        "gain_share": 0.0,
        "research_added_share": 0.0,
        "programme_musd_per_year": 0.0,
    },
    "technology_ban": {
        "capital_added_share": 0.0,
        "time_added_share": 0.0,
        "spillover_left_share": 1.0,
    },
    "origin_rule": {"state": "AUS", "stages": "magnet"},
    "enforcement": {"closed_share": 0.0},
    "export_threat": {"alarm_share": 0.0},
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
    "state_purchase": {},
    "stockpile": RESERVES,
    "rapid_response": {"goods": "ndpr_oxide+ndpr_metal+dy_metal"},
    "collective_response": {},
    "export_licence": {"general_share": 0.1},
    "grant": {"capital_share": 0.9},
    "loan": {"capital_share": 0.9, "rate_per_year": 0.02},
    "guarantee": {"capital_share": 1.0, "rate_per_year": 0.0, "loan_years": 60.0},
    "equity": {"capital_share": 0.9},
    "permit_fast_track": {},
    "environmental_standard": {"border_adjustment": True, "producers": "allied"},
    "recycling_support": {},
    "technology_sharing": {},
    "technology_ban": {},
    "origin_rule": {"members": "allied"},
    "enforcement": {"producers": "MMR", "closed_share": 0.5},
    "export_threat": {"alarm_share": 0.8},
}
# months until an instrument can show: projects are decided on half a year of signals
ACTS_WITHIN = {
    **dict.fromkeys(("grant", "loan", "guarantee", "equity", "permit_fast_track"), 18),
    "technology_ban": 2,  # what is missed shows from the second month
}
# what must be in force beside it for an instrument to have anything to do
BESIDE: dict[str, list[str]] = {
    "rapid_response": ["stockpile:start_year=2024.1," + assignments(RESERVES), EMBARGO],
    "collective_response": [EMBARGO],
    "technology_ban": ["grant:start_year=2025.0,capital_share=0.9"],
    "permit_fast_track": ["grant:start_year=2025.0,capital_share=0.9"],
}


def beside(name: str) -> list[Policy]:
    """Return the policies an instrument needs beside it."""
    return [read_policy(text) for text in BESIDE.get(name, [])]
