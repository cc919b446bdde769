"""How the first ops of a network are executed: op by op, patch by patch, or as a stream of patches that keep what they share.

* `layer`: op by op, the whole map at once.
* `patch`: the first ``split_idx`` ops run once per patch of their last map; patches overlap, and what they share is
  computed in each. Rows and columns outside the map are computed too ("MCUNetV2: Memory-Efficient Patch-based Inference
  for Tiny Deep Learning", NeurIPS 2021; mit-han-lab/tinyengine@47bb283:code_generator/PatchBasedUtil.py; "MNv2").
* `patch+`: as `patch`, but the first and the last patch of a row or column leave out what is outside the map ("MNv2+").
* `stream1d`: columns that the patch to the left has computed are kept; rows are computed anew.
* `stream2d`: rows are kept too, so that nothing is computed twice.

The last three: "StreamNet: Memory-Efficient Streaming Tiny Deep Learning Inference on the Microcontroller", supplement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwscale.errors import ConfigError, nearest


@dataclass(frozen=True, slots=True)
class Discipline:
    """``rows`` and ``columns`` name what of an `hwscale.schedules.geometry.Extent` is computed of every map of the stage."""

    meaning: str
    rows: str
    columns: str


SCHEDULES: Mapping[str, Discipline] = {
    "layer": Discipline("op by op", "whole", "whole"),
    "patch": Discipline("patch by patch, overlaps and zeros computed anew", "repeated", "repeated"),
    "patch+": Discipline("patch by patch, without the zeros around the map", "passed", "passed"),
    "stream1d": Discipline("patch by patch, columns kept from patch to patch", "passed", "whole"),
    "stream2d": Discipline("patch by patch, rows and columns kept", "whole", "whole"),
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """``split_idx`` ops (convolutions and ADDs; paddings and activations belong to them) run on ``n_patch`` x ``n_patch``
    patches of the map that the last of them makes, the others op by op. One patch is execution op by op."""

    name: str
    n_patch: int = 1
    split_idx: int = 0

    @property
    def discipline(self) -> Discipline:
        """What the name stands for."""
        return SCHEDULES[self.name]

    @property
    def plain(self) -> bool:
        """Is all of the network executed op by op?"""
        return self.name == "layer" or self.n_patch == 1

    @property
    def streams(self) -> bool:
        """Does a patch keep what the next ones share with it?"""
        return self.discipline.columns == "whole" and not self.plain


LAYER = Schedule("layer")


def make_schedule(name: str, n_patch: int | None = None, split_idx: int | None = None) -> Schedule:
    """A schedule from what a user gave; ConfigError for an unknown name, or numbers that it lacks or does not have."""
    if name not in SCHEDULES:
        raise ConfigError(f"unknown schedule {name!r}; {nearest(str(name), SCHEDULES)}")
    given = {"n_patch": n_patch, "split_idx": split_idx}
    if name == "layer":
        if said := [key for key, value in given.items() if value is not None]:
            raise ConfigError(f"schedule layer has no {said[0]}; drop it, or choose a schedule of patches")
        return LAYER
    if missing := [key for key, value in given.items() if value is None]:
        raise ConfigError(f"schedule {name} needs {missing[0]}, such as n_patch=4 and split_idx=12")
    return Schedule(name, **{key: _whole(key, value) for key, value in given.items()})


def _whole(name: str, value: object) -> int:
    try:
        if isinstance(value, str | int) and not isinstance(value, bool) and (found := int(value)) >= 1:
            return found
    except ValueError:
        pass
    raise ConfigError(f"{name}={value}: write a whole number of at least 1")
