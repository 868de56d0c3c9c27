"""Where things may be: chance, numba, Mesa, tests, docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "rare_market"
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
# tested, but not by a file of the same name
TESTED_ELSEWHERE = {
    "__init__.py": "version only",
    "analysis_commands.py": "test_analysis.py",
    "agents/__init__.py": "a docstring only",
    **dict.fromkeys(
        (
            f"clearing/{part}.py"
            for part in (
                "__init__",
                "answer",
                "eights",
                "jit",
                "month",
                "problem",
                "simplex",
                "tables",
            )
        ),
        "the kernel is tested as a whole: test_clearing*.py, test_textbook.py",
    ),
    "clearing/paths.py": "the fallback, against the search: test_clearing.py",
    "clearing/quotas.py": "against the joint programme: test_clearing_laws.py",
    "clearing/rents.py": "against the joint programme: test_clearing_laws.py",
    **dict.fromkeys(
        (f"policies/{kind}.py" for kind in ("equity", "grant", "guarantee", "loan")),
        "four kinds of the same offer: test_finance.py and policies/test_project_finance.py",
    ),
    "policies/__init__.py": "the list of instruments: policies/test_laws.py",
    "policies/base.py": "what holds of every instrument: policies/test_laws.py",
    "policies/current_law.py": "no instrument; its rules are those of test_equilibrium_2024.py",
    "goods.py": "codes of the tables: test_inputs.py",
    "listing.py": "what the command line prints: test_main.py",
    "regime.py": "a tuple without behaviour: policies/test_laws.py amends it",
    "terminal.py": "what commands share: test_main.py",
    "settlement.py": "tonnes and money of a month: test_conservation.py and policies/",
}


def tree(name: str) -> ast.Module:
    return ast.parse((PACKAGE / name).read_text(encoding="utf-8"))


def imported(name: str) -> set[str]:
    """Top-level names of all modules a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("name", FILES)
def test_chance_is_drawn_in_shocks_only(name):
    """No ``random`` module and no generator of numpy anywhere else."""
    if name == "shocks.py":
        return
    assert not imported(name) & {"random", "secrets"}
    words = {node.attr for node in ast.walk(tree(name)) if isinstance(node, ast.Attribute)}
    words |= {node.id for node in ast.walk(tree(name)) if isinstance(node, ast.Name)}
    if name == "design.py":
        words -= {"random"}  # scipy's name for the points of a design, which are no chance
    assert not words & {"random", "default_rng", "RandomState", "SeedSequence", "shuffle"}


@pytest.mark.parametrize("name", FILES)
def test_numba_is_imported_by_the_kernel_and_the_decorator_of_rules_only(name):
    """Everything else says what is compiled, not how."""
    allowed = ("clearing/eights.py", "clearing/jit.py", "clearing/tables.py", "compiled.py")
    assert "numba" not in imported(name) or name in allowed


@pytest.mark.parametrize("name", FILES)
def test_mesa_is_imported_by_agents_and_the_model_only(name):
    """The rest works without it."""
    assert "mesa" not in imported(name) or name.startswith("agents/") or name == "model.py"


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_its_tests(name):
    """A test file of the same name, or a reason."""
    path = Path(name)
    tests = ROOT / "tests" / path.parent
    # a large module may have several: test_clearing_quotas.py
    found = list(tests.glob(f"test_{path.stem.strip('_')}*.py"))
    assert found or name in TESTED_ELSEWHERE, f"{name} has no test file"


def test_no_reason_outlives_its_file():
    """The list of exceptions names files that exist."""
    assert set(TESTED_ELSEWHERE) <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_public_name_has_a_docstring(name):
    """Modules, classes, functions and methods."""
    module = tree(name)
    assert ast.get_docstring(module)
    kinds = (ast.FunctionDef, ast.ClassDef)
    public = [node for node in module.body if isinstance(node, kinds)]
    for owner in [node for node in public if isinstance(node, ast.ClassDef)]:
        public += [node for node in owner.body if isinstance(node, kinds)]
    for node in public:
        if not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{name}:{node.lineno} {node.name}"
