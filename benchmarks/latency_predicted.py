"""What hwscale says of every published latency, and on what ground.

A row that a model was fitted on is predicted by a fit without its network. A row of a library that is not shipped is
predicted in the same way if its group can be calibrated at all, else by the model that hwscale would use in its place.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import mean

from benchmarks.latency_fit import Fitted, alike, fits, used
from benchmarks.latency_published import ESP_NN, samples
from benchmarks.latency_record import Row
from hwscale.calibration import NETWORK_RUNGS, LeftOut, calibrate
from hwscale.errors import ConfigError
from hwscale.latency_file import latency_models
from hwscale.ledger import OpRecord
from hwscale.platform import load_platform
from hwscale.runtimes import find_runtime
from hwscale.timing import Timing, make_timing

SHIPPED, TOO_WIDE, NOT_FITTED, NO_PRICE = "left out", "left out, not shipped", "not fitted", "no price"
OWN_RATE = "own rate"
"""The rate that predicts the row was computed from the row itself: no prediction."""
STANDS_FOR = {"": "stm32f767"}
"""STM32F769I-DISCO is no platform of hwscale; STM32F767 has the same core and clock."""
COLUMNS = (
    "data_set", "platform", "library", "runtime", "clock_hz", "row", "network", "published_ms", "predicted_ms", "low_ms",
    "high_ms", "error_pct", "inside", "ground", "model", "source",
)  # fmt: skip


@dataclass(frozen=True)
class Predicted:
    """One published latency with its prediction.

    ``found`` is None where its ops have no price of their own; ``ground`` one of the five above; ``model`` names what
    predicted, "" for a fit of the row's own group.
    """

    row: Row
    found: LeftOut | None
    ground: str
    model: str = ""

    @property
    def part(self) -> str:
        """The platform as the documents name it."""
        return self.row.platform or "STM32F769I-DISCO"


@dataclass(frozen=True)
class Statistics:
    """Of some predictions: ``mape`` the mean of |predicted / published - 1|, ``worst`` the largest with its sign."""

    n: int
    networks: int
    mape: float
    worst: float
    spearman: float | None
    inside: int

    @property
    def coverage(self) -> float:
        """Share of the published latencies inside their intervals."""
        return self.inside / self.n


@lru_cache(maxsize=1)
def predictions() -> tuple[Predicted, ...]:
    """Every sample, in the order of the data."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in samples():
        groups.setdefault((row.platform, row.library), []).append(row)
    shipped = {(fit.platform, fit.library): fit for fit in fits()}
    known = {
        id(one.row): one for key, rows in groups.items() for one in _own(key, [r for r in rows if used(r)], shipped)
    }
    return tuple(known.get(id(row)) or borrowed(row) for row in samples())


def _own(key: tuple[str, str], rows: Sequence[Row], shipped: dict[tuple[str, str], Fitted]) -> list[Predicted]:
    """Rows of one platform and library as fits without their networks predict them; none if nothing can be fitted."""
    if key in shipped:
        fit = shipped[key]
        pairs = zip(fit.rows, fit.calibration.left_out, strict=True)
        return [Predicted(row, one, SHIPPED) for row, one in pairs]
    try:
        found = calibrate([row.sample for row in rows], NETWORK_RUNGS, alike(*key))
    except ConfigError:
        return []
    return [Predicted(row, one, TOO_WIDE) for row, one in zip(rows, found.left_out, strict=True)]


def borrowed(row: Row) -> Predicted:
    """As `make_timing` predicts it at the clock of the measurement, by the library's own model if there is one."""
    platform = load_platform(STANDS_FOR.get(row.platform, row.platform))
    platform = replace(platform, clock_hz=row.clock_hz)
    own = row.platform and row.library in {model.name for model in latency_models(platform)}
    timing = make_timing(platform, find_runtime(row.runtime), row.library if own else None)
    found = by_timing(row, timing)
    same = row.group == ESP_NN and timing.model is not None and timing.model.name == row.library
    return replace(found, ground=OWN_RATE) if same else found


def by_timing(row: Row, timing: Timing, *, unseen: bool = True) -> Predicted:
    """What a model of something else says of a row; ``unseen``: widened where the network is of another make."""
    ops: tuple[OpRecord, ...] = row.sample.ops
    timing = timing.covering({op.kind for op in ops if op.macs})
    timing = timing.for_network(ops) if unseen and any(op.macs for op in ops) else timing
    seconds, model = timing.latency_s(ops), timing.model
    if not seconds or model is None:
        return Predicted(row, None, NO_PRICE)
    low, high = model.interval
    name = f"{model.name} on {model.measured_on}" + (f", {model.borrowed}" if model.borrowed else "")
    return Predicted(row, LeftOut(row.sample, seconds, (low * seconds, high * seconds)), NOT_FITTED, name)


def statistics(found: Sequence[LeftOut]) -> Statistics:
    """``spearman`` is None below three rows, where it says nothing."""
    from scipy.stats import spearmanr

    errors = [one.error for one in found]
    published = [one.sample.latency_s for one in found]
    rank = float(spearmanr([one.predicted_s for one in found], published)[0]) if len(found) > 2 else None
    networks = len({one.sample.network for one in found})
    inside = sum(one.covered for one in found)
    return Statistics(len(found), networks, mean(map(abs, errors)), max(errors, key=abs), rank, inside)


def as_csv() -> str:
    """Every row, one a line; latencies in ms."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in predictions():
        row, found = one.row, one.found
        numbers = [""] * 5
        if found is not None:
            times = (found.predicted_s, *found.interval_s)
            numbers = [
                *(f"{1e3 * t:.4g}" for t in times),
                f"{100 * found.error:+.1f}",
                "yes" if found.covered else "no",
            ]
        head = [row.group, one.part, row.library, row.runtime, row.clock_hz, row.sample.name, row.sample.network]
        published = f"{1e3 * row.sample.latency_s:.6g}"
        writer.writerow([*head, published, *numbers, one.ground, one.model, row.sample.source])
    return out.getvalue()
