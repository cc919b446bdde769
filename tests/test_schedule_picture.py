"""The picture of ``hwscale schedule --out``: well-formed, every op named, and no text over another."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import pytest
from tflite_builder import built

import hwscale
from hwscale.drawing.marks import width_of
from hwscale.drawing.schedule import svg
from hwscale.runtimes import find_runtime
from hwscale.schedules.windows import steps

SVG = "{http://www.w3.org/2000/svg}"


def boxes(root: ET.Element) -> list[tuple[str, float, float, float, float]]:
    found = []
    for node in root.iter(f"{SVG}text"):
        words, size = node.text or "", float(node.attrib["font-size"])
        width = width_of(words, size) * 0.95
        x, y = float(node.attrib["x"]), float(node.attrib["y"])
        left = x - {"start": 0, "middle": width / 2, "end": width}[node.attrib["text-anchor"]]
        found.append((words, left, y - 0.75 * size, left + width, y + 0.2 * size))
    return found


@pytest.mark.parametrize("platform", [None, "stm32f412", "nrf52840"])
@pytest.mark.parametrize("preset", ["mcunet-in0", "mcunet-vww1"])
def test_the_picture_names_every_op_and_no_texts_overlap(preset: str, platform: str | None) -> None:
    found = hwscale.trade_off("mcunet", {"preset": preset}, platform=platform)
    root = ET.fromstring(svg(found))
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    placed = boxes(root)
    assert {step.op.name for step in steps(found.graph)} <= {words for words, *_ in placed}
    assert all(left >= 0 and top >= 0 and right <= width and low <= height for _, left, top, right, low in placed)
    for one, two in combinations(placed, 2):
        apart = one[3] <= two[1] or two[3] <= one[1] or one[4] <= two[2] or two[4] <= one[2]
        assert apart, (one, two)


def test_the_picture_of_a_large_network_is_the_same_every_time() -> None:
    in3 = hwscale.trade_off("mcunet", {"preset": "mcunet-in3"}, platform="stm32f412")
    assert svg(in3) == svg(in3)
    assert "256.0 KiB usable" in svg(in3)


def test_the_picture_of_a_file_with_any_names_is_well_formed(tmp_path: Path) -> None:
    path = tmp_path / "a&b<c>.tflite"
    path.write_bytes(built())
    found = hwscale.trade_off_tflite(path, runtime="tensors", platform="stm32f412")
    assert found.runtime is find_runtime("tensors")
    root = ET.fromstring(svg(found))
    assert any("a&b<c>" in (node.text or "") for node in root.iter(f"{SVG}text"))
