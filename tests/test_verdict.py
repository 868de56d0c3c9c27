"""Does undercutting pay: textbook games with known answers, and the parts of a gain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rare_market import charts
from rare_market.compare import World
from rare_market.declare import InvalidValueError
from rare_market.paired import mean_interval
from rare_market.policies import PriceFloor, Undercutting
from rare_market.runner import LocalProcesses
from rare_market.scenario import Scenario
from rare_market.series import SERIES as ALL_SERIES
from rare_market.store import Result, Store, StoreDamagedError
from rare_market.sweep import sweep
from rare_market.verdict import (
    NONE,
    NOT_RATIONAL,
    RATIONAL,
    SERIES,
    UNDECIDED,
    Game,
    Strategy,
    as_text,
    best_response,
    leader_follower,
    read_game,
    simultaneous,
    standard_packages,
    table,
    verdict_design,
)
from tests import fakes

ONE = LocalProcesses(1)
PACKAGES = (World("no answer", ()), World("floor", (PriceFloor(),)))


def game_of(china, allies, spread: float = 0.0, draws: int = 20) -> Game:
    """Return a game from mean payoffs ``[package][strategy]`` and a spread of luck in them."""
    china, allies = np.array(china, dtype=float), np.array(allies, dtype=float)
    luck = spread * np.random.default_rng(0).normal(size=(*china.shape, draws))
    strategies = [Strategy(0.1 * s, 4.0, 0.0) for s in range(1, china.shape[1])]
    zeros = np.zeros((*china.shape, draws))
    return Game(
        packages=tuple(f"package {p}" for p in range(len(china))),
        strategies=(NONE, *strategies),
        china=china[..., None] + luck,
        allies=allies[..., None] + zeros,
        secured_t=zeros,
        parts={"sacrifice_musd": zeros},
    )


# -- limit pricing --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def duel(tmp_path_factory):
    """Return the sweep of the duel over 2024 to 2043: depth 0.2 to 0.6, 2 to 6 years."""
    design = verdict_design(
        Scenario(years=20), PACKAGES, (0.2, 0.4, 0.6), (2.0, 4.0, 6.0), (0.0,), 6
    )
    return sweep(design, tmp_path_factory.mktemp("duel") / "s", ONE, measure=fakes.duel)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_limit_pricing_appears_only_where_deterrence_pays(rate, duel):
    """Least depth and time that drive out cost 40 a year for 4 years and bring 30 for 14."""
    game = read_game(duel, rate)
    delta = 1 / (1 + rate)
    cost = 40 * sum(delta**y for y in range(4))
    rent = 30 * sum(delta**y for y in range(4, 18))
    answer = best_response(game, 0)
    assert answer.verdict == (RATIONAL if rent > cost else NOT_RATIONAL)
    assert answer.best == (Strategy(0.4, 4.0, 0.0) if rent > cost else NONE)
    s = game.strategies.index(Strategy(0.4, 4.0, 0.0))
    np.testing.assert_allclose(game.parts["sacrifice_musd"][0, s], -cost)
    np.testing.assert_allclose(game.parts["recoupment_musd"][0, s], rent)


def test_nobody_undercuts_where_the_entrant_cannot_be_driven_out(duel):
    answer = best_response(read_game(duel), 1)
    assert answer.verdict == NOT_RATIONAL
    assert answer.best == NONE
    assert answer.high < 0.0
    assert (answer.paying, answer.losing) == (0, 9)


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_with_free_entry_nothing_is_recouped_and_nobody_undercuts(rate, duel, tmp_path):
    """Whatever drives out for a while, the rent is competed away when it ends (McGee 1958)."""
    game = read_game(
        sweep(duel.design, tmp_path / "s", ONE, measure=fakes.duel_with_free_entry), rate
    )
    assert (game.parts["recoupment_musd"] == 0.0).all()
    for package in range(2):
        assert best_response(game, package).verdict == NOT_RATIONAL
        assert best_response(game, package).best == NONE


def test_what_users_save_by_going_without_is_no_gain(duel, tmp_path):
    """Ten a month are saved and twelve forgone, from 2026 to 2043: 2 x 216 months are lost."""
    poorer = sweep(duel.design, tmp_path / "s", ONE, measure=fakes.duel_with_poorer_users)
    for count, lost in ((True, 2.0 * 216), (False, 0.0)):
        before, after = (read_game(s, 0.0, users_count=count) for s in (duel, poorer))
        change = (after.china - before.china)[:, 1:]
        np.testing.assert_allclose(change, -lost, atol=1e-9)
        assert (after.china[:, 0] == before.china[:, 0]).all()


@pytest.mark.slow
def test_the_model_recoups_nothing_where_idle_plants_return_at_once(tmp_path):
    """Plants idle after a month of losses and restart at the first margin: no gain afterwards.

    China's mines and plants lose while it lasts and after; what China gains its users save.
    """
    free = Scenario(
        mothball_months=1,
        mothball_margin_share=0.0,
        restart_margin_share=0.0,
        closure_months=600,
    )
    design = verdict_design(free, PACKAGES[:1], (0.45,), (4.0,), (0.0,), 6)
    game = read_game(sweep(design, tmp_path / "s", LocalProcesses(2)))
    _, low, _ = mean_interval(game.parts["recoupment_musd"][0, 1], 0.9)
    assert low <= 0.0
    sellers = game.parts["sacrifice_musd"][0, 1] + game.parts["recoupment_musd"][0, 1]
    assert mean_interval(sellers, 0.9)[0] < 0.0


def test_the_parts_add_up_to_the_gain(duel):
    game = read_game(duel)
    gain = game.china - game.china[:, :1]
    parts = ("sacrifice_musd", "recoupment_musd", "downstream_musd")
    np.testing.assert_allclose(sum(game.parts[name] for name in parts), gain, atol=1e-9)


def test_what_closed_is_told_from_what_was_not_built(duel):
    game = read_game(duel)
    s = game.strategies.index(Strategy(0.4, 4.0, 0.0))
    np.testing.assert_allclose(game.parts["exits_t_per_year"][0, s], 20_000.0)
    np.testing.assert_allclose(game.parts["deterred_t_per_year"][0, s], 0.0)
    assert (game.parts["exits_t_per_year"][1] == 0.0).all()


def test_allies_that_move_first_choose_the_floor_if_security_is_worth_it(duel):
    """The floor costs 12 a year and keeps 4,800 t a year."""
    game = read_game(duel)
    assert leader_follower(game, 0.0)[:2] == ("no answer", Strategy(0.4, 4.0, 0.0))
    assert leader_follower(game, 100.0)[:2] == ("floor", NONE)


# -- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "spread", "verdict"),
    [(5.0, 0.1, RATIONAL), (-5.0, 0.1, NOT_RATIONAL), (0.2, 5.0, UNDECIDED), (0, 0, UNDECIDED)],
)
def test_the_verdict_follows_the_interval(gain, spread, verdict):
    answer = best_response(game_of([[0.0, gain, gain - 1.0]], [[0, 0, 0]], spread), 0)
    assert answer.verdict == verdict
    assert answer.low <= answer.gain <= answer.high


def test_trying_many_strategies_does_not_make_luck_a_reason():
    """Among forty strategies without effect some look good; the joint interval is not fooled."""
    fooled = 0
    for seed in range(100):
        luck = np.random.default_rng(seed).normal(size=(1, 41, 12))
        game = game_of(np.zeros((1, 41)), np.zeros((1, 41)), draws=12)
        game.china[:] = luck
        fooled += best_response(game, 0, confidence=0.9).verdict == RATIONAL
    assert fooled <= 10


# -- both at once ---------------------------------------------------------------------------------


def test_a_dominant_pair_is_the_equilibrium_from_every_start():
    """The prisoners' dilemma: both act though both would rather not."""
    game = game_of([[3, 5], [0, 1]], [[3, 0], [5, 1]])
    plays = simultaneous(game, 0.0)
    assert all(not play.is_cycle for play in plays)
    assert {play.steps for play in plays} == {(("package 1", game.strategies[1]),)}


