"""The input tables: what is refused, what they add up to."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from rare_market.declare import declarations
from rare_market.inputs import (
    InputError,
    Table,
    Tables,
    check_tables,
    load_tables,
    read_table,
    table_checksums,
    vintage_folders,
)
from rare_market.policies import INSTRUMENTS, read_package, shipped
from rare_market.scenario import Scenario
from tests.conftest import edited_data

ROOT = Path(__file__).parent.parent
DATA = ROOT / "rare_market" / "data"
PRODUCING = ("operating", "ramping")
VINTAGES = (2007, 2018)

Row = dict[str, str]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def total(table: Table, column: str, **where: str) -> float:
    """Sum a column over the rows with the given values."""
    keep = np.ones(table.rows, dtype=bool)
    for name, value in where.items():
        keep &= table[name] == value
    return float(table[column][keep].sum())


def recipe(tables: Tables) -> dict[str, dict[str, dict[str, float]]]:
    """Quantities by process, role and good."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    rows = tables.recipes
    for process, role, good, quantity in zip(
        rows["process"], rows["role"], rows["good"], rows["quantity_t"], strict=True
    ):
        found.setdefault(process, {"input": {}, "output": {}})[role][good] = float(quantity)
    return found


def oxide_balance(tables: Tables) -> dict[str, tuple[float, float, float, float]]:
    """Tonnes of each oxide in 2024: separated, recycled, taken by magnets, by other uses."""
    stage = dict(zip(tables.goods["good"], tables.goods["stage"], strict=True))
    recipes = recipe(tables)
    activity = {
        process: total(tables.facilities, "output_t_per_year", process_or_good=process)
        for process in recipes
    }
    separated: dict[str, float] = defaultdict(float)
    recycled: dict[str, float] = defaultdict(float)
    metal_need: dict[str, float] = defaultdict(float)
    magnets: dict[str, float] = defaultdict(float)
    for process, sides in recipes.items():
        from_scrap = any(stage[good] == "scrap" for good in sides["input"])
        for good, quantity in sides["output"].items():
            if stage[good] == "oxide":
                (recycled if from_scrap else separated)[good] += activity[process] * quantity
        for good, quantity in sides["input"].items():
            if stage[good] == "metal":
                metal_need[good] += activity[process] * quantity
    for sides in recipes.values():
        for metal in sides["output"]:
            if stage[metal] == "metal":
                for oxide, quantity in sides["input"].items():
                    magnets[oxide] += metal_need[metal] * quantity
    return {
        oxide: (
            separated[oxide],
            recycled[oxide],
            magnets[oxide],
            total(tables.demand, "demand_t_per_year", good=oxide),
        )
        for oxide in stage
        if stage[oxide] == "oxide"
    }


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "value", "words"),
    [
        ("facilities", "source", "no_such_report", "every key must be in SOURCES.csv"),
        ("prices", "source", "assumed;no_such_report", "every key must be in SOURCES.csv"),
        ("facilities", "capacity_t_per_year", "-1", "allowed is 0 to 1e+15"),
        ("facilities", "capacity_t_per_year", "nan", "allowed is 0 to 1e+15"),
        ("facilities", "capacity_t_per_year", "inf", "allowed is 0 to 1e+15"),
        ("facilities", "capacity_t_per_year", "", "a number is needed"),
        ("facilities", "place", "XXX", "not one of"),
        ("facilities", "feeds", "no_such_plant", "not one of"),
        ("facilities", "process_or_good", "make_unobtainium", "not one of"),
        ("facilities", "status", "rumoured", "not one of"),
        ("demand", "good", "unobtainium", "not one of"),
        ("demand", "sector", "no_such_sector", "not one of"),
        ("recipes", "role", "catalyst", "not one of"),
        ("freight", "destination", "any", "not one of"),
        ("taxes", "scope", "everything", "not one of"),
        ("goods", "confidence", "D", "not one of A, B, C"),
        ("origin_bound", "bound_share", "1.5", "allowed is 0 to 1"),
        ("sectors", "short_run_elasticity", "0.1", "allowed is -10 to 0"),
        ("baskets", "share_percent", "0", "sums to"),
    ],
)
def test_a_bad_field_is_refused_in_one_sentence(
    tmp_path: Path, table: str, column: str, value: str, words: str
) -> None:
    folder = edited_data(tmp_path, table, lambda rows: rows[0].update({column: value}))
    with pytest.raises(InputError) as refused:
        load_tables([folder])
    sentence = str(refused.value)
    assert sentence.startswith(f"{table}.csv")
    assert column in sentence
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_the_sentence_names_row_key_value_and_bound(tmp_path: Path) -> None:
    folder = edited_data(
        tmp_path, "facilities", lambda rows: rows[4].update(capacity_t_per_year="-7.5")
    )
    with pytest.raises(
        InputError, match=r"facilities.csv, row 6 \(\w+\): capacity_t_per_year"
    ) as e:
        load_tables([folder])
    assert "-7.5" in str(e.value)


