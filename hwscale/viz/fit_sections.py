"""The sections of a page about one `Fit`: the answer, its proof, its verification."""

from __future__ import annotations

from hwscale.budget import show
from hwscale.result import Fit
from hwscale.runtimes import RUNTIMES
from hwscale.units import format_bytes, format_count
from hwscale.viz.agreement_plot import row_label
from hwscale.viz.markup import EMPTY, Cell, amount, badge, folded, listed, paragraph, section, table, text, words
from hwscale.viz.op_rows import hyperparameter_words, known_as

LABELS = {"ram": "RAM", "flash": "Flash", "macs": "MACs", "latency": "latency", "energy": "energy"}
_UNIT_OF_LIMIT = {"ram": "B", "flash": "B", "macs": "MACs", "latency": "s", "energy": "J"}


def answer_section(fit: Fit) -> str:
    """Hyperparameters, costs against limits and measurement, what binds."""
    knobs = hyperparameter_words(fit.hyperparameters, fit.configuration.hyperparameters)
    chips = "".join(f"<li>{text(name)} <b>{text(value)}</b></li>" for name, value in knobs)
    channels, height, width = fit.input_shape
    ends = f"input {channels}x{height}x{width}, {fit.configuration.classes} classes"
    patches = (
        ""
        if fit.plan.plain
        else f"; schedule {fit.schedule}: {fit.split_idx} ops on {fit.n_patch} x {fit.n_patch} patches"
    )
    reserve = ", ".join(f"{LABELS[name]} {format_bytes(size)}" for name, size in fit.reserve.items())
    return section(
        "answer",
        "Answer",
        f'<ul class="chips">{chips}</ul>',
        paragraph(f"{ends}{patches}. Reserve: {reserve}; margin {100 * fit.margin:g} %."),
        _costs(fit),
        listed([_binding(fit)]),
        *(f'<p class="warning">{text(warning)}</p>' for warning in fit.warnings),
    )


def _costs(fit: Fit) -> str:
    measured = {row.quantity: row.measured for row in fit.verification.rows}
    same = fit.verification.runtime == fit.runtime
    rows = []
    for name, label in LABELS.items():
        value = fit.cost.quantity(name)
        if value is None:
            continue
        seen = measured.get("macs" if name == "macs" else f"{name}_bytes") if same or name == "macs" else None
        limit = fit.limits.get(name)
        against = fit.cost.quantity(name, fit.latency_limit) or 0
        rows.append(
            [
                words(label),
                amount(value, predicted_words(fit, name)),
                EMPTY if seen is None else amount(seen, show(name, seen)),
                EMPTY if limit is None else amount(limit, show(name, limit)),
                EMPTY
                if limit is None
                else amount(fit.slack[name], show(name, fit.slack[name]) if fit.slack[name] else "0"),
                EMPTY if limit is None else amount(100 * against / limit, f"{100 * against / limit:.1f} %"),
                words("binding" if name in fit.binding else ""),
                Cell(badge(known_as(fit, name)), known_as(fit, name)),
                words(source_words(str(fit.evidence.get(name, "exact: counted on integers")))),
            ]
        )
    seen = measured.get("params")
    counted = [
        amount(fit.cost.params, format_count(fit.cost.params)),
        EMPTY if seen is None else amount(seen, format_count(seen)),
    ]
    known = [Cell(badge("exact"), "exact"), words("counted on integers")]
    rows.append([words("parameters"), *counted, EMPTY, EMPTY, EMPTY, words(""), *known])
    columns = ["quantity", "predicted", "measured", "limit", "left", "used", "", "known as", "source"]
    return table("Costs and limits", columns, rows)


def predicted_words(fit: Fit, name: str) -> str:
    """A cost for people, with the interval where it is bounded or estimated."""
    value = fit.cost.quantity(name)
    assert value is not None
    if name == "ram" and fit.least_ram_bytes is not None:
        return f"{format_bytes(fit.least_ram_bytes)} to {format_bytes(int(value))}"
    ends = {"latency": fit.cost.latency_interval_s, "energy": fit.cost.energy_interval_j}.get(name)
    return (
        show(name, value) if ends is None else f"{show(name, value)} ({show(name, ends[0])} to {show(name, ends[1])})"
    )


