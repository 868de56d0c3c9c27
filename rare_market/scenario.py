"""A scenario: the world that no state controls, every assumption declared once.

A number lives in the data tables when it differs between goods, places or plants, and here when
it is one for all of them.
"""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rare_market.declare import (
    InvalidValueError,
    check_ranges,
    declarations,
    parameter,
    refuse_unknown,
)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Assumptions of a run.

    Raises
    ------
    rare_market.declare.InvalidValueError
        on construction, for a value out of its declared range.
    """

    # the run
    start_year: int = parameter(
        2024, "year", 1900, 2100, "first January; there must be data for it", "choice"
    )
    years: int = parameter(12, "years", 1, 30, "length of the run", "choice")
    seed: int = parameter(1, "", 0, 2**31, "root of all chance", "choice")
    replication: int = parameter(
        0, "", 0, 10**6, "which draw of all chance; equal in every policy world", "choice"
    )
    data_folder: str = parameter(
        "", "", None, None, "folder of data tables; empty for those shipped", "choice"
    )

    # price formation
    ask_flow_slope: float = parameter(
        0.317, "share", 0.0, 2.0, "rise of asks when a month's sales double"
    )
    ask_stock_slope: float = parameter(
        0.055,
        "share",
        0.0,
        2.0,
        "rise of asks when stock falls from target to nothing, and of discounts when it doubles",
    )
    bid_step_share: float = parameter(
        0.79, "share", 0.0, 1.0, "how far a processor's urgent bid exceeds the expected price"
    )
    consumer_step_share: float = parameter(
        0.266, "share", 0.0, 5.0, "how far a buyer's urgent bid exceeds the expected price"
    )
    choke_cost_rise: float = parameter(
        0.725, "share", 0.01, 50.0, "rise of a product's cost above which its maker goes without"
    )
    grade_premium_share: float = parameter(
        2.4,
        "share",
        0.1,
        100.0,
        "most by which a better grade may cost more than the one that can replace it",
        "assumed",
    )
    extrapolation_mean: float = parameter(
        0.36,
        "share",
        -1.0,
        2.0,
        "part of the last trend that the average trader expects to go on",
    )
    extrapolation_sd: float = parameter(0.3, "share", 0.0, 1.0, "spread of that part over traders")
    trend_months: float = parameter(4.076, "months", 1.0, 36.0, "memory of the price trend")
    quote_band_share: float = parameter(
        0.02,
        "share",
        0.0,
        0.5,
        "move of a price below which reporters leave their quote",
        "yiyawu_daily_prices",
    )
    insurance_share: float = parameter(
        0.0125,
        "share",
        0.0,
        0.05,
        "insurance, handling and finance on the traded value",
        "assumed",
    )
    bound_premium_usd_per_kg: float = parameter(
        20.0,
        "USD/kg",
        0.0,
        60.0,
        "first premium of magnets for buyers loyal or bound to other origins",
        "reuters_misc",
    )
    loyal_premium_usd_per_kg: float = parameter(
        30.0,
        "USD/kg",
        0.0,
        1000.0,
        "most that loyal buyers pay above goods of an origin that they would rather not take",
        "reuters_misc",
    )

    # fear
    hoarding_response: float = parameter(
        0.517,
        "",
        0.0,
        10.0,
        "rise of users' cover per unit of yearly price trend above carrying cost",
    )
    reversion_share_per_year: float = parameter(
        0.17,
        "1/year",
        0.0,
        3.0,
        "part of the distance to the long mean price expected back in a year",
    )
    carrying_cost_share_per_year: float = parameter(
        0.12, "1/year", 0.0, 1.0, "interest, storage and risk of holding stock"
    )
    alarm_response: float = parameter(
        5.5, "", 0.0, 10.0, "rise of users' cover when no order is filled"
    )
    alarm_months: float = parameter(
        3.3, "months", 1.0, 60.0, "time in which unfilled orders are forgotten"
    )
    least_cover_share: float = parameter(
        0.4, "share", 0.0, 1.0, "least cover of users, of their usual one, while prices fall"
    )
    most_cover_share: float = parameter(
        3.3, "share", 1.0, 20.0, "most cover of users, of their usual one"
    )

    # merchants
    speculation_months: float = parameter(
        0.9, "months", 0.0, 24.0, "warehouse of speculators in China, in its first oxide output"
    )
    parity_response: float = parameter(
        0.8, "", 0.0, 5.0, "yearly gain speculators expect per unit of log premium abroad"
    )
    smuggling_most_share: float = parameter(
        0.53,
        "share",
        0.0,
        1.0,
        "most that smugglers take out, of what places abroad first bought of the element",
        "assumed",
    )
    smuggling_half_margin_share: float = parameter(
        1.0,
        "share",
        0.1,
        50.0,
        "margin over the price at home at which half of it goes",
    )
    smuggling_months: float = parameter(
        6.0, "months", 1.0, 60.0, "time in which smuggling follows its margin", "assumed"
    )

    # stocks and production
    sales_memory_months: float = parameter(4.0, "months", 1.0, 24.0, "memory of expected sales")
    stock_adjust_months: float = parameter(
        3.08, "months", 1.0, 24.0, "time in which a stock gap is closed"
    )
    margin_response: float = parameter(
        1.88, "share", 0.0, 5.0, "rise of a plant's output per unit of margin above normal"
    )
    normal_margin_share: float = parameter(
        0.06, "share", 0.0, 0.3, "margin on sales at which a plant keeps its output"
    )
    state_output_aim_share: float = parameter(
        0.9,
        "share",
        0.0,
        1.0,
        "part of a bad margin that a state producer ignores",
        "miit_quota_2024",
    )
    state_layoff_share_per_month: float = parameter(
        0.05,
        "1/month",
        0.0,
        1.0,
        "most by which a state producer lowers its output, for the sake of employment",
        "assumed",
    )
    state_downstream_share: float = parameter(
        0.2,
        "share",
        0.0,
        1.0,
        "part of the loss of plants at home that their state suppliers take off their asks",
        "assumed",
    )
    mine_cost_spread_share: float = parameter(
        0.25, "share", 0.01, 0.9, "half width of marginal cost within a mine around its mean"
    )
    finishing_cost_share: float = parameter(
        0.31, "share", 0.0, 1.0, "part of separation cost avoided when a by-product is not finished"
    )
    stock_limit_months: float = parameter(
        9.0, "months", 2.0, 60.0, "sales held in stock beyond which a by-product is rejected"
    )
    mothball_months: int = parameter(
        12, "months", 1, 120, "months of negative cash margin before a plant is mothballed"
    )
    closure_months: int = parameter(
        96, "months", 12, 600, "months mothballed before a plant is closed for good"
    )
    restart_margin_share: float = parameter(
        0.15, "share", 0.0, 1.0, "cash margin at which a mothballed plant restarts"
    )
    mothball_margin_share: float = parameter(
        0.05, "share", 0.0, 1.0, "loss on cash cost that counts towards mothballing"
    )
    cost_spread_share: float = parameter(
        0.05, "share", 0.0, 0.5, "spread of plants' cash cost around the data row"
    )
    storage_response: float = parameter(
        1.34, "", 0.0, 3.0, "elasticity of sellers' stock target to how cheap a good is"
    )
    expansion_per_year: float = parameter(
        0.25, "1/year", 0.0, 2.0, "growth of a practised plant per unit of margin above its charge"
    )
    ramp_months: float = parameter(
        48.0,
        "months",
        1.0,
        120.0,
        "ramp of a new plant to nameplate, slow starters",
        "project_press_compilation",
    )
    fast_ramp_months: float = parameter(
        15.0, "months", 1.0, 120.0, "the same where the trade is practised (China, informal)"
    )
    informal_response_per_year: float = parameter(
        0.2655,
        "share/year",
        0.0,
        5.0,
        "capacity growth of informal mines per unit of excess margin",
        "elasticity_priors",
    )

    informal_normal_margin_share: float = parameter(
        0.3,
        "share",
        0.0,
        2.0,
        "margin on cash cost at which informal mining neither grows nor shrinks",
        "reuters_misc",
    )

    # learning
    chemical_learning_share: float = parameter(
        0.1,
        "share",
        0.0,
        0.5,
        "fall of conversion cost with each doubling of experience, separation and recycling",
        "assumed",
    )
    metallurgical_learning_share: float = parameter(
        0.1, "share", 0.0, 0.5, "the same for metals and magnets", "assumed"
    )
    spillover_share: float = parameter(
        0.1, "share", 0.0, 1.0, "part of what other places make that a place learns from", "assumed"
    )
    experience_years: float = parameter(
        10.0,
        "years",
        1.0,
        100.0,
        "years of its first output that each place has behind it",
        "assumed",
    )

    # investment
    expectation_months: float = parameter(
        20.4, "months", 1.0, 120.0, "memory of the prices that investors expect"
    )
    hurdle_rate_per_year: float = parameter(
        0.15, "1/year", 0.0, 0.5, "return asked of an unsecured project", "benchmark_2024"
    )
    secured_rate_per_year: float = parameter(
        0.08,
        "1/year",
        0.0,
        0.5,
        "return asked of a project with contracted revenue",
        "arafura_nolans_2022",
    )
    state_rate_per_year: float = parameter(
        0.05, "1/year", 0.0, 0.5, "return asked by a Chinese state group"
    )
    project_life_years: float = parameter(
        20.0, "years", 1.0, 60.0, "years over which capital is recovered", "arafura_nolans_2022"
    )
    capex_overrun_mean_share: float = parameter(
        0.3, "share", 0.0, 2.0, "mean overrun of a budget", "project_press_compilation"
    )
    capex_overrun_sd_share: float = parameter(
        0.3, "share", 0.0, 2.0, "spread of overruns", "project_press_compilation"
    )
    delay_mean_months: float = parameter(
        9.0, "months", 0.0, 120.0, "mean delay of a project beyond its stated lead time"
    )

    # finance of private projects outside China
    debt_share: float = parameter(
        0.6, "share", 0.0, 1.0, "part of a private project's outlay that is borrowed"
    )
    debt_rate_per_year: float = parameter(0.1, "1/year", 0.0, 0.5, "interest on it")
    liquidity_share: float = parameter(
        0.25, "share", 0.0, 2.0, "cash raised with a project, of its capital cost"
    )
    fixed_cost_share: float = parameter(
        0.27, "share", 0.0, 1.0, "part of cash cost that an unused plant in debt still pays"
    )
    resale_months: float = parameter(
        24.0, "months", 0.0, 120.0, "idle time until a bankrupt plant has a new owner"
    )

    # the Chinese quota rule outside any strategy
    quota_demand_share: float = parameter(
        0.5,
        "share",
        0.0,
        2.0,
        "part of the growth of NdPr use in China that the quota follows",
        "miit_quota_2024",
    )
    quota_price_response: float = parameter(
        0.06,
        "share",
        0.0,
        2.0,
        "extra quota growth when the price is double the band",
        "miit_quota_2024",
    )
    quota_stock_response: float = parameter(
        0.3,
        "share",
        0.0,
        2.0,
        "cut in quota growth when ore or oxide stocks are twice their target",
    )
    quota_price_band_usd_per_kg: float = parameter(
        50.0, "USD/kg", 1.0, 500.0, "domestic NdPr oxide price that the state finds normal"
    )

    # demand and chance
    demand_growth_multiplier: float = parameter(
        1.0, "", 0.0, 3.0, "multiplies every sector's growth"
    )
    elasticity_multiplier: float = parameter(
        0.737, "", 0.0, 5.0, "multiplies every sector's short-run elasticity"
    )
    thrift_elasticity: float = parameter(
        0.95,
        "",
        0.0,
        3.0,
        "long-run fall of use per unit of product with price",
        "elasticity_priors",
    )
    thrift_months: float = parameter(
        18.37, "months", 1.0, 240.0, "time of redesign", "elasticity_priors"
    )
    thrift_trigger_share: float = parameter(
        0.02,
        "share",
        1e-4,
        1.0,
        "share of a product's cost at which half the redesign is triggered",
    )
    switch_elasticity: float = parameter(
        1.5, "", 0.0, 10.0, "long-run switch to a substitute good with its relative price"
    )
    thrift_recovery_share: float = parameter(
        0.2, "share", 0.0, 1.0, "speed at which designed-out use returns", "assumed"
    )
    demand_shock_sd_share: float = parameter(
        0.03, "share", 0.0, 0.5, "monthly standard deviation of a sector's demand shock"
    )
    demand_shock_persistence: float = parameter(
        0.85, "", 0.0, 0.99, "monthly autocorrelation of that shock"
    )
    outage_per_year: float = parameter(0.15, "1/year", 0.0, 5.0, "outages a plant has in a year")
    outage_share: float = parameter(0.5, "share", 0.0, 1.0, "output lost in a month of outage")

    def __post_init__(self) -> None:
        check_ranges(self, "scenario")

    @property
    def periods(self) -> int:
        """Number of months."""
        return 12 * self.years

    def numbers(self) -> np.ndarray:
        """All but the texts, a structured array of one row: what compiled rules can read."""
        columns = _number_columns()
        return np.array([tuple(getattr(self, name) for name in columns.names or ())], columns)

    def replicate(self, replication: int) -> Scenario:
        """Return the same world under another draw of all chance."""
        return dataclasses.replace(self, replication=replication)


@cache
def _number_columns() -> np.dtype:
    """Columns of :meth:`Scenario.numbers`: one object, by which compiled rules know them at once.

    Another that only equals it is compared field by field at every call.
    """
    fields = dataclasses.fields(Scenario)
    return np.dtype([(f.name, float) for f in fields if not isinstance(f.default, str)])


LARGEST_FILE_BYTES = 2**20


def read_toml(file: Path, what: str) -> dict[str, Any]:
    """Content of a TOML file of bounded size.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a file that is missing, unreadable, too large or no TOML.
    """
    try:
        if file.stat().st_size > LARGEST_FILE_BYTES:
            raise InvalidValueError(f"{file}: the file is larger than {LARGEST_FILE_BYTES} bytes.")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidValueError(f"{file}: the {what} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, InvalidValueError):
            raise
        raise InvalidValueError(f"{file}: not a TOML file: {error}.") from None


def read_scenario(file: Path) -> dict[str, Any]:
    """Fields of a scenario from a TOML file, checked for name and type.

    Raises
    ------
    rare_market.declare.InvalidValueError
        for a missing or unreadable file, an unknown field or a wrong type.
    """
    values = read_toml(file, "scenario")
    known = {field.name: field for field in declarations(Scenario)}
    for name in values:
        refuse_unknown(known, name, str(file))
    Scenario(**values)
    return values
