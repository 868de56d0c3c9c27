"""Sensitivity, discovery and regret: test functions with known answers, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from rare_market import analysis
from rare_market.__main__ import cli
from rare_market.compare import World
from rare_market.declare import InvalidValueError
from rare_market.design import Design, draw_points
from rare_market.runner import LocalProcesses
from rare_market.scenario import Scenario
from rare_market.store import Result, Store
from rare_market.sweep import sweep
from rare_market.terminal import EXIT_STORE
from tests import fakes

ONE = LocalProcesses(1)
ISHIGAMI = ["x1", "x2", "x3"]
CIRCLE = [(-np.pi, np.pi)] * 3


def ishigami(x: np.ndarray) -> np.ndarray:
    """Ishigami and Homma (1990) with a = 7, b = 0.1."""
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


# -- indices --------------------------------------------------------------------------------------


def test_sobol_indices_of_the_ishigami_function_are_right():
    """S = 0.3139, 0.4424, 0; T = 0.5576, 0.4424, 0.2437."""
    points = draw_points("saltelli", ISHIGAMI, CIRCLE, 2048, 1)
    luck = np.array([0.0, 0.3, -0.2])  # shared by all points: moves no index
    values = ishigami(points)[:, None] + luck
    table = analysis.sobol_indices(ISHIGAMI, values, resamples=40)
    exact = [0.3139, 0.4424, 0.0, 0.5576, 0.4424, 0.2437]
    np.testing.assert_allclose(table["index"], exact, atol=0.02)
    held = (table["points_low"] - 0.005 <= exact) & (exact <= table["points_high"] + 0.005)
    assert held.sum() >= 5
    np.testing.assert_allclose(table["draws_high"] - table["draws_low"], 0.0, atol=1e-9)


def test_draws_that_change_what_matters_widen_the_interval_over_draws():
    points = draw_points("saltelli", ["a", "b"], [(0.0, 1.0)] * 2, 256, 1)
    weight = np.linspace(0.2, 1.8, 6)
    values = points[:, :1] * weight + points[:, 1:] * (2 - weight)
    table = analysis.sobol_indices(["a", "b"], values, resamples=100)
    assert (table["draws_high"] - table["draws_low"] > 0.1).all()
    np.testing.assert_allclose(table["index"], 0.5, atol=0.05)


def test_one_draw_has_no_interval_over_draws():
    points = draw_points("saltelli", ISHIGAMI, CIRCLE, 64, 1)
    table = analysis.sobol_indices(ISHIGAMI, ishigami(points)[:, None], resamples=20)
    assert table["draws_low"].isna().all()


def test_morris_effects_of_a_plane_are_its_slopes_and_of_a_product_interact():
    """Y = 3 a + b + 0 c + 4 a d over unit ranges, with d from 0 to 1."""
    names, unit = ["a", "b", "c", "d"], [(0.0, 1.0)] * 4
    points = draw_points("morris", names, unit, 40, 1)
    y = 3 * points[:, 0] + points[:, 1] + 4 * points[:, 0] * points[:, 3]
    table = analysis.morris(names, unit, points, y[:, None]).set_index("factor")
    assert table.index[0] == "a"
    np.testing.assert_allclose(table.loc["b", ["mu_star", "mu"]].astype(float), 1.0)
    np.testing.assert_allclose(table.loc["b", "sigma"], 0.0, atol=1e-9)
    np.testing.assert_allclose(table.loc["c", "mu_star"], 0.0, atol=1e-9)
    assert table.loc["a", "mu_star"] == pytest.approx(5.0, abs=0.5)
    assert table.loc["a", "sigma"] > 1.0
    assert table.loc["d", "sigma"] > 1.0


@pytest.mark.parametrize("where", [0, 17])
def test_one_nan_is_refused_where_salib_would_return_zeros(where):
    points = draw_points("saltelli", ISHIGAMI, CIRCLE, 8, 1)
    values = ishigami(points)[:, None]
    values[where] = np.nan
    with pytest.raises(InvalidValueError, match=f"point {where}, draw 0"):
        analysis.sobol_indices(ISHIGAMI, values)


def test_an_outcome_without_variance_is_refused():
    with pytest.raises(InvalidValueError, match="same at every point"):
        analysis.sobol_indices(ISHIGAMI, np.ones((40, 2)))


# -- discovery ------------------------------------------------------------------------------------


def test_a_planted_box_is_found():
    """Cases where a > 0.7 and b < 0.4; c does nothing."""
    points = np.random.default_rng(0).random((4000, 3))
    cases = (points[:, 0] > 0.7) & (points[:, 1] < 0.4)
    box = analysis.discover(["a", "b", "c"], points, cases)[-1]
    assert set(box.bounds) == {"a", "b"}
    assert box.bounds["a"][0] == pytest.approx(0.7, abs=0.03)
    assert box.bounds["b"][1] == pytest.approx(0.4, abs=0.03)
    assert box.density_share == 1.0
    assert box.coverage_share > 0.9
    assert all(p < 1e-6 for p in box.p_value.values())


def test_density_rises_and_coverage_falls_along_the_peeling():
    points = np.random.default_rng(1).random((1000, 2))
    cases = points.sum(axis=1) + 0.3 * np.random.default_rng(2).normal(size=1000) > 1.4
    boxes = analysis.discover(["a", "b"], points, cases)
    assert boxes[0].coverage_share == 1.0
    assert np.all(np.diff([box.density_share for box in boxes]) > 0)
    assert np.all(np.diff([box.coverage_share for box in boxes]) <= 0)
    assert boxes[-1].runs >= analysis.SMALLEST_BOX


@pytest.mark.parametrize("value", [True, False])
def test_an_outcome_that_always_or_never_happens_has_no_box(value):
    with pytest.raises(InvalidValueError, match="no box"):
        analysis.discover(["a"], np.zeros((50, 1)), np.full(50, value))


# -- on a sweep -----------------------------------------------------------------------------------


def robust(run) -> Result:
    """Costs of three policies: cheap but fragile, dear but safe, and never best."""
    x = run.scenario.demand_growth_multiplier
    cost = {"cheap": 10.0 * x**2, "safe": 4.0, "poor": 12.0}[run.world]
    return Result({"cost": cost + run.replication}, {})


@pytest.fixture(scope="module")
def policies(tmp_path_factory) -> Store:
    design = Design(
        "robust",
        Scenario(years=1),
        tuple(World(name, ()) for name in ("cheap", "safe", "poor")),
        ("demand_growth_multiplier",),
        np.linspace(0.0, 1.0, 11)[:, None],
        replications=3,
    )
    return sweep(design, tmp_path_factory.mktemp("robust") / "s", ONE, measure=robust)


def test_regret_is_what_the_best_world_does_better_under_the_same_luck(policies):
    table = analysis.regret(policies, "cost", lower_is_better=True, at_least=5.0)
    row = table.set_index("world")
    assert table["world"][0] == "safe"
    assert row.loc["safe", "regret_most"] == pytest.approx(4.0)  # where the cheap one costs nothing
    assert row.loc["cheap", "regret_most"] == pytest.approx(6.0)
    assert row.loc["poor", "best_share"] == 0.0
    assert row.loc["cheap", "best_share"] == pytest.approx(7 / 11)
    assert row.loc["safe", "satisfied_share"] == pytest.approx(2 / 3)
    two = analysis.regret(policies, "cost", ["safe", "poor"], lower_is_better=True)
    assert two["world"].tolist() == ["safe", "poor"]


def test_a_sweep_is_analysed_from_the_command_line(policies, tmp_path):
    folder = str(policies.folder)
    out = tmp_path / "regret.csv"
    options = ["regret", folder, "--measure", "cost", "--lower-is-better", "--out", str(out)]
    result = CliRunner().invoke(cli, options)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1].split()[0] == "safe"
    assert len(out.read_text().splitlines()) == 4
    options = ["discover", folder, "--measure", "cost", "--world", "cheap", "--above", "6.5"]
    result = CliRunner().invoke(cli, options)
    assert result.exit_code == 0, result.output
    assert "demand_growth_multiplier" in result.stdout


def plane(run) -> Result:
    s = run.scenario
    y = 2.0 * s.demand_growth_multiplier + s.outage_share
    return Result({"y": y + 0.1 * run.replication, "gap": np.nan if run.number == 3 else y}, {})


@pytest.mark.parametrize(("method", "count"), [("morris", 10), ("saltelli", 64)])
def test_sensitivity_goes_from_a_design_to_a_ranking(method, count, tmp_path):
    names, bounds = ("demand_growth_multiplier", "outage_share"), [(0.5, 1.5), (0.0, 1.0)]
    design = Design(
        "plane",
        Scenario(years=1),
        (World("null", ()),),
        names,
        draw_points(method, names, bounds, count, 1),
        replications=2,
        sample={"method": method, "bounds": [list(b) for b in bounds]},
    )
    store = sweep(design, tmp_path / "s", ONE, measure=plane)
    table = analysis.sensitivity(store, "y", "null")
    if method == "morris":
        np.testing.assert_allclose(table["mu_star"], [2.0, 1.0])
    else:
        np.testing.assert_allclose(table["index"], [0.8, 0.2, 0.8, 0.2], atol=0.03)
    folder = str(tmp_path / "s")
    result = CliRunner().invoke(cli, ["sensitivity", folder, "--measure", "y"])
    assert result.exit_code == 0, result.output
    assert "demand_growth_multiplier" in result.stdout
    result = CliRunner().invoke(cli, ["sensitivity", folder, "--measure", "gap"])
    assert result.exit_code == 2
    assert "run 3 (null, point 1, draw 1) has no number for gap" in result.stderr


def test_a_missing_run_is_refused_with_its_name_and_reason(tmp_path):
    store = sweep(fakes.design(), tmp_path / "s", ONE, measure=fakes.failing)
    with pytest.raises(InvalidValueError, match=r"run 7 \(attack, point 0, draw 2\).*ZeroDiv"):
        analysis.complete(store, "price", "attack")
    begun = Store.create(fakes.design(), tmp_path / "b", "tests.fakes.quick")
    with pytest.raises(InvalidValueError, match=r"run 5 .* was not made"):
        analysis.complete(begun, "price", "attack")
    with pytest.raises(InvalidValueError, match=r"run 2 .* ZeroDiv"):
        analysis.regret(store, "price")


@pytest.mark.parametrize(
    "question", [["sensitivity"], ["discover", "--above", "6"], ["regret"]], ids=lambda q: q[0]
)
def test_a_damaged_file_is_named_as_by_the_status_of_the_sweep(question, tmp_path):
    """Its runs were made: resume repairs it."""
    design = fakes.design(sample={"method": "morris", "bounds": [[0.1, 0.7]]})
    sweep(design, tmp_path / "s", ONE, measure=fakes.quick)
    with (tmp_path / "s" / "runs" / "part-00000.parquet").open("ab") as part:
        part.write(b"?")
    result = CliRunner().invoke(cli, [*question, str(tmp_path / "s"), "--measure", "price"])
    assert result.exit_code == EXIT_STORE
    assert "part-00000.parquet is damaged" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sensitivity", "DIR", "--measure", "cost"], ["factorial", "morris"]),
        (["regret", "DIR", "--measure", "prize"], ["prize", "cost"]),
        (["regret", "DIR", "--measure", "cost", "--world", "rich"], ["rich", "cheap"]),
        (["discover", "DIR", "--measure", "cost"], ["--above", "--below"]),
        (["discover", "DIR", "--measure", "cost", "--above", "99"], ["0%", "no box"]),
        (["discover", "DIR", "--measure", "cost", "--above", "6", "--coverage", "2"], ["2"]),
        (["regret", "nowhere", "--measure", "cost"], ["nowhere", "no sweep"]),
    ],
)
def test_bad_input_is_one_sentence_with_exit_code_2(arguments, words, policies):
    folder = str(policies.folder)
    result = CliRunner().invoke(cli, [a.replace("DIR", folder) for a in arguments])
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in result.stderr
