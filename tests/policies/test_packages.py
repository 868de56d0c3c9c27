"""Packages of dated instruments, shipped and of a user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from rare_market.declare import InvalidValueError
from rare_market.inputs import load_tables
from rare_market.policies import INSTRUMENTS, read_package, read_policies, shipped
from tests.conftest import run

SHIPPED = (
    "australia_critical_minerals", "china_2010_quotas", "china_2025_licences", "eu_crma",
    "japan_2010_package", "lynas_jare", "mp_dod_2025", "status_quo", "us_japan_framework_2025",
)  # fmt: skip
OLD = {"china_2010_quotas": 2007, "japan_2010_package": 2007}


def test_the_packages_are_those_promised():
    """By name."""
    assert tuple(shipped()) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_every_instrument_of_a_package_has_a_source(name):
    """A key of the table of sources; and the package says what it stands for."""
    package = read_package(name, INSTRUMENTS)
    assert package.title
    keys = set(load_tables().sources["key"].tolist())
    assert {entry.source for entry in package.entries} <= keys


@pytest.mark.parametrize("name", SHIPPED)
def test_every_package_runs(name):
    """Three years of its own time, certified, and composable with a single instrument."""
    policies = [*read_policies(name), *read_policies("tariff:start_year=2007")]
    records = run(policies, years=3, start_year=OLD.get(name, 2024))
    assert records.valid


def test_the_quota_of_2010_was_cut_in_july():
    """The second half of the year lets out what the first batch left."""
    quotas = [p for p in read_policies("china_2010_quotas") if p.name == "export_quota"]
    by_start = {p.start_year: p.quota_t_per_year for p in quotas}
    assert by_start[2010.0] / 2 + by_start[2010.5] / 2 == pytest.approx(30258.0)
    assert by_start[2009.0] == 50145.0


def write(folder: Path, text: str) -> str:
    file = folder / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_users_own_package_is_a_file(tmp_path):
    """It may include shipped ones."""
    own = write(
        tmp_path,
        'title = "Mine"\nincludes = ["mp_dod_2025"]\n'
        '[[instrument]]\nname = "tariff"\nrate_share = 0.4\nsource = "choice"\n',
    )
    assert [p.name for p in read_policies(own)] == ["price_floor", "equity", "loan", "tariff"]
    assert read_policies(own)[-1].rate_share == 0.4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[instrument]]\nname = "bribe"\nsource = "x"\n', "'bribe' is no instrument"),
        ('[[instrument]]\nname = "tariff"\n', "needs a source"),
        ('[[instrument]]\nname = "tariff"\nsource = "x"\nrate = 1\n', "no field 'rate'"),
        ('[[instrument]]\nname = "tariff"\nsource = "x"\nrate_share = 99\n', "99.0 is not within"),
        ('titel = "x"\n', "no field 'titel'"),
        ('title = "x"\n', "at least one instrument"),
        ('includes = ["nothing.toml"]\n', "cannot be read"),
        ("title = \n", "not a TOML file"),
        ('[instrument]\nname = "tariff"\n', "headed [[instrument]]"),
        ("instrument = [3]\n", "instrument = [3] must be a list of tables"),
        ("includes = [3]\n", "includes = [3] must be a list of names"),
        ('includes = "mp_dod_2025"\n', "includes = 'mp_dod_2025' must be a list"),
        ('[[instrument]]\nname = ["tariff"]\nsource = "x"\n', "['tariff'] is no instrument"),
    ],
)
def test_a_package_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, text, words):
    """It names the file, the instrument and the field."""
    with pytest.raises(InvalidValueError) as refusal:
        read_policies(write(tmp_path, text))
    assert words in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_packages_that_include_each_other_are_refused(tmp_path):
    """Instead of reading for ever."""
    own = tmp_path / "mine.toml"
    own.write_text(f'includes = ["{own.as_posix()}"]\n', encoding="utf-8")
    with pytest.raises(InvalidValueError, match="includes itself"):
        read_policies(str(own))
