"""The public functions, each readable as a list of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwscale.advice import recomputation_warning, warnings_for
from hwscale.archive import load
from hwscale.backends import BACKENDS, Progress, check_backend, measured
from hwscale.budget import LATENCY_LIMITS, Budget, make_budget, parse_limits, usable_bytes
from hwscale.candidate import Candidate
from hwscale.configuration import Configuration, configure, pinned
from hwscale.domain import make_domain
from hwscale.errors import ConfigError, VerificationError, nearest
from hwscale.execution import Scheduled, make_execution, restriction
from hwscale.formulas import FAMILIES
from hwscale.joint_space import make_joint_space
from hwscale.ledger import NetworkRecord
from hwscale.objectives import BAND, Objective, find_objective
from hwscale.platform import Platform, load_platform
from hwscale.problem import Problem
from hwscale.result import Cost, CostReport, Evidence, Fit
from hwscale.runtimes import DEFAULT as DEFAULT_RUNTIME
from hwscale.runtimes import find_runtime
from hwscale.schedule_timing import schedule_timing, scheduled_latency_s, stage_rates
from hwscale.schedules import Schedule, executed, make_schedule
from hwscale.schedules.evidence import ram_evidence
from hwscale.solve import solve
from hwscale.solve.solution import Solution
from hwscale.solve.targets import solve_targets
from hwscale.space import make_space
from hwscale.timing import Timing, make_timing
from hwscale.units import parse_bytes, parse_share
from hwscale.verification import Verification

INPUT_BUFFERS = ("counted", "external")
RESTRICTION = (
    f"networks with a resolution of at least {BAND:g} r_path(MACs), as nearly all published ones have; "
    "--fix or --domain resolution lifts it"
)
"""What `balanced` adds to the default domain."""


def fit(
    net: str,
    platform: str | Path | Platform | None = None,
    *,
    limits: Mapping[str, Any] | None = None,
    targets: Mapping[str, Any] | None = None,
    two_sided: bool = False,
    fix: Mapping[str, Any] | None = None,
    domain: Mapping[str, Any] | None = None,
    classes: int | None = None,
    in_channels: int = 3,
    input_shape: Sequence[int] | None = None,
    objective: str | Objective = "balanced",
    runtime: str = DEFAULT_RUNTIME,
    schedule: str = "layer",
    solver: str = "auto",
    verify: str = "torch",
    input_buffer: str = "counted",
    reserve_ram: float | str = 0,
    reserve_flash: float | str = 0,
    margin: float | str = 0.0,
    latency_limit: str = "expected",
    rates: str | None = None,
    progress: Progress | None = None,
) -> Fit:
    """The best configuration of a family that fits a platform, with its certificate, verified.

    >>> hwscale.fit("xinet", "stm32h743", limits={"latency": "100 ms"}, fix={"resolution": 160}).hyperparameters

    Parameters
    ----------
    net : family name.
    platform : built-in name, path of a TOML, or None if ``limits`` say everything.
    limits : by name (ram, flash, macs, latency, energy): "256 KiB", "40M", "100 ms", "5 mJ", plain numbers in B, MACs, s, J;
        they replace the platform's RAM and Flash, "none" lifts one.
    targets : hit these instead: come within 1 % of the closest reachable point from below (``two_sided``: from either side),
        then maximise the objective.
    fix, domain : pin or widen hyperparameters and options; see `hwscale.domain.make_domain`.
    classes, in_channels, input_shape : the network's ends; 10 classes, or a preset's own, unless given; ``input_shape`` (C, H, W)
        fixes the resolution and may be a rectangle.
    objective : "balanced", "macs", "params", "balanced:r0=160,c=1.5", or an Objective.
    schedule : layer, op by op; patch, patch+, stream1d, stream2d: the first ops on patches, ``fix`` may pin n_patch and split_idx; any:
        whichever is best. In tensors and tinyengine; limits on MACs and latency hold for what is executed.
    solver : auto, exhaustive; quadtree, table, nlp (never called optimal); for stage-wise families labels, paths, milp.
    verify : "torch" instantiates and measures the answer, "none" does not. "tflm" also converts it and runs it in TensorFlow Lite
        Micro (extra ``hwscale[convert]``), "vela" also has Arm's compiler estimate it for an Ethos-U platform (``hwscale[vela]``).
    input_buffer : "external" if the image lies outside the arena.
    reserve_ram, reserve_flash : what the application keeps of the platform's memory [B or "64 KiB"].
    margin : share of the platform's RAM and Flash left free after the reserve: 0.1 or "10%".
    latency_limit : limits on latency and energy hold for what is "expected", or for the "worst": the upper end of the interval
        that holds 9 of 10 networks.
    rates : name of an operator model or rate set of the platform to take latency from, instead of the runtime's.
    progress : called with a line before each slow step of the verification.

    Raises
    ------
    ConfigError, PlatformError : a setting that cannot be used, in one sentence.
    InfeasibleError : nothing fits; names the limit, the smallest need, the shortfall and the smallest budget that would do.
    VerificationError : the network does not cost what was predicted.
    """
    _choose("verify", verify, BACKENDS)
    _choose("input_buffer", input_buffer, INPUT_BUFFERS)
    _choose("latency_limit", latency_limit, LATENCY_LIMITS)
    if two_sided and not targets:
        raise ConfigError("two_sided says how targets may be met, but there are none; give targets or drop it")
    share = parse_share(margin)
    for name, given in (("limits", limits), ("targets", targets), ("fix", fix), ("domain", domain)):
        if given is not None and not isinstance(given, Mapping):
            raise ConfigError(f"{name}: got {given!r}, but it must be a dict such as {{'ram': '256 KiB'}}")
    reserve = {
        "ram": 0 if reserve_ram in (0, "0") else parse_bytes(reserve_ram, "reserve_ram"),
        "flash": 0 if reserve_flash in (0, "0") else parse_bytes(reserve_flash, "reserve_flash"),
    }
    goal, wanted = find_objective(objective), find_runtime(runtime)
    caps, aims = parse_limits(limits), parse_limits(targets, "target")
    if both := sorted(set(caps) & set(aims)):
        raise ConfigError(f"{both[0]} is both a limit and a target; drop one of the two")
    where = None if platform is None else load_platform(platform)
    check_backend(verify, where)
    timing = make_timing(where, wanted, rates)
    known = stage_rates(timing, runtime, latency_limit) if rates is None else ()
    limited = [name for name, value in caps.items() if value is not None]
    execution, fix = make_execution(schedule, fix or {}, limited, aims, known)
    declared = make_domain(net, fix, domain, classes=classes, in_channels=in_channels, input_shape=input_shape)

    given = {**(fix or {}), **(domain or {})}
    free = input_shape is None and "resolution" not in given and declared.preset is None
    if free and goal.name == "balanced" and goal.c:
        goal = replace(goal, band=BAND)  # who leaves the resolution to us gets one that published networks use

    asked_of = declared, runtime, input_buffer == "external", tuple(timing.fs_per_unit)
    space = make_space(*asked_of) if execution.name == "layer" else make_joint_space(*asked_of, execution)
    timing = timing.covering(space.kinds)
    # a target stands in for the platform's limit of that name
    kept = (reserve["ram"], reserve["flash"], share)

    def asked(timing: Timing) -> tuple[Problem, Solution, Budget, Budget]:
        """What is asked where latency is known so well, its answer, and the limits and targets in the user's units."""
        budget = make_budget(where, wanted, timing, {**caps, **aims}, *kept, aims, latency_limit)
        limits = replace(budget, limits={k: v for k, v in budget.limits.items() if k not in aims})
        ceilings = replace(budget, limits={k: v for k, v in budget.limits.items() if k in aims})
        problem = Problem(space, goal, limits.metrics(), timing.fs_per_unit)

        def answered(problem: Problem) -> Solution | None:
            if aims:
                return solve_targets(problem, ceilings.metrics(), solver, two_sided=two_sided)
            return solve(problem, solver)

        solution = answered(problem)
        if solution is not None and goal.band and not goal.within_band(solution.best.macs, solution.best.resolution):
            problem = replace(problem, objective=replace(goal, band=0.0))
            solution = answered(problem)  # nothing that fits lies within the band: then it does not choose either
        if solution is None:
            from hwscale.solve.infeasible import explain

            raise explain(Problem(space, problem.objective, budget.metrics(), timing.fs_per_unit), budget)
        return problem, solution, limits, ceilings

    problem, solution, limits_only, ceilings = asked(timing)
    chosen = pinned(declared, solution.best.values)
    record = _priced(solution.best, chosen, runtime, space.external_input)
    of_its_make = timing.for_network(record.ops)
    if latency_limit == "worst" and of_its_make is not timing:
        problem, solution, limits_only, ceilings = asked(of_its_make)
        chosen = pinned(declared, solution.best.values)
        record = _priced(solution.best, chosen, runtime, space.external_input)
    timing, goal, plan = of_its_make, problem.objective, solution.best.schedule
    predicted = _cost(record, timing)
    if not plan.plain:
        timing = schedule_timing(timing, plan, runtime)
        counted = executed(chosen.graph(runtime, space.external_input, plan), plan)
        bare = Cost(record.ram_bytes, record.flash_bytes, record.macs, record.params)
        predicted = _timed(bare, scheduled_latency_s(timing, plan, counted), timing)
    memory = wanted.evidence if plan.plain else {**wanted.evidence, "ram": ram_evidence(plan, runtime)}

    found = Fit(
        configuration=chosen,
        platform=where.name if where else None,
        runtime=runtime,
        schedule=plan.name,
        n_patch=plan.n_patch,
        split_idx=plan.split_idx,
        layer_macs=solution.best.macs,
        objective=goal.name,
        external_input=space.external_input,
        cost=predicted,
        ram_parts=record.ram_parts,
        least_ram_bytes=record.least_ram_bytes,
        evidence=_evidence(memory, timing),
        limits=limits_only.limits,
        binding=_binding(problem, solution.best, limits_only),
        reserve=reserve,
        margin=share,
        certificate=solution.certificate,
        warnings=warnings_for(
            FAMILIES[declared.family],
            goal,
            chosen,
            solution.best.macs,
            {**limits_only.limits, **ceilings.limits},
            free,
            space.size,
        )
        + recomputation_warning(solution.best.executed, solution.best.macs, limits_only.limits),
        restriction="; ".join(filter(None, (RESTRICTION if goal.band else "", restriction(schedule, execution)))),
        targets=ceilings.limits,
        latency_limit=latency_limit,
        problem=problem,
    )
    if verify == "none":
        return found
    outcome = measured(verify, found.build(), chosen, runtime, space.external_input, where, progress, plan)
    return replace(found, verification=outcome)