def source_words(evidence: str) -> str:
    """What stands behind a number, less the label that stands beside it."""
    return evidence.removeprefix("exact: ").removeprefix("bounded: ").removeprefix("estimated: ").removeprefix("none: ")


def _binding(fit: Fit) -> str:
    if fit.targets:
        aims = [
            f"{LABELS[name]} {show(name, aim)}: {100 * fit.distance[name]:+.2f} %" for name, aim in fit.targets.items()
        ]
        return f"targets: {'; '.join(aims)}"
    if not fit.binding:
        return "no limit stops the network one step up at this resolution"
    names = " and ".join(LABELS[name] for name in fit.binding)
    return f"binding: {names}; one step up along some axis breaks it"


def proof_section(fit: Fit) -> str:
    """The certificate in words."""
    lead, *rest = proof_sentences(fit)
    local = [
        f"local multiplier of {name}: {value:.3f} % more {fit.problem.objective.metric} per 1 % more (relaxed problem, no bound)"
        for name, value in fit.certificate.multipliers.items()
    ]
    refused = list(fit.excluded)
    return section(
        "proof",
        "Proof",
        f'<p class="proof">{text(lead)}</p>',
        listed([*rest, *local]),
        folded("What holds no candidate", refused),
    )


def proof_sentences(fit: Fit) -> list[str]:
    """First the claim, then what it rests on."""
    c, goal = fit.certificate, fit.problem.objective
    size = f"{c.domain_size:,}" if c.domain_size < 10**15 else f"{c.domain_size:.3g}"
    if c.status == "optimal":
        lead = f"Proven best of {size} candidate{'s' * (c.domain_size != 1)}."
    elif c.gap is not None:
        lead = f"Not proven best: another of the {size} candidates may score up to {c.gap:.3g} more."
    else:
        lead = "Feasible, not proven best: this solver gives no bound."
    found = [lead, f"objective {fit.objective} ({goal.meaning}) = {c.objective:.9g}"]
    if c.bound is not None:
        found.append(f"no candidate within the limits scores more than {c.bound:.9g}; gap {c.gap:g}")
    found.append(
        f"{c.method}: {c.nodes:,} boxes, {c.evaluations:,} exact evaluations, {c.seconds:.2f} s; domain {c.domain_hash}"
    )
    if fit.restriction:
        found.append(f"among {fit.restriction}")
    found.append("ties are broken by latency, RAM, Flash, then the smaller network")
    return found


def verification_section(fit: Fit) -> str:
    """What was measured, row by row."""
    outcome = fit.verification
    if outcome.ok is None:
        return section(
            "verification", "Verification", paragraph("Not verified: run with --verify torch, tflm or vela.")
        )
    held = (
        f"RAM and Flash as runtime {outcome.runtime} counts them"
        if outcome.runtime != fit.runtime
        else f"runtime {fit.runtime}"
    )
    verdict = "every row equal or within its tolerance" if outcome.ok else "rows differ"
    rows = [
        [
            words(row_label(row).partition(":")[0]),
            amount(row.predicted),
            amount(row.measured),
            amount(
                row.measured - row.predicted,
                f"{row.measured - row.predicted:+,}" if row.measured != row.predicted else "0",
            ),
            amount(row.tolerance),
            words("yes" if row.ok else "no"),
        ]
        for row in outcome.rows
    ]
    figures = [f"{name.replace('_', ' ')}: {value:,.6g}" for name, value in outcome.figures.items()]
    return section(
        "verification",
        "Verification",
        paragraph(f"Measured with {outcome.backend}, {held}: {verdict}, {outcome.ops} ops compared."),
        table(
            "Predicted and measured, in B or counts",
            ["quantity", "predicted", "measured", "difference", "tolerance", "ok"],
            rows,
        ),
        listed([*figures, *outcome.notes]),
    )


def runtime_sentence(runtime: str) -> str:
    """What the runtime's name stands for."""
    return f"runtime {runtime}: {RUNTIMES[runtime].meaning}"
