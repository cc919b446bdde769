"""Random pictures for a network that has no data yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BLOTCHES = 4
"""Along each side."""


def random_images(
    count: int, input_shape: tuple[int, int, int], seed: int | tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Pictures (count, H, W, C) of mean 0 and variance 1: a colour, coarse blotches and noise; ``input_shape`` is (C, H, W).

    On noise alone a network with a global pool answers each picture alike, so that its outputs would say nothing about its
    weights.
    """
    import numpy as np

    channels, height, width = input_shape
    source = np.random.default_rng(seed)
    colour = source.standard_normal((count, 1, 1, channels))
    coarse = source.standard_normal((count, BLOTCHES, BLOTCHES, channels))
    blotches = coarse[:, np.arange(height) * BLOTCHES // height][:, :, np.arange(width) * BLOTCHES // width]
    noise = source.standard_normal((count, height, width, channels))
    pictures: npt.NDArray[np.float64] = (colour + blotches + noise / 2) / 1.5
    return pictures.astype(np.float32)
