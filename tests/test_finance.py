"""Public finance of projects: worked term sheets, to the cent and to the month."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rare_market.contracts import Scheme
from rare_market.finance import Commitment, Finance, Payment, charge_factor, recovery_factor

ONE = np.ones(1, dtype=bool)
NONE = np.zeros(1, dtype=bool)
NOTHING = np.zeros(1)


def terms(kind: str, **changed: Any) -> Finance:
    own: dict[str, Any] = {
        "payer": 0,
        "places": np.array([True]),
        "stages": np.array([True]),
        "facilities": (),
        "under_way": False,
        "kind": kind,
        "share": 0.5,
        "rate_per_year": 0.06,
        "loan_years": 2.0,
    }
    return Finance(**{**own, **changed})


def signed(kind: str, **changed: Any) -> Commitment:
    commitment = Commitment(terms(kind, **changed), 1)
    commitment.signed[:] = True
    return commitment


def month(commitment: Commitment, **given: Any) -> Payment:
    own = {"outlay_usd": NOTHING, "earned_usd": NOTHING, "operating": NONE, "closed": NONE}
    return commitment.pay(**{**own, **given})


def test_a_loan_is_drawn_bears_interest_is_repaid_and_written_down_on_default():
    """Half of two outlays of 1,000,000 at 6 %; a year of instalments; then the plant closes.

    Monthly rate 1.06^(1/12)-1 = 0.486755 %. Drawn 500,000.00 twice: the debt is 1,002,433.78 after
    the second draw and 1,007,313.17 after an idle month. 24 instalments of D i/(1-(1+i)^-24) =
    44,574.87. After twelve of them 518,313.17 is owed and lost on closure.
    """
    loan = signed("loan")
    drawn = [float(month(loan, outlay_usd=np.array([1e6])).to_plant_usd[0]) for _ in range(2)]
    assert drawn == [500_000.0, 500_000.0]
    i = 1.06 ** (1 / 12) - 1
    assert loan.owed_usd[0] == pytest.approx(500_000 * (1 + i) + 500_000, abs=0.005)
    assert round(float(loan.owed_usd[0]), 2) == 1_002_433.78
    month(loan)  # idle: the interest is added
    owed = float(loan.owed_usd[0])
    assert round(owed, 2) == 1_007_313.17
    instalment = owed * i / (1 - (1 + i) ** -24)
    paid = [float(-month(loan, operating=ONE).to_plant_usd[0]) for _ in range(12)]
    assert paid == pytest.approx([instalment] * 12, abs=0.005)
    left = instalment * (1 - (1 + i) ** -12) / i
    assert loan.owed_usd[0] == pytest.approx(left, abs=0.005)
    last = month(loan, closed=ONE)
    assert last.to_plant_usd[0] == 0.0
    assert loan.written_down_usd[0] == pytest.approx(left, abs=0.005)
    assert loan.owed_usd[0] == 0.0
    assert month(loan, closed=ONE).to_plant_usd[0] == 0.0


def test_a_loan_that_is_served_is_repaid_in_its_months_and_no_more():
    """24 instalments, then nothing."""
    loan = signed("loan")
    month(loan, outlay_usd=np.array([1e6]))
    paid = [float(-month(loan, operating=ONE).to_plant_usd[0]) for _ in range(30)]
    assert np.count_nonzero(paid) == 24
    i = 1.06 ** (1 / 12) - 1
    worth = sum(p / (1 + i) ** (n + 1) for n, p in enumerate(paid))
    assert worth == pytest.approx(500_000.0, abs=0.01)


def test_a_guarantee_pays_the_bank_on_default_and_nothing_before():
    """Half of 1,000,000 lent by a bank; closure after a month."""
    guarantee = signed("guarantee")
    first = month(guarantee, outlay_usd=np.array([1e6]))
    assert first.to_plant_usd[0] == first.to_bank_usd[0] == 0.0
    last = month(guarantee, closed=ONE)
    assert last.to_bank_usd[0] == pytest.approx(500_000.0, abs=0.005)
    assert last.to_plant_usd[0] == 0.0


def test_a_grant_is_part_of_the_outlay_within_its_budget():
    """30 % of 1,000,000, and what is left of 400,000 in the second month."""
    grant = signed("grant", share=0.3, scheme=Scheme(budget_left_usd=400_000.0))
    paid = [float(month(grant, outlay_usd=np.array([1e6])).to_plant_usd[0]) for _ in range(3)]
    assert paid == pytest.approx([300_000.0, 100_000.0, 0.0], abs=0.005)


def test_equity_earns_its_part_of_the_cash_and_bears_no_loss():
    """15 % of 2,000,000 earned; nothing of a loss."""
    equity = signed("equity", share=0.15)
    earned = month(equity, operating=ONE, earned_usd=np.array([2e6]))
    assert earned.to_plant_usd[0] == pytest.approx(-300_000.0, abs=0.005)
    assert month(equity, operating=ONE, earned_usd=np.array([-1e6])).to_plant_usd[0] == 0.0


@pytest.mark.parametrize(
    ("kind", "factor"),
    [
        ("grant", 0.5),
        ("loan", 1 - 0.5 * (1 - recovery_factor(0.06, 2.0) / recovery_factor(0.15, 20.0))),
        ("equity", 1 - 0.5 * (1 - recovery_factor(0.06, 20.0) / recovery_factor(0.15, 20.0))),
    ],
)
def test_finance_lowers_the_capital_charge_by_what_it_does_not_ask(kind, factor):
    """Half of the outlay on the state's terms instead of 15 % over twenty years."""
    place = stage = np.zeros(1, dtype=np.int64)
    names = np.array(["mine"])
    got = charge_factor((terms(kind),), names, place, stage, 0.15, 20.0)
    assert got[0] == pytest.approx(factor)
    elsewhere = terms(kind, facilities=("another",))
    assert charge_factor((elsewhere,), names, place, stage, 0.15, 20.0)[0] == 1.0
