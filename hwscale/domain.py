"""What may vary: the user's fixes and domains over a family's defaults, checked and made hashable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hwscale.errors import ConfigError, nearest
from hwscale.formulas import find_family
from hwscale.formulas.family import Hyperparameter, Option
from hwscale.stage_names import spread, stems

MAX_STEPS = 1_000_000
LARGEST_SIDE = 8192
"""Largest input side [px]."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Every real number in [low, high]; searched exactly through the breakpoints of the widths."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"[{self.low:g}, {self.high:g}]"


@dataclass(frozen=True, slots=True)
class Domain:
    """Values per hyperparameter and option of one family, and the network's ends.

    ``resolution`` is replaced by ``input_size`` (height, width) where the input shape is fixed. ``preset`` names the published
    network that the values started from.
    """

    family: str
    axes: tuple[tuple[str, Interval | tuple[Any, ...]], ...]
    in_channels: int
    classes: int
    input_size: tuple[int, int] | None
    preset: str | None = None

    def __getitem__(self, name: str) -> Interval | tuple[Any, ...]:
        return dict(self.axes)[name]


def make_domain(
    family: str,
    fix: Mapping[str, Any] | None = None,
    domain: Mapping[str, Any] | None = None,
    *,
    classes: int | None = None,
    in_channels: int = 3,
    input_shape: Sequence[int] | None = None,
    defaults: bool = False,
) -> Domain:
    """The family's default domain, narrowed or widened; with ``defaults`` the one point of its defaults.

    ``fix`` pins values; ``domain`` gives (low, high) for a real interval of alpha, (low, high, step), a list of values, or
    the text forms of all three, "0.5:2", "0.5:2:0.05", "5,6,7". Options left out take their defaults. ``fix={"preset": ...}``
    starts from a published network, whose classes count too where none are given (else 10). In a stage-wise family a name
    without its number stands for every stage or block: "width=32", or one value each, "depth=1,2,2,4,2".
    Raises ConfigError on unknown names, wrong types, empty or contradictory settings.
    """
    member = find_family(family)
    family = member.name
    names = {h.name: h for h in member.hyperparameters}
    options = {o.name: o for o in member.options}
    known = {h.name: h.default for h in member.hyperparameters} if defaults else {}
    fix, domain, preset = _started(member, dict(fix or {}), dict(domain or {}), known, input_shape is not None)
    if classes is None:
        classes = fix.pop("classes", 10) if preset else 10
    if preset:
        fix.pop("classes", None)
    for name in [*fix, *domain]:
        if name not in names and name not in options:
            others = [*options, *(("preset",) if _presets(member) else ())]
            raise ConfigError(f"{family} has no hyperparameter {name!r}; {_offered(name, names, others)}")
    both = sorted(set(fix) & set(domain))
    if both:
        raise ConfigError(f"{both[0]!r} is both fixed and given a domain; drop one of the two")
    if defaults:
        kept = [h for h in member.hyperparameters if h.name not in domain]
        fix = {h.name: h.default for h in kept if h.name != "resolution" or input_shape is None} | fix
    size = _input_size(input_shape, in_channels, fix, domain)
    if input_shape is not None:
        in_channels = int(input_shape[0])
        fix.pop("resolution", None)
    axes: list[tuple[str, Interval | tuple[Any, ...]]] = []
    for hyper in member.hyperparameters:
        if hyper.name == "resolution" and size is not None:
            continue
        axes.append((hyper.name, _axis(hyper, fix, domain)))
    for option in member.options:
        if option.name in domain:
            given = domain[option.name]
            listed = given.split(",") if isinstance(given, str) else _several(option.name, given)
            axes.append((option.name, tuple(dict.fromkeys(parse_option(option, value) for value in listed))))
        else:
            axes.append((option.name, (parse_option(option, fix.get(option.name, option.default)),)))
    for name, values in axes:
        if values == ():
            raise ConfigError(f"the domain of {name} is empty; give at least one value")
    ends = _whole("in_channels", in_channels, 1), _whole("classes", classes, 1)
    return Domain(family, tuple(axes), *ends, size, preset)


def _presets(member: Any) -> Mapping[str, Mapping[str, Any]]:
    return getattr(member, "presets", {})


