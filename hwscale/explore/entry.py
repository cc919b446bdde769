"""One entry of a comparison worked out: fit a family to a platform, and decide whether it meets the needs.

A floor is decided by the objective that counts what it is on: the largest MACs that fit are at least the floor, or no network reaches it.
The configuration shown is then the best by the objective asked for among those that reach every floor.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hwscale.api import fit
from hwscale.errors import ConfigError, HwscaleError, InfeasibleError, VerificationError
from hwscale.explore.compared_row import ComparedRow, Verdict, filled, shortfall
from hwscale.explore.needs import LABELS, Needs
from hwscale.explore.platform_list import Place
from hwscale.explore.raised_limit import RaisedLimit
from hwscale.platform import Platform
from hwscale.problem import Problem
from hwscale.result import Fit
from hwscale.solve import solve
from hwscale.solve.solution import Solution, Status
from hwscale.units import format_count

_NO_LATENCY = ("limit latency cannot be used: ", "limit energy cannot be used: ")


@dataclass(frozen=True)
class Question:
    """What is asked everywhere: the needs, and the options of `hwscale.fit` by name."""

    needs: Needs
    options: Mapping[str, Any]


def entry(family: str, place: Place, question: Question) -> ComparedRow:
    """The row of a family on a platform; what is wrong there becomes its reason."""
    started = time.perf_counter()
    if place.platform is None:
        return ComparedRow(family, place.name, Verdict.UNUSABLE, place.fault)
    try:
        found = _judged(family, place.platform, question)
    except InfeasibleError as error:
        found = ComparedRow(family, place.name, Verdict.FAILS, shortfall(error))
    except VerificationError as error:
        found = ComparedRow(family, place.name, Verdict.MISMATCH, str(error))
    except HwscaleError as error:
        found = ComparedRow(
            family, place.name, Verdict.UNUSABLE, _reason(error, place.name), usage=isinstance(error, ConfigError)
        )
    return replace(found, platform=place.name, seconds=time.perf_counter() - started)


def _reason(error: HwscaleError, name: str) -> str:
    text = str(error)
    for start in _NO_LATENCY:
        if text.startswith(start):
            why = text.removeprefix(start).removeprefix(f"{name}: ").partition(";")[0]
            return f"{start.split()[1]} unknown: {why}"
    return text


def _judged(family: str, platform: Platform, question: Question) -> ComparedRow:
    needs = question.needs
    options = needs.asked(platform, question.options)
    floors = needs.floors
    # what may not be the one that is shown is not worth a measurement
    best = fit(family, platform, **{**options, "verify": "none"} if floors else options)
    if not floors:
        return filled(best, Verdict.MEETS if needs else Verdict.FITS)
    reached = {name: _count(best, name) for name in floors}
    if all(reached[name] >= floor for name, floor in floors.items()):
        return filled(_measured(best, family, platform, options), Verdict.MEETS, reached=reached)
    most = {name: fit(family, platform, **{**options, "objective": name, "verify": "none"}) for name in floors}
    reached = {name: max(reached[name], _count(found, name)) for name, found in most.items()}
    for name, floor in floors.items():
        if reached[name] < floor:
            certificate = most[name].certificate
            proven = certificate.status is Status.OPTIMAL or (
                certificate.bound is not None and certificate.bound < floor
            )
            return filled(
                most[name],
                Verdict.FAILS if proven else Verdict.UNDECIDED,
                reason=_short(most[name], name, floor) + ("" if proven else "; not proven the most"),
                note=f"most {LABELS[name]}",
                reached=reached,
            )
    enough = [found for found in most.values() if all(_count(found, name) >= floors[name] for name in floors)]
    chosen, why = _above_floors(best, floors)
    if chosen is not None and (shown := _shown(chosen, best, family, platform, options)) is not None:
        return filled(
            shown,
            Verdict.MEETS,
            reached=reached,
            note=f"best by {best.objective} among those that reach {_text(floors)}",
        )
    if enough:
        name = next(name for name, found in most.items() if found is enough[0])
        note = f"most {LABELS[name]}, as {why or 'the best by the objective above the floor could not be pinned'}"
        return filled(
            _measured(enough[0], family, platform, {**options, "objective": name}),
            Verdict.MEETS,
            reached=reached,
            note=note,
        )
    reason = f"reaches each of {_text(floors)}, but "
    if why:
        return filled(
            best, Verdict.UNDECIDED, reason=f"{reason}whether one network reaches both is open: {why}", reached=reached
        )
    return filled(best, Verdict.FAILS, reason=f"{reason}no network reaches both", reached=reached)


def _count(found: Fit, name: str) -> int:
    """What a floor is on: MACs of the network, whatever its schedule adds to them."""
    return found.layer_macs if name == "macs" else found.cost.params


def _text(floors: Mapping[str, int]) -> str:
    return " and ".join(f"{format_count(floor)} {LABELS[name]}" for name, floor in floors.items())


def _short(found: Fit, name: str, floor: int) -> str:
    """ "reaches 23.10 M of 40.00 M MACs; RAM binds"."""
    held = [LABELS[limit] for limit in found.binding or _held(found)]
    why = f"{', '.join(held)} bind{'s' * (len(held) == 1)}" if held else "the domain has no larger network"
    return f"reaches {format_count(_count(found, name))} of {format_count(floor)} {LABELS[name]}; {why}"


def _held(found: Fit) -> list[str]:
    """The limits of which one alone, lifted, would let a better network in, at any resolution; all of them if only together."""
    problem, score = found.problem, found.certificate.objective
    lifted = {name: RaisedLimit(problem, name, score, problem.limits[name]).lifted()[0] for name in problem.limits}
    alone = [name for name, better in lifted.items() if better is not None]
    if not alone and (free := solve(replace(problem, limits={}))) is not None and free.certificate.objective > score:
        alone = list(problem.limits)
    return [name if name in found.limits else "energy" for name in alone]


def _measured(found: Fit, family: str, platform: Platform, options: Mapping[str, Any]) -> Fit:
    """The same, verified as asked."""
    return found if options["verify"] == "none" else fit(family, platform, **options)


def _above_floors(best: Fit, floors: Mapping[str, int]) -> tuple[tuple[Problem, Solution] | None, str]:
    """The best that reaches the floors, with the problem that it solves; None if none does, or, with the reason, if no solver can tell."""
    problem = replace(best.problem, floors=dict(floors))
    try:
        solution = solve(problem)
        if solution is not None and not problem.objective.within_band(solution.best.macs, solution.best.resolution):
            # as in a fit: where nothing lies within the band, it does not choose
            problem = replace(problem, objective=replace(problem.objective, band=0.0))
            solution = solve(problem)
    except ConfigError as error:
        return None, str(error)
    return (None if solution is None else (problem, solution)), ""


def _shown(
    chosen: tuple[Problem, Solution], best: Fit, family: str, platform: Platform, options: Mapping[str, Any]
) -> Fit | None:
    """The fit of exactly this configuration, with the certificate of the search that chose it; None if it is refused by itself, as where
    the worst case of its own make is wider."""
    problem, solution = chosen
    values = dict(solution.best.values)
    if options.get("input_shape") is not None:
        values.pop("resolution", None)
    if best.configuration.preset is not None:
        values["preset"] = best.configuration.preset
    try:
        found = fit(family, platform, **{**options, "fix": values, "domain": None})
    except (InfeasibleError, ConfigError):
        return None
    wider = solution.best.wider()
    broken = (
        [] if wider is None else [n for n, limit in problem.limits.items() if (problem.metric(n, wider) > limit).any()]
    )
    binding = tuple(name if name in found.limits else "energy" for name in broken)
    return replace(
        found, certificate=solution.certificate, problem=problem, binding=binding, restriction=best.restriction
    )
