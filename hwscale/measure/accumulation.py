"""Convolutions and matrix products that are summed in float64 and rounded once to the map's type.

fp32 kernels sum in an order that depends on the size of the map, so that a patch would differ from the same pixels of the whole map
by rounding alone. What is left to differ here is which pixels an op reads.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def convolved(module: nn.Conv2d, x: torch.Tensor, padding: int | str | tuple[int, ...]) -> torch.Tensor:
    """``module`` on ``x`` (1, C, H, W), whatever padding of zeros it has itself."""
    summed = functional.conv2d(
        x.double(), module.weight.double(), _double(module.bias), module.stride, padding, module.dilation, module.groups
    )
    return summed.to(x.dtype)


def exact_sums(module: nn.Module, x: torch.Tensor) -> torch.Tensor | None:
    """``module`` on ``x``; None if it is no product with weights."""
    if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros":
        return convolved(module, x, module.padding)
    if isinstance(module, nn.Linear):
        return functional.linear(x.double(), module.weight.double(), _double(module.bias)).to(x.dtype)
    return None


def _double(bias: torch.Tensor | None) -> torch.Tensor | None:
    return None if bias is None else bias.double()