def test_a_recipe_that_creates_mass_is_refused(tmp_path: Path) -> None:
    def make_mass(rows: list[Row]) -> None:
        for row in rows:
            if row["process"] == "separate_monazite" and row["good"] == "ndpr_oxide":
                row["quantity_t"] = "0.3"

    with pytest.raises(InputError, match=r"separate_monazite: outputs hold .* more NdPr"):
        load_tables([edited_data(tmp_path, "recipes", make_mass)])


def test_a_second_row_with_the_same_key_is_refused(tmp_path: Path) -> None:
    folder = edited_data(tmp_path, "demand", lambda rows: rows.append(dict(rows[0])))
    with pytest.raises(InputError, match="the key occurs twice"):
        load_tables([folder])


def test_a_missing_column_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(DATA, copy)
    path = copy / "places.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("allied", "friend", 1), "utf-8")
    with pytest.raises(InputError, match=r"places.csv: the column allied is missing"):
        load_tables([copy])


def test_a_folder_holds_only_the_tables_that_differ(tmp_path: Path, tables: Tables) -> None:
    """What a folder lacks comes from the next, and last from the shipped tables of 2024."""
    folder = edited_data(tmp_path, "goods", lambda rows: rows[0].update(note="changed"))
    for file in folder.glob("*.csv"):
        if file.name != "goods.csv":
            file.unlink()
    loaded = load_tables([folder])
    assert loaded.goods["note"][0] == "changed"
    assert loaded.taxes.rows == tables.taxes.rows


@pytest.mark.parametrize(
    ("name", "meant"),
    [("demnd.csv", "demand"), ("Demand.csv", "demand"), ("sources.csv", "SOURCES")],
)
def test_a_file_that_no_table_is_read_from_is_refused_with_the_nearest_name(
    tmp_path: Path, name: str, meant: str
) -> None:
    """Instead of running with the shipped table."""
    shutil.copy(DATA / f"{meant}.csv", tmp_path / name)
    with pytest.raises(InputError, match=rf"{name}: .* the nearest is {meant}\.csv\.$"):
        load_tables([tmp_path])


def test_other_files_may_lie_beside_the_tables(tmp_path: Path, tables: Tables) -> None:
    (tmp_path / "notes.txt").write_text("where the numbers are from")
    assert load_tables([tmp_path]).demand.rows == tables.demand.rows


def test_a_file_that_is_no_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "demand.csv"
    path.write_bytes((DATA / "demand.csv").read_bytes() + "Zürich\n".encode("latin-1"))
    last = path.read_bytes().count(b"\n")
    with pytest.raises(InputError, match=rf"^demand.csv, line {last}: the byte 0xfc is not UTF-8"):
        load_tables([tmp_path])


def test_a_text_for_a_number_is_refused_with_its_row_and_bound(tmp_path: Path) -> None:
    folder = edited_data(tmp_path, "demand", lambda rows: rows[3].update(demand_t_per_year="abc"))
    with pytest.raises(InputError) as refused:
        load_tables([folder])
    assert str(refused.value) == (
        "demand.csv, row 5: demand_t_per_year is 'abc', a number is needed, allowed is 0 to 1e+15."
    )


def test_a_start_year_without_data_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        InputError, match=r"start_year = 1999 has no data; there are 2007, 2018, 2024"
    ):
        vintage_folders(1999)


def test_a_data_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data_folder = .* is not a folder"):
        vintage_folders(2024, str(tmp_path / "nothing"))


