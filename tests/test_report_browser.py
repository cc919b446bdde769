"""Reports in a real browser, opened from disk: no errors, points that answer a click, tables that sort, both sizes, both colours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reduced_front import reduced_front
from viz_results import answer

from hwscale.platform import load_platform
from hwscale.viz.front_section import build_line, cost_line

pytest.importorskip("plotly", reason="needs the extra viz")
pytest.importorskip("selenium", reason="needs selenium, of the extra dev")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not CHROMIUM or not DRIVER,
    reason="needs chromium and chromedriver on PATH: apt-get install chromium chromium-driver",
)
SIZES = {"desk": (1280, 800), "phone": (390, 844)}
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    driver.set_page_load_timeout(60)
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hwscale.viz.report import write_fit_report

    front, path = reduced_front(), tmp_path_factory.mktemp("report") / "a report.html"
    write_fit_report(answer("xinet"), path, "hwscale fit --net xinet --platform stm32h743", front=front)
    return path


def opened(browser: Any, path: Path, size: str = "desk", scheme: str = "light") -> Any:
    """The page, drawn, at a size and in the colours that the system asks for."""
    from selenium.webdriver.support.ui import WebDriverWait

    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(path.as_uri())
    drawn = "const all = [...document.querySelectorAll('.plot')]; return all.length > 0 && all.every(one => one.dataset.drawn)"
    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(drawn))
    return browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_opens_without_errors_fits_the_window_and_overlaps_nothing(
    browser: Any, report: Path, size: str, scheme: str
) -> None:
    page = opened(browser, report, size, scheme)
    assert page.get_log("browser") == []
    assert (
        page.execute_script(
            "return performance.getEntriesByType('resource').filter(r => r.name.startsWith('http')).length"
        )
        == 0
    )
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    overlapping = page.execute_script(
        "const shown = [...document.querySelectorAll('header, main > p, main > nav, main > section, footer, .pair > *, .front > *,"
        "section > *:not(script)')].map(e => [e, e.getBoundingClientRect()]).filter(([, r]) => r.width && r.height);"
        "const found = []; shown.forEach(([e, r], at) => { for (const [o, b] of shown.slice(0, at)) {"
        "const apart = r.left >= b.right - 1 || b.left >= r.right - 1 || r.top >= b.bottom - 1 || b.top >= r.bottom - 1;"
        "if (!apart && !e.contains(o) && !o.contains(e)) found.push([e.outerHTML.slice(0, 80), o.outerHTML.slice(0, 80)]); } });"
        "return [shown.length, found]"
    )
    assert overlapping[0] > 20
    assert overlapping[1] == []
    ground = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 29)"}[scheme]


@pytest.mark.parametrize("size", SIZES)
def test_words_of_a_plot_lie_within_it(browser: Any, report: Path, size: str) -> None:
    page = opened(browser, report, size)
    outside = page.execute_script(
        "const found = []; for (const plot of document.querySelectorAll('.plot')) { const p = plot.getBoundingClientRect();"
        "for (const t of plot.querySelectorAll('.main-svg text')) { const r = t.getBoundingClientRect();"
        "if (r.width && (r.left < p.left - 1 || r.right > p.right + 1 || r.top < p.top - 1 || r.bottom > p.bottom + 1))"
        "found.push([plot.id, t.textContent]); } } return found"
    )
    assert outside == []


def test_a_click_on_a_point_shows_its_configuration_and_its_command(browser: Any, report: Path) -> None:
    from selenium.webdriver import ActionChains

    page, front = opened(browser, report), reduced_front()
    first = page.execute_script("return document.getElementById('panel').dataset.row")
    assert first is None, "the fit is not on this front, and no other point speaks for it"
    place = page.find_element("id", "front-plot")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", place)
    dots = place.find_elements("css selector", ".scatterlayer .trace:first-child .point")
    rows = front.thinned("ram", "score").tolist()
    assert len(dots) == len(rows)
    at = next(n for n, row in enumerate(rows) if front.columns["resolution"][row] == 160)
    ActionChains(page).move_to_element(dots[at]).pause(0.3).perform()
    hover = "return document.querySelector('#front-plot .hoverlayer').textContent"
    said = page.execute_script(hover)
    assert all(f"{name} {value}" in said for name, value in front.hyperparameters(rows[at]).items())
    ActionChains(page).click().perform()
    panel = page.find_element("id", "panel")
    assert panel.get_attribute("data-row") == str(rows[at])
    shown = dict(
        zip(
            [one.text for one in panel.find_elements("tag name", "dt")],
            [one.text for one in panel.find_elements("tag name", "dd")],
            strict=True,
        )
    )
    for name, value in front.hyperparameters(rows[at]).items():
        assert shown[name] == str(value)
    values = front.hyperparameters(rows[at])
    told = [one.text for one in panel.find_elements("tag name", "code")]
    assert told == [cost_line(front, values), build_line(front, values)]
    copier = panel.find_element("css selector", "button.copier")
    copier.click()
    assert copier.text == "copied"


def test_other_axes_redraw_the_front(browser: Any, report: Path) -> None:
    from selenium.webdriver.support.ui import Select

    page = opened(browser, report)
    Select(page.find_element("id", "front-x")).select_by_value("latency")
    Select(page.find_element("id", "front-y")).select_by_value("macs")
    titles = "const l = document.getElementById('front-plot').layout; return [l.xaxis.title.text, l.yaxis.title.text]"
    assert page.execute_script(titles) == ["latency [ms]", "MACs [M]"]
    rows = page.execute_script("return document.getElementById('front-plot').data[0].customdata")
    assert rows == reduced_front().thinned("latency", "macs").tolist()


def test_tables_sort_by_numbers_with_mouse_and_keyboard(browser: Any, report: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    page = opened(browser, report)
    fit = answer("xinet")
    ops = fit.configuration.record(fit.runtime, fit.external_input, fit.plan).ops
    header = next(one for one in page.find_elements("css selector", "#ops th") if one.text.startswith("weights"))
    column = "return [...document.querySelectorAll('#ops tbody tr')].map(r => Number(r.cells[4].dataset.key))"
    assert page.execute_script(column) == [op.weights for op in ops]
    button = header.find_element("tag name", "button")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert page.execute_script(column) == sorted(op.weights for op in ops)
    button.send_keys(Keys.ENTER)
    assert header.get_attribute("aria-sort") == "descending"
    assert page.execute_script(column) == sorted((op.weights for op in ops), reverse=True)
    kind = next(one for one in page.find_elements("css selector", "#ops th") if one.text.startswith("kind"))
    kind.find_element("tag name", "button").send_keys(Keys.SPACE)
    assert (header.get_attribute("aria-sort"), kind.get_attribute("aria-sort")) == ("none", "ascending")
    names = page.execute_script(
        "return [...document.querySelectorAll('#ops tbody tr')].map(r => r.cells[2].textContent)"
    )
    assert names == sorted(op.kind for op in ops)


def test_the_button_switches_the_colours_of_page_and_plots(browser: Any, report: Path) -> None:
    page = opened(browser, report, "desk", "light")
    ink = (
        "return [getComputedStyle(document.body).color,"
        "getComputedStyle(document.querySelector('#ram-ops .xtitle')).fill]"
    )
    light = page.execute_script(ink)
    button = page.find_element("id", "theme")
    assert button.text == "dark"
    button.click()
    dark = page.execute_script(ink)
    assert light == ["rgb(32, 36, 43)"] * 2
    assert dark == ["rgb(232, 234, 238)"] * 2
    assert page.execute_script("return document.documentElement.dataset.theme") == "dark"


def test_hostile_names_run_nothing(browser: Any, tmp_path: Path) -> None:
    from hwscale.viz.report import write_fit_report, write_front_report

    hostile = "</script><script>window.ran=1</script><img src=x onerror=window.ran='2'>"
    front = reduced_front(platform=hostile)
    front.values[front.best().row]["gamma"] = hostile
    platform = replace(load_platform("stm32h743"), name=hostile)
    bad = replace(answer("xinet"), platform=hostile, warnings=(hostile,))
    write_fit_report(bad, tmp_path / "a.html", hostile, platform=platform, front=front)
    page = opened(browser, tmp_path / "a.html")
    assert page.execute_script("return window.ran === undefined")
    assert page.get_log("browser") == []
    assert page.find_element("tag name", "h1").text == f"xinet on {hostile}"
    write_front_report(front, tmp_path / "b.html", hostile)
    page = opened(browser, tmp_path / "b.html")
    assert page.execute_script("return window.ran === undefined")
    assert page.get_log("browser") == []
    panel = page.find_element("id", "panel")
    assert hostile in panel.text
    told = panel.find_element("tag name", "code").get_attribute("textContent")
    assert told == cost_line(front, front.hyperparameters(front.best().row))
