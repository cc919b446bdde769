"""The tables of docs/latency.md; each is the text between two marks of the document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from benchmarks import latency_constants as constants
from benchmarks.fidelity_tables import table
from benchmarks.latency_bars import COVERAGE_BAR, SPEARMAN_BAR, judged
from benchmarks.latency_constants import HOME, Compared
from benchmarks.latency_fit import fits
from benchmarks.latency_predicted import NO_PRICE, SHIPPED, Predicted, by_timing, predictions, statistics
from benchmarks.latency_published import ATOMDB, left_out, samples
from benchmarks.latency_record import lines
from hwscale import timing
from hwscale.calibration import LeftOut
from hwscale.latency_model import LatencyModel
from hwscale.timing import Timing


def found_of(rows: Sequence[Predicted]) -> list[LeftOut]:
    """The predictions among rows."""
    return [one.found for one in rows if one.found is not None]


def percent(value: float) -> str:
    """With a sign."""
    return f"{100 * value:+.1f} %"


def milliseconds(seconds: float) -> str:
    """Three digits; thousands in full."""
    return f"{1e3 * seconds:.0f}" if seconds >= 1 else f"{1e3 * seconds:.3g}"


def bars() -> str:
    """Each library against its bar, and in words what is missed."""
    body, missed = [], []
    for one in judged():
        figures = one.found
        verdict = f"missed: {', '.join(one.missed)}" if one.missed else "met"
        rank = "" if figures.spearman is None else f"{figures.spearman:.3f}"
        body.append(
            [
                one.bar.name,
                one.library,
                one.ground,
                str(figures.n),
                f"{100 * figures.mape:.1f} %",
                f"{100 * one.bar.mape:.0f} %",
                rank,
                f"{figures.inside} of {figures.n}",
                verdict,
            ]
        )
        if one.missed:
            shown = {
                "MAPE": f"MAPE is {100 * figures.mape:.1f} %, bar {100 * one.bar.mape:.0f} %",
                "Spearman": f"Spearman is {rank}, bar {SPEARMAN_BAR}",
                "coverage": f"coverage is {figures.inside} of {figures.n} rows, bar {100 * COVERAGE_BAR:.0f} %",
            }
            said = "; ".join(shown[name] for name in one.missed)
            missed.append(f"* Missed: {one.bar.name}, {one.library} ({one.ground}): {said}.")
    fitted = [one.found for one in judged() if one.ground == SHIPPED]
    inside, rows = sum(f.inside for f in fitted), sum(f.n for f in fitted)
    titles = ["rows", "library", "ground", "n", "MAPE", "bar", "Spearman", "inside the interval", "verdict"]
    together = f"* All rows of fitted libraries together: {inside} of {rows} inside, {100 * inside / rows:.0f} %."
    return table(titles, body) + "\n\n" + "\n".join([*missed, together])


def constants_table() -> str:
    """Each constant of `hwscale.timing` beside the factors that it stands for."""
    moved, runtimes = constants.transfer(), constants.another_runtime()
    plain = [one for one in runtimes if not one.flagged]
    entries: list[tuple[str, float, list[Compared]]] = [
        ("TRANSFER", timing.TRANSFER, moved),
        ("LITERATURE", timing.LITERATURE, constants.literature()),
        ("ANOTHER_RUNTIME", timing.ANOTHER_RUNTIME, runtimes),
        ("the same without rows whose unit the README misprints", timing.ANOTHER_RUNTIME, plain),
        ("UNSEEN", timing.UNSEEN, constants.unseen()),
    ]
    body = []
    for name, value, found in entries:
        most = constants.worst(found)
        within = sum(one.factor <= value for one in found)
        body.append(
            [
                name,
                f"{value:g}",
                str(len(found)),
                f"{constants.share_within(found, 0.9):.2f}",
                f"{most.factor:.3f}",
                f"{within} of {len(found)}",
                most.name,
            ]
        )
    titles = ["constant", "value", "comparisons", "90 % within", "largest factor", "within the value", "the largest"]
    return table(titles, body)


def moved_table() -> str:
    """Models of STM32H743 on other parts, group by group."""
    groups: dict[tuple[str, str], list[Predicted]] = {}
    for one in constants.moved():
        groups.setdefault((one.part, one.row.library), []).append(one)
    body = [[*key, *_figures(rows)] for key, rows in groups.items()]
    body.append(["all", "", *_figures(constants.moved())])
    return table(["part", "library", "n", "networks", "MAPE", "worst", "Spearman", "inside when widened"], body)


def _figures(rows: Sequence[Predicted]) -> list[str]:
    figures = statistics(found_of(rows))
    rank = "" if figures.spearman is None else f"{figures.spearman:.3f}"
    errors = [f"{100 * figures.mape:.1f} %", percent(figures.worst)]
    return [str(figures.n), str(figures.networks), *errors, rank, f"{figures.inside} of {figures.n}"]


def unseen_table() -> str:
    """ResNet-8 left out of each fit."""
    body = [
        [one.name, milliseconds(one.second), milliseconds(one.first), percent(one.error), f"{one.factor:.3f}"]
        for one in constants.unseen()
    ]
    return table(["fit without ResNet-8", "published [ms]", "predicted [ms]", "error", "factor"], body)


def dense_table() -> str:
    """The autoencoder, which no fit has: fully connected layers alone."""
    rows = [one for one in predictions() if one.row.sample.network == "autoencoder 640"]
    rows = [one for one in rows if (one.row.platform, one.row.library) in {(f.platform, f.library) for f in fits()}]
    return held_table([(one, one.model) for one in rows])


def held_out() -> str:
    """Rows that had no part in the model that predicts them, nor in the choice of its terms."""
    model = next(fit.model for fit in fits() if (fit.platform, fit.library) == (HOME, "x-cube-ai 7.3"))
    rows = [by_timing(row, Timing(model)) for row in samples() if row.group == ATOMDB]
    known = predictions()
    rows += [one for one in known if (one.part, one.row.library) == ("stm32f746", "tinyengine (AtomNet)")]
    rows += [one for one in known if (one.part, one.row.library) == ("esp32-s3", "tflm + esp-nn")]
    rows += [one for one in constants.moved() if one.row.sample.name.startswith("vww ")]
    rows += [one for one in known if one.ground == SHIPPED and one.row.sample.name.startswith("vww ")]
    return held_table([(one, one.model or "fit to the other networks of this part and library") for one in rows])


def held_table(rows: Sequence[tuple[Predicted, str]]) -> str:
    """Rows with what predicted them."""
    body = []
    for one, by in rows:
        where = f"{one.row.group}: {one.row.sample.name}"
        cells = [where, one.part, one.row.library, milliseconds(one.row.sample.latency_s)]
        if one.found is None:
            body.append([*cells, NO_PRICE, "", "", ""])
            continue
        ends = " to ".join(milliseconds(end) for end in one.found.interval_s)
        inside = "inside" if one.found.covered else "outside"
        numbers = [milliseconds(one.found.predicted_s), percent(one.found.error), f"{ends}: {inside}"]
        body.append([*cells, *numbers, by])
    titles = ["row", "part", "library", "published [ms]", "predicted [ms]", "error", "interval [ms]", "predicted by"]
    return table(titles, body)


def groups_table() -> str:
    """All rows by part, library and ground."""
    groups: dict[tuple[str, str, str], list[Predicted]] = {}
    for one in predictions():
        groups.setdefault((one.part, one.row.library, one.ground), []).append(one)
    body = []
    for (part, library, ground), rows in sorted(groups.items()):
        cells = _figures(rows) if found_of(rows) else [str(len(rows)), "", "", "", "", ""]
        body.append([part, library, ground, *cells])
    return table(["part", "library", "ground", "n", "networks", "MAPE", "worst", "Spearman", "inside"], body)


def models_table() -> str:
    """The coefficients as they are shipped."""
    body = [_model(fit.model) for fit in fits()]
    titles = ["part", "library", "runtimes", "n", "networks", "dense [M MAC/s]", "depthwise [M MAC/s]"]
    return table([*titles, "per element [ns]", "per call [us]", "left-out MAPE", "interval"], body)


def _model(model: LatencyModel) -> list[str]:
    seconds = {
        (term.work.quantity, kind): term.seconds
        for term in model.terms
        for kind in ("pointwise", "depthwise")
        if kind in term.work.operators
    }
    rates = [seconds.get(("macs", kind)) for kind in ("pointwise", "depthwise")]
    other = [seconds.get((quantity, "pointwise")) for quantity in ("elements", "ops")]
    low, high = (100 * (end - 1) for end in model.interval)
    return [
        model.measured_on,
        model.name,
        ", ".join(model.runtimes),
        str(model.n),
        str(model.networks),
        *("" if rate is None else f"{1e-6 / rate:.1f}" for rate in rates),
        "" if other[0] is None else f"{1e9 * other[0]:.1f}",
        "" if other[1] is None else f"{1e6 * other[1]:.0f}",
        f"{100 * (model.left_out_error or 0):.1f} %",
        f"{low:+.0f} .. {high:+.0f} %",
    ]


def power_table() -> str:
    """What XiNet's rates by speed and by energy say of power, operator by operator [mW]."""
    powers: dict[str, list[float]] = {}
    for _, row in lines("xinet_operator_efficiency.csv"):
        if row["implied_power_mw"]:
            powers.setdefault(row["platform"], []).append(float(row["implied_power_mw"]))
    cells = [
        [name, str(len(found)), f"{median(found):.4g}", f"{min(found):.4g}", f"{max(found):.4g}"]
        for name, found in powers.items()
    ]
    return table(["part", "operators", "median power [mW]", "lowest", "highest"], cells)


def left_table() -> str:
    """Rows that are no samples, by data set and reason, and samples whose ops have no price."""
    count = Counter((entry.group, entry.reason) for entry in left_out())
    body = [[f"{group}: {reason}", str(n)] for (group, reason), n in sorted(count.items())]
    body.append(["all", str(count.total())])
    unpriced = [f"{one.row.group}, {one.row.sample.name}" for one in predictions() if one.ground == NO_PRICE]
    text = f"{len(unpriced)} rows are samples, but their ops have no price of their own: {'; '.join(unpriced)}."
    return table(["data set and reason", "rows"], body) + "\n\n" + text


def in_short() -> str:
    """How many rows there are, and how many of them lie in their intervals."""
    by_ground = Counter(one.ground for one in predictions())
    inside = Counter(one.ground for one in predictions() if one.found is not None and one.found.covered)
    said = [
        f"* {ground}: {n} rows" + f", {inside[ground]} inside" * (ground != NO_PRICE) for ground, n in by_ground.items()
    ]
    return "\n".join(
        [f"{len(samples())} rows are compared, {len(left_out())} are left out. By what predicts them:\n", *said]
    )
