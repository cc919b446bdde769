"""The microcontroller: its memory, clock, speed and power, read from one TOML file in which every number has a source.

This is the only reader of descriptors. What a descriptor may hold is listed in `hwscale.platform_keys`; how to write
one by hand is told in platforms/README.md.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from hwscale.errors import PlatformError, nearest
from hwscale.platform_check import Place, Severity, examine, judge
from hwscale.platform_keys import STATUSES, TOP, Document
from hwscale.platform_records import Flash, MemoryRegion, Power, Rate, RuntimeOverhead, Source, VelaTarget
from hwscale.platform_schema import template

_LARGEST_FILE = 1024**2
_LATENCY_SUFFIX = ".latency.toml"
_MULTILINE = re.compile(r'""".*?"""|\'\'\'.*?\'\'\'', re.DOTALL)
_HEADER = re.compile(r"\s*(\[\[?)\s*([\w-]+)\s*\]")
_KEY = re.compile(r'\s*([\w."-]+)\s*=')


_Sourced = TypeVar("_Sourced", MemoryRegion, Flash, Power, RuntimeOverhead, Rate, VelaTarget)


@dataclass(frozen=True, slots=True)
class RateSet:
    """The rates of one runtime on one platform."""

    platform: str
    runtime: str
    rates: tuple[Rate, ...]

    def mac_per_s(self, operator: str) -> int:
        """Speed of one operator [MAC/s, > 0].

        Raises PlatformError where the runtime has no number for the operator, or cannot run it.
        """
        known = {rate.operator: rate for rate in self.rates}
        if operator not in known:
            has = ", ".join(sorted(known))
            raise PlatformError(f"{self.platform}: {self.runtime!r} has no rate of {operator!r}, only of: {has}")
        speed = known[operator].mac_per_s
        if speed is None:
            raise PlatformError(f"{self.platform}: {self.runtime!r} cannot run {operator!r}; choose a net without it")
        return speed

    @property
    def status(self) -> str:
        """The weakest status among the rates: a latency is known no better than this."""
        return max((rate.source.status for rate in self.rates), key=STATUSES.index)


@dataclass(frozen=True, slots=True)
class Platform:
    """One microcontroller; ``vela`` is None where it has no Ethos-U, ``origin`` is the file it was read from."""

    name: str
    part: str
    vendor: str
    core: str
    clock_hz: int
    clock_source: Source
    ram: tuple[MemoryRegion, ...]
    flash: Flash | None
    power: tuple[Power, ...]
    runtimes: tuple[RuntimeOverhead, ...]
    throughput: tuple[Rate, ...]
    default_rates: str | None
    vela: VelaTarget | None
    origin: Path = field(compare=False)

    @property
    def arena_regions(self) -> tuple[str, ...]:
        """Names, in address order, of the banks that form the largest contiguous span a tensor arena may have.

        Banks are merged where one ends exactly where the next begins; a bank without address stands alone. Among
        equally large spans the one at the lowest address wins, and one with an address over one without.
        """
        return tuple(region.name for region in self._arena())

    @property
    def arena_bytes(self) -> int:
        """Size of the largest contiguous span of arena banks [bytes], before any runtime or application takes some."""
        return sum(region.size_bytes for region in self._arena())

    def _arena(self) -> list[MemoryRegion]:
        placed = [(r.base_address, r) for r in self.ram if r.arena and r.base_address is not None]
        spans: list[list[MemoryRegion]] = []
        end = -1
        for base, region in sorted(placed, key=lambda pair: pair[0]):
            if base == end:
                spans[-1].append(region)
            else:
                spans.append([region])
            end = base + region.size_bytes
        spans += [[region] for region in self.ram if region.arena and region.base_address is None]
        return max(spans, key=lambda span: sum(region.size_bytes for region in span))

    @property
    def flash_bytes(self) -> int | None:
        """Size of Flash [bytes], or None where nothing limits it."""
        return self.flash.size_bytes if self.flash else None

    def overhead(self, runtime: str) -> RuntimeOverhead | None:
        """What the descriptor says of a runtime, or else of all its versions ("xcubeai" for "xcubeai-7.3"); None where it says nothing."""
        exact = (entry for entry in self.runtimes if entry.name == runtime)
        versions = (entry for entry in self.runtimes if runtime.rpartition("-")[0] == entry.name)
        return next(exact, next(versions, None))

    def rates(self, runtime: str | None = None) -> RateSet:
        """The rates of a runtime, or the default set.

        ``runtime`` is the ``runtime`` of some [[throughput]] rows, or the ``name`` of a [[runtime]] whose ``rates``
        points to them. Raises PlatformError, naming the sets there are, when there is none.
        """
        sets = dict.fromkeys(rate.runtime for rate in self.throughput)
        listed = f"it has: {', '.join(sets)}" if sets else f"add [[throughput]] rows to {self.origin}"
        if runtime is None and self.default_rates is None:
            raise PlatformError(
                f"{self.name}: no default_rates, so latency is unknown (no set has a rate of each operator); {listed}"
            )
        chosen = runtime if runtime is not None else self.default_rates
        if chosen not in sets:
            entry = self.overhead(str(chosen))
            chosen = entry.rates if entry else None
        if chosen is None:
            raise PlatformError(f"{self.name}: no rates of {runtime!r}, so its latency is unknown; {listed}")
        return RateSet(self.name, chosen, tuple(rate for rate in self.throughput if rate.runtime == chosen))

    def power_w(self) -> float:
        """Power while a network runs [W, > 0]; energy is this times latency.

        Raises PlatformError where the descriptor has no [[power]].
        """
        if not self.power:
            raise PlatformError(
                f"{self.name}: no [[power]], so energy is unknown; measure it and add it to a copy of the descriptor"
            )
        return next((entry for entry in self.power if entry.default), self.power[0]).power_mw / 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a descriptor: an error stops the reader, a warning asks for a second look."""

    severity: Severity
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def platforms() -> tuple[str, ...]:
    """Names of the built-in platforms, sorted; no file is opened."""
    files = descriptors().glob("*.toml")
    return tuple(sorted(file.stem for file in files if not file.name.endswith(_LATENCY_SUFFIX)))