def _started(
    member: Any, fix: dict[str, Any], domain: dict[str, Any], defaults: Mapping[str, Any], shaped: bool
) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """``fix`` and ``domain`` with names of stages written out and a preset's values beneath them, and the preset's name."""
    if "preset" in domain:
        raise ConfigError("preset takes one name; write --fix preset=NAME")
    preset = fix.pop("preset", None)
    known = _presets(member)
    if preset is not None and (not isinstance(preset, str) or preset not in known):
        raise ConfigError(
            f"{member.name} has no preset {preset!r}; {nearest(str(preset), list(known))}"
            if known
            else f"{member.name} has no presets; drop preset = {preset!r}"
        )
    start = known[preset] if preset is not None else {}
    fix, domain = spread([h.name for h in member.hyperparameters], fix, domain, {**defaults, **start})
    if preset is None:
        return fix, domain, None
    left_out = {*domain, *(("resolution",) if shaped else ())}
    pinned = {h.name: h.default for h in member.hyperparameters if h.axis == "stage" and h.name not in domain}
    return {**pinned, **{n: value for n, value in start.items() if n not in left_out}, **fix}, domain, preset


def _offered(name: str, names: Mapping[str, Any], others: Sequence[str]) -> str:
    """What may be written instead of ``name``: groups instead of all their members."""
    from difflib import get_close_matches

    groups = [*stems([*names]), *others]
    member = get_close_matches(name, names, n=1, cutoff=0.8) if any(c.isdigit() for c in name) else []
    return f"did you mean {member[0]!r}? Allowed: {', '.join(sorted(groups))}" if member else nearest(name, groups)


def _input_size(
    shape: Sequence[int] | None, in_channels: int, fix: dict[str, Any], domain: dict[str, Any]
) -> tuple[int, int] | None:
    if shape is None:
        return None
    if isinstance(shape, str) or not isinstance(shape, Sequence) or len(shape) != 3:
        raise ConfigError(f"input_shape: got {shape!r}, but it must be (channels, height, width)")
    names = ("input_shape channels", "input_shape height", "input_shape width")
    channels, height, width = (_whole(name, side, 1) for name, side in zip(names, shape, strict=True))
    if max(height, width) > LARGEST_SIDE:
        raise ConfigError(f"input_shape {tuple(shape)}: its sides must be at most {LARGEST_SIDE} px")
    if in_channels not in (3, channels):
        raise ConfigError(f"in_channels = {in_channels} disagrees with input_shape {tuple(shape)}; drop one of the two")
    if "resolution" in domain:
        raise ConfigError("resolution has a domain but input_shape fixes it; drop one of the two")
    resolution = fix.get("resolution")
    if resolution is not None and not (parse_number("resolution", resolution) == height == width):
        raise ConfigError(f"resolution = {resolution} disagrees with input_shape {tuple(shape)}; drop one of the two")
    return height, width


def _axis(hyper: Hyperparameter, fix: dict[str, Any], domain: dict[str, Any]) -> Interval | tuple[Any, ...]:
    if hyper.name in fix:
        return (_value(hyper, fix[hyper.name]),)
    if hyper.name not in domain:
        default = hyper.domain
        return Interval(*default) if hyper.axis == "line" else default
    given = domain[hyper.name]
    if isinstance(given, str):
        return _parse_text(hyper, given)
    values = _several(hyper.name, given)
    if isinstance(given, tuple) and len(values) == 2 and hyper.axis == "line":
        return _interval(hyper, values[0], values[1])
    if isinstance(given, tuple) and len(values) == 3:
        low, high, step = (parse_number(hyper.name, value) for value in values)
        if low < high and 0 < step < high - low:
            return _lattice(hyper, *(str(value) for value in values))
    return _listed(hyper, values)


def _several(name: str, given: Any) -> list[Any]:
    """The values of a sequence; a lone value is a sequence of one."""
    if given is None or isinstance(given, Mapping):
        raise ConfigError(f"the domain of {name} is {given!r}; give values, (low, high) or (low, high, step)")
    return list(given) if isinstance(given, Iterable) else [given]


def _parse_text(hyper: Hyperparameter, text: str) -> Interval | tuple[Any, ...]:
    parts = text.split(":")
    if len(parts) > 1 and any(isinstance(choice, str) for choice in hyper.choices):
        raise ConfigError(f"domain {hyper.name}={text}: words have no range; write some of {','.join(hyper.choices)}")
    if len(parts) == 1:
        return _listed(hyper, [part for part in text.split(",") if part.strip()])
    if len(parts) == 3:
        return _lattice(hyper, *parts)
    if len(parts) == 2 and hyper.axis == "line":
        return _interval(hyper, *parts)
    if len(parts) == 2 and isinstance(hyper.default, int):
        return _lattice(hyper, parts[0], parts[1], "1")
    raise ConfigError(
        f"domain {hyper.name}={text}: write LOW:HIGH:STEP or V1,V2,...; LOW:HIGH alone is for alpha and whole numbers"
    )


