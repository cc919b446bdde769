"""The site builds without a warning, loads nothing from a network, and says what the code says."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

import hwscale

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def loaded(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OUTPUTS = loaded("docs_outputs", DOCS / "outputs.py")
SHOWN = [page for page in OUTPUTS.PAGES if OUTPUTS.has_outputs(page)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("sphinx", "myst_parser", "furo"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}: pip install 'hwscale[docs]'")
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-E", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(built)]
    found = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False)
    assert found.returncode == 0, found.stderr
    assert not found.stderr.strip()
    return built


def text_of(page: Path) -> str:
    """What a reader sees, blanks made equal."""
    words = re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&#x27;", "'"), ("&quot;", '"'), ("&amp;", "&")):
        words = words.replace(entity, sign)
    return " ".join(words.split())


class Loaded(HTMLParser):
    """Addresses that a browser loads by itself, not the links that a reader may follow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        wanted = given.get("href") if tag == "link" else given.get("src")
        if wanted:
            self.found.append(wanted)


def test_the_site_loads_nothing_from_a_network(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        parser = Loaded()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.found, page
        for address in parser.found:
            assert not re.match(r"(https?:)?//", address), f"{page.name} loads {address}"
            if not address.startswith(("#", "data:")):
                file = (page.parent / re.split(r"[?#]", address)[0]).resolve()
                assert file.is_file(), f"{page.name} loads {address}, which is not there"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", style.read_text(encoding="utf-8")), style


def test_every_command_and_flag_stands_in_the_reference(site: Path) -> None:
    words = text_of(site / "reference" / "cli.html")
    flags = set()
    for file in (ROOT / "hwscale" / "cli").glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if ast.unparse(call.func) == "typer.Option":
                flags |= {a.value for a in call.args if isinstance(a, ast.Constant) and str(a.value).startswith("--")}
    assert len(flags) > 40
    missing = {flag for flag in flags - {"--version"} if f"{flag} " not in words}
    assert not missing
    for command in (
        "fit",
        "compare",
        "cost",
        "schedule",
        "calibrate",
        "formula",
        "verify",
        "platforms new",
        "nets show",
    ):
        assert f"$ hwscale {command} " in words, command


def test_every_public_name_stands_in_the_reference(site: Path) -> None:
    pages = ("python", "results", "errors")
    anchors = " ".join((site / "reference" / f"{page}.html").read_text(encoding="utf-8") for page in pages)
    for module, names in hwscale._HOMES.items():
        for name in names:
            assert f'id="hwscale.{name}"' in anchors or f'id="{module}.{name}"' in anchors, name


def test_parameters_of_fit_stand_in_the_reference_one_by_one(site: Path) -> None:
    words = text_of(site / "reference" / "python.html")
    entries = re.findall(r"^    (\w+(?:, \w+)*) : (\w+)", hwscale.fit.__doc__ or "", re.MULTILINE)
    named = {(name, first) for names, first in entries[:-3] for name in names.split(", ")}  # the last three are errors
    assert len(named) > 15
    for name, first in named:
        assert f"{name} -- {first}" in words, name


def test_the_evidence_of_every_runtime_stands_on_its_page(site: Path) -> None:
    from hwscale.runtimes import RUNTIMES

    words = text_of(site / "exact_or_estimated.html")
    for name, runtime in RUNTIMES.items():
        for said in runtime.evidence.values():
            grade = said.partition(" ")[0].rstrip(":")
            reason = said.removeprefix(grade).lstrip(": ")
            assert f"{grade} {reason}".strip() in words, (name, said)


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.stem)
def test_the_outputs_shown_are_what_the_commands_print(page: Path) -> None:
    before = page.read_text(encoding="utf-8")
    assert OUTPUTS.renewed(before) == before, "python docs/outputs.py --write"


def test_the_pictures_are_what_their_programs_draw() -> None:
    command = [sys.executable, str(DOCS / "pictures"), "--check"]
    found = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_example_in_python_is_python() -> None:
    for page in OUTPUTS.PAGES:
        for example in re.findall(r"```python\n(.+?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            ast.parse(example)
