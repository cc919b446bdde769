"""A fit as bytes, to be handed from one process to another: of a search space only what it was laid out from is kept."""

from __future__ import annotations

import io
import pickle
from typing import Any

from hwscale.joint_space import JointSpace, make_joint_space
from hwscale.result import Fit
from hwscale.search_space import SearchSpace
from hwscale.space import make_space


class _Packer(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, SearchSpace):
            return None
        execution = obj.execution if isinstance(obj, JointSpace) else None
        groups = obj.chains if isinstance(obj, JointSpace) else obj.groups
        return obj.domain, obj.runtime, obj.external_input, groups[0].model.works, execution


class _Unpacker(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Any:
        *asked, execution = pid
        return make_space(*asked) if execution is None else make_joint_space(*asked, execution)


def pack(fit: Fit) -> bytes:
    """``fit`` without the arrays of its space."""
    stream = io.BytesIO()
    _Packer(stream).dump(fit)
    return stream.getvalue()


def unpack(packed: bytes) -> Fit:
    """The fit again, its space laid out anew or taken from those that this process has; of `pack` only, for it may run code."""
    found = _Unpacker(io.BytesIO(packed)).load()
    assert isinstance(found, Fit)
    return found
