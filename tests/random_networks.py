"""Networks with random weights, and networks of random structure, for tests that execute them."""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.nn import functional

Map = tuple[int, int, int]
"""Channels, height and width."""


def randomise(network: nn.Module, shape: Map, seed: int) -> nn.Module:
    """Random weights, and statistics of BN that are off by a random part from those of the maps, which thus stay near 1."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(like: torch.Tensor, low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(like.shape, generator=generator)

    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                fan_in = module.weight[0].numel()
                module.weight.copy_(torch.randn(module.weight.shape, generator=generator) * fan_in**-0.5)
                if module.bias is not None:
                    module.bias.copy_(uniform(module.bias, -0.3, 0.3))
        for norm in norms:
            norm.weight.copy_(uniform(norm.weight, 0.7, 1.2))
            norm.bias.copy_(uniform(norm.bias, -0.3, 0.3))
            norm.momentum = None
        network.train()(torch.randn(4, *shape, generator=generator))
        for norm in norms:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean += uniform(norm.running_mean, -0.3, 0.3)
            norm.running_var *= uniform(norm.running_var, 0.8, 1.3)
    return network.eval()


def image(shape: Map, seed: int) -> torch.Tensor:
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))


class RandomNet(nn.Module):
    """Convolutions, pools, pads of all sorts and residual blocks in a random order: nothing that a whole map is needed for."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = random.Random(seed)
        self.layers = nn.ModuleList()
        self.adds: list[bool] = []
        self.pads: list[tuple[int, int, int, int]] = []
        channels = 3
        self.norms = nn.ModuleList()
        for depth in range(draw.randint(3, 6)):
            kind = draw.choice(["conv", "depthwise", "residual", "pool", "same", "functional"]) if depth else "residual"
            out, k, s = draw.randint(2, 6), draw.choice([1, 3, 5, 7]), draw.choice([1, 1, 2])
            pad = (0, 0, 0, 0)
            layer: nn.Module
            if kind == "conv":
                kernel = (k, draw.choice([2, 3, 5]))
                layer = nn.Conv2d(
                    channels, out, kernel, (s, draw.choice([1, 2])), (k // 2, 1), (1, draw.choice([1, 2]))
                )
            elif kind == "depthwise":
                out = channels
                layer = nn.Sequential(nn.Conv2d(out, out, k, s, k // 2, groups=out, bias=False), nn.BatchNorm2d(out))
            elif kind == "residual":
                out = channels
                narrow, wide = nn.Conv2d(out, 4, 1), nn.Conv2d(4, out, 3, padding=1)
                filters = nn.Conv2d(4, 4, k, padding=k // 2, groups=4)
                layer = nn.Sequential(narrow, nn.ReLU(inplace=True), filters, nn.Hardswish(), wide, nn.BatchNorm2d(out))
            elif kind == "pool":
                out, (size, stride, padding) = channels, draw.choice([(2, 2, 0), (3, 2, 1), (3, 1, 1)])
                layer = nn.MaxPool2d(size, stride, padding) if padding else nn.AvgPool2d(size, stride)
            elif kind == "same":
                layer = nn.Sequential(nn.ZeroPad2d((0, 1, 1, 2)), nn.Conv2d(channels, out, 3, 2), nn.Sigmoid())
            else:
                pad = (k // 2, k - 1 - k // 2 + 1, k // 2, k // 2)
                layer = nn.Sequential(nn.Conv2d(channels, out, k, s), nn.Sigmoid(), nn.BatchNorm2d(out))
            self.layers.append(layer)
            self.adds.append(kind == "residual")
            self.pads.append(pad)
            self.norms.append(nn.BatchNorm2d(out))
            channels = out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer, norm, adds, pad in zip(self.layers, self.norms, self.adds, self.pads, strict=True):
            y = norm(layer(functional.pad(x, pad) if any(pad) else x))
            x = y + x if adds else y
        return x
