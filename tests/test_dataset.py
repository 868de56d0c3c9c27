"""The data of a run: coded once, and refused with one sentence when rows contradict each other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rare_market.dataset import read_data
from rare_market.inputs import InputError, table_path


@pytest.fixture
def folder(tmp_path) -> Path:
    copy = tmp_path / "data"
    shutil.copytree(table_path("goods").parent, copy)
    return copy


def edit(folder: Path, table: str, old: str, new: str) -> None:
    file = folder / f"{table}.csv"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_every_good_has_a_first_price():
    data = read_data()
    assert (data.start_price_usd_per_kg > 0).all()


def test_the_export_tax_of_china_holds_for_oxides_and_not_for_magnets():
    data = read_data()
    c, tax = data.catalogue, data.law.export_tax_share
    assert tax[c.good("ndpr_oxide"), c.china] == 0.13
    assert tax[c.good("ndfeb_ht_magnet"), c.china] == 0.0
    assert tax[c.good("ndpr_oxide"), c.place("USA")] == 0.0


def test_the_law_changes_with_its_dates():
    """17 % of tax stayed on oxides in 2010, 16 % in 2018, 13 % since April 2019."""
    data = read_data(start_year=2007)
    c = data.catalogue
    oxide = (c.good("ndpr_oxide"), c.china)
    left = [data.law_at(y).export_tax_share[oxide] for y in (2007.0, 2018.5, 2019.25)]
    assert left == [0.17, 0.16, 0.13]
    assert data.law_at(2014.0).resource_tax_share[c.good("ionic_clay_concentrate"), c.china] == 0.0
    assert data.law_at(2016.0).resource_tax_share[c.good("ionic_clay_concentrate"), c.china] == 0.27
    assert data.law_at(2030.0) is data.law_at(2026.0)


def test_a_tax_of_an_unknown_kind_is_refused(folder):
    edit(folder, "taxes", "import_duty,USA", "import_dutty,USA")
    with pytest.raises(InputError, match=r"import_dutty.*import_duty"):
        read_data(str(folder))


def test_a_mine_tied_to_something_else_than_a_plant_for_its_ore_is_refused(folder):
    text = (folder / "facilities.csv").read_text(encoding="utf-8")
    line = next(row for row in text.splitlines() if row.startswith("mt_weld,"))
    plant = next(field for field in line.split(",") if field.startswith("kuantan"))
    edit(folder, "facilities", line, line.replace(plant, "bayan_obo"))
    with pytest.raises(InputError, match=r"mt_weld.*feeds.*bayan_obo"):
        read_data(str(folder))


def test_a_row_for_one_origin_overrides_the_general_duty_wherever_it_stands(folder):
    file = folder / "taxes.csv"
    lines = file.read_text(encoding="utf-8").splitlines()
    general = next(row for row in lines if row.startswith("import_duty,USA,any,oxide,"))
    special = general.replace(",any,", ",CHN,").replace("oxide,0,", "oxide,0.5,")
    file.write_text("\n".join([lines[0], special, *lines[1:]]) + "\n", encoding="utf-8")
    data = read_data(str(folder))
    c, duty = data.catalogue, data.law.import_duty_share
    oxide, usa = c.good("ndpr_oxide"), c.place("USA")
    assert duty[oxide, c.china, usa] == 0.5
    assert duty[oxide, c.place("AUS"), usa] == 0.0
