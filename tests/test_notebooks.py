"""The notebooks say what the code does: their stored texts are those of a fresh run, and name no machine."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
NAMES = [path.name for path in sorted(FOLDER.glob("*.ipynb"))]
LARGEST = 400_000
LONGEST_LINE = 100
FEWEST, MOST = 10, 20
PICTURES = ("image/png", "image/svg+xml")
OF_A_MACHINE = re.compile(r"(?<![\w.])/(?:home|root|tmp|Users|work|opt|usr|var|private|mnt)/|\b[A-Z]:\\")
MISSING = [
    name for name in ("nbclient", "ipykernel", "ipywidgets", "nbformat", "matplotlib") if find_spec(name) is None
]
runs = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing: pip install 'hwscale[notebooks]'")


def execute(path: Path) -> subprocess.CompletedProcess[str]:
    """Execute a notebook in place, in a process of its own: kernels need an event loop, and warnings there are not ours."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return subprocess.run(
        [sys.executable, str(FOLDER / "execute.py"), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**given, "PYTHONPATH": str(ROOT)},
    )


def cells(path: Path, kind: str = "code") -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def outputs(path: Path) -> list[dict[str, Any]]:
    return [output for cell in cells(path) for output in cell["outputs"]]


def said(cell: dict[str, Any]) -> list[str]:
    """What a cell's outputs say, line by line, and which pictures they are."""
    found = []
    for output in cell["outputs"]:
        parts = output.get("data") or {output.get("name", output["output_type"]): output.get("text", "")}
        for kind, text in sorted(parts.items()):
            lines = [] if kind in PICTURES else "".join(text).splitlines()
            found += [kind, *(line.rstrip() for line in lines)]
    return found


def test_there_are_six() -> None:
    assert [name[:2] for name in NAMES] == ["01", "02", "03", "04", "05", "06"]


@runs
@pytest.mark.parametrize("name", NAMES)
def test_what_is_stored_is_what_a_fresh_run_prints(name: str, tmp_path: Path) -> None:
    for read in (FOLDER / name, *FOLDER.glob("*.toml"), *(ROOT / "docs").glob("*.csv")):
        target = tmp_path / read.relative_to(ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(read, target)
    copy = tmp_path / "notebooks" / name
    text = json.loads(copy.read_text(encoding="utf-8"))
    for cell in text["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    copy.write_text(json.dumps(text), encoding="utf-8")

    done = execute(copy)

    assert done.returncode == 0, done.stderr
    assert not [output for output in outputs(copy) if output["output_type"] == "error"]
    for stored, fresh in zip(cells(FOLDER / name), cells(copy), strict=True):
        assert said(stored) == said(fresh), "make notebooks stores the outputs of today"
        assert stored["execution_count"] == fresh["execution_count"]


@pytest.mark.parametrize("name", NAMES)
def test_stored_outputs_are_there_small_and_without_errors(name: str) -> None:
    path = FOLDER / name
    found = outputs(path)
    assert path.stat().st_size < LARGEST
    assert all(cell["execution_count"] == at for at, cell in enumerate(cells(path), 1))
    assert {output["output_type"] for output in found} <= {"stream", "display_data", "execute_result"}
    assert not [output for output in found if output.get("name") == "stderr"]
    kinds = {kind for output in found for kind in output.get("data", {})}
    assert kinds <= {"text/plain", "text/latex", *PICTURES}
    assert kinds & set(PICTURES)
    assert json.loads(path.read_text(encoding="utf-8"))["metadata"].keys() == {"kernelspec", "language_info"}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_stored_names_a_path_of_a_machine(name: str) -> None:
    texts = ["".join(cell["source"]) for kind in ("code", "markdown") for cell in cells(FOLDER / name, kind)]
    texts += ["\n".join(said(cell)) for cell in cells(FOLDER / name)]
    assert not [match[0] for text in texts for match in OF_A_MACHINE.finditer(text)]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_a_page_of_short_lines_that_defines_nothing_to_import(name: str) -> None:
    code = ["".join(cell["source"]) for cell in cells(FOLDER / name)]
    assert FEWEST <= len(code) + len(cells(FOLDER / name, "markdown")) <= MOST
    assert max(len(line) for text in code for line in text.splitlines()) <= LONGEST_LINE
    python = "\n".join(line for text in code for line in text.splitlines() if not line.startswith("%"))
    tree = ast.parse(python)
    named = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert set(named) <= {"show"}, "only what a slider calls"
    assert any(isinstance(node, ast.Import) and node.names[0].name == "hwscale" for node in tree.body)


@pytest.mark.parametrize("name", [name for name in NAMES if "ipywidgets" in (FOLDER / name).read_text("utf-8")])
def test_below_a_slider_is_what_it_shows_in_text_and_as_a_picture(name: str) -> None:
    code = cells(FOLDER / name)
    (slider,) = (at for at, cell in enumerate(code) if "ipywidgets" in "".join(cell["source"]))
    kinds = said(code[slider + 1])
    assert "stdout" in kinds
    assert "image/png" in kinds


def one_cell(path: Path, source: str) -> str:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
    text = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    path.write_text(text, encoding="utf-8")
    return text


@runs
def test_the_kernel_runs_this_checkout(tmp_path: Path) -> None:
    path = tmp_path / "where.ipynb"
    one_cell(path, "import hwscale; print(hwscale.__file__)")
    done = execute(path)
    assert done.returncode == 0, done.stderr
    assert said(cells(path)[0]) == ["stdout", str(ROOT / "hwscale" / "__init__.py")]


@runs
def test_a_cell_that_fails_fails_the_run_and_leaves_the_notebook_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "fails.ipynb"
    text = one_cell(path, "1 / 0")

    done = execute(path)

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert path.read_text(encoding="utf-8") == text
    assert [file.name for file in tmp_path.iterdir()] == ["fails.ipynb"]


def test_the_readme_beside_them_lists_every_notebook() -> None:
    listed = re.findall(r"^- \[(\w+\.ipynb)\]", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == NAMES