def load_platform(name_or_path: str | Path | Platform) -> Platform:
    """The platform of a built-in name (``"stm32h743"``, in any case) or of a file (``"./board.toml"``).

    Text that ends in .toml or holds a path separator is a file. A Platform is returned as it is. Raises PlatformError
    for an unknown name, and for a file that is missing, malformed or incomplete, naming the first error in it.
    """
    if isinstance(name_or_path, Platform):
        return name_or_path
    file = _locate(name_or_path)
    try:
        found = file.stat()
    except (OSError, ValueError):
        return _loaded(file, 0, 0)  # the reader says what is wrong with it
    return _loaded(file, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=64)
def _loaded(file: Path, modified_ns: int, size: int) -> Platform:
    """The platform in ``file``, read again only when the file has changed."""
    clean, findings = _inspect(file)
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise PlatformError(str(errors[0]))
    return _build(clean, file)


def check_platform(name_or_path: str | Path) -> list[Finding]:
    """Everything wrong with a descriptor, in file order: errors stop the reader, warnings deserve a second look.

    Raises PlatformError only for the name of a built-in platform that does not exist.
    """
    file = _locate(name_or_path)
    clean, findings = _inspect(file)
    if (clean.get("name") or file.stem) != file.stem:
        findings.append(Finding("warning", str(file), f"name is {clean['name']!r}, not the file's; rename one of them"))
    return findings


def new_platform(name: str, path: str | Path) -> Path:
    """Write a commented descriptor to be filled in, and return its path; the reader refuses it until it is.

    Raises PlatformError for a name that is not lower case, a path that does not end in .toml or cannot be written,
    and rather than overwrite a file.
    """
    file = Path(path)
    if problem := judge(name, TOP["name"].kind, "the name of a platform")[0]:
        raise PlatformError(problem)
    if file.name.endswith(_LATENCY_SUFFIX):
        raise PlatformError(f"{file}: {_LATENCY_SUFFIX} is how a latency file ends; write to {_described(file)}")
    if file.suffix != ".toml":
        raise PlatformError(f"{file}: a descriptor is a .toml file; write to {file.name or name}.toml for example")
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(template(name, (file.parent / "platform.schema.json").is_file()))
    except (OSError, ValueError) as error:  # a file that exists is one of them: mode x never overwrites
        raise PlatformError(f"{file}: cannot be written ({_reason(error)}); choose another path") from None
    return file


