"""The command line: what it prints, what it writes, and how it refuses bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rare_market.__main__ import EXIT_BAD_INPUT, cli, main
from rare_market.book import load_posted
from rare_market.history import NULL, names
from rare_market.model import RareEarthMarket
from rare_market.policies import INSTRUMENTS
from rare_market.scenario import Scenario

SHORT = ["--set", "years=3", "--processes", "1"]
FILES = ("comparison.csv", "comparison.parquet", "runs.csv", "runs.parquet", "provenance.json")
FIGURES = ("price_paths", "capacity_outside_china", "cost_against_supply")


def call(*arguments: str):
    return CliRunner().invoke(cli, list(arguments))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return call("run", *SHORT, "--replications", "2", "--out", str(folder), "--json"), folder


def test_run_writes_table_records_provenance_and_figures(finished):
    result, folder = finished
    assert result.exit_code == 0, result.output
    for name in FILES:
        assert (folder / name).stat().st_size > 0
    for name in FIGURES:
        assert (folder / f"{name}.png").stat().st_size > 10_000
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert len(list(folder.glob("records/*/*/prices.parquet"))) == 12


def test_json_is_the_only_thing_on_stdout(finished):
    result, _ = finished
    answer = json.loads(result.stdout)
    assert answer["worlds"] == [
        "no undercutting",
        "no policy",
        "offtake",
        "price floor",
        "tariff",
        "floor + offtake",
    ]
    assert answer["valid"] is True
    row = answer["table"][0]
    assert {"world", "measure", "median", "low", "high"} <= set(row)


def test_a_run_with_a_failed_certificate_ends_in_one_sentence_unless_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr("rare_market.records.GAP_LIMIT", -1.0)
    short = ("run", *SHORT, "--policy", "tariff", "--replications", "1", "--processes", "1")
    refused = call(*short, "--out", str(tmp_path / "refused"))
    assert refused.exit_code == 1
    assert refused.output.count("certificate") == 1
    assert "--allow-invalid" in refused.output
    assert (tmp_path / "refused" / "runs.parquet").exists()
    assert not (tmp_path / "refused" / "comparison.csv").exists()
    assert not list((tmp_path / "refused").glob("*.png"))
    allowed = call(*short, "--allow-invalid", "--out", str(tmp_path / "allowed"))
    assert allowed.exit_code == 0, allowed.output
    assert "INVALID" in allowed.output
    assert (tmp_path / "allowed" / "comparison.csv").exists()


def test_provenance_names_version_scenario_policies_seed_and_data(finished):
    _, folder = finished
    provenance = json.loads((folder / "provenance.json").read_text())
    world = provenance["worlds"]["price floor"]
    assert provenance["seed"] == 1
    assert world["scenario"]["years"] == 3
    assert [policy["name"] for policy in world["policies"]] == ["undercutting", "price_floor"]
    assert len(world["data_sha256"]["facilities"]) == 64
    assert {"version", "commit", "libraries", "python"} <= set(world)


def test_the_same_seed_prints_the_same_table(finished, tmp_path):
    result, _ = finished
    again = call("run", *SHORT, "--replications", "2", "--out", str(tmp_path), "--json")
    assert json.loads(again.stdout) == json.loads(result.stdout)


def test_a_package_is_compared_with_the_null_and_with_no_policy(tmp_path):
    package = ["--policy", "tariff:rate_share=0.5", "--policy", "price_floor"]
    result = call("run", *SHORT, *package, "--replications", "1", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    heading = next(line for line in result.stdout.splitlines() if "no policy" in line)
    assert heading.split()[-1] == "package"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "price_flor"], ["price_flor", "price_floor"]),
        (["--policy", "price_floor:strike=1"], ["strike", "strike_usd_per_kg"]),
        (["--policy", "price_floor:strike_usd_per_kg=-1"], ["strike_usd_per_kg", "-1", "0 to"]),
        (["--policy", "price_floor:upside_share=often"], ["upside_share", "often", "number"]),
        (["--policy", "tariff:goods=gold"], ["goods", "gold", "ndpr_oxide"]),
        (["--policy", "tariff:destinations=XYZ"], ["destinations", "XYZ", "JPN"]),
        (["--policy", "undercutting:goods=magnet"], ["goods", "magnet", "oxides"]),
        (["--policy", "tariff:rate_share"], ["rate_share", "field=value"]),
        (["--set", "yeers=3"], ["yeers", "years"]),
        (["--set", "years=0"], ["years", "0", "1 to 30"]),
        (["--set", "years=nan"], ["years", "nan"]),
        (["--set", "outage_share=nan"], ["outage_share", "nan", "0 to 1"]),
        (["--seed", "-5"], ["seed", "-5", "0 to"]),
        (["--replications", "0"], ["--replications", "0", "1 to"]),
        (["--scenario", "nowhere.toml"], ["nowhere.toml", "No such file"]),
        (["--set", "data_folder=nowhere"], ["nowhere"]),
    ],
)
def test_bad_input_is_one_sentence_with_exit_code_2_before_any_run(arguments, words, tmp_path):
    folder = tmp_path / "out"
    result = call("run", *arguments, "--out", str(folder))
    assert result.exit_code == EXIT_BAD_INPUT, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in result.stderr
    assert not folder.exists() or not any(folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (
            ["--scenario", "history_2018_2024", "--policy", "price_floor", "--set", "years=1"],
            ["price_floor, dated 2026 to 2036, is never in force in the run of 2018 to 2018."],
        ),
        (
            ["--policy", "tariff:duration_years=0", "--set", "years=3"],
            ["tariff, dated 2026 to 2026, is never in force in the run of 2024 to 2026."],
        ),
        (
            ["--set", "years=1"],
            [
                f"{name}, dated 2026 to 2036, is never in force in the run of 2024 to 2024."
                for name in ("undercutting", "offtake_guarantee", "price_floor", "tariff")
            ],
        ),
    ],
)
def test_a_policy_that_is_never_in_force_is_named_once_and_the_run_goes_on(
    arguments, sentences, tmp_path
):
    options = ["--replications", "1", "--processes", "1", "--out", str(tmp_path)]
    result = call("run", *arguments, *options)
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == sentences


def test_nothing_is_said_of_policies_that_are_in_force(finished):
    result, _ = finished
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--seed", "x"], ["--seed", "x", "integer"]),
        (["run", "--sead", "1"], ["--sead", "--seed"]),
        (["list", "mines"], ["mines", "policies"]),
        (["run", "--set", "years=0"], ["scenario", "years = 0", "1 to 30"]),
    ],
)
def test_the_console_script_says_what_is_wrong_in_one_line(arguments, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rare-market", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (EXIT_BAD_INPUT, "")
    assert len(err.strip().splitlines()) == 1
    assert not err.startswith("Error")
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("years = ", ["not a TOML file", "end of document"]),
        ("years = 'three'", ["years", "three", "whole number"]),
        ("colour = 3", ["colour", "no field"]),
        ("years = 99", ["years", "99", "1 to 30"]),
        ("x = " + "[" * 20_000, ["not a TOML file"]),
    ],
)
def test_a_scenario_file_that_cannot_be_used_is_refused(text, words, tmp_path):
    file = tmp_path / "scenario.toml"
    file.write_text(text)
    result = call("run", "--scenario", str(file), "--out", str(tmp_path / "out"))
    assert result.exit_code == EXIT_BAD_INPUT
    for word in words:
        assert word in result.stderr


def test_a_scenario_file_is_used_and_set_goes_on_top(tmp_path):
    file = tmp_path / "scenario.toml"
    file.write_text("years = 5\nseed = 7\n")
    arguments = ["--scenario", str(file), "--set", "years=3", "--replications", "1"]
    result = call("run", *arguments, "--processes", "1", "--out", str(tmp_path / "o"), "--json")
    scenario = json.loads(result.stdout)["scenario"]
    assert (scenario["years"], scenario["seed"]) == (3, 7)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    file = tmp_path / "a_file"
    file.write_text("")
    result = call("run", "--out", str(file / "below"))
    assert result.exit_code == EXIT_BAD_INPUT
    assert "--out" in result.stderr


def test_the_order_book_of_a_month_can_be_saved_and_cleared_again(tmp_path):
    file = tmp_path / "book.npz"
    result = call("book", "--month", "2024-03", "--set", "years=1", "--out", str(file))
    assert result.exit_code == 0, result.output
    market = RareEarthMarket(Scenario(years=1))
    for _ in range(3):
        market.step()
    posted = load_posted(file)
    again = posted.clear(posted.layout())
    np.testing.assert_array_equal(again.price_usd_per_kg, market.clearing.price_usd_per_kg)
    np.testing.assert_array_equal(again.ask_fill_t, market.clearing.ask_fill_t)


@pytest.mark.parametrize("month", ["2024-13", "March", "2036-01", "2023-12", "24-03"])
def test_a_month_outside_the_run_is_refused(month, tmp_path):
    result = call("book", "--month", month, "--out", str(tmp_path / "book.npz"))
    assert result.exit_code == EXIT_BAD_INPUT
    assert month in result.stderr


@pytest.mark.parametrize("name", names())
def test_a_named_scenario_runs_beside_its_null_model(name, tmp_path):
    """Listed by name; the fields of the file hold unless one is set."""
    listed = call("list", "scenarios").stdout
    assert f"\n{name} " in listed
    settings = ["--scenario", name, "--set", "years=1", "--replications", "1", "--processes", "1"]
    result = call("run", *settings, "--json", "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["worlds"] == [NULL, name]
    assert answer["valid"]


def test_an_unknown_scenario_is_refused_with_those_there_are(tmp_path):
    result = call("run", "--scenario", "history_1990", "--out", str(tmp_path / "out"))
    assert result.exit_code == EXIT_BAD_INPUT
    assert "history_1990" in result.stderr
    assert "history_2007_2014" in result.stderr


@pytest.mark.parametrize("what", ["policies", "packages", "goods", "places", "scenarios"])
def test_lists_come_as_text_and_as_json(what):
    assert call("list", what).exit_code == 0
    rows = json.loads(call("list", what, "--json").stdout)
    assert rows
    assert all("name" in row for row in rows)


def test_every_instrument_is_listed_with_its_parameters():
    """Unit, default, range, meaning and source of each."""
    rows = json.loads(call("list", "policies", "--json").stdout)
    assert {row["name"] for row in rows} == set(INSTRUMENTS)
    for row in rows:
        assert row["summary"]
        for field in row["parameters"]:
            assert {"name", "default", "unit", "low", "high", "meaning", "source"} == set(field)
            assert field["meaning"]


def test_packages_add_up_and_a_shock_shows_its_damage(tmp_path):
    """Two packages and a stop of exports: the table says who paid, and what the shock did."""
    result = call(
        "run", "--policy", "us_japan_framework_2025", "--policy", "mp_dod_2025",
        "--shock", "export_stop:month=2026-01,duration=3,goods=oxide+metal",
        "--set", "years=4", "--replications", "1", "--processes", "1", "--out", str(tmp_path),
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "What each side got" in result.stdout
    assert "price_floor" in result.stdout
    assert "welfare allies lose to the shock in 24 months" in result.stdout
    assert "all without the shock, but for the last three lines" in result.stdout
    assert (tmp_path / "received.csv").exists()


@pytest.mark.parametrize(
    "shock",
    [
        "export_stop:month=2099-01",
        "export_stop:month=2034-02",
        "export_stop:month=2028-01,goods=tea",
        "flood",
    ],
)
def test_a_shock_that_cannot_be_used_is_refused_before_any_work(shock, tmp_path):
    result = call("run", "--shock", shock, "--out", str(tmp_path / "none"))
    assert result.exit_code == EXIT_BAD_INPUT
    assert result.stderr.strip().endswith(".")
    assert not (tmp_path / "none").exists()


def test_help_loads_no_model():
    code = (
        "import sys; from click.testing import CliRunner; from rare_market.__main__ import cli;"
        "assert CliRunner().invoke(cli, ['run', '--help']).exit_code == 0;"
        "heavy = {'numba', 'mesa', 'pandas', 'matplotlib', 'numpy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


def test_no_temporary_file_is_left_in_the_output_folder(finished):
    _, folder = finished
    assert not list(Path(folder).rglob(".*"))
