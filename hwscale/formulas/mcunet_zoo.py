"""Published networks of the MCUNet space, as values of `hwscale.formulas.mcunet`'s hyperparameters.

Architectures: mit-han-lab/tinyml@e899b1b, mcunet/assets/configs (ImageNet) and Eaglewzw/GD_Net@0f68315, mcunet_model (visual wake
words); names as in mit-han-lab/mcunet@9c164f8, mcunet/model_zoo.py. Kernels and expansions by stage, one digit a block.
"""

from __future__ import annotations

from typing import Any


def _network(
    resolution: int, classes: int, base_widths: tuple[int, ...], kernels: str, expansions: str, mix_channels: int = 0
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "resolution": resolution,
        "classes": classes,
        "base_widths": base_widths,
        "mix_channels": mix_channels,
    }
    for s, (kernel, expand) in enumerate(zip(kernels.split(), expansions.split(), strict=True), start=2):
        if s < 7:
            values[f"depth{s}"] = len(kernel)
        for b, (k, e) in enumerate(zip(kernel, expand, strict=True), start=1):
            values |= {f"kernel{s}_{b}": int(k), f"expand{s}_{b}": int(e)}
    return values


ZOO: dict[str, dict[str, Any]] = {
    "mbv2-w0.35": _network(
        144, 1000, (16, 8, 8, 16, 24, 32, 56, 112), "33 333 3333 333 333 3", "66 666 6666 666 666 6", 448
    ),
    "proxyless-w0.3": _network(
        176, 1000, (16, 8, 16, 16, 24, 32, 64, 96), "53 7355 7555 5555 7777 7", "33 3333 6333 6333 6633 6", 384
    ),
    "mcunet-in0": _network(48, 1000, (24, 16, 16, 24, 48, 56, 112, 192), "533 755 75 353 35 3", "434 545 54 545 64 6"),
    "mcunet-in1": _network(96, 1000, (16, 8, 16, 24, 40, 48, 96, 160), "33 73 37 533 755 3", "43 35 54 434 544 6"),
    "mcunet-in2": _network(
        160, 1000, (16, 8, 16, 24, 40, 48, 96, 160), "5735 375 75 353 5553 5", "3655 566 45 554 6434 5"
    ),
    "mcunet-in3": _network(
        176, 1000, (16, 8, 16, 24, 40, 48, 96, 160), "7375 555 375 573 373 7", "3554 555 564 555 654 5"
    ),
    "mcunet-in4": _network(
        160, 1000, (32, 16, 24, 40, 80, 96, 192, 320), "735 737 737 355 775 5", "354 544 333 433 433 4"
    ),
    "mcunet-vww0": _network(64, 2, (16, 8, 16, 24, 40, 48, 96, 160), "53 333 337 33 75 7", "64 544 543 34 55 4"),
    "mcunet-vww1": _network(80, 2, (16, 8, 16, 24, 40, 48, 96, 160), "333 735 77 33 533 7", "633 365 66 64 554 3"),
    "mcunet-vww2": _network(
        144, 2, (16, 8, 16, 24, 40, 48, 96, 160), "3353 7537 3753 5535 3553 3", "3563 5446 6645 5343 4544 5"
    ),
}