def test_matching_pennies_is_reported_as_a_cycle():
    game = game_of([[1, -1], [-1, 1]], [[-1, 1], [1, -1]])
    plays = simultaneous(game, 0.0)
    assert all(play.is_cycle for play in plays)
    assert len(plays[0].steps) == 2


def test_moving_first_is_worth_something_in_a_game_of_entry():
    """A floor is dear, but China does not undercut against it."""
    game = game_of([[0, 2], [0, -2]], [[10, 0], [6, 5]])
    assert leader_follower(game, 0.0) == ("package 1", NONE, 6.0)
    (play, *_) = simultaneous(game, 0.0)
    assert play.is_cycle  # no answer is best against peace, the floor against undercutting


# -- reading --------------------------------------------------------------------------------------


def test_the_standard_design_has_a_null_for_every_package():
    design = verdict_design(Scenario(), replications=2)
    assert len(design.worlds) == 2 * len(standard_packages())
    assert design.runs == 2 * 5 * (1 + 4 * 4 * 2)
    assert set(SERIES) <= set(ALL_SERIES)
    with pytest.raises(InvalidValueError, match="must not undercut"):
        verdict_design(Scenario(), [World("war", (Undercutting(),))])


def test_a_missing_run_or_a_nan_is_refused_with_its_name(tmp_path):
    design = verdict_design(Scenario(years=3), PACKAGES, (0.2,), (2.0,), (0.0,), 3)
    store = sweep(design, tmp_path / "a", ONE, measure=fakes.failing)
    with pytest.raises(InvalidValueError, match=r"run 2 \(no answer, point 0, draw 2\)"):
        read_game(store)
    store = sweep(design, tmp_path / "b", ONE, measure=hollow)
    with pytest.raises(InvalidValueError, match=r"run 4 .* has no china_upstream_musd"):
        read_game(store)
    other = sweep(fakes.design(), tmp_path / "c", ONE, measure=fakes.quick)
    with pytest.raises(InvalidValueError, match="verdict's design"):
        read_game(other)


