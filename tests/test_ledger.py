"""Payments: every dollar has a payer, a payee and a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rare_market.ledger import KIND, KINDS, REASON, REASONS, Ledger, trade_cost_usd_per_kg
from tests.conftest import CHN, METAL, OXIDE, PRICE_USD_PER_KG, USA, nobody_refuses, regime

AT = np.array([CHN, USA])
NETBACK = np.repeat(PRICE_USD_PER_KG[:, None], 2, axis=1)


def test_a_payment_leaves_one_account_and_enters_another():
    """30 USD from the state of China to processors in the United States."""
    ledger = Ledger(2)
    ledger.pay(
        ("state", np.array([CHN])), ("processor", np.array([USA])), "offtake", np.array([30.0])
    )
    assert ledger.balance_usd[KIND["state"], CHN, REASON["offtake"]] == -30.0
    assert ledger.balance_usd[KIND["processor"], USA, REASON["offtake"]] == 30.0
    assert np.count_nonzero(ledger.balance_usd) == 2


def test_a_negative_payment_flows_the_other_way():
    """The state's share of the upside of a floor."""
    ledger = Ledger(2)
    ledger.pay(("state", AT), ("processor", AT), "price_floor", np.array([-5.0, 0.0]))
    assert ledger.balance_usd[KIND["state"], CHN, REASON["price_floor"]] == 5.0


def test_payments_of_the_same_place_add():
    """Two plants of one place share an account."""
    ledger = Ledger(2)
    same = np.array([USA, USA])
    ledger.pay(("buyer", same), ("carrier", same), "goods", np.array([1.0, 2.0]))
    assert ledger.balance_usd[KIND["carrier"], USA, REASON["goods"]] == 3.0


def test_a_new_month_starts_with_empty_accounts():
    """What was paid is in the records."""
    ledger = Ledger(2)
    ledger.pay(("buyer", AT), ("carrier", AT), "goods", np.array([1.0, 2.0]))
    ledger.open_month()
    assert not ledger.balance_usd.any()


def test_an_unknown_kind_or_reason_is_refused():
    """A misspelled account would lose money."""
    ledger = Ledger(2)
    with pytest.raises(KeyError):
        ledger.pay(("buyer", AT), ("carrier", AT), "bribe", np.ones(2))
    with pytest.raises(KeyError):
        ledger.pay(("bank", AT), ("carrier", AT), "goods", np.ones(2))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS),
            st.sampled_from(KINDS),
            st.sampled_from(REASONS),
            st.integers(0, 1),
            st.integers(0, 1),
            st.floats(-1e9, 1e9),
        ),
        max_size=30,
    )
)
def test_the_accounts_sum_to_zero_whatever_is_paid(payments):
    """By reason, and so altogether."""
    ledger = Ledger(2)
    turnover = 1.0
    for payer, payee, reason, origin, destination, usd in payments:
        ledger.pay(
            (payer, np.array([origin])), (payee, np.array([destination])), reason, np.array([usd])
        )
        turnover += abs(usd)
    assert abs(ledger.imbalance_usd()) <= 1e-12 * turnover
    assert np.abs(ledger.balance_usd.sum(axis=(0, 1))).max() <= 1e-12 * turnover


def test_the_cost_of_a_lane_is_freight_insurance_tax_and_duty_on_customs_value():
    """Oxide at 50 USD/kg, freight 1, insurance 1 %, tax 10 %, duty 20 % on 50 + 1.5 + 5."""
    rules = regime()
    rules.export_duty_share[OXIDE, CHN] = 0.1
    rules.import_duty_share[OXIDE, CHN, USA] = 0.2
    cost = trade_cost_usd_per_kg(rules, NETBACK, 0.01)
    lane = (OXIDE, CHN, USA)
    assert cost.freight[lane] == pytest.approx(1.5)
    assert cost.export_tax[lane] == pytest.approx(5.0)
    assert cost.import_duty[lane] == pytest.approx(0.2 * 56.5)
    assert cost.total[lane] == pytest.approx(1.5 + 5.0 + 11.3)


