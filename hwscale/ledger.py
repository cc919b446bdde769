"""The records that prediction and measurement both fill in, and that verification compares; no arithmetic here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpRecord:
    """One op of a network as it is executed, batch 1, int8.

    ``kind`` is one of conv2d, pointwise, depthwise, grouped, fully_connected, max_pool, average_pool, pad, add, mul.
    ``macs`` multiply-accumulates (bias, BN and element-wise arithmetic not counted); ``weights`` elements after BN
    folding; ``live_bytes`` bytes of activations alive while it runs; ``biases`` int32 biases once deployed; ``flash_bytes`` what
    weights and biases take, where the side that fills the record has a rule for it; ``elements`` of the maps that it reads
    and writes, where that side counts them.
    """

    name: str
    kind: str
    macs: int
    weights: int
    live_bytes: int
    biases: int = 0
    flash_bytes: int = 0
    elements: int = 0

    @property
    def macc(self) -> int:
        """MACs in X-CUBE-AI's convention: one more per output channel, for the bias (AtomNet, Table 1)."""
        return self.macs + self.biases if self.macs else 0


@dataclass(frozen=True, slots=True, order=True)
class OpShape:
    """What decides the work of one op on its own: ``kind`` as in `OpRecord`, maps of (channels, height, width), batch 1.

    A window of ``kernel`` x ``kernel`` moves by ``stride``; the zeros around its input are as many as give the output. A
    fully_connected reads and writes maps of one pixel.
    """

    kind: str
    in_channels: int
    in_height: int
    in_width: int
    out_channels: int
    out_height: int
    out_width: int
    kernel: int = 1
    stride: int = 1


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """A whole network: totals and its ops in order of execution.

    ``params`` are trainable parameters (BN included); ``flash_bytes`` 1 B per weight after BN folding + 4 B per output
    channel; ``ram_bytes`` the largest ``live_bytes``; ``uncounted`` names the ops that have no price. A prediction holds what its
    runtime says of both: ``ram_parts`` says what the RAM is for [B], ``least_ram_bytes`` is the
    lower end where that is only bounded.
    """

    params: int
    macs: int
    ram_bytes: int
    flash_bytes: int
    ops: tuple[OpRecord, ...]
    uncounted: tuple[str, ...] = ()
    ram_parts: tuple[tuple[str, int], ...] = ()
    least_ram_bytes: int | None = None