def _interval(hyper: Hyperparameter, low: Any, high: Any) -> Interval:
    first, last = _value(hyper, low), _value(hyper, high)
    if first > last:
        raise ConfigError(f"the domain of {hyper.name} is empty: {first:g} is above {last:g}")
    return Interval(first, last)


def _lattice(hyper: Hyperparameter, low: str, high: str, step: str) -> tuple[Any, ...]:
    first, last, width = (parse_number(hyper.name, part) for part in (low, high, step))
    if width <= 0:
        raise ConfigError(f"the domain of {hyper.name} has step {width:g}; it must be above zero")
    if first > last:
        raise ConfigError(f"the domain of {hyper.name} is empty: {first:g} is above {last:g}")
    count = math.floor((Decimal(str(last)) - Decimal(str(first))) / Decimal(str(width))) + 1
    if count > MAX_STEPS:
        raise ConfigError(
            f"the domain of {hyper.name} has {count} values; at most {MAX_STEPS} are allowed, widen the step"
        )
    return _listed(hyper, [str(Decimal(str(first)) + n * Decimal(str(width))) for n in range(count)])


def _listed(hyper: Hyperparameter, values: Sequence[Any]) -> tuple[Any, ...]:
    found = {_value(hyper, value) for value in values}
    return tuple(sorted(found, key=hyper.choices.index if hyper.choices else None))


def _chosen(name: str, choices: tuple[Any, ...], given: Any) -> Any:
    """The one of ``choices`` that ``given`` means."""
    for choice in choices:
        same = str(given).strip().lower() == str(choice)
        if not isinstance(given, bool) and (same or _number(given) == choice):
            return choice
    raise ConfigError(f"{name} = {given}: it must be one of {', '.join(map(str, choices))}")


def _number(given: Any) -> float | None:
    try:
        return float(given)
    except (TypeError, ValueError, OverflowError):
        return None


def _value(hyper: Hyperparameter, given: Any) -> Any:
    if hyper.choices:
        return _chosen(hyper.name, hyper.choices, given)
    if isinstance(given, str) and ":" in given:
        raise ConfigError(f"{hyper.name} = {given}: a range says what may vary; write --domain {hyper.name}={given}")
    number = _whole(hyper.name, given, 1) if hyper.whole else parse_number(hyper.name, given)
    if number <= 0:
        raise ConfigError(f"{hyper.name} = {given}: it must be above zero")
    if number > hyper.largest:
        raise ConfigError(f"{hyper.name} = {given}: it must be at most {hyper.largest:g}")
    return int(number) if isinstance(hyper.default, int) and number == int(number) else number


def parse_number(name: str, given: Any) -> float:
    """A finite float of a number or of text; ConfigError names ``name`` otherwise."""
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(given, bool) or not math.isfinite(number):
        raise ConfigError(f"{name}: {given!r} is not a finite number")
    return number


def _whole(name: str, given: Any, least: int) -> int:
    number = parse_number(name, given)
    if number != int(number) or number < least:
        raise ConfigError(f"{name} = {given}: it must be a whole number of at least {least}")
    return int(number)


def parse_option(option: Option, given: Any) -> Any:
    """``given`` in the type of the option's default: bool, whole number, real, or tuple of whole numbers."""
    default = option.default
    if option.choices:
        return _chosen(option.name, option.choices, given)
    if isinstance(default, bool):
        words = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        if isinstance(given, bool):
            return given
        if str(given).strip().lower() in words:
            return words[str(given).strip().lower()]
        raise ConfigError(f"{option.name} = {given!r}: it must be true or false")
    if isinstance(default, tuple):
        if isinstance(given, str) and given.strip().lower() in ("none", "()", "[]"):
            return ()
        parts = given.replace("+", ",").split(",") if isinstance(given, str) else given
        try:
            return tuple(_whole(option.name, part, option.least) for part in parts if str(part).strip())
        except TypeError:
            raise ConfigError(
                f"{option.name} = {given!r}: it must be a list of whole numbers, for example 5,7"
            ) from None
    if isinstance(default, int):
        whole = _whole(option.name, given, min(default, 1))
        if whole > option.largest:
            raise ConfigError(f"{option.name} = {given}: it must be at most {option.largest:g}")
        return whole
    number = parse_number(option.name, given)
    if not 0 <= number <= option.largest:
        raise ConfigError(f"{option.name} = {given}: it must be 0 to {option.largest:g}")
    return number
