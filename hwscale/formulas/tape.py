"""The numpy reading: the family's own arithmetic, recorded once and replayed on a million rows.

Running a formula on `Node`s instead of numbers writes down its operations, in their order, once each (equal operations on
equal operands are shared; nothing is reassociated, so floats round as in the reference network). `Tape.compile` turns the
list into straight-line numpy calls on a small set of reused buffers. Integers are int64, reals float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_DTYPES: dict[str, Any] = {"i": np.int64, "f": np.float64, "b": np.bool_}


class Node:
    """One recorded value; ``kind`` i (integer), f (real) or b (truth)."""

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("array", "index", "kind", "tape")

    def __init__(self, tape: Tape, index: int, kind: str, array: bool) -> None:
        self.tape = tape
        self.index = index
        self.kind = kind
        self.array = array

    def __add__(self, other: Any) -> Node:
        return self.tape.record("add", self, other)

    def __radd__(self, other: Any) -> Node:
        return self.tape.record("add", other, self)

    def __sub__(self, other: Any) -> Node:
        return self.tape.record("subtract", self, other)

    def __rsub__(self, other: Any) -> Node:
        return self.tape.record("subtract", other, self)

    def __mul__(self, other: Any) -> Node:
        return self.tape.record("multiply", self, other)

    def __rmul__(self, other: Any) -> Node:
        return self.tape.record("multiply", other, self)

    def __truediv__(self, other: Any) -> Node:
        return self.tape.record("divide", self, other)

    def __floordiv__(self, other: Any) -> Node:
        return self.tape.record("floor_divide", self, other)

    def __mod__(self, other: Any) -> Node:
        return self.tape.record("remainder", self, other)

    def __and__(self, other: Any) -> Node:
        return self.tape.record("bitwise_and", self, other)

    def __bool__(self) -> bool:
        raise TypeError("a recorded value has no truth yet: decide on it through the structure of the graph")

    def __lt__(self, other: Any) -> Node:
        return self.tape.record("less", self, other)

    def __eq__(self, other: object) -> Any:
        return self.tape.record("equal", self, other)

    def __ne__(self, other: object) -> Any:
        return self.tape.record("not_equal", self, other)


_SCALAR = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "floor_divide": "{} // {}",
    "remainder": "{} % {}",
    "maximum": "max({}, {})",
    "bitwise_and": "{} & {}",
}


class Tape:
    """Records the operations of one formula; also the rounding policy of that recording."""

    def __init__(self) -> None:
        self._ops: list[tuple[str, tuple[Any, ...]]] = []
        self._nodes: list[Node] = []
        self._known: dict[tuple[Any, ...], Node] = {}

    def input(self, name: str, kind: str, *, array: bool = True) -> Node:
        """A named input: kind f or i, one value per row, or one for all rows."""
        return self._push("input", (name,), kind, array)

    def record(self, op: str, *args: Any) -> Node:
        """The result of ``op``, recorded unless it stands there already."""
        kinds = [arg.kind if isinstance(arg, Node) else "f" if isinstance(arg, float) else "i" for arg in args]
        array = any(isinstance(arg, Node) and arg.array for arg in args)
        if op in ("equal", "not_equal", "less"):
            kind = "b"
        elif op == "truncate":
            kind = "i"
        else:
            kind = "f" if op in ("divide", "real") or "f" in kinds else "i"
        if kind == "f" and array and op != "real":  # one conversion per integer, not one per use
            args = tuple(
                self.record("real", a) if isinstance(a, Node) and a.kind == "i" and a.array else a for a in args
            )
        return self._push(op, args, kind, array)

    def _push(self, op: str, args: tuple[Any, ...], kind: str, array: bool) -> Node:
        names = tuple(arg.index if isinstance(arg, Node) else ("constant", type(arg).__name__, arg) for arg in args)
        key = (op, *names)
        if key not in self._known:
            node = Node(self, len(self._ops), kind, array)
            self._ops.append((op, args))
            self._nodes.append(node)
            self._known[key] = node
        return self._known[key]

    def truncate(self, value: Node) -> Node:
        return self.record("truncate", value)

    def divisible(self, value: Node, divisor: int) -> Node:
        if divisor == 1:
            return self.at_least_one(value)
        nearest = self.record("maximum", (value + divisor // 2) // divisor * divisor, divisor)
        return nearest + (10 * nearest < 9 * value) * divisor

    def multiple(self, value: Node, divisor: int) -> Node:
        if divisor == 1:
            return self.truncate(value)
        nearest = self.at_least(self.truncate(value + divisor / 2) // divisor * divisor, divisor)
        return nearest + (nearest < 0.9 * value) * divisor

    def quotient(self, value: Node, divisor: int) -> Node:
        return value // divisor

    def at_least_one(self, value: Node) -> Node:
        return self.at_least(value, 1)

    def at_least(self, value: Node, least: int) -> Node:
        return self.record("maximum", value, least)

    def named(self, name: str, value: Node) -> Node:
        return value

    def compile(self, outputs: Sequence[Any]) -> Kernel:
        """Straight-line code for ``outputs`` (nodes, or constants for all rows)."""
        return _Writer(self._ops, self._nodes, outputs).kernel()


class Kernel:
    """Compiled tape: ``run`` fills one row of ``out`` per output."""

    def __init__(self, function: Callable[..., None], buffers: Mapping[str, int]) -> None:
        self._function = function
        self._buffers = buffers

    def workspace(self, rows: int) -> dict[str, Array]:
        """Buffers for up to ``rows`` rows, reusable from call to call."""
        return {kind: np.empty((count, rows), _DTYPES[kind]) for kind, count in self._buffers.items()}

    def run(self, inputs: Mapping[str, Any], workspace: Mapping[str, Array], out: Sequence[Array]) -> None:
        """Evaluate ``len(out[0])`` rows."""
        rows = len(out[0])
        self._function(inputs, *([row[:rows] for row in workspace[kind]] for kind in "ifb"), out)


class _Writer:
    """Allots buffers by live range and writes the source."""

    def __init__(self, ops: list[tuple[str, tuple[Any, ...]]], nodes: list[Node], outputs: Sequence[Any]) -> None:
        self.ops = ops
        self.nodes = nodes
        self.outputs = outputs
        self.free: dict[str, list[int]] = {"i": [], "f": [], "b": []}
        self.used = {"i": 0, "f": 0, "b": 0}
        self.place: dict[int, str] = {}

    def kernel(self) -> Kernel:
        order = self._order()
        last_use = {arg.index: index for index in order for arg in self.ops[index][1] if isinstance(arg, Node)}
        kept = {out.index for out in self.outputs if isinstance(out, Node)}
        lines = []
        for index in order:
            lines.append(self._line(index))
            for arg in self.ops[index][1]:
                if isinstance(arg, Node) and last_use[arg.index] == index and arg.index not in kept:
                    self._release(arg)
        for at, out in enumerate(self.outputs):
            lines.append(f"out[{at}][:] = {self._name(out)}")
        unpack = [
            f"({', '.join(f'{kind}{n}' for n in range(count))},) = {kind}" for kind, count in self.used.items() if count
        ]
        body = "\n    ".join([*unpack, *lines])
        source = f"def kernel(inputs, i, f, b, out):\n    {body}\n"
        names: dict[str, Any] = {op: getattr(np, op) for op in _SCALAR}
        names |= {"copyto": np.copyto, "equal": np.equal, "not_equal": np.not_equal, "less": np.less}
        exec(compile(source, "<hwscale formula>", "exec"), names)  # noqa: S102 - the source is this file's own
        return Kernel(names["kernel"], dict(self.used))

    def _order(self) -> list[int]:
        """The operations that outputs need, each as soon as its operands stand: sums swallow their terms at once,
        so that few buffers are alive and all of them stay in cache."""
        wanted = {out.index for out in self.outputs if isinstance(out, Node)}
        operands: dict[int, set[int]] = {}
        for index in range(len(self.ops) - 1, -1, -1):
            if index in wanted:
                operands[index] = {arg.index for arg in self.ops[index][1] if isinstance(arg, Node)}
                wanted |= operands[index]
        users: dict[int, list[int]] = {index: [] for index in wanted}
        for index, needs in operands.items():
            for need in needs:
                users[need].append(index)
        order: list[int] = []
        done: set[int] = set()
        for first in sorted(wanted):
            ready = [first]
            while ready:
                index = ready.pop()
                if index in done or not operands[index] <= done:
                    continue
                done.add(index)
                order.append(index)
                ready += sorted(users[index], reverse=True)
        return order

    def _line(self, index: int) -> str:
        (op, args), node = self.ops[index], self.nodes[index]
        if op == "input":
            self.place[index] = f"x{index}"
            return f"x{index} = inputs[{args[0]!r}]"
        operands = [self._name(arg) for arg in args]
        if not node.array:
            self.place[index] = f"x{index}"
            return f"x{index} = {_SCALAR[op].format(*operands)}"
        target = self._allot(node)
        if op in ("truncate", "real"):
            return f"copyto({target}, {operands[0]}, casting='unsafe')"
        return f"{op}({', '.join(operands)}, out={target})"

    def _name(self, value: Any) -> str:
        return self.place[value.index] if isinstance(value, Node) else repr(value)

    def _allot(self, node: Node) -> str:
        if self.free[node.kind]:
            slot = self.free[node.kind].pop()
        else:
            slot = self.used[node.kind]
            self.used[node.kind] += 1
        self.place[node.index] = f"{node.kind}{slot}"
        return self.place[node.index]

    def _release(self, node: Node) -> None:
        place = self.place[node.index]
        if place.startswith(node.kind) and int(place[1:]) not in self.free[node.kind]:
            self.free[node.kind].append(int(place[1:]))
