"""MobileNetV2: inverted residuals with linear bottlenecks, scaled by one width multiplier that spares the last layer.

Written from M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv 1801.04381, table 2;
widths as in tensorflow/models@0ba83cf:research/slim/nets/mobilenet and torchvision, restated: an expansion multiplies the
rounded width, and the last convolution keeps its 1280 channels unless the multiplier exceeds 1.
"""

from __future__ import annotations

import torch
from torch import nn

from hwscale.nets.arguments import check_input_shape, check_positive, check_positive_integers
from hwscale.nets.blocks import classifier, conv_bn, inverted_residual, scaled_width
from hwscale.nets.padding import is_same, strided

STEM_WIDTH = 32
LAST_WIDTH = 1280
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""The paper's t, c, n, s: expansion, width before scaling, number of blocks, stride of the first."""


class MobileNetV2(nn.Module):
    """MobileNetV2, a classifier unless ``include_top`` is false: (B, C, H, W) -> (B, num_classes) or (B, c_out, h, w).

    Parameters
    ----------
    input_shape : (C, H, W) in pixels; H and W enter the network only by its "same" padding.
    alpha : width multiplier, above 0.
    divisor : widths are rounded to its multiples; 1 truncates them to whole channels.
    scale_head : the last 1x1 convolution is scaled for every alpha, not only above 1.
    padding : "reference" pads strided convolutions by k // 2 on all sides, "same" as TensorFlow's SAME.
    include_top, num_classes : the classifier: global average pool and one fully connected layer.

    Raises
    ------
    ConfigError : an argument out of its domain, or a layer without channels.

    Source: arXiv 1801.04381, table 2.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        alpha: float = 1.0,
        divisor: int = 8,
        scale_head: bool = False,
        padding: str = "reference",
        num_classes: int = 10,
        include_top: bool = True,
    ) -> None:
        super().__init__()
        check_input_shape(input_shape)
        check_positive(alpha=alpha)
        check_positive_integers(divisor=divisor, num_classes=num_classes)
        same = is_same(padding)
        C, H, W = input_shape

        c_out = scaled_width(STEM_WIDTH, alpha, divisor)
        self.stem = conv_bn(C, c_out, 3, stride=2, act=nn.ReLU6, same=(H, W) if same else None)
        size = strided((H, W), 2)
        self.blocks = nn.Sequential()
        for t, base, n, s in STAGES:
            for i in range(n):
                c_in, c_out = c_out, scaled_width(base, alpha, divisor)
                hidden = None if t == 1 else t * c_in
                stride = s if i == 0 else 1
                self.blocks.append(
                    inverted_residual(c_in, c_out, hidden=hidden, kernel=3, stride=stride, same=size if same else None)
                )
                size = strided(size, stride)
        last = scaled_width(LAST_WIDTH, alpha, divisor) if scale_head or alpha > 1 else LAST_WIDTH
        self.last = conv_bn(c_out, last, 1, act=nn.ReLU6)
        self.head = classifier(last, num_classes, include_top)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.last(self.blocks(self.stem(x))))
        return logits
