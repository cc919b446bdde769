"""Networks straight from their constructor, made fit for int8 and for a comparison."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hwscale.measure.tflm_images import random_images

IMAGES = 32
GAIN = 0.3
"""Standard deviation that a settled batch normalisation gives its channels, whose means lie between -1 and 1."""


def is_fresh(network: nn.Module) -> bool:
    """Whether a batch normalisation of ``network`` has seen no image: all its means are 0 and all its variances 1."""
    return bool(_fresh(network))


def settled(network: nn.Module, input_shape: tuple[int, int, int], seed: int = 0) -> nn.Module:
    """A copy of ``network`` on the CPU in evaluation mode, its fresh batch normalisations used to images; what is not fresh stays.

    As they are constructed, activations shrink with every layer, until int32 cannot hold the last bias in steps of their
    size. Normalised to mean 0, a deep random network amplifies the rounding of int8 until nothing else is left; with random
    means it is calm, and still answers each image differently. The means are bounded, because the largest sets the steps of
    int8 for all, and a channel that an activation leaves almost constant is not blown up: it is normalised by the variance
    that the channels of its layer have on average. Widths and shapes stay, so RAM and MACs do.

    Parameters
    ----------
    input_shape : (C, H, W) in pixels.
    seed : of the images and of the means; torch's own generator is left alone.
    """
    network = copy.deepcopy(network).cpu().float().eval()
    fresh = _fresh(network)
    source = torch.Generator().manual_seed(seed)
    hooks = []
    for module in fresh:
        if module.affine:
            nn.init.constant_(module.weight, GAIN)
            nn.init.uniform_(module.bias, -1, 1, generator=source)
        hooks.append(module.register_forward_pre_hook(_settle))
    if fresh:
        images = torch.from_numpy(random_images(IMAGES, input_shape, (seed, 1)))
        with torch.no_grad():
            network(images.permute(0, 3, 1, 2).contiguous())
    for hook in hooks:
        hook.remove()
    return network


def _settle(module: nn.Module, inputs: tuple[torch.Tensor]) -> None:
    """Take over the statistics of ``inputs``, which this very pass is then normalised by."""
    assert isinstance(module, _BatchNorm)
    assert module.running_mean is not None
    assert module.running_var is not None
    axes = [axis for axis in range(inputs[0].dim()) if axis != 1]
    variance, mean = torch.var_mean(inputs[0], axes, correction=0)
    module.running_mean.copy_(mean)
    module.running_var.copy_(variance.clamp_min(float(variance.mean())))


def _fresh(network: nn.Module) -> list[_BatchNorm]:
    return [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm)
        and module.running_mean is not None
        and module.running_var is not None
        and bool((module.running_mean == 0).all())
        and bool((module.running_var == 1).all())
    ]
