"""MobileNetV1: a strided convolution and thirteen depthwise separable ones, all scaled by one width multiplier.

Written from A. Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
arXiv 1704.04861, table 1; ReLU6, BN and widths as in tensorflow/models@02c04f4:research/slim/nets/mobilenet_v1.md and
keras.applications, restated.
"""

from __future__ import annotations

import torch
from torch import nn

from hwscale.nets.arguments import check_input_shape, check_positive, check_positive_integers
from hwscale.nets.blocks import classifier, conv_bn, inverted_residual, scaled_width
from hwscale.nets.padding import is_same, strided

STEM_WIDTH = 32
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)
"""Width before scaling and stride of each block."""


class MobileNetV1(nn.Module):
    """MobileNetV1, a classifier unless ``include_top`` is false: (B, C, H, W) -> (B, num_classes) or (B, c_out, h, w).

    Parameters
    ----------
    input_shape : (C, H, W) in pixels; H and W enter the network only by its "same" padding.
    alpha : width multiplier of every layer, above 0.
    divisor : widths are rounded to its multiples; 1 truncates them to whole channels.
    padding : "reference" pads strided convolutions by k // 2 on all sides, "same" as TensorFlow's SAME.
    include_top, num_classes : the classifier: global average pool and one fully connected layer.

    Raises
    ------
    ConfigError : an argument out of its domain, or a layer without channels.

    Source: arXiv 1704.04861, table 1.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        alpha: float = 1.0,
        divisor: int = 8,
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
        for base, stride in BLOCKS:
            c_in, c_out = c_out, scaled_width(base, alpha, divisor)
            self.blocks.append(
                inverted_residual(
                    c_in,
                    c_out,
                    hidden=None,
                    kernel=3,
                    stride=stride,
                    project_act=nn.ReLU6,
                    residual=False,
                    same=size if same else None,
                )
            )
            size = strided(size, stride)
        self.head = classifier(c_out, num_classes, include_top)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.blocks(self.stem(x)))
        return logits
