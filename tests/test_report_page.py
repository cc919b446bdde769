"""A report is one file that loads nothing, shows the result's numbers, and takes any text literally."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from reduced_front import reduced_front
from viz_results import QUESTIONS, answer

import hwscale
from hwscale.budget import show
from hwscale.errors import ConfigError
from hwscale.result import Cost
from hwscale.units import format_bytes
from hwscale.verification import Row, Verification
from hwscale.viz.pareto_plot import save_front
from hwscale.viz.report import write_comparison_report, write_fit_report, write_front_report

pytest.importorskip("plotly", reason="needs the extra viz")
HOSTILE = "x</script><script>alert(1)</script><img src=http://evil.example/a onerror=alert(2)>&\"'\u2028%{x}"


class Page(HTMLParser):
    """Elements with their attributes, the text outside scripts and styles, the scripts, the rows of tables."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.rows: list[list[str]] = []
        self._in: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        ids = [one["id"] for _, one in self.tags if "id" in one]
        assert len(ids) == len(set(ids)), "a place is there twice"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self._in.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._in.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if "script" in self._in:
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif "style" not in self._in:
            self.words.append(data)
            if "td" in self._in or "th" in self._in:
                self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return "".join(self.words)

    def data(self) -> dict[str, Any]:
        """The JSON in the page by the name of its plot or its id."""
        found = [(a, s) for a, s in self.scripts if a.get("type") == "application/json"]
        return {str(a.get("data-plot") or a["id"]): json.loads(s) for a, s in found}

    def row(self, name: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == name)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("report") / "a.html"
    write_fit_report(answer("xinet"), path, ["hwscale", "fit", "--net", "xinet"], front=reduced_front())
    return Page(path)


