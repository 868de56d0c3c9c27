"""The folder of a sweep: nothing that finished is lost, nothing damaged is read in silence.

====================  ==============================================================================
``manifest.json``     the design, versions and hashes, with a hash of itself; written first
``ledger.jsonl``      a line for each finished or failed run, each with its check sum, appended and
                      synced; while the sweep runs the lines hold the results
``runs/*.parquet``    results, a row per run in order of the runs; whole files or none
``series/*.parquet``  monthly series where the design asks for them
``failures.parquet``  runs without result: seed, reason and origin
====================  ==============================================================================

The ledger names the SHA-256 of every other file. When all runs are done it is rewritten in order of
the runs without the results, which are in the parts by then, so that the folder does not depend on
who computed what and when.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rare_market.dataset import read_data
from rare_market.declare import InvalidValueError
from rare_market.design import Design
from rare_market.records import software
from rare_market.runner import Failure

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import xarray as xr

PART_RUNS = 250
WAITING, FINISHED, FAILED = range(3)
MANIFEST, LEDGER, FAILURES = "manifest.json", "ledger.jsonl", "failures.parquet"


class StoreError(Exception):
    """The folder cannot be used as asked; the message is one sentence."""


class StoreDamagedError(StoreError):
    """A file of the folder is not what was written; the message names it."""


class StoreFullError(StoreError):
    """The disk takes no more; what was written before stays."""


class Result(NamedTuple):
    """What is kept of a run.

    Attributes
    ----------
    row
        one number for each measure.
    series
        ``[month]`` of each series the design asks for.
    """

    row: dict[str, float]
    series: dict[str, np.ndarray]


class Status(NamedTuple):
    """How far a sweep is.

    Attributes
    ----------
    runs, finished, failed, waiting
        numbers of runs.
    damage
        a sentence for each file or line that is not what was written.
    """

    runs: int
    finished: int
    failed: int
    waiting: int
    damage: list[str]


class Store:
    """A sweep's folder.

    Parameters
    ----------
    folder
        as :meth:`create` left it.

    Attributes
    ----------
    design
        what is run.
    state
        ``[run]`` one of waiting, finished, failed.
    failures
        reason of each failed run.
    damage
        a sentence for each damaged file or line.
    torn
        whether the ledger ends in a write that did not finish; its run waits again.

    Raises
    ------
    StoreError
        if there is no sweep in the folder.
    StoreDamagedError
        if the manifest is not what was written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.manifest = _read_manifest(self.folder)
        try:
            self.design = Design.from_data(self.manifest["design"])
        except (TypeError, KeyError, InvalidValueError):
            raise StoreError(
                f"{folder} was made by another version: see the software in {MANIFEST}, "
                f"commit {self.manifest['software']['commit'] or 'unknown'}."
            ) from None
        runs = self.design.runs
        self.state = np.zeros(runs, dtype=np.int8)
        self.failures: dict[int, Failure] = {}
        self.damage: list[str] = []
        self.torn = False
        self._rows: dict[int, dict[int, Result]] = {}  # by part, of runs not yet in its file
        self._sums: dict[str, str] = {}
        self._end = 0  # of the last whole line
        self._read_ledger()
        self._check_files()

    # -- opening --------------------------------------------------------------------------------

    @classmethod
    def create(cls, design: Design, folder: Path, measure: str) -> Store:
        """Open a folder for a design, new or begun with the same design, code and data.

        Parameters
        ----------
        design, folder
            what and where.
        measure
            name of the function that makes a run's results.

        Raises
        ------
        StoreError
            if the folder belongs to another design, code or data version, or holds other things.
        """
        folder = Path(folder)
        wanted = _manifest(design, measure)
        if (folder / MANIFEST).exists():
            found = _read_manifest(folder)
            for name in ("design_sha256", "code_sha256", "data_sha256", "measure"):
                if found[name] != wanted[name]:
                    raise StoreError(
                        f"{folder} holds a sweep of another {name.removesuffix('_sha256')}: "
                        f"{found[name]} there, {wanted[name]} here."
                    )
        else:
            if folder.exists() and any(folder.iterdir()):
                raise StoreError(f"{folder} is not empty and holds no sweep.")
            folder.mkdir(parents=True, exist_ok=True)
            text = _canonical(wanted)
            whole = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "manifest": wanted}
            _write_whole(folder / MANIFEST, _canonical(whole).encode())
        return cls(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second sweep into it.

        Raises
        ------
        StoreError
            if another process holds it.
        """
        try:
            import fcntl
        except ImportError:  # no such lock on this system
            yield
            return
        with (self.folder / LEDGER).open("ab") as ledger:
            try:
                fcntl.flock(ledger, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(f"another process is sweeping into {self.folder}.") from None
            yield

    def _read_ledger(self) -> None:
        path = self.folder / LEDGER
        if not path.exists():
            return
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                entry = _checked(line)
                if entry is None:
                    if line.endswith(b"\n"):
                        self.damage.append(f"{LEDGER} is damaged at line {number}.")
                        self._end += len(line)
                    else:
                        self.torn = True
                    continue
                self._end += len(line)
                self._learn(entry)

    def _learn(self, entry: dict[str, Any]) -> None:
        if "run" in entry:
            run, part = entry["run"], entry["run"] // PART_RUNS
            if "reason" in entry:
                self.state[run] = FAILED
                self.failures[run] = Failure(entry["reason"], entry["origin"])
            else:
                self.state[run] = FINISHED
                self.failures.pop(run, None)
                if "row" in entry:
                    self._rows.setdefault(part, {})[run] = _unpacked(entry)
        else:
            self._rows.pop(entry.get("part", -1), None)
            self._sums |= entry["sha256"]

    def _check_files(self) -> None:
        """Compare every file with its hash; runs of a damaged part wait again."""
        for name, wanted in self._sums.items():
            path = self.folder / name
            try:
                good = hashlib.sha256(path.read_bytes()).hexdigest() == wanted
            except OSError:
                good = False
            if not good:
                self.damage.append(f"{name} is damaged or missing.")
        for part in range(self.parts):
            if not self._good(part):
                own = self._part_slice(part)
                finished = np.nonzero(self.state[own] == FINISHED)[0] + own.start
                rows = self._rows.get(part, {})
                lost = [run for run in finished.tolist() if run not in rows]
                self.state[lost] = WAITING

    def _good(self, part: int) -> bool:
        """Whether the files of a part are there and what was written."""
        known = f"runs/{_part_file(part)}" in self._sums
        return known and not any(_part_file(part) in sentence for sentence in self.damage)

    # -- state ----------------------------------------------------------------------------------

    @property
    def parts(self) -> int:
        """Number of part files a complete sweep has."""
        return -(-self.design.runs // PART_RUNS)

    def _part_slice(self, part: int) -> slice:
        return slice(part * PART_RUNS, min((part + 1) * PART_RUNS, self.design.runs))

    def status(self) -> Status:
        """Count the runs by state."""
        counts = np.bincount(self.state, minlength=3).tolist()
        return Status(
            len(self.state), counts[FINISHED], counts[FAILED], counts[WAITING], self.damage
        )

    def waiting(self) -> np.ndarray:
        """Numbers of the runs to be made."""
        return np.nonzero(self.state == WAITING)[0]

    def retry(self) -> int:
        """Let failed runs wait again; return how many."""
        failed = np.nonzero(self.state == FAILED)[0]
        self.state[failed] = WAITING
        return len(failed)

    # -- writing --------------------------------------------------------------------------------

    def append(self, results: list[tuple[int, Result | Failure]]) -> None:
        """Add finished and failed runs to the ledger, for good when it returns.

        Raises
        ------
        StoreError
            if the disk takes no more; what was added before stays.
        """
        entries = []
        for run, result in results:
            if isinstance(result, Failure):
                entries.append({"run": run, **result._asdict()})
            else:
                entries.append({"run": run, **_packed(result)})
        self._write_lines(entries)
        for (run, result), entry in zip(results, entries, strict=True):
            self._learn(entry)
            if not isinstance(result, Failure):
                own = self._part_slice(run // PART_RUNS)
                if (self.state[own] != WAITING).all():
                    self._write_part(run // PART_RUNS)

    def seal(self) -> None:
        """Write what is not yet in parts, the failures, and the ledger in order of the runs."""
        if (self.state == WAITING).any():
            self._write_failures()
            return
        for part in range(self.parts):
            if part in self._rows or not self._good(part):
                self._write_part(part)
        self._write_failures()
        lines = []
        for run, state in enumerate(self.state.tolist()):
            entry: dict[str, Any] = {"run": run}
            if state == FAILED:
                entry |= self.failures[run]._asdict()
            lines.append(_line(entry))
        for part in range(self.parts):
            names = [n for n in self._part_names(part) if n in self._sums]
            lines.append(_line({"part": part, "sha256": {n: self._sums[n] for n in names}}))
        lines.append(_line({"failures": True, "sha256": {FAILURES: self._sums[FAILURES]}}))
        try:
            _write_whole(self.folder / LEDGER, b"".join(lines))
        except OSError as error:
            raise _disk(error, self.folder) from None
        self._end = sum(len(line) for line in lines)
        self._rows.clear()
        self.damage.clear()

    def _write_lines(self, entries: list[dict[str, Any]]) -> None:
        data = b"".join(_line(entry) for entry in entries)
        try:
            handle = os.open(self.folder / LEDGER, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.ftruncate(handle, self._end)  # drops a torn line
                os.lseek(handle, self._end, os.SEEK_SET)
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise _disk(error, self.folder) from None
        self._end += len(data)

    def _write_part(self, part: int) -> None:
        import pyarrow as pa

        before = self._read_part(part) if self._good(part) else {}
        rows = dict(sorted({**before, **self._rows.get(part, {})}.items()))
        numbers, results = np.array(list(rows), dtype=np.int64), list(rows.values())
        labels = self.design.labels(numbers)
        tables = {self._part_names(part)[0]: _runs_table(self.design, labels, results)}
        if self.design.series and results:
            tables[self._part_names(part)[1]] = _series_table(numbers, results)
        stamp = {b"rare_market": _canonical(self.manifest).encode()}
        sums = {}
        try:
            for name, table in tables.items():
                path = self.folder / name
                path.parent.mkdir(exist_ok=True)
                sums[name] = _write_parquet(path, table.replace_schema_metadata(stamp))
        except (OSError, pa.ArrowException) as error:
            raise _disk(error, self.folder) from None
        self._write_lines([{"part": part, "sha256": sums}])
        self._sums |= sums
        self._rows.pop(part, None)
        self.damage = [sentence for sentence in self.damage if _part_file(part) not in sentence]

    def _write_failures(self) -> None:
        import pyarrow as pa

        runs = [self.design.run(number) for number in sorted(self.failures)]
        table = pa.table(
            {
                "run": pa.array([run.number for run in runs], pa.int64()),
                "point": pa.array([run.point for run in runs], pa.int64()),
                "world": pa.array([run.world for run in runs], pa.string()),
                "replication": pa.array([run.replication for run in runs], pa.int64()),
                "seed": pa.array([run.scenario.seed for run in runs], pa.int64()),
                "reason": pa.array([self.failures[r.number].reason for r in runs], pa.string()),
                "origin": pa.array([self.failures[r.number].origin for r in runs], pa.string()),
            }
        )
        try:
            total = _write_parquet(self.folder / FAILURES, table)
        except (OSError, pa.ArrowException) as error:
            raise _disk(error, self.folder) from None
        self._write_lines([{"failures": True, "sha256": {FAILURES: total}}])
        self._sums[FAILURES] = total

    # -- reading --------------------------------------------------------------------------------

    def runs(self, *, skip_damaged: bool = False) -> pd.DataFrame:
        """Results as a table, a row per finished run in order of the runs.

        Parameters
        ----------
        skip_damaged
            read what is good and leave out the rest.

        Raises
        ------
        StoreDamagedError
            naming the damaged files, unless told to skip them.
        StoreError
            if no run has finished.
        """
        return self._table("runs", skip_damaged)

    def series(self, *, skip_damaged: bool = False) -> pd.DataFrame:
        """Monthly series, a row per run and month; raises as :meth:`runs`."""
        return self._table("series", skip_damaged)

    def failed(self) -> pd.DataFrame:
        """Runs without a result: seed, reason and origin."""
        import pyarrow.parquet as pq

        return pq.read_table(self.folder / FAILURES).to_pandas()

    def query(self, sql: str) -> pd.DataFrame:
        """Answer of DuckDB to a query of the tables ``runs``, ``series`` and ``failures``.

        Needs the extra ``analysis``.
        """
        import duckdb

        with duckdb.connect() as base:
            for kind in ("runs", "series"):
                files = [str(path) for path in self._good_files(kind, False)]
                if files:
                    base.read_parquet(files).create_view(kind)
            base.read_parquet(str(self.folder / FAILURES)).create_view("failures")
            return base.sql(sql).df()

    def to_xarray(self) -> xr.Dataset:
        """Results over (world, point, replication); what was not run is NaN.

        Needs the extra ``analysis``. Factors are coordinates of the point.
        """
        frame = self.runs()
        cube = frame.drop(columns=["run", *self.design.factors]).set_index(
            ["world", "point", "replication"]
        )
        data = cube.to_xarray()
        points = self.design.points[data["point"].to_numpy()]
        return data.assign_coords(
            {name: ("point", points[:, i]) for i, name in enumerate(self.design.factors)}
        )

    def refuse_damage(self) -> None:
        """Refuse to read on where a file is not what was written.

        Raises
        ------
        StoreDamagedError
            naming the damaged files.
        """
        if self.damage:
            raise StoreDamagedError(f"{self.folder}: {' '.join(self.damage)}")

    def _good_files(self, kind: str, skip_damaged: bool) -> list[Path]:
        if not skip_damaged:
            self.refuse_damage()
        index = 0 if kind == "runs" else 1
        names = [self._part_names(part)[index] for part in range(self.parts)]
        bad = {sentence.split(" ")[0] for sentence in self.damage}
        return [self.folder / n for n in names if n in self._sums and n not in bad]

    def _table(self, kind: str, skip_damaged: bool) -> pd.DataFrame:
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = [pq.read_table(path) for path in self._good_files(kind, skip_damaged)]
        for rows in self._rows.values():  # finished but not yet in a part
            numbers = np.array(sorted(rows), dtype=np.int64)
            results = [result for _, result in sorted(rows.items())]
            if kind == "runs":
                labels = self.design.labels(numbers)
                tables.append(_runs_table(self.design, labels, results))
            elif self.design.series:
                tables.append(_series_table(numbers, results))
        if not tables:
            raise StoreError(f"{self.folder} has no finished {kind}.")
        tables = [table.replace_schema_metadata(None) for table in tables if table.num_rows]
        frame = pa.concat_tables(tables, promote_options="default").to_pandas()
        keys = ["run"] if kind == "runs" else ["run", "period"]
        return frame.drop_duplicates(keys).sort_values(keys, ignore_index=True)

    def _read_part(self, part: int) -> dict[int, Result]:
        """Results in the files of a part."""
        import pyarrow.parquet as pq

        runs_name, series_name = self._part_names(part)
        frame = pq.read_table(self.folder / runs_name).to_pandas()
        labels = ["run", "point", "world", "replication", *self.design.factors]
        rows = frame.drop(columns=labels).to_dict(orient="records")
        series: dict[int, dict[str, np.ndarray]] = {int(run): {} for run in frame["run"]}
        if series_name in self._sums:
            for run, own in pq.read_table(self.folder / series_name).to_pandas().groupby("run"):
                names = self.design.series
                series[int(str(run))] = {n: own[n].to_numpy() for n in names}
        return {
            int(run): Result(row, series[int(run)])
            for run, row in zip(frame["run"], rows, strict=True)
        }

    def _part_names(self, part: int) -> tuple[str, str]:
        return f"runs/{_part_file(part)}", f"series/{_part_file(part)}"


# -- files --------------------------------------------------------------------------------------


def _part_file(part: int) -> str:
    return f"part-{part:05d}.parquet"


def _manifest(design: Design, measure: str) -> dict[str, Any]:
    checksums = read_data(design.scenario.data_folder, design.scenario.start_year).checksums
    return {
        "format": 1,
        "measure": measure,
        "design_sha256": design.sha256,
        "code_sha256": _code_sha256(),
        "data_sha256": hashlib.sha256(_canonical(checksums).encode()).hexdigest(),
        "tables_sha256": checksums,
        "software": software(),
        "design": design.as_data(),
    }


def _code_sha256() -> str:
    """Hash of the sources of this package, whatever the version says."""
    package = Path(__file__).parent
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        total.update(path.relative_to(package).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=1)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        whole = json.loads(path.read_bytes())
        manifest: dict[str, Any] = whole["manifest"]
        good = hashlib.sha256(_canonical(manifest).encode()).hexdigest() == whole["sha256"]
    except OSError:
        raise StoreError(f"{folder} holds no sweep: there is no {MANIFEST}.") from None
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise StoreDamagedError(f"{path} is damaged.")
    return manifest


def _line(entry: dict[str, Any]) -> bytes:
    text = json.dumps(entry, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _checked(line: bytes) -> dict[str, Any] | None:
    """Entry of a line, or None if it is not what was written."""
    head, _, text = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or head != b"%08x" % zlib.crc32(text):
        return None
    entry: dict[str, Any] = json.loads(text)
    return entry


def _packed(result: Result) -> dict[str, Any]:
    series = {
        name: base64.b64encode(zlib.compress(values.astype("<f4").tobytes())).decode()
        for name, values in result.series.items()
    }
    return {"row": result.row, **({"series": series} if series else {})}


def _unpacked(entry: dict[str, Any]) -> Result:
    series = {
        name: np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<f4")
        for name, text in entry.get("series", {}).items()
    }
    return Result(entry["row"], series)


def _runs_table(design: Design, labels: dict[str, Any], results: list[Result]) -> pa.Table:
    import pyarrow as pa

    names = pa.array([world.name for world in design.worlds], pa.string())
    columns = {
        name: names.take(pa.array(values)) if name == "world" else pa.array(values)
        for name, values in labels.items()
    }
    measures = results[0].row if results else {}
    columns |= {
        name: pa.array([result.row[name] for result in results], pa.float64()) for name in measures
    }
    return pa.table(columns)


def _series_table(numbers: np.ndarray, results: list[Result]) -> pa.Table:
    import pyarrow as pa

    months = [len(next(iter(result.series.values()))) for result in results]
    columns = {
        "run": pa.array(np.repeat(numbers, months)),
        "period": pa.array(np.concatenate([np.arange(n, dtype=np.int16) for n in months])),
    }
    for name in results[0].series:
        columns[name] = pa.array(np.concatenate([result.series[name] for result in results]))
    return pa.table(columns)


def _write_parquet(path: Path, table: pa.Table) -> str:
    """Write a whole file or none; return its SHA-256."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    sink = pa.BufferOutputStream()
    # dictionaries pay for names, not for numbers
    pq.write_table(table, sink, use_dictionary=texts, compression="zstd")
    data = sink.getvalue().to_pybytes()
    _write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a crash."""
    draft = path.with_name(path.name + ".draft")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _disk(error: Exception, folder: Path) -> StoreFullError:
    reason = getattr(error, "strerror", None) or str(error)
    return StoreFullError(
        f"{folder} takes no more data ({reason}): what finished is kept; make room and resume."
    )
