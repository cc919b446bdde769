"""The .tflite reader on files of which every byte is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from flatbuffer_writer import Number, flatbuffer
from tflite_builder import Builder, built, residual_net, root_of

from hwscale.errors import ConfigError
from hwscale.measure import tflite_file
from hwscale.measure.tflite_cost import tflite_cost
from hwscale.measure.tflite_file import parse_tflite, read_tflite


@pytest.mark.parametrize(("dtype", "width"), [("INT8", 1), ("FLOAT32", 4)])
def test_every_part_of_a_file_is_read(dtype: str, width: int) -> None:
    model = parse_tflite(built(dtype), "net")
    assert [o.builtin for o in model.operators] == [
        "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED",
    ]  # fmt: skip
    assert (model.inputs, model.outputs) == ((0,), (len(model.tensors) - 1,))
    stem, depthwise, _, add, mean, _ = model.operators
    assert (stem.options.padding, stem.options.stride, stem.options.dilation) == ("SAME", (2, 2), (1, 1))
    assert (stem.options.activation, add.options.activation, depthwise.options.activation) == ("RELU6", "RELU", "RELU")
    assert depthwise.options.depth_multiplier == 1
    assert mean.options.keep_dims
    image, weights, bias, output = (model.tensors[i] for i in (*stem.inputs, *stem.outputs))
    assert (image.shape, image.dtype, image.is_constant, image.activation_bytes) == (
        (1, 8, 8, 3),
        dtype,
        False,
        192 * width,
    )
    assert (weights.shape, weights.stored_bytes, weights.is_constant) == ((8, 3, 3, 3), 216 * width, True)
    assert bias.stored_bytes == 8 * 4
    assert (output.shape, output.name) == ((1, 4, 4, 8), "t3")
    assert output.quantisation is not None
    assert (output.quantisation.scales, output.quantisation.zero_points) == ((0.5,), (3,))


def test_rectangular_windows_keep_height_before_width() -> None:
    net = Builder()
    x, weights = net.tensor(1, 10, 20, 1), net.constant(1, 3, 5, 1)
    y = net.tensor(1, 4, 4, 1)  # (10 - 3) / 2 + 1, (20 - 2 * 4) / 3
    options = {0: 1, 1: 3, 2: 2, 4: 2, 5: 1}
    coded = {field: Number("b" if field == 0 else "i", value) for field, value in options.items()}
    net.op("CONV_2D", [x, weights, -1], [y], 1, coded)
    (conv,) = parse_tflite(net.build([x], [y])).operators
    assert (conv.options.padding, conv.options.stride, conv.options.dilation) == ("VALID", (2, 3), (1, 2))
    assert tflite_cost(parse_tflite(net.build([x], [y]))).macs == 4 * 4 * 3 * 5


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(built())
    model = read_tflite(path)
    assert (model.title, model.file_bytes) == ("net.tflite", path.stat().st_size)


def test_paths_that_hold_no_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path, tmp_path / "missing.tflite", "nul\0", "x" * 5000, "/dev/zero"):
        with pytest.raises(ConfigError, match="pass the path"):
            read_tflite(path)
    path = tmp_path / "large.tflite"
    path.write_bytes(bytes(9))
    monkeypatch.setattr(tflite_file, "MAX_FILE_BYTES", 8)
    with pytest.raises(ConfigError, match="9 B, but at most 8 B"):
        read_tflite(path)


def test_names_cannot_steer_a_terminal() -> None:
    net = Builder()
    x = net.tensor(1, 2, 2, 1, name="a\x1b[31m\nb")
    y = net.unary(x)
    assert parse_tflite(net.build([x], [y])).tensors[0].name == r"a\x1b[31m\nb"


def test_custom_and_unknown_operators_keep_a_name() -> None:
    net = Builder()
    x = net.tensor(1, 2, 2, 1)
    y = net.unary(net.unary(x, "CUSTOM"), "STABLEHLO_SORT")
    assert [o.name for o in parse_tflite(net.build([x], [y])).operators] == ["Fancy#0", "BUILTIN_199#1"]


def test_old_files_name_operators_in_the_deprecated_field() -> None:
    net = residual_net()
    for code in net.codes:
        del code[3]
    assert parse_tflite(flatbuffer(root_of(net))).operators[0].builtin == "CONV_2D"


def test_shared_data_counts_once() -> None:
    net = residual_net()
    before = parse_tflite(flatbuffer(root_of(net))).constant_bytes
    shared = net.tensors[1][2].value
    net.tensor(8, 3, 3, 3, f2=Number("I", shared))
    root = net.model([0], [len(net.tensors) - 2])
    assert parse_tflite(flatbuffer(root)).constant_bytes == before
