"""A wrong prediction or a changed network must be caught, and named."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import hwscale
from hwscale.configuration import configure
from hwscale.ledger import NetworkRecord, OpRecord
from hwscale.measure.trace import measure
from hwscale.nets import build_network
from hwscale.verification import compare

torch.set_num_threads(1)
SHAPE = (3, 64, 64)
RECORD = NetworkRecord(10, 100, 50, 12, (OpRecord("a", "conv2d", 60, 6, 50), OpRecord("b", "pointwise", 40, 4, 30)))


def test_equal_records_verify() -> None:
    assert compare(RECORD, RECORD, "torch").ok is True


@pytest.mark.parametrize("quantity", ["params", "macs", "ram_bytes", "flash_bytes"])
def test_a_total_off_by_one_fails_and_is_named(quantity: str) -> None:
    wrong = replace(RECORD, **{quantity: getattr(RECORD, quantity) + 1})
    with pytest.raises(hwscale.VerificationError, match=f"{quantity}: predicted"):
        compare(wrong, RECORD, "torch").require()


def test_ops_that_cancel_in_the_total_still_fail() -> None:
    a, b = RECORD.ops
    swapped = replace(RECORD, ops=(replace(a, macs=a.macs + 1), replace(b, macs=b.macs - 1)))
    verification = compare(swapped, RECORD, "torch")
    assert verification.ok is False
    assert {row.predicted_op for row in verification.mismatches} == {"a", "b"}


def test_a_missing_op_fails() -> None:
    assert compare(RECORD, replace(RECORD, ops=RECORD.ops[:1]), "torch").ok is False


def test_an_uncounted_op_fails_by_name() -> None:
    with pytest.raises(hwscale.VerificationError, match=r"cannot price rnn: LSTM"):
        compare(RECORD, replace(RECORD, uncounted=("rnn: LSTM",)), "torch").require()


@pytest.mark.parametrize("net", ["phinet", "xinet"])
def test_a_network_with_one_wider_alpha_is_caught(net: str) -> None:
    predicted = configure(net, {"alpha": 0.5}, input_shape=SHAPE).record("tensors", False)
    changed = build_network(net, {"alpha": 0.55}, SHAPE, 10)
    assert compare(predicted, measure(changed, SHAPE), "torch").ok is False


def test_a_wrong_formula_fails_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwscale.nets.phinet.make_divisible", lambda value, divisor: int(value) + 1)
    with pytest.raises(hwscale.VerificationError, match="predicted"):
        hwscale.fit("phinet", limits={"ram": "64KiB", "flash": "100KiB"}, fix={"resolution": 64, "num_layers": 7})