def cost(
    net: str,
    values: Mapping[str, Any] | None = None,
    *,
    input_shape: Sequence[int] | None = None,
    classes: int | None = None,
    in_channels: int = 3,
    runtime: str = DEFAULT_RUNTIME,
    platform: str | Path | Platform | None = None,
    input_buffer: str = "counted",
    rates: str | None = None,
    schedule: str = "layer",
    n_patch: int | None = None,
    split_idx: int | None = None,
) -> CostReport:
    """RAM, Flash, MACs, params of one configuration, op by op; latency and energy on a platform that has rates.

    ``values`` are hyperparameters and options, defaults fill the rest; ``rates`` as in `fit`. ``schedule`` patch, patch+, stream1d or
    stream2d runs the first ``split_idx`` ops on ``n_patch`` x ``n_patch`` patches (`hwscale.schedules.schedule`), which may
    stand in ``values`` too. Raises ConfigError for a network that the reference cannot build or the schedule cannot cut,
    and PlatformError for a bad platform.
    """
    _choose("input_buffer", input_buffer, INPUT_BUFFERS)
    external = input_buffer == "external"
    values, plan = _schedule(values, schedule, n_patch, split_idx)
    chosen = configure(net, values, input_shape=input_shape, classes=classes, in_channels=in_channels)
    wanted = find_runtime(runtime)
    record = chosen.record(runtime, external, plan)
    where = None if platform is None else load_platform(platform)
    counted = executed(chosen.graph(runtime, external, plan), plan)
    report = CostReport(
        chosen,
        runtime,
        where.name if where else None,
        Cost(record.ram_bytes, record.flash_bytes, record.macs, record.params),
        record.ops,
        *chosen.peak(runtime, external, plan),
        evidence={},
        usable={name: size for name in ("ram", "flash") if (size := usable_bytes(where, wanted, name)) is not None},
        external_input=external,
        ram_parts=record.ram_parts,
        least_ram_bytes=record.least_ram_bytes,
        schedule=plan,
        layer_macs=record.macs if plan.plain else chosen.record(runtime, external).macs,
        additions=int(sum(op.additions for op in counted)),
    )
    if not plan.plain and rates is not None:
        raise ConfigError(f"rates={rates}: operator models are of schedule layer; drop rates or the schedule")
    timing = make_timing(where, wanted, rates).covering({op.kind for op in record.ops if op.macs})
    timing = timing.for_network(record.ops)
    if not plan.plain:
        timing = schedule_timing(timing, plan, runtime)
        latency_s = scheduled_latency_s(timing, plan, counted)
        evidence = {**_evidence(wanted.evidence, timing), "ram": ram_evidence(plan, runtime)}
        return replace(report, cost=_timed(report.cost, latency_s, timing), evidence=evidence)
    return replace(
        report,
        cost=_cost(record, timing),
        evidence=_evidence(wanted.evidence, timing),
        fs_per_unit=timing.fs_per_unit,
    )


