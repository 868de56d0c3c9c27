"""The documentation: its code runs, its examples are true, its tables come from the code."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGE = ROOT / "rare_market"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PAGES = sorted(
    page.relative_to(DOCS).as_posix()
    for folder in ("tutorials", "how-to", "model")
    for page in (DOCS / folder).glob("*.md")
    if BLOCK.search(page.read_text(encoding="utf-8"))
)
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every python block of a page runs, in order, in one namespace and an empty folder."""
    monkeypatch.chdir(tmp_path)
    text = (DOCS / page).read_text(encoding="utf-8")
    namespace = {"__name__": "page"}
    # dataclasses look their module up by name
    monkeypatch.setitem(sys.modules, "page", type(sys)("page"))
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        code = compile("\n" * line + block[1], str(DOCS / page), "exec", dont_inherit=True)
        exec(code, namespace)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_docstring_are_true(module: str) -> None:
    """The doctests of a module pass, and there is at least one."""
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0
    assert result.attempted > 0


def test_every_declared_field_is_in_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The generated tables hold each field of the scenario and of every instrument."""
    monkeypatch.syspath_prepend(str(DOCS))
    generate = importlib.import_module("_generate")
    generate.write_tables(tmp_path)
    from rare_market.declare import declarations
    from rare_market.policies import INSTRUMENTS
    from rare_market.scenario import Scenario

    parameters = (tmp_path / "_parameters_table.md").read_text(encoding="utf-8")
    policies = (tmp_path / "_policies_table.md").read_text(encoding="utf-8")
    for field in declarations(Scenario):
        assert f"| `{field.name}` |" in parameters
    for name, instrument in INSTRUMENTS.items():
        part = policies.split(f"<!-- begin {name} -->")[1].split(f"<!-- end {name} -->")[0]
        for field in declarations(instrument):
            assert f"| `{field.name}` |" in part


def test_every_instrument_has_its_place_in_the_docs() -> None:
    """The page of instruments includes each module and its table."""
    from rare_market.policies import INSTRUMENTS

    page = (DOCS / "model" / "policies.md").read_text(encoding="utf-8")
    for name, instrument in INSTRUMENTS.items():
        assert f".. automodule:: {instrument.__module__}\n" in page
        assert f'"<!-- begin {name} -->"' in page


def test_every_name_in_the_equations_exists_in_the_code() -> None:
    """A name in code font on the page of equations is a name in the package."""
    page = (DOCS / "model" / "equations.md").read_text(encoding="utf-8")
    source = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    words = set(re.findall(r"\w+", source))
    assert set(re.findall(r"`([a-z][a-z_]*_[a-z_]+)`", page)) <= words


def test_every_equation_of_a_docstring_is_on_a_page() -> None:
    """A function whose docstring holds mathematics is included in the documentation."""
    pages = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md"))
    missing = []
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if f".. automodule:: {module}\n   :members:" in pages:
            continue
        for owner, function in _functions(ast.parse(path.read_text(encoding="utf-8"))):
            name = ".".join(filter(None, (module, owner, function.name)))
            text = ast.get_docstring(function) or ""
            if (":math:" in text or ".. math::" in text) and f":: {name}\n" not in pages:
                missing.append(name)
    assert missing == []


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods of a module with the name of their class, if any."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield "", node
        elif isinstance(node, ast.ClassDef):
            yield from (
                (node.name, part) for part in node.body if isinstance(part, ast.FunctionDef)
            )


# -- the equations ---------------------------------------------------------------------------------

EQUATIONS = (DOCS / "model" / "equations.md").read_text(encoding="utf-8")
LISTED = dict.fromkeys(re.findall(r"^\.\. auto\w+:: (\S+)", EQUATIONS, re.MULTILINE))


def found(name: str) -> object:
    """Return the module, class, function or method of a dotted name."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            thing: object = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            thing = getattr(thing, part)
        return thing
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("name", LISTED)
def test_every_equation_has_its_function_and_its_source(name: str) -> None:
    """The function exists and says what it computes; the table says where the rule comes from."""
    thing = found(name)
    assert thing.__doc__, name
    if not isinstance(thing, type(ast)):
        sources = EQUATIONS.split("## Where each rule comes from")[1]
        own = name.rsplit(".", 1)[1]
        assert re.search(rf"`(\w+\.)?{own}`", sources), f"{own} has no source"


def functions_with_math() -> Iterator[str]:
    """Every function of the package whose docstring displays an equation."""
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        todo: list[tuple[str, ast.AST]] = [(module, ast.parse(path.read_text(encoding="utf-8")))]
        while todo:
            prefix, node = todo.pop()
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.FunctionDef | ast.ClassDef):
                    name = f"{prefix}.{child.name}"
                    todo.append((name, child))
                    if ".. math::" in (ast.get_docstring(child) or ""):
                        yield name


def test_every_equation_of_the_code_is_on_the_page() -> None:
    """Those of instruments stand on their own page, in the docstrings of their modules."""
    assert set(functions_with_math()) <= set(LISTED)
