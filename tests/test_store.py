"""The folder of a sweep: what is refused, what is detected, and the three ways to read it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from rare_market import store as store_module
from rare_market.runner import LocalProcesses
from rare_market.scenario import Scenario
from rare_market.store import Store, StoreDamagedError, StoreError
from rare_market.sweep import sweep
from tests import fakes

ONE = LocalProcesses(1)
SERIES = ("price_inside_usd_per_kg",)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a finished sweep of 25 runs in three parts, with failures."""
    monkeypatch.setattr(store_module, "PART_RUNS", 10)
    sweep(fakes.design(series=SERIES), tmp_path / "s", ONE, measure=fakes.failing)
    return tmp_path / "s"


def flip(path, position: float) -> None:
    """Change one bit of a file, at a share of its length."""
    data = bytearray(path.read_bytes())
    data[min(int(position * len(data)), len(data) - 1)] ^= 0x10
    path.write_bytes(data)


FILES = (
    "ledger.jsonl",
    "failures.parquet",
    "runs/part-00000.parquet",
    "runs/part-00002.parquet",
    "series/part-00001.parquet",
)


@pytest.mark.parametrize("position", [0.0, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_reported_the_rest_is_read_and_resuming_repairs(name, position, folder):
    whole = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    before = Store(folder).runs()
    flip(folder / name, position)
    store = Store(folder)
    assert len(store.damage) == 1 or (name == "ledger.jsonl" and store.torn)
    if store.damage:
        assert name.removesuffix(".parquet") in store.damage[0]
        with pytest.raises(StoreDamagedError, match=name):
            store.runs()
    rest = store.runs(skip_damaged=True)
    lost = 0 if name.startswith(("series", "failures")) else 10  # a part, or its line
    assert len(rest) >= len(before) - lost
    matching = before[before["run"].isin(rest["run"])].reset_index(drop=True)
    np.testing.assert_array_equal(rest["price"], matching["price"])
    sweep(store.design, folder, ONE, measure=fakes.failing)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == whole


@pytest.mark.parametrize("position", [0.0, 0.3, 0.7, 0.95])
def test_a_flipped_bit_in_the_manifest_is_refused(position, folder):
    flip(folder / "manifest.json", position)
    with pytest.raises(StoreDamagedError, match=r"manifest\.json"):
        Store(folder)


def test_a_missing_part_is_reported(folder):
    (folder / "runs" / "part-00001.parquet").unlink()
    with pytest.raises(StoreDamagedError, match="part-00001"):
        Store(folder).runs()


def test_a_torn_last_line_is_a_run_that_waits_again(folder):
    ledger = folder / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes() + b'0badc0de {"run": 3, "ro')
    store = Store(folder)
    assert store.torn
    assert store.damage == []
    assert len(store.runs()) == 20


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda d: dataclasses.replace(d, replications=4), "design"),
        (lambda d: dataclasses.replace(d, scenario=Scenario(years=2)), "design"),
    ],
)
def test_another_design_in_the_same_folder_is_refused_with_both_hashes(change, word, folder):
    design = Store(folder).design
    other = change(design)
    with pytest.raises(StoreError, match=word) as refusal:
        sweep(other, folder, ONE, measure=fakes.failing)
    assert design.sha256 in str(refusal.value)
    assert other.sha256 in str(refusal.value)


@pytest.mark.parametrize("what", ["code", "data"])
def test_another_code_or_data_version_is_refused_with_both_hashes(what, folder, monkeypatch):
    store = Store(folder)
    original = store_module._manifest

    def changed(design, measure):
        return original(design, measure) | {f"{what}_sha256": "0" * 64}

    monkeypatch.setattr(store_module, "_manifest", changed)
    with pytest.raises(StoreError, match=what) as refusal:
        sweep(store.design, folder, ONE, measure=fakes.failing)
    assert "0" * 64 in str(refusal.value)
    assert store.manifest[f"{what}_sha256"] in str(refusal.value)


def test_the_code_hash_changes_with_a_source(monkeypatch, tmp_path):
    (tmp_path / "a.py").write_text("x = 1")
    monkeypatch.setattr(store_module, "__file__", str(tmp_path / "store.py"))
    before = store_module._code_sha256()
    (tmp_path / "a.py").write_text("x = 2")
    assert store_module._code_sha256() != before


def test_a_folder_with_other_things_in_it_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(StoreError, match="not empty"):
        Store.create(fakes.design(), tmp_path, "x")
    with pytest.raises(StoreError, match="holds no sweep"):
        Store(tmp_path)


def test_the_manifest_holds_design_versions_and_hashes_and_is_written_first(tmp_path):
    store = Store.create(fakes.design(), tmp_path / "s", "tests.fakes.quick")
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["manifest.json"]
    manifest = json.loads((tmp_path / "s" / "manifest.json").read_text())["manifest"]
    assert manifest["design_sha256"] == store.design.sha256
    assert {"code_sha256", "data_sha256", "tables_sha256", "software"} <= set(manifest)
    assert {"version", "commit", "libraries"} <= set(manifest["software"])


def test_results_are_read_while_the_sweep_is_under_way(tmp_path):
    store = Store.create(fakes.design(), tmp_path / "s", "tests.fakes.quick")
    for number in (3, 1):
        store.append([(number, fakes.quick(store.design.run(number)))])
    again = Store(tmp_path / "s")
    assert again.runs()["run"].tolist() == [1, 3]
    assert again.status().waiting == store.design.runs - 2


def test_numbers_come_back_to_the_bit_as_a_table_by_query_and_as_an_array(folder):
    store = Store(folder)
    frame = store.runs()
    design = store.design
    wanted = [fakes.quick(design.run(number)).row["price"] for number in frame["run"]]
    np.testing.assert_array_equal(frame["price"], wanted)
    assert frame.query("world == 'null'")["undercutting.depth_share"].isna().all()
    by_query = store.query("select run, price from runs order by run")
    np.testing.assert_array_equal(by_query["price"], frame["price"])
    assert store.query("select count(*) as n from failures")["n"][0] == 5
    assert store.query("select count(*) as n from series")["n"][0] == 12 * len(frame)
    cube = store.to_xarray()
    assert cube["price"].dims == ("world", "point", "replication")
    cell = cube["price"].sel(world="attack", point=3, replication=1)
    own = frame.query("world == 'attack' and point == 3 and replication == 1")
    assert float(cell) == own["price"].iloc[0]
    depths = cube["undercutting.depth_share"]
    np.testing.assert_allclose(depths, design.points[:, 0])


def test_every_part_carries_its_provenance(folder):
    import pyarrow.parquet as pq

    schema = pq.read_schema(folder / "runs" / "part-00000.parquet")
    stamp = json.loads(schema.metadata[b"rare_market"])
    assert stamp["design_sha256"] == Store(folder).design.sha256


def test_a_folder_of_a_version_with_other_instruments_is_refused_in_a_sentence(folder, monkeypatch):
    from rare_market import design as design_module

    monkeypatch.setattr(design_module, "INSTRUMENTS", {})
    with pytest.raises(StoreError, match="another version"):
        Store(folder)
