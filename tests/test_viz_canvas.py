"""What all plots share: ticks, colours, files, and one sentence where a package is missing."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwscale.errors import ConfigError
from hwscale.viz import canvas
from hwscale.viz.palette import KINDS
from hwscale.viz.scales import MOST, axis_ticks, tick_label

ENDS = st.tuples(st.floats(1e-3, 1e7), st.floats(1.01, 1e6))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(ENDS, st.booleans(), st.booleans())
def test_ticks_lie_within_the_axis_rise_and_are_few(ends: tuple[float, float], log: bool, binary: bool) -> None:
    low, high = ends[0], ends[0] * ends[1]
    found = axis_ticks(low, high, log=log, binary=binary)
    assert all(a < b for a, b in pairwise(found))
    assert all(low * (1 - 1e-6) <= tick <= high * (1 + 1e-6) for tick in found)
    assert len(found) <= 2 * MOST
    if log and binary:
        assert all(np.log2(tick) % 1 == 0 for tick in found)


def test_ticks_of_sizes_are_powers_of_two_or_multiples_of_one() -> None:
    assert axis_ticks(0, 522, log=False, binary=True) == [0, 128, 256, 384, 512]
    assert axis_ticks(13.7, 19.4, log=False) == [14, 15, 16, 17, 18, 19]
    assert [tick_label(tick) for tick in (0.0, 0.5, 1024.0)] == ["0", "0.5", "1,024"]


# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
SEEN_BY = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_colours_of_kinds_of_op_stay_apart_for_colour_blind_eyes(eyes: str) -> None:
    seen = {kind: _lab(np.clip(np.array(SEEN_BY[eyes]) @ _linear(colour), 0, 1)) for kind, colour in KINDS.items()}
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 10, (one, other)


def _linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = xyz / [0.9505, 1.0, 1.089]
    f = np.where(f > 0.008856, np.cbrt(f), 7.787 * f + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_a_missing_package_is_one_sentence_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "find_spec", lambda name: None)
    for needed in ("matplotlib", "plotly"):
        with pytest.raises(ConfigError, match=rf"{needed}.*pip install 'hwscale\[viz\]'"):
            canvas.require(needed)


def test_report_without_the_package_is_refused_before_solving(
    monkeypatch: pytest.MonkeyPatch, refused: Any, tmp_path: Path
) -> None:
    monkeypatch.setattr(canvas, "find_spec", lambda name: None)
    monkeypatch.setattr("hwscale.api.solve", lambda *_: pytest.fail("it was solved"))
    said = refused("fit", "--net", "xinet", "--platform", "stm32h743", "--report", tmp_path / "a.html")
    assert "pip install 'hwscale[viz]'" in said


def test_failed_writes_leave_what_was_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = tmp_path / "a.html"
    target.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(canvas.os, "replace", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        canvas.write_bytes(target, b"after")
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
    assert target.read_text() == "before"


def test_plots_touch_no_global_state_of_pyplot(python: Any) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra viz")
    code = (
        "import sys, hwscale; from hwscale.viz import ram_plot; before = 'matplotlib' in sys.modules;"
        "ram_plot.save(hwscale.cost('mobilenet_v1', {'alpha': 0.25, 'resolution': 96}), 'a.svg');"
        "print(before, 'matplotlib.pyplot' in sys.modules)"
    )
    done = python("-W", "error", "-c", code)
    assert done.out.split() == ["False", "False"], done.err


def test_the_reports_of_python_are_checked_as_those_of_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    for name in ("a.pdf", "folder.html", "no/such/a.html"):
        with pytest.raises(ConfigError):
            canvas.check_target(tmp_path / name, (".html",))
