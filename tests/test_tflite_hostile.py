"""The .tflite reader on files that are damaged or lie: refused in one sentence, or read, in bounded time."""

from __future__ import annotations

import random
import re
import struct
import time
from typing import Any

import pytest
from flatbuffer_writer import TAIL, Number, Table, Vector, flatbuffer
from tflite_builder import Builder, built, offline_plan, residual_net, root_of

from hwscale.errors import ConfigError
from hwscale.measure.flatbuffer import MAX_DECODED_BYTES
from hwscale.measure.tflite_cost import FileCost, tflite_cost
from hwscale.measure.tflite_file import MAX_EDGES, MAX_TENSORS, parse_tflite

SECONDS = 1.0
"""Longest CPU time that any file may take."""


def outcome(data: bytes) -> FileCost | str:
    """The cost of ``data``, or the sentence that refuses it; any other exception, or a slow answer, fails the test."""
    started = time.process_time()
    try:
        return tflite_cost(parse_tflite(data, "net.tflite"))
    except ConfigError as error:
        return str(error)
    finally:
        assert time.process_time() - started < SECONDS


def refusal(data: bytes) -> str:
    """The one sentence with which ``data`` is refused."""
    sentence = outcome(data)
    assert isinstance(sentence, str)
    assert sentence.startswith("net.tflite, ")
    assert sentence.endswith(".")
    assert len(sentence) < 1000
    assert len(sentence.splitlines()) == 1
    return sentence


def changed(**fields: Any) -> bytes:
    return flatbuffer({**root_of(), **{int(name[1:]): value for name, value in fields.items()}})


def with_tensor(**fields: Any) -> bytes:
    net = residual_net()
    net.tensors[0].update({int(name[1:]): value for name, value in fields.items()})
    return flatbuffer(root_of(net))


def with_operator(**fields: Any) -> bytes:
    net = residual_net()
    net.operators[0].update({int(name[1:]): value for name, value in fields.items()})
    return flatbuffer(root_of(net))


def with_external_weights() -> bytes:
    net = residual_net()
    data = net.buffers[1].pop(0)
    net.buffers[1].update({1: Number("Q", 4096), 2: Number("Q", len(data))})
    return flatbuffer(root_of(net)) + data


def orphan() -> Table:
    net = residual_net()
    return net.model([0], [net.tensor(1, 5)])


def written_twice() -> bytes:
    net = Builder()
    x = net.tensor(1, 2, 2, 1)
    y = net.unary(x)
    net.op("HARD_SWISH", [x], [y])
    return net.build([x], [y])