def _schedule(
    values: Mapping[str, Any] | None, schedule: str, n_patch: int | None, split_idx: int | None
) -> tuple[Mapping[str, Any] | None, Schedule]:
    """Hyperparameters and options, and the schedule, whose numbers may stand among them."""
    given = {"n_patch": n_patch, "split_idx": split_idx}
    if isinstance(values, Mapping) and (among := {name: values[name] for name in given if name in values}):
        if twice := [name for name in among if given[name] is not None]:
            raise ConfigError(f"{twice[0]} is given twice, as {given[twice[0]]} and {among[twice[0]]}; keep one")
        given |= among
        values = {name: value for name, value in values.items() if name not in among}
    return values, make_schedule(schedule, **given)


def verify(directory: str | Path, *, backend: str = "torch", progress: Progress | None = None) -> Verification:
    """Measure a saved fit again: its network with its weights against a fresh prediction and the saved cost.

    ``backend`` and ``progress`` as ``verify`` and ``progress`` of `fit`. Raises ConfigError if ``directory`` is no saved fit or a
    package is missing, VerificationError if anything differs.
    """
    _choose("backend", backend, BACKENDS[:-1])
    record, network = load(directory)
    chosen = configure(
        record["family"], record["hyperparameters"], input_shape=record["input_shape"], classes=record["classes"]
    )
    external = record.get("input_buffer") == "external"
    plan = Schedule(record["schedule"], record.get("n_patch", 1), record.get("split_idx", 0))
    predicted = chosen.record(record["runtime"], external, plan)
    for name, saved in record["cost"].items():
        now = getattr(predicted, name, saved)
        if now != saved:
            raise VerificationError(
                f"{directory}: the saved {name} is {saved}, but this version of hwscale predicts {now}; run fit again"
            )
    platform = None if record["platform"] is None or backend != "vela" else load_platform(record["platform"])
    return measured(backend, network, chosen, record["runtime"], external, platform, progress, plan)


