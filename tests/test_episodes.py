"""Measures of the past, on prices drawn by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from rare_market.dataset import Data
from rare_market.episodes import MEASURES, Past
from rare_market.validation import targets


@pytest.fixture
def past(data: Data) -> Past:
    """Every price 10 until July 2010, a peak of 200 in May 2011, 20 from 2012 on."""
    c = data.catalogue
    periods = 12 * 12
    moments = 2007 + np.arange(periods) / 12
    path = np.interp(moments, [2010.5, 2011.34, 2012.0], [10.0, 200.0, 20.0])
    price = np.broadcast_to(
        path[:, None, None, None], (periods, len(c.goods), len(c.places), 2)
    ).copy()
    tax = np.zeros((periods, len(c.goods), len(c.places)))
    return Past(
        SimpleNamespace(  # type: ignore[arg-type]
            catalogue=c,
            start_year=2007,
            periods=periods,
            price_usd_per_kg=price,
            export_tax_share=tax,
        )
    )


def test_a_peak_is_a_quarterly_mean_and_dated_by_its_middle(past):
    """Highest around May 2011, ten months after the cut; near twenty times 2009."""
    value, year = past.peak("la_oxide", 2010.5, 2013.0)
    assert 180.0 < value <= 200.0
    assert year == pytest.approx(2011.33, abs=0.05)
    assert MEASURES["la_peak_multiple"](past) == pytest.approx(value / 10.0)
    assert MEASURES["la_months_to_peak"](past) == pytest.approx(10.0, abs=0.6)


def test_what_is_left_of_a_peak_at_the_end_of_2012(past):
    assert MEASURES["la_end_2012_over_peak"](past) == pytest.approx(0.107, abs=0.01)


def test_the_half_year_fall_is_the_steepest_after_the_peak(past):
    """From 200 to 20 in eight months."""
    assert -0.9 < MEASURES["ndpr_half_year_fall"](past) < -0.7


def test_the_ratio_of_out_and_in_counts_value_added_tax_inside(past):
    assert MEASURES["la_out_in_ratio"](past) == pytest.approx(1.0 / 1.17)


def test_a_basket_rises_as_its_oxides_do(past):
    assert MEASURES["basket_rise"](past) > 10.0


def test_every_target_has_its_measure_and_the_other_way_round():
    assert {row.target for row in targets()} == set(MEASURES)