@pytest.mark.parametrize("start_year", VINTAGES)
def test_demand_of_an_earlier_start_year_closes_with_its_supply(start_year: int) -> None:
    """Use of every element stays within what mines and recyclers give, and NdPr within 4 %."""
    tables = load_tables(vintage_folders(start_year))
    for oxide, (separated, recycled, magnets, other) in oxide_balance(tables).items():
        assert magnets + other <= 1.05 * (separated + recycled), oxide
        if oxide == "ndpr_oxide":
            assert magnets + other == pytest.approx(separated + recycled, rel=0.04)


def test_a_row_of_the_wrong_length_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(DATA, copy)
    with (copy / "stocks.csv").open("a", encoding="utf-8") as lines:
        lines.write("mine,any\n")
    with pytest.raises(InputError, match=r"stocks.csv, line \d+: 2 fields, not 8"):
        load_tables([copy])


# --- what is accepted --------------------------------------------------------------------------


def test_a_copy_loads_as_the_same_tables(tmp_path: Path, tables: Tables) -> None:
    copy = tmp_path / "data"
    shutil.copytree(DATA, copy)
    other = load_tables([copy])
    assert table_checksums([copy]) == table_checksums()
    for name in table_checksums():
        mine, theirs = getattr(tables, name), getattr(other, name)
        assert list(mine) == list(theirs)
        assert all(np.array_equal(mine[column], theirs[column]) for column in mine)


def test_a_new_place_and_a_new_good_are_rows_of_data(tmp_path: Path) -> None:
    common = {"source": "assumed", "year": "2024", "confidence": "C", "note": "assumed: test"}
    new: dict[str, Row] = {
        "places": {"place": "CHL", "name": "Chile", "allied": "no"},
        "goods": {"good": "gallium", "name": "gallium", "stage": "metal", "unit": "t metal"},
        "composition": {"good": "gallium", "element": "Ga", "reo_t_per_t": "1"},
        "recipes": {
            "process": "refine_gallium",
            "stage": "metal",
            "role": "output",
            "good": "gallium",
            "quantity_t": "0",
        },
        "demand": {
            "sector": "consumer_electronics",
            "place": "CHL",
            "good": "gallium",
            "demand_t_per_year": "10",
        },
    }
    for table, row in new.items():
        folder = edited_data(tmp_path, table, lambda rows, row=row: rows.append(row | common))  # type: ignore[misc]
    loaded = load_tables([folder])
    assert "CHL" in loaded.places["place"]
    assert total(loaded.demand, "demand_t_per_year", good="gallium") == 10


def test_a_table_without_rows_is_a_table(tmp_path: Path) -> None:
    folder = edited_data(tmp_path, "stocks", lambda rows: rows.clear())
    assert load_tables([folder]).stocks.rows == 0


def test_a_checksum_changes_with_its_table_alone(tmp_path: Path) -> None:
    folder = edited_data(tmp_path, "goods", lambda rows: rows[0].update(note="changed"))
    before, after = table_checksums(), table_checksums([folder])
    assert [name for name in before if before[name] != after[name]] == ["goods"]


def test_reading_does_not_import_pandas() -> None:
    code = "import sys, rare_market.inputs as i; i.load_tables(); print('pandas' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.strip() == "False"


def test_the_code_names_no_place_good_or_element(tables: Tables) -> None:
    code = (ROOT / "rare_market" / "inputs.py").read_text(encoding="utf-8")
    names = [*tables.places["place"], *tables.goods["good"], *set(tables.recipes["process"])]
    assert not [name for name in names if re.search(rf"\b{name}\b", code)]


def test_check_tables_accepts_what_load_tables_returns(tables: Tables) -> None:
    check_tables(tables)


# --- what the shipped tables add up to ---------------------------------------------------------


def test_mine_output_of_2024_meets_the_published_lines(tables: Tables) -> None:
    published, facilities = tables.benchmarks, tables.facilities
    checked = 0
    for row in np.flatnonzero(published["quantity"] == "mine_output"):
        scope = published["scope"][row]
        for column in ("place", "country"):
            if scope in facilities[column]:
                found = total(facilities, "output_t_per_year", stage="mine", **{column: scope})
                assert found == pytest.approx(published["value"][row], abs=0.5), scope
                checked += 1
                break
    assert checked == 13  # every line but "other" and the world


