"""Set everything up on a machine with Python 3.12 and pip, then do one of the two main jobs.

    python3 bootstrap.py run     the comparison of policies (takes all options of rare-market run)
    python3 bootstrap.py test    the whole test suite

A virtual environment ``.venv`` is made beside this file on first use, with pinned versions whose
hashes are checked. Standard library only.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BIN = ROOT / ".venv" / ("Scripts" if sys.platform == "win32" else "bin")
JOBS = {"run": "run.txt", "test": "dev.txt"}
# the suite on all cores, a file of tests in one process because its tests share what they simulate,
# in the order that tests/conftest.py gives
PYTEST = ["-m", "pytest", "--numprocesses", "auto", "--maxprocesses", "4"]
PYTEST += ["--dist", "loadfile", "--no-loadscope-reorder"]


def prepare(requirements: Path) -> None:
    """Make the environment and install pinned requirements and this package, once."""
    stamp = ROOT / ".venv" / f"installed-{requirements.stem}"
    digest = hashlib.sha256(
        requirements.read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    ).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print("Preparing .venv, a minute or two ...", file=sys.stderr)
    if not (BIN / "pip").exists() and not (BIN / "pip.exe").exists():
        venv.create(ROOT / ".venv", with_pip=True)
    pip = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(requirements)], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], check=True)
    stamp.write_text(digest)


def main(arguments: list[str]) -> int:
    """Run the job named by the first argument."""
    if sys.version_info < (3, 12):
        print(f"Python 3.12 or newer is needed; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    if not arguments or arguments[0] not in JOBS:
        print(__doc__, file=sys.stderr)
        return 2
    job, rest = arguments[0], arguments[1:]
    try:
        prepare(ROOT / "requirements" / JOBS[job])
    except subprocess.CalledProcessError as error:
        print(f"Set-up failed: {error}", file=sys.stderr)
        return 1
    command = [str(BIN / "rare-market"), "run"] if job == "run" else [str(BIN / "python"), *PYTEST]
    folder = ROOT if job == "test" else None
    return subprocess.run([*command, *rest], cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
