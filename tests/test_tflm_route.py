"""The way into TensorFlow Lite Micro and back: what is converted is the network, and what is measured is its arena."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hwscale.errors import ConfigError, HwscaleError, UnsupportedOpError

tflm = pytest.mark.skipif(find_spec("tflite_micro") is None, reason="needs hwscale[tflm]")
convert = pytest.mark.skipif(
    find_spec("tflite_micro") is None or find_spec("litert_torch") is None, reason="needs hwscale[convert]"
)

ATOMNET = {**{f"width{s}": 16 for s in range(6)}, "depth4": 1, "depth5": 1, "expand4": 2, "expand5": 2}
SMALL: dict[str, tuple[dict[str, Any], tuple[int, int, int]]] = {
    "phinet": ({"num_layers": 6, "t_zero": 4, "alpha": 0.25}, (3, 64, 64)),
    "xinet": ({"alpha": 0.5}, (3, 64, 64)),
    "mobilenet_v1": ({"alpha": 0.25}, (1, 33, 33)),
    "mobilenet_v2": ({"alpha": 0.2, "scale_head": True, "padding": "same"}, (3, 48, 48)),
    "atomnet": (ATOMNET, (3, 33, 33)),
    "mcunet": ({"base_widths": [8] * 8, "padding": "same"}, (3, 32, 32)),
}
ARENAS = {"phinet": (75_376, 52_320), "xinet": (50_624, 26_992)}
"""Total and head [B] of two of them, measured on another day with another conversion script."""


class Converted(NamedTuple):
    """A network straight from its constructor, its .tflite, what was measured, and the lines that told of it."""

    network: Any
    shape: tuple[int, int, int]
    path: Path
    measured: Any
    lines: list[str]


def network(family: str, values: dict[str, Any], shape: tuple[int, int, int], seed: int = 0) -> Any:
    import torch

    from hwscale.nets import build_network

    torch.manual_seed(seed)
    return build_network(family, values, shape, 10)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Converted]:
    from hwscale.measure.tflm_measure import measure_network

    folder = tmp_path_factory.mktemp("tflm")
    known: dict[str, Converted] = {}

    def make(family: str) -> Converted:
        if family not in known:
            values, shape = SMALL[family]
            module, path, lines = network(family, values, shape), folder / f"{family}.tflite", []
            measured = measure_network(module, shape, path=path, progress=lines.append)
            known[family] = Converted(module, shape, path, measured, lines)
        return known[family]

    return make


@convert
@pytest.mark.parametrize("family", SMALL)
def test_the_int8_file_computes_what_torch_computes(made: Callable[[str], Converted], family: str) -> None:
    case = made(family)
    measured = case.measured
    assert measured.correlation >= 0.99
    assert measured.image_correlation >= 0.9
    assert measured.disagreement == ""
    assert measured.settled
    assert measured.total_bytes == measured.head_bytes + measured.tail_bytes
    assert 0 < sum(measured.sections.values()) <= measured.tail_bytes
    assert measured.stripped_bytes < measured.exported_bytes == case.path.stat().st_size
    assert set(measured.versions) == {"tflite-micro", "torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert"}
    assert "unknown" not in measured.versions.values()
    assert [line.split()[0] for line in case.lines] == ["converting", "running"]


@convert
@pytest.mark.parametrize("family", ARENAS)
def test_the_arena_is_the_one_measured_before(made: Callable[[str], Converted], family: str) -> None:
    from hwscale.measure.tflm_measure import measure_file

    again = measure_file(made(family).path)
    assert (again.total_bytes, again.head_bytes) == ARENAS[family]
    assert again.stripped_bytes == made(family).measured.stripped_bytes
    assert (again.correlation, again.max_error, again.seed, again.disagreement) == (None, None, None, "")


@convert
def test_measuring_leaves_the_network_its_mode_and_the_generator_alone(made: Callable[[str], Converted]) -> None:
    import torch

    from hwscale.measure.tflm_measure import check_file

    case = made("mobilenet_v1")
    values, shape = SMALL["mobilenet_v1"]
    state, before = torch.random.get_rng_state(), network("mobilenet_v1", values, shape).state_dict()
    torch.random.set_rng_state(state)
    check_file(case.path, case.network.train(), shape)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(module.training for module in case.network.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in case.network.state_dict().items())


@convert
def test_the_same_network_gives_the_same_bytes(made: Callable[[str], Converted], tmp_path: Path) -> None:
    from hwscale.measure.tflm_measure import measure_network

    case = made("mobilenet_v1")
    again = measure_network(case.network, case.shape, path=tmp_path / "again.tflite")
    assert (tmp_path / "again.tflite").read_bytes() == case.path.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["again.tflite"]
    assert again == case.measured


@convert
@pytest.mark.parametrize("family", SMALL)
def test_a_stored_file_is_checked_and_one_with_flipped_weights_is_caught(
    made: Callable[[str], Converted], tmp_path: Path, family: str
) -> None:
    from hwscale.measure.tflm_measure import check_file

    case = made(family)
    stored = check_file(case.path, case.network, case.shape)
    assert stored.disagreement == ""
    assert (stored.correlation, stored.max_error) == (case.measured.correlation, case.measured.max_error)
    corrupted = tmp_path / "corrupted.tflite"
    contents = case.path.read_bytes()
    first, largest, last = filters(contents)
    for buffer in {first, largest, last}:
        corrupted.write_bytes(with_flipped_bits(contents, buffer))
        caught = check_file(corrupted, case.network, case.shape)
        assert caught.total_bytes == stored.total_bytes
        assert "correlate with torch's by" in caught.disagreement


def filters(contents: bytes) -> tuple[int, int, int]:
    """Buffers of the first filter, of the largest and of the classifier; a gate of random weights does next to nothing."""
    from hwscale.measure.tflite_file import parse_tflite

    model = parse_tflite(contents)
    weights = [model.tensors[op.inputs[1]] for op in model.operators if op.builtin.endswith(("CONV_2D", "CONNECTED"))]
    return weights[0].buffer, max(weights, key=lambda w: w.stored_bytes).buffer, weights[-1].buffer


def with_flipped_bits(contents: bytes, buffer: int) -> bytes:
    """The same file with every bit of one constant inverted."""
    from hwscale.measure.tflm_file import packed, unpacked

    model = unpacked(contents)
    model.buffers[buffer].data = 255 - model.buffers[buffer].data
    return packed(model)


@convert
def test_a_file_of_another_network_is_refused_or_disagrees(made: Callable[[str], Converted]) -> None:
    from hwscale.measure.tflm_measure import check_file

    values, shape = SMALL["phinet"]
    path = made("phinet").path
    assert check_file(path, network("phinet", values, shape, seed=1), shape).disagreement
    with pytest.raises(ConfigError, match=r"takes 1x64x64x3, but one image of 32x32x3 .* is given"):
        check_file(path, network("phinet", values, (3, 32, 32)), (3, 32, 32))
    headless = network("phinet", {**values, "include_top": False}, shape)
    with pytest.raises(ConfigError, match=r"gives 10 numbers per image and PhiNet 384"):
        check_file(path, headless, shape)


@convert
def test_a_trained_network_keeps_its_statistics(tmp_path: Path) -> None:
    import torch

    from hwscale.measure.tflm_measure import measure_network
    from hwscale.measure.tflm_settle import is_fresh, settled

    values, shape = SMALL["mobilenet_v1"]
    module = network("mobilenet_v1", values, shape)
    assert is_fresh(module)
    trained = settled(module, shape)
    assert not is_fresh(trained)
    again = settled(trained, shape)
    assert all(
        torch.equal(a, b) for a, b in zip(trained.state_dict().values(), again.state_dict().values(), strict=True)
    )
    measured = measure_network(trained, shape)
    assert measured.settled is False
    assert measured.correlation >= 0.99


@convert
def test_stripping_changes_neither_arena_nor_outputs(made: Callable[[str], Converted], tmp_path: Path) -> None:
    from hwscale.measure.convert import calibration_images
    from hwscale.measure.tflm import run
    from hwscale.measure.tflm_file import strip

    case = made("xinet")
    small = strip(case.path, tmp_path / "small.tflite")
    images = calibration_images(case.shape)
    before, after = run(case.path, inputs=images), run(small, inputs=images)
    assert (before.outputs == after.outputs).all()
    assert before.sections == after.sections
    assert small.stat().st_size == case.measured.stripped_bytes


@convert
def test_weights_outside_of_the_flatbuffer_are_refused_and_can_be_put_back(
    made: Callable[[str], Converted], tmp_path: Path
) -> None:
    from hwscale.measure.tflm_file import inline
    from hwscale.measure.tflm_measure import check_file, measure_file

    case = made("xinet")
    outside = tmp_path / "outside.tflite"
    outside.write_bytes(with_external_weights(case.path.read_bytes()))
    for refused in (lambda: measure_file(outside), lambda: check_file(outside, case.network, case.shape)):
        with pytest.raises(ConfigError, match=r"outside of the flatbuffer, .*: put them back with hwscale\..*inline"):
            refused()
    inline(outside, tmp_path / "restored.tflite")
    restored = check_file(tmp_path / "restored.tflite", case.network, case.shape)
    assert restored.correlation == case.measured.correlation


def with_external_weights(contents: bytes) -> bytes:
    """The same file with its largest buffer behind the flatbuffer, as the quantiser writes 256 KiB of weights."""
    from hwscale.measure.tflm_file import packed, unpacked

    model = unpacked(contents)
    largest = max((b for b in model.buffers if b.data is not None), key=lambda b: len(b.data))
    data = bytes(largest.data)
    largest.data, largest.offset, largest.size = None, 2, len(data)

    largest.offset = len(packed(model))
    return packed(model) + data


@convert
def test_a_conversion_with_more_than_256_kib_of_weights_keeps_them_inside() -> None:
    from hwscale.measure.tflm_measure import measure_network

    values, shape = {"alpha": 0.75}, (3, 64, 64)
    measured = measure_network(network("xinet", values, shape), shape)
    assert measured.total_bytes == 64_464
    assert measured.correlation >= 0.99


@convert
@pytest.mark.parametrize("damage", ["truncated", "foreign", "empty", "short weights"])
def test_a_damaged_file_is_one_sentence(made: Callable[[str], Converted], tmp_path: Path, damage: str) -> None:
    from hwscale.measure.tflm_file import packed, unpacked
    from hwscale.measure.tflm_measure import measure_file

    contents = made("phinet").path.read_bytes()
    if damage == "truncated":
        contents = contents[: len(contents) // 2]
    elif damage == "foreign":
        contents = b"\x89PNG" + contents
    elif damage == "empty":
        contents = b""
    else:
        model = unpacked(contents)
        largest = max((b for b in model.buffers if b.data is not None), key=lambda b: len(b.data))
        largest.data = largest.data[:-1]
        contents = packed(model)
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(contents)
    with pytest.raises(ConfigError, match=r"^broken\.tflite, .*: .*\.$"):
        measure_file(broken)


@convert
def test_random_damage_never_gets_past_a_sentence(made: Callable[[str], Converted], tmp_path: Path) -> None:
    from hwscale.measure.tflm_measure import measure_file

    contents = made("mcunet").path.read_bytes()
    source, outcomes = random.Random(0), []
    for number in range(24):
        damaged = bytearray(contents)
        for _ in range(8):
            damaged[source.randrange(len(damaged))] ^= 1 << source.randrange(8)
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(damaged)
        try:
            outcomes.append(measure_file(path).total_bytes > 0)
        except HwscaleError as error:
            outcomes.append("\n" not in str(error))
    assert all(outcomes)


@convert
def test_a_small_arena_is_refused_with_its_reason(made: Callable[[str], Converted]) -> None:
    from hwscale.measure.tflm import run

    path = made("phinet").path
    with pytest.raises(ConfigError, match="does not fit an arena of 60000 B"):
        run(path, arena_bytes=60_000)
    assert run(path, arena_bytes=ARENAS["phinet"][0] + 1024).total_bytes == ARENAS["phinet"][0]


@convert
def test_a_graph_that_tensorflow_lite_micro_cannot_run_is_refused_in_its_words() -> None:
    from hwscale.measure.tflm_measure import measure_network

    shape = (3, 72, 72)
    with pytest.raises(UnsupportedOpError, match="1D-5D"):
        measure_network(network("xinet", {"alpha": 0.4}, shape), shape)


@convert
def test_what_cannot_be_converted_is_one_sentence(tmp_path: Path) -> None:
    import torch

    from hwscale.measure.tflm_measure import measure_network

    class Twice(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, x

    values, shape = SMALL["mobilenet_v1"]
    module = network("mobilenet_v1", values, shape)
    with pytest.raises(ConfigError, match=r"^MobileNetV1 on 3x33x33 does not run: .*\.$"):
        measure_network(module, (3, 33, 33))
    with pytest.raises(ConfigError, match="Twice returns a tuple: only a network with one output tensor"):
        measure_network(Twice(), shape)
    with pytest.raises(ConfigError, match="there is no folder"):
        measure_network(module, shape, path=tmp_path / "none" / "network.tflite")


@tflm
def test_a_float_file_and_one_of_two_inputs_are_measured(tmp_path: Path) -> None:
    from tflite_builder import Builder

    from hwscale.measure.tflm_measure import measure_file

    for dtype, width in (("FLOAT32", 4), ("INT8", 1)):
        builder = Builder(dtype)
        left, right = builder.tensor(1, 4, 4, 8), builder.tensor(1, 4, 4, 8)
        path = tmp_path / f"{dtype}.tflite"
        path.write_bytes(builder.build([left, right], [builder.add(left, right)]))
        assert measure_file(path).head_bytes == 3 * 4 * 4 * 8 * width


@pytest.mark.parametrize(
    ("missing", "extra"),
    [
        ("tflite_micro.python.tflite_micro.runtime", "tflm"),
        ("litert_torch", "convert"),
        ("ai_edge_quantizer", "convert"),
    ],
)
def test_a_missing_package_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str, extra: str
) -> None:
    from hwscale.measure import tflm as runner
    from hwscale.measure.tflm_measure import measure_file, measure_network

    monkeypatch.setitem(sys.modules, missing, None)
    if extra == "convert":
        monkeypatch.setattr("hwscale.measure.tflm_measure.require", lambda: None)
        monkeypatch.setattr("hwscale.measure.convert.PACKAGES", (missing,))
    values, shape = SMALL["mobilenet_v1"]
    with pytest.raises(ConfigError, match=rf"needs the package .*: pip install 'hwscale\[{extra}\]'\.$"):
        measure_network(network("mobilenet_v1", values, shape), shape)
    if extra == "tflm":
        for call in (lambda: measure_file(tmp_path / "none.tflite"), runner.require):
            with pytest.raises(ConfigError, match=r"pip install 'hwscale\[tflm\]'\.$"):
                call()