def test_world_mine_output_is_384_000_t(tables: Tables) -> None:
    assert total(tables.facilities, "output_t_per_year", stage="mine") == pytest.approx(384_000)


def test_china_has_the_published_shares(tables: Tables) -> None:
    facilities = tables.facilities

    def share(stage: str) -> float:
        china = total(facilities, "output_t_per_year", stage=stage, place="CHN")
        return china / total(facilities, "output_t_per_year", stage=stage)

    published = tables.benchmarks
    goal = {
        scope: float(value)
        for quantity, scope, value in zip(
            published["quantity"], published["scope"], published["value"], strict=True
        )
        if quantity == "china_share"
    }
    assert share("mine") == pytest.approx(goal["mining"], abs=0.01)
    assert share("separation") == pytest.approx(goal["separation"], abs=0.02)  # by feed
    assert share("magnet") == pytest.approx(goal["magnet"], abs=0.01)


def test_china_makes_91_percent_of_magnet_oxides(tables: Tables) -> None:
    recipes, facilities = recipe(tables), tables.facilities
    made = {"CHN": 0.0, "all": 0.0}
    for process, place, activity in zip(
        facilities["process_or_good"],
        facilities["place"],
        facilities["output_t_per_year"],
        strict=True,
    ):
        outputs = recipes.get(process, {"output": {}})["output"]
        oxides = sum(outputs.get(good, 0) for good in ("ndpr_oxide", "dy_oxide", "tb_oxide"))
        made["all"] += activity * oxides
        made["CHN"] += activity * oxides * (place == "CHN")
    assert made["CHN"] / made["all"] == pytest.approx(0.91, abs=0.005)


def test_there_are_facilities_of_every_stage_in_every_place(tables: Tables) -> None:
    facilities = tables.facilities
    assert facilities.rows >= 150
    assert set(facilities["place"]) == set(tables.places["place"])
    assert set(facilities["stage"]) == {"mine", "separation", "metal", "magnet", "recycling"}


def test_no_facility_makes_more_than_its_capacity(tables: Tables) -> None:
    facilities = tables.facilities
    assert (facilities["output_t_per_year"] <= facilities["capacity_t_per_year"] + 0.1).all()
    silent = ~np.isin(facilities["status"], PRODUCING)
    assert not facilities["output_t_per_year"][silent].any()


def test_every_ore_class_has_more_plant_than_feed(tables: Tables) -> None:
    facilities = tables.facilities
    running = np.isin(facilities["status"], PRODUCING)
    for process in set(facilities["process_or_good"][facilities["stage"] == "separation"]):
        plant = facilities["capacity_t_per_year"][
            (facilities["process_or_good"] == process) & running
        ].sum()
        assert plant > total(facilities, "output_t_per_year", process_or_good=process), process


def test_separators_take_the_mined_feed_less_a_small_stock_change(tables: Tables) -> None:
    mined = total(tables.facilities, "output_t_per_year", stage="mine")
    taken = total(tables.facilities, "output_t_per_year", stage="separation")
    assert 0 <= mined - taken <= 0.01 * mined


def test_a_captive_plant_can_take_what_its_mine_gives(tables: Tables) -> None:
    facilities, recipes = tables.facilities, recipe(tables)
    process = dict(zip(facilities["facility"], facilities["process_or_good"], strict=True))
    for good, plant in zip(facilities["process_or_good"], facilities["feeds"], strict=True):
        if plant:
            assert good in recipes[process[plant]]["input"], plant


@pytest.mark.parametrize("oxide", ["ndpr_oxide", "dy_oxide", "tb_oxide"])
def test_supply_and_need_of_2024_close_within_two_percent(tables: Tables, oxide: str) -> None:
    separated, recycled, magnets, other = oxide_balance(tables)[oxide]
    assert (magnets + other) / (separated + recycled) == pytest.approx(1, abs=0.02)


def test_no_other_oxide_is_short_in_2024(tables: Tables) -> None:
    for oxide, (separated, recycled, magnets, other) in oxide_balance(tables).items():
        assert magnets + other <= 1.02 * (separated + recycled), oxide


