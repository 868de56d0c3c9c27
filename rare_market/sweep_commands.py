"""``rare-market sweep``: run a design, look at it, go on with it, try failed runs again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rare_market.terminal import EXIT_FAILED_RUNS, EXIT_STORE, BadInput, BadStore


class RunByDefault(click.Group):
    """A group whose first word may be a design instead of a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` before what is no command."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


def where(command: Callable) -> Callable:
    """Options that say where runs are made."""
    for option in (
        click.option("--processes", type=int, help="Worker processes; one per core if absent."),
        click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler, tcp://host:port."),
    ):
        command = option(command)
    return command


@click.group(cls=RunByDefault)
def sweep() -> None:
    """Run a design of many worlds: rare-market sweep DESIGN.toml --out DIR.

    What is left of an interrupted sweep is made by giving the same command again, or by resume.
    """


@sweep.command()
@click.argument("design_file", metavar="DESIGN.toml")
@click.option("--out", "folder", required=True, metavar="DIR", help="Folder of the sweep.")
@where
def run(design_file: str, folder: str, processes: int | None, scheduler: str | None) -> None:
    """Make every run of a design that the folder does not hold yet."""
    from rare_market.declare import InvalidValueError
    from rare_market.design import read_design
    from rare_market.inputs import InputError

    try:
        design = read_design(Path(design_file))
    except (InvalidValueError, InputError) as error:
        raise BadInput(str(error)) from None
    _report(make(design, folder, processes, scheduler), folder)


@sweep.command()
@click.argument("folder", metavar="DIR")
@where
def resume(folder: str, processes: int | None, scheduler: str | None) -> None:
    """Make the runs that are missing, and those in damaged files."""
    _report(make(open_store(folder).design, folder, processes, scheduler), folder)


@sweep.command("retry-failed")
@click.argument("folder", metavar="DIR")
@where
def retry_failed(folder: str, processes: int | None, scheduler: str | None) -> None:
    """Make the failed runs again."""
    _report(make(open_store(folder).design, folder, processes, scheduler, retry=True), folder)


@sweep.command()
@click.argument("folder", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def status(folder: str, as_json: bool) -> None:
    """Say how many runs finished, failed or wait, and check every stored byte."""
    import json

    store = open_store(folder)
    now = store.status()
    if as_json:
        click.echo(json.dumps(now._asdict()))
    else:
        click.echo(_sentence(now))
        for sentence in now.damage:
            click.echo(sentence)
        for number, failure in list(store.failures.items())[:10]:
            click.echo(f"{store.design.run(number).name}: {failure.reason} [{failure.origin}]")
    if now.damage:
        sys.exit(EXIT_STORE)


def open_store(folder: str) -> Any:
    """Open the sweep of a folder."""
    from rare_market.store import Store, StoreDamagedError, StoreError

    try:
        return Store(Path(folder))
    except StoreDamagedError as error:
        raise BadStore(str(error)) from None
    except StoreError as error:
        raise BadInput(str(error)) from None


def workers_of(processes: int | None, scheduler: str | None) -> Any:
    """Local processes or a cluster."""
    from rare_market.runner import DaskCluster, LocalProcesses

    if processes is not None and not 1 <= processes <= 512:
        raise BadInput(f"--processes = {processes} is not within 1 to 512.")
    if scheduler is None:
        return LocalProcesses(processes)
    if processes is not None:
        raise BadInput("--processes and --scheduler exclude each other.")
    try:
        return DaskCluster(scheduler)
    except ImportError:
        raise BadInput("--scheduler needs Dask: pip install 'rare-market[cluster]'.") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"--scheduler = {scheduler!r} does not answer: {error}.") from None


def _report(store: Any, folder: str) -> None:
    click.echo(f"{_sentence(store.status())} Results are in {folder}.")
    if store.failures:
        sys.exit(EXIT_FAILED_RUNS)


def make(
    design: Any, folder: str, processes: int | None, scheduler: str | None, retry: bool = False
) -> Any:
    """Make the runs a folder lacks, with a progress bar; every way it can go wrong is a refusal."""
    from tqdm import tqdm

    from rare_market.runner import ExecutorLostError
    from rare_market.store import Store, StoreDamagedError, StoreError, StoreFullError
    from rare_market.sweep import sweep as sweep_into

    try:
        target = Path(folder)
        begun = Store(target).status() if (target / "manifest.json").exists() else None
        todo = design.runs if begun is None else begun.waiting + (begun.failed if retry else 0)
        quiet = not sys.stderr.isatty()
        with tqdm(total=todo, unit="run", disable=quiet, leave=False) as bar:
            failed = 0

            def progress(finished: int, fallen: int) -> None:
                nonlocal failed
                failed += fallen
                bar.set_postfix(failed=failed, refresh=False)
                bar.update(finished + fallen)

            workers = workers_of(processes, scheduler)
            store = sweep_into(design, target, workers, progress=progress, retry_failed=retry)
    except (StoreDamagedError, StoreFullError) as error:
        raise BadStore(str(error)) from None
    except StoreError as error:
        raise BadInput(str(error)) from None
    except ExecutorLostError as error:
        raise click.ClickException(f"{error} What finished is in {folder}; resume it.") from None
    except OSError as error:
        raise BadInput(f"--out = {folder!r} cannot be used: {error.strerror}.") from None
    return store


def _sentence(now: Any) -> str:
    return f"Of {now.runs} runs {now.finished} finished, {now.failed} failed, {now.waiting} wait."