def families() -> tuple[str, ...]:
    """Names of the network families."""
    return tuple(FAMILIES)


def _choose(name: str, given: str, allowed: Sequence[str]) -> None:
    if given not in allowed:
        raise ConfigError(f"unknown {name} {given!r}; {nearest(str(given), allowed)}")


def _priced(best: Candidate, chosen: Configuration, runtime: str, external: bool) -> NetworkRecord:
    """The answer as printed, priced again in Python ints; it must cost what the search found."""
    record = chosen.record(runtime, external, best.schedule)
    planned = best.planned()
    searched = (planned["ram"], planned["flash"], best.executed, best.params)
    printed = (record.ram_bytes, record.flash_bytes, record.macs, record.params)
    if searched != printed:
        raise VerificationError(
            f"the search priced {chosen.hyperparameters} at (RAM, Flash, MACs, params) {searched}, but it costs {printed}; "
            "this is a defect of hwscale, please report it"
        )
    return record


def _cost(record: NetworkRecord, timing: Timing) -> Cost:
    totals = Cost(record.ram_bytes, record.flash_bytes, record.macs, record.params)
    return _timed(totals, timing.latency_s(record.ops), timing)


def _timed(cost: Cost, latency_s: float | None, timing: Timing) -> Cost:
    """With latency and energy, and their intervals."""
    if latency_s is None:
        return cost
    low, high = (end * latency_s for end in timing.interval)
    found = replace(cost, latency_s=latency_s, latency_interval_s=(low, high))
    if (power_w := timing.power_w) is None:
        return found
    return replace(found, energy_j=latency_s * power_w, energy_interval_j=(low * power_w, high * power_w))


def _evidence(memory: Mapping[str, str], timing: Timing) -> dict[str, Evidence]:
    energy = f"estimated: {1e3 * (timing.power_w or 0):g} mW x latency, the same power for every op"
    return {
        **memory,
        "latency": timing.evidence(),
        "energy": energy if timing.power_w is not None else f"none: {timing.no_energy}",
    }


def _binding(problem: Problem, best: Candidate, budget: Budget) -> tuple[str, ...]:
    """Limits that a network one step larger along some axis would break."""
    costs = best.wider()
    if costs is None:
        return ()
    if isinstance(problem.space, Scheduled):
        rates = problem.space.fs_per_unit(problem.fs_per_unit, best.schedule.name)
        problem = replace(problem, fs_per_unit=rates)
    broken = [name for name, limit in problem.limits.items() if (problem.limited(name, costs) > limit).any()]
    return tuple(budget.limiting(name) for name in broken)
