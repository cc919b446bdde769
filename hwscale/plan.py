"""Which single ops to measure so that their latencies determine an operator model: the smallest set, kind by kind.

For every kind of op that a family's networks run, the shapes are D-optimal for the coefficients that
`hwscale.calibration` fits, under relative errors: a shape counts with its units over its nominal latency.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwscale import measured_shapes
from hwscale.calibration import Floats, operator_rungs
from hwscale.d_optimal import determined, efficiency, exact_design
from hwscale.domain import Domain, make_domain
from hwscale.errors import ConfigError
from hwscale.family_shapes import family_shapes, op_label
from hwscale.ledger import OpRecord, OpShape
from hwscale.nominal import Nominal
from hwscale.platform import Platform, load_platform
from hwscale.runtimes import DEFAULT as DEFAULT_RUNTIME
from hwscale.runtimes import find_runtime
from hwscale.timing import make_timing
from hwscale.units import format_bytes
from hwscale.work import Work, shape_record

LEAST_SPARE = 2
"""Shapes beside one per coefficient, below which `calibrate` fits fewer coefficients."""
PER_COEFFICIENT = 3
"""Shapes for each coefficient: `calibrate` leaves out one to say how far it is off and another to say how sure it is of
that, and a third must still tell the coefficient."""
LONGEST_S = 2.0
"""Nominal latency above which an op is not worth waiting for."""
LARGEST_ERROR = 100.0
"""A coefficient that 1 % of noise shifts by more than itself is not determined."""
COLUMNS = ("name", "operator", *measured_shapes.COLUMNS, "latency_ms")
SEED = 0


@dataclass(frozen=True)
class KindPlan:
    """The ``shapes`` of one kind to measure, out of ``candidates``, and what they determine.

    ``efficiency`` is the information per measurement over that of the continuous D-optimum; ``errors`` the relative
    standard error of each coefficient of ``works`` over that of a single timing, if the nominal coefficients were true;
    ``nominal_s`` the latency of each shape by these [s].
    """

    kind: str
    works: tuple[Work, ...]
    shapes: tuple[OpShape, ...]
    nominal_s: tuple[float, ...]
    candidates: int
    efficiency: float
    errors: tuple[float, ...]


@dataclass(frozen=True)
class Plan:
    """What to measure of a family; ``nominal`` says where nominal coefficients come from, ``left_out`` why kinds
    are."""

    net: str
    runtime: str
    platform: str | None
    nominal: str
    kinds: tuple[KindPlan, ...]
    left_out: Mapping[str, str]

    @property
    def shapes(self) -> tuple[OpShape, ...]:
        """What to measure."""
        return tuple(shape for part in self.kinds for shape in part.shapes)

    @property
    def efficiency(self) -> dict[str, float]:
        """D-efficiency by kind."""
        return {part.kind: part.efficiency for part in self.kinds}

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON; latencies in ms."""
        kinds = [
            {
                "operator": part.kind,
                "coefficients": [work.quantity for work in part.works],
                "candidates": part.candidates,
                "d_efficiency": part.efficiency,
                "coefficient_errors": list(part.errors),
                "shapes": [
                    {"name": op_label(shape), **asdict(shape), "nominal_latency_ms": 1e3 * seconds}
                    for shape, seconds in zip(part.shapes, part.nominal_s, strict=True)
                ],
            }
            for part in self.kinds
        ]
        head = {"net": self.net, "runtime": self.runtime, "platform": self.platform, "nominal": self.nominal}
        return head | {"operators": kinds, "left_out": dict(self.left_out)}

    @property
    def csv_text(self) -> str:
        """The file of measurements, its latencies to be filled in [ms]."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for s in self.shapes:
            sides = (s.in_channels, s.in_height, s.in_width, s.out_channels, s.out_height, s.out_width)
            writer.writerow((op_label(s), s.kind, *sides, s.kernel, s.stride, ""))
        return text.getvalue()

    def write_csv(self, path: str | Path) -> Path:
        """Write the file of measurements and return its path; ConfigError if it exists or cannot be written."""
        try:
            with Path(path).open("x", encoding="utf-8", newline="") as stream:
                stream.write(self.csv_text)
        except FileExistsError:
            raise ConfigError(f"{path} is there already and may hold measurements; choose another name") from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be written ({error}); choose another path") from None
        return Path(path)


def plan(
    net: str,
    platform: str | Path | Platform | None = None,
    *,
    domain: Domain | Mapping[str, Any] | None = None,
    runtime: str = DEFAULT_RUNTIME,
    points: int | None = None,
) -> Plan:
    """The ops of a family's networks that are worth measuring.

    Parameters
    ----------
    platform : its arena and Flash bound what can be measured; its operator model, if any, says what an op takes
        nominally.
    domain : of the family, its default one unless given; a mapping is read as that of `hwscale.domain.make_domain`.
    points : shapes per kind; by default `PER_COEFFICIENT` for each coefficient, at least `LEAST_SPARE` more than those.

    Raises
    ------
    ConfigError : unknown names, nothing can be built in the domain, nothing can be measured, or too few ``points``.
    PlatformError : a platform that cannot be used.
    """
    where = None if platform is None else load_platform(platform)
    rules = find_runtime(runtime)
    declared = domain if isinstance(domain, Domain) else make_domain(net, None, domain)
    nominal = Nominal(make_timing(where, rules).model)
    by_kind: dict[str, list[OpShape]] = {}
    kept: dict[str, list[OpShape]] = {}
    for shape in family_shapes(declared, runtime):
        by_kind.setdefault(shape.kind, []).append(shape)
        if _measurable(shape_record(shape), where, nominal):
            kept.setdefault(shape.kind, []).append(shape)
    kinds: list[KindPlan] = []
    left_out: dict[str, str] = {}
    for kind, shapes in by_kind.items():
        found = _kind_plan(kind, kept.get(kind, []), nominal, points)
        if isinstance(found, KindPlan):
            kinds.append(found)
        else:
            small = len(shapes) > len(kept.get(kind, []))
            left_out[kind] = found + (f" that fit {_limits(where)}" if small else "")
    if not kinds:
        raise ConfigError(
            f"no op of {declared.family} can be planned: {next(iter(left_out.values()))}; widen the domain"
        )
    return Plan(declared.family, runtime, where.name if where else None, str(nominal), tuple(kinds), left_out)


def _measurable(op: OpRecord, platform: Platform | None, nominal: Nominal) -> bool:
    """Does it fit, in int8 with int32 biases, and is it over soon enough?"""
    if platform is not None and op.elements > platform.arena_bytes:
        return False
    if platform is not None and platform.flash_bytes is not None and op.weights + 4 * op.biases > platform.flash_bytes:
        return False
    return nominal.latency_s(op) <= LONGEST_S


def _limits(platform: Platform | None) -> str:
    arena = f"an arena of {format_bytes(platform.arena_bytes)}, the Flash and " if platform else ""
    return f"{arena}{LONGEST_S:g} s"


def _kind_plan(kind: str, shapes: list[OpShape], nominal: Nominal, points: int | None) -> KindPlan | str:
    """The richest rung that the shapes determine; or why there is none."""
    ladder = [works for works in operator_rungs(kind) if len(works) + LEAST_SPARE <= len(shapes)]
    for works in reversed(ladder):
        rows = shares([shape_record(shape) for shape in shapes], works, nominal)
        if not determined(rows):
            continue
        count = PER_COEFFICIENT * len(works) if points is None else points
        least = len(works) + LEAST_SPARE
        if count < least:
            raise ConfigError(
                f"{count} shapes do not determine the {len(works)} coefficients of {kind}; take {least} or more"
            )
        chosen = exact_design(rows, min(count, len(shapes)), SEED)
        errors = np.sqrt(np.diag(np.linalg.inv(rows[chosen].T @ rows[chosen])))
        if errors.max() > LARGEST_ERROR:
            continue
        return KindPlan(
            kind,
            works,
            tuple(shapes[at] for at in chosen),
            tuple(nominal.latency_s(shape_record(shapes[at])) for at in chosen),
            len(shapes),
            efficiency(rows, chosen),
            tuple(errors.tolist()),
        )
    return f"its networks have {len(shapes)} different shapes of {kind}"


def shares(ops: list[OpRecord], works: tuple[Work, ...], nominal: Nominal) -> Floats:
    """The design matrix: of each op's nominal latency, the share of each work."""
    seconds = np.array([[nominal.seconds(work) * work.of([op]) for work in works] for op in ops], np.float64)
    found: Floats = seconds / seconds.sum(axis=1, keepdims=True)
    return found
