"""Learning by doing: conversion gets cheaper with the output a place has behind it, at each stage.

Part of what is done elsewhere is learned too. A rule can stop that part (a ban of technology).
"""

from __future__ import annotations

import numpy as np

from rare_market.compiled import compiled
from rare_market.goods import FACILITY_STAGES
from rare_market.scenario import Scenario

CHEMICAL = ("separation", "recycling")


@compiled
def learned_factor(
    experience_t: np.ndarray, first_t: np.ndarray, learning_share: np.ndarray
) -> np.ndarray:
    r"""Unit cost of conversion relative to the first month.

    .. math:: \frac{c}{c_0} = \Bigl(\frac{E}{E_0}\Bigr)^{\log_2(1 - \ell)}

    Each doubling of experience :math:`E` lowers cost by the share :math:`\ell` (Wright 1936);
    without output since the start, or where nobody ever made anything, it is 1.

    Parameters
    ----------
    experience_t, first_t
        ``[stage, place]`` cumulative output now and before the run.
    learning_share
        ``[stage, 1]`` :math:`\ell`.

    >>> learned_factor(np.array([[20.0]]), np.array([[10.0]]), np.array([[0.1]])).tolist()
    [[0.9]]
    """
    stages, places = first_t.shape
    factor = np.ones((stages, places))
    for s in range(stages):
        for p in range(places):
            if first_t[s, p] > 0.0:
                ratio = experience_t[s, p] / first_t[s, p]
                factor[s, p] = ratio ** np.log2(1.0 - learning_share[s, 0])
    return factor


class Experience:
    r"""What each place has learned of each stage.

    .. math:: E_{sp}' = E_{sp} + q_{sp} + \phi \sum_{q \ne p} f_{sq}\, q_{sq}

    with a month's output :math:`q`, the share :math:`\phi` of what others do that a place learns,
    and the part :math:`f` of it that rules let out. Before the run every place had made
    ``experience_years`` of its first output.

    Parameters
    ----------
    first_output_t
        ``[stage, place]`` tonnes of activity in the month before the run.
    scenario
        rates, spill-over and years behind.
    """

    def __init__(self, first_output_t: np.ndarray, scenario: Scenario) -> None:
        s = scenario
        share = [
            0.0
            if stage == "mine"
            else s.chemical_learning_share
            if stage in CHEMICAL
            else s.metallurgical_learning_share
            for stage in FACILITY_STAGES
        ]
        self.learning_share = np.array(share)[:, None]
        self._spillover_share = s.spillover_share
        self.first_t = np.zeros_like(first_output_t)
        self.experience_t = self.first_t
        self.gain(12.0 * s.experience_years * first_output_t, np.ones_like(first_output_t))
        self.first_t = self.experience_t

    def gain(self, output_t: np.ndarray, let_out_share: np.ndarray) -> None:
        """Add a month's output and what is learned from others', ``[stage, place]`` each."""
        heard_t = let_out_share * output_t
        others_t = heard_t.sum(axis=1, keepdims=True) - heard_t
        self.experience_t = self.experience_t + output_t + self._spillover_share * others_t

    def factor(self) -> np.ndarray:
        """Unit cost of conversion relative to the first month, ``[stage, place]``."""
        return learned_factor(self.experience_t, self.first_t, self.learning_share)
