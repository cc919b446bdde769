"""A CSV of measured latencies as samples to calibrate on.

One header, then a row per measurement: an op (``operator`` and its shape, see `hwscale.measured_shapes`) or a network (``network``: a
family with KEY=VALUE, or a .tflite file beside the CSV), and its latency in one column that names the unit. Every fault of every
row is reported at once; a file with one is not used.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from hwscale.calibration import Sample
from hwscale.errors import ConfigError, HwscaleError, nearest
from hwscale.measured_networks import read_network
from hwscale.measured_shapes import COLUMNS, described, read_shape
from hwscale.slips import FASTEST, SLOWEST, kind_of, macs_per_cycle, slips
from hwscale.units import format_seconds
from hwscale.work import shape_record

UNITS_S = {"latency_s": Decimal(1), "latency_ms": Decimal("1e-3"), "latency_us": Decimal("1e-6")}
KNOWN = ("name", "operator", *COLUMNS, "network", *UNITS_S)
LARGEST_BYTES = 16 << 20
MOST_ROWS = 20_000
MOST_FAULTS = 50
"""How many are spelt out."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a line of the file, 0 for the file itself, and what to do."""

    line: int
    text: str


def read_measurements(path: str | Path, runtime: str, clock_hz: int) -> tuple[Sample, ...]:
    """The samples of a file; networks are lowered by ``runtime``, units checked against a core's clock [Hz].

    ConfigError lists every fault in a line of its own: file, line, what, what is allowed, what to do.
    """
    file = Path(path)
    rows = list(_rows(file, _text(file)))
    if len(rows) > MOST_ROWS:
        raise ConfigError(f"{path}: it has {len(rows)} rows, but at most {MOST_ROWS} are read; split it by operator")
    faults: list[Fault] = []
    samples: list[Sample] = []
    for line, cells in rows:
        try:
            samples.append(_sample(file, line, cells, runtime))
        except HwscaleError as error:
            faults.append(Fault(line, str(error)))
    faults += [*_twice(samples), *_mixed(samples)]
    faults += _units(samples, clock_hz, _unit(rows[0][1]))
    if faults:
        raise ConfigError(_listed(file, faults, len(rows)))
    return tuple(samples)


def _text(file: Path) -> str:
    try:
        if file.is_dir():
            raise ConfigError(f"{file} is a folder; give the path of a CSV file of measurements")
        with file.open("rb") as stream:
            raw = stream.read(LARGEST_BYTES + 1)
        if len(raw) > LARGEST_BYTES:
            raise ConfigError(f"{file} is larger than {LARGEST_BYTES >> 20} MiB; split it by operator")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is no text in UTF-8; save it as CSV in UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file} cannot be read ({reason}); give the path of a CSV file of measurements") from None