def test_a_domestic_lane_bears_freight_only():
    """Neither duty nor tax nor insurance at home."""
    rules = regime(
        import_duty_share=np.full((5, 2, 2), 0.5), export_duty_share=np.full((5, 2), 0.5)
    )
    cost = trade_cost_usd_per_kg(rules, NETBACK, 0.05)
    for place in (CHN, USA):
        np.testing.assert_array_equal(
            cost.total[:, place, place], rules.freight_usd_per_kg[:, place, place]
        )


def test_a_lane_that_does_not_exist_stays_closed():
    """No duty makes a number of infinity."""
    rules = regime(import_duty_share=np.full((5, 2, 2), 0.5))
    rules.freight_usd_per_kg[OXIDE, CHN, USA] = np.inf
    cost = trade_cost_usd_per_kg(rules, NETBACK, 0.01)
    assert np.isinf(cost.total[OXIDE, CHN, USA])
    assert np.isfinite(cost.total).sum() == cost.total.size - 1


def settled(price: float, netback: float, refusal_usd_per_kg: float = 0.0) -> Ledger:
    """Ten tonnes of metal from China to the United States, duty 20 %, tax 10 %."""
    rules = regime()
    rules.export_duty_share[METAL, CHN] = 0.1
    rules.import_duty_share[METAL, CHN, USA] = 0.2
    cost = trade_cost_usd_per_kg(rules, np.full((5, 2), 50.0), 0.0)
    flow, prices = np.zeros((5, 2, 2)), np.full((5, 2), np.nan)
    flow[METAL, CHN, USA] = 10.0
    prices[METAL, USA] = price
    netbacks = np.full((5, 2), np.nan)
    netbacks[METAL, CHN] = netback
    ledger = Ledger(2)
    excluded = np.zeros((1, 5, 2, 2), dtype=bool)
    excluded[0, :, CHN, USA] = True
    ledger.settle_trade(flow, prices, netbacks, cost, excluded, np.array([refusal_usd_per_kg]))
    return ledger


def test_the_wedge_of_a_trade_goes_to_carriers_treasuries_and_the_holder_of_scarcity():
    """Paid 80, kept 50: freight 1, tax 5, duty 11.2, and 12.8 of rent, times 10,000 kg."""
    balance = settled(80.0, 50.0).balance_usd
    assert balance[KIND["economy"], CHN, REASON["freight"]] == pytest.approx(10_000.0)
    assert balance[KIND["state"], CHN, REASON["export_tax"]] == pytest.approx(50_000.0)
    assert balance[KIND["state"], USA, REASON["import_duty"]] == pytest.approx(112_000.0)
    assert balance[KIND["state"], CHN, REASON["scarcity_rent"]] == pytest.approx(128_000.0)
    # the seller's money stays with its carrier until it is paid
    assert balance[KIND["carrier"], CHN].sum() == pytest.approx(500_000.0)
    assert balance[KIND["carrier"], USA].sum() == pytest.approx(-800_000.0)


def test_a_trade_at_cost_leaves_no_rent():
    """The wedge is then freight, tax and duty."""
    balance = settled(50.0 + 17.2, 50.0).balance_usd
    assert balance[KIND["state"], CHN, REASON["scarcity_rent"]] == pytest.approx(0.0, abs=1e-6)


def test_what_taking_a_refused_origin_costs_is_spent_at_the_destination_and_is_no_rent():
    """Of the 12.8 of wedge left after freight, tax and duty, 8 make up for the origin."""
    balance = settled(80.0, 50.0, 8.0).balance_usd
    assert balance[KIND["economy"], USA, REASON["requalification"]] == pytest.approx(80_000.0)
    assert balance[KIND["state"], CHN, REASON["scarcity_rent"]] == pytest.approx(48_000.0)
    assert balance.sum() == pytest.approx(0.0, abs=1e-6)


def test_no_flow_is_no_payment():
    """A market without trade has no price, and that costs nothing."""
    ledger = Ledger(2)
    nothing = np.full((5, 2), np.nan)
    cost = trade_cost_usd_per_kg(regime(), NETBACK, 0.0)
    ledger.settle_trade(np.zeros((5, 2, 2)), nothing, nothing, cost, *nobody_refuses())
    assert not ledger.balance_usd.any()
