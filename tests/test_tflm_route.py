"""The way into TensorFlow Lite Micro and back: what is converted is the network, and what is measured is its arena."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hwscale
from hwscale.errors import ConfigError, UnsupportedOpError

pytest.importorskip("tflite_micro", reason="needs hwscale[tflm]")
pytest.importorskip("flatbuffers")

from hwscale.measure import census as files
from hwscale.measure import convert as conversion
from hwscale.measure.tflm import census, compare, measure_tflm, run

SMALL = {
    "phinet": ({"num_layers": 6, "t_zero": 4, "alpha": 0.25}, (3, 64, 64)),
    "xinet": ({"alpha": 0.5}, (3, 64, 64)),
    "mobilenet_v1": ({"alpha": 0.25}, (1, 33, 33)),
}
ARENAS = {"phinet": (75_376, 52_320), "xinet": (50_624, 26_992)}
"""Total and head [B] of two of them, measured on another day with another conversion script."""


def network(family: str, values: dict[str, Any], shape: tuple[int, int, int]) -> Any:
    """A random network whose activations neither vanish nor drown in noise."""
    import torch

    from benchmarks.tflm_sweep import settled

    torch.manual_seed(0)
    return settled(hwscale.build(family, values, input_shape=shape), shape)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, tuple[int, int, int], Path]]:
    pytest.importorskip("litert_torch", reason="needs hwscale[convert]")
    folder = tmp_path_factory.mktemp("tflm")
    made = {}
    for family, (values, shape) in SMALL.items():
        module = network(family, values, shape)
        made[family] = (module, shape, conversion.convert(module, shape, folder / f"{family}.tflite"))
    return made


@pytest.mark.parametrize("family", SMALL)
def test_the_int8_file_computes_what_torch_computes(converted: Any, family: str) -> None:
    module, shape, path = converted[family]
    record = compare(module, shape, path)
    assert record.correlation is not None
    assert record.correlation >= 0.99
    assert record.total_bytes == record.head_bytes + record.tail_bytes
    assert 0 < sum(record.sections.values()) <= record.tail_bytes


@pytest.mark.parametrize("family", ARENAS)
def test_the_arena_is_the_one_measured_before(converted: Any, family: str) -> None:
    record = run(converted[family][2])
    assert (record.total_bytes, record.head_bytes) == ARENAS[family]


def test_the_same_network_gives_the_same_bytes(converted: Any, tmp_path: Path) -> None:
    module, shape, path = converted["mobilenet_v1"]
    again = conversion.convert(module, shape, tmp_path / "again.tflite")
    assert again.read_bytes() == path.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["again.tflite"]


def test_stripping_changes_neither_arena_nor_outputs(converted: Any, tmp_path: Path) -> None:
    module, shape, path = converted["xinet"]
    small = conversion.strip(path, tmp_path / "small.tflite")
    before, after = compare(module, shape, path), compare(module, shape, small)
    assert (before.outputs == after.outputs).all()
    assert before.sections == after.sections
    assert census(small).exported_bytes == census(path).stripped_bytes < census(path).exported_bytes


def test_the_census_counts_weights_as_torch_does(converted: Any) -> None:
    module, _, path = converted["mobilenet_v1"]
    weights = sum(layer.weight.numel() for layer in module.modules() if type(layer).__name__ in ("Conv2d", "Linear"))
    counted = census(path)
    assert counted.weight_bytes == weights
    assert counted.op_counts["FULLY_CONNECTED"] == 1
    assert counted.ops[-1] == "FULLY_CONNECTED"
    assert sum(counted.op_counts.values()) == counted.n_ops == len(counted.ops)


def external(contents: bytes) -> bytes:
    """The same file with its largest buffer behind the flatbuffer, as the quantiser writes 256 KiB of weights."""
    model = files.parse(contents)
    largest = max((b for b in model.buffers if b.data is not None), key=lambda b: len(b.data))
    data = bytes(largest.data)
    largest.data, largest.offset, largest.size = None, 2, len(data)

    largest.offset = len(conversion.packed(model))
    return conversion.packed(model) + data


def test_weights_outside_of_the_flatbuffer_are_refused_and_can_be_put_back(converted: Any, tmp_path: Path) -> None:
    module, shape, path = converted["xinet"]
    outside = tmp_path / "outside.tflite"
    outside.write_bytes(external(path.read_bytes()))
    with pytest.raises(ConfigError, match="outside of the flatbuffer"):
        run(outside)
    restored = compare(module, shape, conversion.inline(outside, tmp_path / "restored.tflite"))
    assert (restored.outputs == compare(module, shape, path).outputs).all()


def test_a_conversion_with_more_than_256_kib_of_weights_keeps_them_inside() -> None:
    pytest.importorskip("litert_torch", reason="needs hwscale[convert]")
    values, shape = {"alpha": 0.75}, (3, 64, 64)
    module = network("xinet", values, shape)
    record = measure_tflm(module, shape)
    assert record.total_bytes == 64_464
    assert record.correlation is not None
    assert record.correlation >= 0.99


@pytest.mark.parametrize("damage", ["truncated", "foreign", "short weights"])
def test_a_damaged_file_is_one_sentence(converted: Any, tmp_path: Path, damage: str) -> None:
    contents = converted["phinet"][2].read_bytes()
    broken = tmp_path / "broken.tflite"
    if damage == "truncated":
        broken.write_bytes(contents[: len(contents) // 2])
    elif damage == "foreign":
        broken.write_bytes(b"\x89PNG" + contents)
    else:
        model = files.parse(contents)
        largest = max((b for b in model.buffers if b.data is not None), key=lambda b: len(b.data))
        largest.data = largest.data[:-1]
        broken.write_bytes(conversion.packed(model))
    with pytest.raises(ConfigError, match=r"damaged|no \.tflite"):
        run(broken)


def test_a_small_arena_is_refused_with_its_reason(converted: Any) -> None:
    path = converted["phinet"][2]
    with pytest.raises(ConfigError, match="does not fit an arena of 60000 B"):
        run(path, arena_bytes=60_000)
    assert run(path, arena_bytes=ARENAS["phinet"][0] + 1024).total_bytes == ARENAS["phinet"][0]


def test_a_graph_that_tensorflow_lite_micro_cannot_run_is_refused_in_its_words(tmp_path: Path) -> None:
    pytest.importorskip("litert_torch", reason="needs hwscale[convert]")
    shape = (3, 72, 72)
    path = conversion.convert(network("xinet", {"alpha": 0.4}, shape), shape, tmp_path / "refused.tflite")
    with pytest.raises(UnsupportedOpError, match="1D-5D"):
        run(path)