def _rows(file: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells by column of each row that is not blank; ConfigError for a header that cannot be used."""
    reader = csv.reader(io.StringIO(text, newline=""))
    header: list[str] | None = None
    found = False
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if header is None:
                header = _header(file, reader.line_num, cells)
                continue
            found = True
            extra = {"": cells[len(header)]} if any(cells[len(header) :]) else {}
            yield reader.line_num, dict.fromkeys(header, "") | dict(zip(header, cells, strict=False)) | extra
    except csv.Error as error:
        raise ConfigError(
            f"{file}:{reader.line_num}: it is no CSV ({error}); save it as comma-separated text"
        ) from None
    if not found:
        what = "is empty" if header is None else "has a header but no row"
        raise ConfigError(f"{file} {what}; `hwscale calibrate --plan` writes a file to fill in")


def _header(file: Path, line: int, columns: list[str]) -> list[str]:
    where = f"{file}:{line}: "
    latency = [column for column in columns if column in UNITS_S]
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        raise ConfigError(f"{where}columns are not separated by commas; save the file as comma-separated text")
    for column in columns:
        if column not in KNOWN:
            raise ConfigError(f"{where}no column is called {column[:40]!r}; {nearest(column[:40], KNOWN)}")
        if columns.count(column) > 1:
            raise ConfigError(f"{where}column {column!r} is there twice; remove one")
    if len(latency) != 1:
        got = " and ".join(latency) or "none"
        raise ConfigError(
            f"{where}the latency is in one column of {', '.join(UNITS_S)}, but there is {got}; correct it"
        )
    if not {"operator", "network"} & set(columns):
        raise ConfigError(f"{where}neither an operator nor a network column is there, so nothing is named; add one")
    needed = ("in_channels", "in_height", "in_width", "out_channels", "kernel")
    if "operator" in columns and (missing := [column for column in needed if column not in columns]):
        raise ConfigError(f"{where}column {missing[0]} is missing; an operator row needs {', '.join(needed)}")
    return columns


def _sample(file: Path, line: int, cells: dict[str, str], runtime: str) -> Sample:
    if cells.get(""):
        raise ConfigError(f"it has a cell more than the header, {cells[''][:40]!r}; remove it, or write 0.5 for 0,5")
    network = cells.get("network", "")
    if network and any(cells.get(column) for column in ("operator", *COLUMNS)):
        raise ConfigError("it names a network and an operator; a row is of one of them: empty the other's cells")
    if not network and not cells.get("operator"):
        raise ConfigError("it names neither an operator nor a network; fill in one of them")
    latency_s, half_digit_s = _latency(cells)
    if network:
        alike, ops = read_network(network, file.parent, runtime)
    else:
        shape = read_shape(cells)
        alike, ops = described(shape), (shape_record(shape),)
    return Sample(cells.get("name") or alike, alike, ops, latency_s, file.name, line, half_digit_s)


def _unit(cells: dict[str, str]) -> str:
    return next(column for column in UNITS_S if column in cells)


def _latency(cells: dict[str, str]) -> tuple[float, float]:
    """Latency and half of its last printed digit [s]."""
    column = _unit(cells)
    text = cells[column]
    if not text:
        raise ConfigError(f"{column} is empty; fill it in or remove the row")
    try:
        printed = Decimal(text)
        seconds = float(printed * UNITS_S[column])
    except (InvalidOperation, OverflowError):
        raise ConfigError(f"{column} is {text[:40]!r}, but it must be a number such as 12.5; correct it") from None
    if not printed.is_finite() or not 0 < seconds < math.inf:
        raise ConfigError(f"{column} is {text[:40]}, but it must be a finite number above zero; measure the row again")
    exponent = printed.as_tuple().exponent
    assert isinstance(exponent, int)
    return seconds, 0.5 * float(UNITS_S[column]) * 10.0**exponent


def _twice(samples: list[Sample]) -> Iterator[Fault]:
    seen: dict[tuple[str, float], int] = {}
    for sample in samples:
        first = seen.setdefault((sample.network, sample.latency_s), sample.row)
        if first != sample.row:
            yield Fault(sample.row, f"it repeats line {first}, latency and all; remove one of them")


def _mixed(samples: list[Sample]) -> Iterator[Fault]:
    """Ops without MACs beside whole networks, whose fit knows nothing of them."""
    if all(len(sample.ops) == 1 for sample in samples):
        return
    for sample in samples:
        if not any(op.macs for op in sample.ops):
            kind = kind_of(sample)
            yield Fault(sample.row, f"{kind} alone says nothing beside whole networks; calibrate on ops or on networks")


def _units(samples: list[Sample], clock_hz: int, column: str) -> Iterator[Fault]:
    """Rows, and whole files, that are in another unit than their column says."""
    for at, ratio in sorted(slips(samples).items()):
        sample = samples[at]
        others = f"{format_seconds(sample.latency_s / ratio)} by the other rows of its kind ({kind_of(sample)})"
        factor = f"{ratio:,.0f} x" if ratio > 1 else f"1/{1 / ratio:,.0f} of"
        yield Fault(
            sample.row,
            f"{sample.name} takes {format_seconds(sample.latency_s)}, {factor} the {others}; write it in the unit of {column}",
        )
    speed = macs_per_cycle(samples, clock_hz)
    if speed is not None and not SLOWEST <= speed <= FASTEST:
        yield Fault(
            0,
            f"half of the rows say {speed:.3g} MAC per cycle or {'more' if speed > 1 else 'less'} at {clock_hz / 1e6:g} MHz, but a core does "
            f"{SLOWEST:g} to {FASTEST:g}; see that latencies are in the unit of {column}, and that the clock is right",
        )


def _listed(file: Path, faults: list[Fault], rows: int) -> str:
    lines = [
        f"{file}:{fault.line}: {fault.text}" if fault.line else f"{file}: {fault.text}"
        for fault in sorted(faults, key=lambda fault: fault.line)
    ]
    if len(lines) == 1:
        return lines[0]
    more = len(lines) - MOST_FAULTS
    lines = lines[:MOST_FAULTS] + ([f"and {more} more"] if more > 0 else [])
    head = f"{file} has {len(faults)} faults in {rows} rows, so nothing was fitted or written:"
    return "\n  ".join([head, *lines])