def test_scrap_made_and_collected_is_what_recyclers_took(tables: Tables) -> None:
    recipes, facilities = recipe(tables), tables.facilities
    for process, sides in recipes.items():
        for scrap in sides["input"]:
            if scrap not in tables.scrap_collection["good"]:
                continue
            swarf = sum(
                other["output"].get(scrap, 0)
                * total(facilities, "output_t_per_year", process_or_good=maker)
                for maker, other in recipes.items()
            )
            collected = total(tables.scrap_collection, "collection_t_per_year", good=scrap)
            taken = total(facilities, "output_t_per_year", process_or_good=process)
            assert swarf + collected == pytest.approx(taken, rel=0.001)


def test_magnet_demand_equals_magnet_output(tables: Tables) -> None:
    stage = dict(zip(tables.goods["good"], tables.goods["stage"], strict=True))
    for magnet in (good for good in stage if stage[good] == "magnet"):
        made = total(tables.facilities, "output_t_per_year", process_or_good=f"make_{magnet}")
        used = total(tables.demand, "demand_t_per_year", good=magnet)
        assert used == pytest.approx(made, rel=0.001), magnet


def test_every_good_has_one_starting_price(tables: Tables) -> None:
    prices = tables.prices
    start = (
        (prices["place"] == "CHN")
        & (prices["basis"] == "domestic_ex_vat")
        & (prices["period"] == "2024")
    )
    assert sorted(prices["good"][start]) == sorted(tables.goods["good"])


def test_freight_covers_every_lane_and_stage(tables: Tables) -> None:
    places, stages = tables.places.rows, len(set(tables.goods["stage"]))
    assert tables.freight.rows == places * places * stages


def test_origin_is_unbound_in_china_and_covers_every_magnet(tables: Tables) -> None:
    assert total(tables.origin_bound, "bound_share", place="CHN") == 0
    assert tables.origin_bound.rows == 3 * tables.places.rows


def test_an_assumption_is_marked_as_one(tables: Tables) -> None:
    for name in table_checksums():
        table = getattr(tables, name)
        if name == "sources":
            continue
        for source, mark, note in zip(
            table["source"], table["confidence"], table["note"], strict=True
        ):
            if source == "assumed":
                assert mark == "C", (name, note)
                assert re.match(r"(assumed|balanced|derived)\b", note), (name, note)


def test_every_source_is_used(tables: Tables) -> None:
    cited = {
        key
        for vintage in (tables, *(load_tables(vintage_folders(year)) for year in VINTAGES))
        for name in table_checksums()
        if name != "sources"
        for field in getattr(vintage, name)["source"]
        for key in field.split(";")
    }
    declared = {
        field.source
        for owner in (Scenario, *INSTRUMENTS.values())
        for field in declarations(owner)
        if field.source != "choice"
    }
    for name in ("targets", "price_record"):
        for field in read_table(DATA / f"{name}.csv")["source"]:
            cited.update(field.split(";"))
    packaged = {
        entry.source for name in shipped() for entry in read_package(name, INSTRUMENTS).entries
    }
    assert cited | declared | packaged == set(tables.sources["key"])


def test_the_balance_page_shows_the_tables(tables: Tables) -> None:
    page = (ROOT / "docs" / "data" / "balance_2024.md").read_text(encoding="utf-8")
    for oxide, parts in oxide_balance(tables).items():
        row = re.search(rf"^\| {oxide} \|(.*)$", page, re.MULTILINE)
        assert row, oxide
        numbers = [float(cell.replace(",", "")) for cell in row[1].strip(" |").split("|")]
        separated, recycled, magnets, other = parts
        expected = [separated, recycled, separated + recycled, magnets, other, magnets + other]
        assert numbers[:-1] == pytest.approx(expected, abs=0.51), oxide


def test_every_table_is_described(tables: Tables) -> None:
    page = (ROOT / "docs" / "data" / "tables.md").read_text(encoding="utf-8")
    for name in table_checksums():
        assert f"\n## {name}\n" in page, name
        if name != "sources":
            assert f"\n| {name} | {getattr(tables, name).rows} |" in page, name