LIES = {
    "empty": (b"", "the file has 0 B"),
    "short": (b"TFL3", "the file has 4 B"),
    "magic": (built().replace(b"TFL3", b"TFL2", 1), "must be b'TFL3'"),
    "text": (b"#!/bin/sh\n" * 50, "must be b'TFL3'"),
    "version": (changed(f0=Number("I", 2)), "version 2"),
    "no subgraph": (changed(f2=[]), "0 subgraphs"),
    "two subgraphs": (changed(f2=root_of()[2] * 2), "2 subgraphs are listed, but exactly 1 is read"),
    "external weights": (with_external_weights(), "copy the data of external buffers into the model"),
    "negative shape": (with_tensor(f0=Vector("i", (1, -8, 8, 3))), r"tensor 0: shape \(1, -8, 8, 3\) has a negative"),
    "huge shape": (with_tensor(f0=Vector("i", (1 << 30, 1 << 30))), "elements"),
    "rank": (with_tensor(f0=Vector("i", (1,) * 9)), "9 dimensions"),
    "dtype": (with_tensor(f1=Number("b", 99)), "data type 99"),
    "buffer": (with_tensor(f2=Number("I", 77)), "buffer 77 does not exist"),
    "data too short": (with_tensor(f2=Number("I", 2)), "its buffer holds 32"),
    "operator code": (with_operator(f0=Number("I", 6)), "operator code 6 does not exist"),
    "tensor index": (with_operator(f1=Vector("i", (0, 1, 2000))), "tensor 2000 does not exist"),
    "negative index": (with_operator(f2=Vector("i", (-1,))), "tensor -1 does not exist"),
    "order": (with_operator(f1=Vector("i", (3, 1, 2))), "no earlier operator writes"),
    "written twice": (written_twice(), "operator 1 .HARD_SWISH.: it writes tensor 1, which has a value already"),
    "constant written": (with_operator(f2=Vector("i", (1,))), "has a value already"),
    "options": (with_operator(f3=Number("B", 2)), "needs options of type 1, but has type 2"),
    "stride": (with_operator(f4={0: Number("b", 0)}), "stride 0 x 0"),
    "padding": (with_operator(f4={0: Number("b", 7)}), "padding 7 does not exist"),
    "no operators": (changed(f2=[{**root_of()[2][0], 3: []}]), "nothing to run"),
    "unwritten output": (flatbuffer(orphan()), "no operator writes its output, tensor 16"),
    "offline plan": (flatbuffer(offline_plan(root_of(), [0, 0])), "does not list the file's 16 tensors"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused_by_name(lie: str) -> None:
    data, sentence = LIES[lie]
    assert re.search(sentence, refusal(data))


def shape_vector(data: bytes) -> int:
    """Where the shape of the input, (1, 8, 8, 3), stands."""
    return data.index(struct.pack("<5i", 4, 1, 8, 8, 3))


def with_word(data: bytes, at: int, word: int) -> bytes:
    return data[:at] + struct.pack("<I", word & 0xFFFF_FFFF) + data[at + 4 :]


def test_a_vector_of_two_gibibytes_is_refused_before_it_is_allocated() -> None:
    data = built()
    assert "a list declares 2147483647 x 4 B" in refusal(with_word(data, shape_vector(data), 0x7FFF_FFFF))


def test_a_huge_number_in_any_word_is_an_answer_or_a_sentence() -> None:
    data = built()
    for at in range(0, len(data) - 4, 4):
        outcome(with_word(data, at, 0x7FFF_FFFF))


def test_offsets_that_point_back_or_to_themselves_end() -> None:
    data = built()
    (root,) = struct.unpack_from("<I", data)
    (to_vtable,) = struct.unpack_from("<i", data, root)
    for field in range(5):
        (place,) = struct.unpack_from("<H", data, root - to_vtable + 4 + 2 * field)
        at = root + place
        for target in (at, root, 0, root - to_vtable, len(data) - 1):
            refused = outcome(with_word(data, at, target - at))
            assert isinstance(refused, str) or field in (0, 3)  # the description is not read
    for target in (0, 4, root + 4, len(data) - 2, 0xFFFF_FFFF):
        refusal(with_word(data, 0, target))


def test_a_table_that_is_its_own_child_ends() -> None:
    """Model, subgraph and tensor in one table whose lists all hold that table: the schema's depth ends it."""
    vtable = struct.pack("<10H", 20, 40, 4, 8, 12, 16, 20, 24, 28, 32)
    table = 8 + len(vtable)
    lists = table + 40
    fields = [3, *(lists - (table + 4 * place) for place in range(2, 10))]
    loop = struct.pack("<II", 1, (table - (lists + 4)) & 0xFFFF_FFFF)
    refusal(struct.pack("<I", table) + b"TFL3" + vtable + struct.pack("<i9I", len(vtable), *fields) + loop)


@pytest.mark.parametrize("kind", ["tensors", "operators", "buffers"])
def test_lists_are_bounded_in_number(kind: str) -> None:
    root = root_of()
    many: list[Table] = [{}] * 20_000
    if kind == "buffers":
        root[4] = many
    else:
        root[2][0][0 if kind == "tensors" else 3] = many
    assert f"20000 {kind} are listed, but at most" in refusal(flatbuffer(root))


def test_overlapping_lists_share_one_budget() -> None:
    """Hundreds of tensors with one long name cost the file little, and a reader that copies it for each of them much."""
    name = b"n" * 100_000
    net = residual_net()
    tensors = 1 + MAX_DECODED_BYTES // len(name)
    assert tensors < MAX_TENSORS
    for _ in range(tensors):
        net.tensor(1, f3=TAIL)
    root = net.model([0], [0])
    assert len(flatbuffer(root, name)) < 1 << 20
    assert "overlap or exceed" in refusal(flatbuffer(root, name))
    assert isinstance(outcome(flatbuffer(root, b"n")), FileCost)


def test_the_largest_network_that_is_read_is_priced_in_time() -> None:
    net = Builder()
    net.tensor(1, 4, 4, 3)
    for index in range(MAX_TENSORS - 1):
        net.unary(index)
    cost = outcome(net.build([0], range(MAX_TENSORS)))  # every tensor is an output: all of them live at the end
    assert isinstance(cost, FileCost)
    assert cost.head_bytes == cost.live16_bytes == MAX_TENSORS * 48


def test_inputs_and_outputs_are_bounded_in_number() -> None:
    net = Builder()
    net.op("CUSTOM", [net.tensor(1, 1)] * MAX_EDGES, [net.tensor(1, 1)])
    assert f"more than {MAX_EDGES} inputs and outputs" in refusal(net.build([0], [1]))


def mutated(source: random.Random, data: bytes) -> bytes:
    """Bits flipped, cut short, spliced, or one word replaced by an offset that may point anywhere."""
    out = bytearray(data)
    how = source.randrange(5)
    if how == 0:
        for _ in range(source.randint(1, 40)):
            out[source.randrange(len(out))] ^= 1 << source.randrange(8)
    elif how == 1:
        del out[source.randrange(len(out)) :]
    elif how == 2:
        start, length, to = source.randrange(len(out)), source.randint(1, 400), source.randrange(len(out))
        out[to : to + length] = out[start : start + length]
    else:
        words = (0, 1, 4, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, source.randrange(len(out)), source.getrandbits(32))
        for _ in range(source.randint(1, 6)):
            at = source.randrange(8, len(out) - 4)
            struct.pack_into("<I", out, at - at % 4 if how == 3 else at, source.choice(words))
    return bytes(out)


@pytest.mark.parametrize("seed", range(4))
def test_two_thousand_damaged_files_are_refused_or_read(seed: int) -> None:
    source, data = random.Random(seed), built("INT8" if seed % 2 else "FLOAT32")
    results = [outcome(mutated(source, data)) for _ in range(500)]
    assert sum(isinstance(result, str) for result in results) > 100


def test_every_truncation_is_refused() -> None:
    data = built()
    assert all(refusal(data[:length]) for length in range(0, len(data) - 40, 7))