def test_a_page_loads_nothing_from_anywhere(page: Page) -> None:
    loading = ("src", "srcset", "data", "poster", "background", "action", "formaction", "ping")
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "img", "form"), tag
        assert not set(loading) & set(attributes), (tag, attributes)
        assert str(attributes.get("href", "#")).startswith("#"), attributes
    policies = [a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert str(policies[0]).startswith("default-src 'none';")
    assert "http" not in str(policies[0])
    own = [script for attributes, script in page.scripts if len(script) < 100_000]
    assert not [script for script in own if re.search(r"https?://", script)]


def test_every_link_leads_to_a_section_and_every_id_is_there_once(page: Page) -> None:
    ids = [str(a["id"]) for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [str(a["href"]).removeprefix("#") for t, a in page.tags if t == "a"]
    assert len(links) >= 8
    assert set(links) <= set(ids)
    places = {str(a["data-plot"]) for t, a in page.tags if "data-plot" in a}
    assert places <= set(ids)


def test_costs_limits_and_how_they_are_known_stand_in_the_page(page: Page) -> None:
    fit = answer("xinet")
    ram, flash = page.row("RAM"), page.row("Flash")
    assert ram[1:5] == [
        format_bytes(fit.cost.ram_bytes),
        show("ram", fit.limits["ram"]),
        format_bytes(int(fit.slack["ram"])),
        f"{100 * fit.cost.ram_bytes / fit.limits['ram']:.1f} %",
    ]
    assert "exact" in ram
    assert "estimated" in flash
    assert "estimated" in page.row("latency")
    low, high = fit.cost.latency_interval_s or (0, 0)
    assert f"({show('latency', low)} to {show('latency', high)})" in page.row("latency")[1]
    assert f"Proven best of {fit.certificate.domain_size:,} candidates." in page.text
    assert "binding: RAM" in page.text
    assert "hwscale fit --net xinet" in page.text
    assert f"hwscale {hwscale.__version__}" in page.text
    assert all(f"{name} {value}" in page.text for name, value in fit.hyperparameters.items())


def test_the_table_of_ops_adds_up_to_the_network(page: Page) -> None:
    fit = answer("xinet")
    ops = fit.configuration.record(fit.runtime, fit.external_input, fit.plan).ops
    lines = [row for row in page.rows if row and row[0] in {str(at) for at in range(1, len(ops) + 1)}]
    assert [row[1].removesuffix(" peak") for row in lines] == [op.name for op in ops]
    assert sum(int(row[4].replace(",", "")) for row in lines) == sum(op.weights for op in ops)
    assert max(int(row[6].replace(",", "")) for row in lines) == fit.cost.ram_bytes
    assert [row[1] for row in lines if row[1].endswith(" peak")] == [f"{fit.peak_op} peak"]


def test_plots_of_the_page_hold_the_fronts_points(page: Page) -> None:
    found, front = page.data(), reduced_front()
    assert set(found["fronts"]) == {f"{x} {y}" for x in ("ram", "flash", "latency") for y in ("score", "macs")}
    for name, view in found["fronts"].items():
        x, y = name.split()
        rows = view["data"][0]["customdata"]
        assert rows == front.thinned(x, y).tolist()
        assert set(map(str, rows)) <= set(found["points"]["rows"])


@pytest.mark.parametrize("name", QUESTIONS)
def test_reports_of_all_kinds_of_fit_are_well_formed(name: str, tmp_path: Path) -> None:
    write_fit_report(answer(name), tmp_path / "a.html")
    made = Page(tmp_path / "a.html")
    assert not made._in
    has_time = answer(name).cost.latency_s is not None and answer(name).plan.plain
    assert ("time-ops" in made.data()) == has_time
    assert ("no time of an op is known" in made.text.lower()) != has_time
    assert ("map-ram" in made.data()) == ("platform" in QUESTIONS[name])
    if answer(name).least_ram_bytes is not None:
        both = f"{format_bytes(answer(name).least_ram_bytes or 0)} to {format_bytes(answer(name).cost.ram_bytes)}"
        assert both in made.row("RAM")
        assert "bounded" in made.row("RAM")


def test_hostile_text_is_shown_and_never_run(tmp_path: Path) -> None:
    fit = answer("xinet")
    rows = (Row("ram_bytes", 1, 1),)
    bad = replace(
        fit,
        platform=HOSTILE,
        warnings=(HOSTILE,),
        restriction=HOSTILE,
        evidence={**fit.evidence, "ram": f"exact: {HOSTILE}"},
        verification=Verification("torch", True, rows, notes=(HOSTILE,)),
    )
    platform = replace(hwscale.load_platform("stm32h743"), name=HOSTILE)
    regions = tuple(replace(region, name=HOSTILE + region.name) for region in platform.ram)
    front = reduced_front(platform=HOSTILE, digest=HOSTILE)
    front.values[0]["gamma"] = HOSTILE
    write_fit_report(
        bad, tmp_path / "a.html", ["hwscale", HOSTILE], platform=replace(platform, ram=regions), front=front
    )
    made, usual = Page(tmp_path / "a.html"), tmp_path / "b.html"
    write_fit_report(fit, usual, ["hwscale"], front=reduced_front())
    kinds = [tag for tag, _ in made.tags]
    assert kinds.count("script") == [tag for tag, _ in Page(usual).tags].count("script")
    assert "img" not in kinds
    shown = HOSTILE.replace("\u2028", "?")
    assert shown in made.text
    assert HOSTILE in made.data()["points"]["rows"]["0"][1]
    assert not any("onerror" in key for _, attributes in made.tags for key in attributes)
    for name, spec in made.data().items():
        drawn = json.dumps([spec.get("data"), spec.get("layout")])  # what plotly reads as its HTML
        assert "<script" not in drawn, name
        assert "<img" not in drawn, name


def test_a_report_replaces_a_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("before")
    write_front_report(reduced_front(), tmp_path / "a.html", "hwscale pareto")
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
    assert "hwscale pareto" in Page(tmp_path / "a.html").text
    with pytest.raises(ConfigError, match="let the name end so"):
        write_front_report(reduced_front(), tmp_path / "a.txt")


def test_saving_a_front_as_html_shows_the_axes_that_were_asked_for_first(tmp_path: Path) -> None:
    save_front(reduced_front(), tmp_path / "a.html", "latency", "macs", 0.01, None)
    made = Page(tmp_path / "a.html")
    assert next(iter(made.data()["fronts"])) == "latency macs"
    assert "within 1 % of one of them" in made.data()["fronts"]["latency macs"]["caption"]


def test_an_empty_front_is_said_in_a_sentence(tmp_path: Path) -> None:
    columns = {name: column[:0] for name, column in reduced_front().columns.items()}
    write_front_report(reduced_front(columns=columns, values=()), tmp_path / "a.html")
    assert "The front has no point" in Page(tmp_path / "a.html").text


def test_what_ifs_say_where_a_limit_first_buys_something(tmp_path: Path) -> None:
    arc = SimpleNamespace(
        share=0.05, budget=550502, score_gain=0.25, metric_gain_percent=6.5, hyperparameters={"alpha": 1.7}, proven=True
    )
    step = SimpleNamespace(
        budget=530000,
        extra=5712,
        at_least=530000,
        exact=True,
        score_gain=0.1,
        metric_gain_percent=2.0,
        hyperparameters={"alpha": 1.65},
    )
    bare = {"unit": "B", "metric": "macs", "reach": 1048576, "spent": False, "held_by": None, "proven": True}
    found = (
        SimpleNamespace(quantity="ram", budget=524288, arcs=(arc,), breakpoint=step, multiplier=1.23456, **bare),
        SimpleNamespace(quantity="flash", budget=2097152, arcs=(), breakpoint=None, multiplier=None, **bare),
    )
    write_fit_report(answer("xinet"), tmp_path / "a.html", what_ifs=found)
    made = Page(tmp_path / "a.html")
    assert ["RAM", "+5 %", "537.6 KiB", "+0.25", "+6.50 %", "alpha=1.7"] in made.rows
    assert "RAM: 5.6 KiB more, 517.6 KiB in all, first buy something" in made.text
    assert "Flash: nothing is bought up to 1,024.0 KiB" in made.text
    assert "1.235 % more macs per 1 % more, an estimate" in made.text


def test_a_comparison_has_a_row_for_every_question_and_a_point_for_every_answer(tmp_path: Path) -> None:
    none: dict[str, Any] = {
        "cost": None,
        "utilisation": {},
        "binding": (),
        "status": "",
        "hyperparameters": None,
        "note": "",
    }
    cost = Cost(200_000, 400_000, 30_000_000, 300_000, 0.1)
    found = {
        "cost": cost, "utilisation": {"ram": 0.763}, "binding": ("ram",), "status": "optimal", "hyperparameters": {"alpha": 1.5},
        "note": "",
    }  # fmt: skip
    rows = (
        SimpleNamespace(family="xinet", platform="nrf52840", verdict="fits", reason="", **found),
        SimpleNamespace(
            family="xinet", platform=HOSTILE, verdict="fails", reason="RAM: needs 9.0 KiB, has 8.0 KiB", **none
        ),
    )
    write_comparison_report(SimpleNamespace(rows=rows, seconds=1.5), tmp_path / "a.html", "hwscale compare")
    made = Page(tmp_path / "a.html")
    assert made.row("xinet")[:4] == ["xinet", "nrf52840", "fits", "optimal"]
    assert "76.3 %" in made.row("xinet")
    assert any(row[-1] == "RAM: needs 9.0 KiB, has 8.0 KiB" for row in made.rows if row)
    (trace,) = made.data()["comparison-plot"]["data"]
    assert (trace["x"], trace["y"]) == ([30.0], ["nrf52840"])


def test_the_command_line_writes_the_page_with_its_own_line(cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "my report.html"
    words = ("fit", "--net", "mobilenet_v1", "--platform", "nrf52840", "--verify", "none", "--json", "--report", path)
    done = cli(*words)
    assert done.code == 0
    assert json.loads(done.out)["schema"] == "hwscale.fit/1"
    assert f"report in {path}" in done.err
    assert (
        f"hwscale fit --net mobilenet_v1 --platform nrf52840 --verify none --json --report '{path}'" in Page(path).text
    )


def test_a_report_that_cannot_be_written_is_refused_before_solving(
    refused: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwscale.api.solve", lambda *_: pytest.fail("it was solved"))
    for name in ("a.pdf", "no/such/a.html"):
        refused("fit", "--net", "xinet", "--platform", "stm32h743", "--report", tmp_path / name)


def test_the_page_of_a_fit_opens_with_its_own_point_and_with_none_that_is_not_its(tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "fix": {"num_layers": 5, "resolution": 96, "gamma": 3},
        "domain": {"alpha": [0.4, 0.6, 0.8]},
    }
    fit = hwscale.fit("xinet", "stm32h743", limits={"latency": "60 ms"}, verify="none", **asked)
    opened = []
    for over in (("ram", "flash", "latency"), ("ram", "flash")):
        front = hwscale.pareto("xinet", "stm32h743", over=over, **asked)
        rows = [row for row in range(len(front)) if front.hyperparameters(row) == fit.hyperparameters]
        write_fit_report(fit, tmp_path / "a.html", front=front)
        opened.append((rows, re.findall(r'data-first="(\d+)"', (tmp_path / "a.html").read_text())))
    assert len(opened[0][0]) == 1
    assert all([str(row) for row in rows] == first for rows, first in opened)