def hollow(run) -> Result:
    """Return a duel with a NaN in one run."""
    result = fakes.duel(run)
    if run.number == 4:
        result.series["china_upstream_musd"][5] = math.nan
    return result


def test_the_text_names_users_only_where_their_surplus_counts(duel):
    with_users, without = (
        as_text(read_game(duel, users_count=count), 0.9, [0.0]) for count in (True, False)
    )
    assert "  downstream and users " in with_users
    assert "  downstream  " in without
    assert "users" not in without


def test_a_damaged_file_is_named_instead_of_its_runs(tmp_path):
    design = verdict_design(Scenario(years=12), PACKAGES, (0.4,), (4.0,), (0.0,), 2)
    store = sweep(design, tmp_path / "s", ONE, measure=fakes.duel)
    with (store.folder / "runs" / "part-00000.parquet").open("ab") as part:
        part.write(b"?")
    with pytest.raises(StoreDamagedError, match=r"part-00000.parquet is damaged"):
        read_game(Store(store.folder))


def test_the_text_and_the_figure_say_the_verdict(duel):
    game = read_game(duel)
    text = as_text(game, 0.9, [0.0, 100.0])
    assert "no answer" in text
    assert "40% for 4 years" in text
    assert "not rational" in text
    assert "100 USD/kg: floor; China: none" in text
    figure = charts.undercutting_value(game)
    figure.canvas.draw()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0].startswith("no answer: rational")
    assert titles[1] == "floor: not rational\nof 9: 9 lose, 0 pay"
    rows = table(game)
    assert len(rows) == 2 * 9
    bar = figure.axes[-1].yaxis.label.get_window_extent()
    assert figure.bbox.y0 <= bar.y0
    assert bar.y1 <= figure.bbox.y1