def descriptors() -> Path:
    """The folder of the built-in platforms."""
    installed = Path(__file__).with_name("platforms")
    return installed if installed.is_dir() else Path(__file__).parents[1] / "platforms"


def _locate(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or os.sep in text:
        return Path(name_or_path)
    file = descriptors() / f"{text.lower()}.toml"
    if not file.is_file():
        remedy = nearest(text, platforms())
        raise PlatformError(f"no platform is called {text!r}; {remedy}, or a path such as ./board.toml")
    return file


def _described(file: Path) -> str:
    """Name of the descriptor beside a latency file."""
    return file.name.removesuffix(_LATENCY_SUFFIX) + ".toml"


def _inspect(file: Path) -> tuple[Document, list[Finding]]:
    """The usable part of a descriptor and everything wrong with it, in file order; nothing is raised."""
    if file.name.endswith(_LATENCY_SUFFIX):
        message = f"is a latency file, which belongs to the platform in {_described(file)}; give that one"
        return {}, [Finding("error", str(file), message)]
    try:
        text = _read(file)
    except (OSError, ValueError) as error:
        message = f"cannot be read ({_reason(error)}); give the path of a descriptor, or a built-in name without .toml"
        return {}, [Finding("error", str(file), message)]
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        at = re.search(r"line (\d+)", str(error))
        where = f"{file}:{at[1] if at else text.count(chr(10)) + 1}"
        return {}, [Finding("error", where, f"is not valid TOML ({_reason(error)}); correct it there")]
    lines = _line_numbers(text)
    clean, faults = examine(document)
    findings: list[tuple[int, Finding]] = []
    for severity, place, message in faults:
        line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), 0)
        findings.append((line, Finding(severity, f"{file}:{line}" if line else str(file), message)))
    return clean, [finding for _, finding in sorted(findings, key=lambda pair: pair[0] or len(text))]


def _read(file: Path) -> str:
    if file.exists() and not file.is_file():
        raise OSError("it is a directory or a device")
    with file.open("rb") as stream:
        raw = stream.read(_LARGEST_FILE + 1)
    if len(raw) > _LARGEST_FILE:
        raise OSError("it is larger than 1 MiB")
    return raw.decode("utf-8-sig")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _line_numbers(text: str) -> dict[Place, int]:
    """Line of each table header and key, as far as a scan finds them: a table written inline has the line of its key."""
    lines: dict[Place, int] = {}
    rows: dict[str, int] = {}
    table: Place = ()
    for number, line in enumerate(_MULTILINE.sub(lambda m: "\n" * m[0].count("\n"), text).split("\n"), start=1):
        if opened := _HEADER.match(line):
            name = opened[2]
            table = (name,)
            if opened[1] == "[[":
                rows[name] = rows.get(name, -1) + 1
                lines.setdefault(table, number)
                table = (name, rows[name])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *key[1].replace('"', "").split(".")), number)
    return lines


def _build(clean: Document, file: Path) -> Platform:
    (clock,) = clean["clock"]
    top: Document = {key: clean.get(key) for key in TOP if key != "schema"}
    return Platform(
        **top,
        clock_hz=clock["hz"],
        clock_source=_source(clock),
        ram=tuple(_filled(MemoryRegion, row) for row in clean["ram"]),
        flash=next((_filled(Flash, row) for row in clean["flash"]), None),
        power=tuple(_filled(Power, {"default": False, **row}) for row in clean["power"]),
        runtimes=tuple(_filled(RuntimeOverhead, row) for row in clean["runtime"]),
        throughput=tuple(_filled(Rate, row) for row in clean["throughput"]),
        vela=next((_filled(VelaTarget, row) for row in clean["vela"]), None),
        origin=file,
    )


def _filled(kind: type[_Sourced], row: Document) -> _Sourced:
    values: Document = {entry.name: row.get(entry.name) for entry in fields(kind)}
    return kind(**{**values, "source": _source(row)})


def _source(row: Document) -> Source:
    return Source(row["source"], row["status"], row.get("note", ""))
