"""Support of collection and recycling."""

from __future__ import annotations

import numpy as np

from rare_market.goods import FACILITY_STAGES
from rare_market.ledger import KIND, REASON
from rare_market.policies import RecyclingSupport
from tests.conftest import run


def test_more_is_recycled_and_the_state_of_the_place_pays():
    """Japan supports its own collectors, who reach no more than is thrown away, and recyclers.

    Its recyclers outbid those elsewhere, so the world as a whole need not recycle more.
    """
    policy = RecyclingSupport(
        start_year=2024.0, producers="JPN", collection_usd_per_kg=5.0, conversion_share=0.9
    )
    free, helped = run([], years=3), run([policy], years=3)
    c = free.catalogue
    jpn = c.place("JPN")
    collects = np.char.startswith(free.facility, "collect_") & (free.facility_place == jpn)
    collected = [r.facility_output_t[:, collects].sum() for r in (helped, free)]
    assert collected[0] > collected[1] > 0.0
    stage = FACILITY_STAGES.index("recycling")
    assert helped.output_t[:, stage, jpn].sum() > free.output_t[:, stage, jpn].sum()
    paid = helped.balance_usd[:, KIND["state"], :, REASON["subsidy"]].sum(axis=0)
    assert paid[jpn] < 0.0
    assert np.count_nonzero(paid) == 1
