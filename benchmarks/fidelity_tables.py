"""The tables of docs/fidelity.md: statistics per runtime, and every miss and every row that was left out by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean

from benchmarks import st_modelzoo
from benchmarks.fidelity_record import LeftOut, Record

KIB = 1024


def table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Markdown; the first column to the left, the others to the right."""
    rule = ["---", *["--:"] * (len(titles) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (titles, rule, *lines))


def statistics(records: Sequence[Record]) -> str:
    """Per runtime and quantity: how many rows, how many hold, how far off the others are."""
    lines = []
    for key in dict.fromkeys((r.runtime, r.quantity) for r in records):
        own = [r for r in records if (r.runtime, r.quantity) == key]
        worst = max(own, key=lambda r: abs(r.error))
        interval = any(r.interval for r in own)
        word = "inside" if interval else "within" if any(r.allowed for r in own) else "equal"
        lines.append(
            [
                *key,
                str(len(own)),
                str(sum(r.fitted for r in own)),
                f"{sum(not r.miss for r in own)} {word}",
                f"{100 * mean(r.width for r in own):.0f} %" if interval else "",
                f"{100 * mean(abs(r.error) for r in own):.2f} %",
                f"{100 * worst.error:+.2f} %" if worst.error else "0",
                str(sum(r.miss for r in own)),
            ]
        )
    titles = [
        "runtime",
        "quantity",
        "rows",
        "derived from",
        "hold",
        "mean width",
        "mean error",
        "largest error",
        "misses",
    ]
    return table(titles, lines)


def by_family(records: Sequence[Record]) -> str:
    """TensorFlow Lite Micro: the sweep that the rules come from, and the variants measured after them."""
    lines = []
    own = [r for r in records if r.runtime == "tflm"]
    for fitted in (True, False):
        for family in sorted({r.group for r in own}):
            some = [r for r in own if r.group == family and r.fitted == fitted]
            if not some:
                continue
            files = [r for r in some if r.quantity == "stripped file"]
            equal = [sum(r.quantity == q and not r.excess for r in some) for q in ("head", "tail", "arena")]
            worst = max(files, key=lambda r: abs(r.error))
            errors = f"{100 * mean(abs(r.error) for r in files):.3f} %", f"{100 * worst.error:+.3f} %"
            lines.append([f"{family}, {'sweep' if fitted else 'variants'}", str(len(files)), *map(str, equal), *errors])
    return table(["networks", "rows", "head equal", "tail equal", "arena equal", "file: mean error", "largest"], lines)


def intervals(records: Sequence[Record]) -> str:
    """Activation RAM under ST's tools: what each interval holds, how wide it is, and what it holds unseen."""
    lines = []
    rows = [row for row in st_modelzoo.rows() if st_modelzoo.used_for_fit(row)]
    missed = {
        name: [
            (row, short)
            for row, short in st_modelzoo.left_out([r for r in rows if r["tool_version"] in shared])
            if short
        ]
        for shared in st_modelzoo.SHARED
        for name in (st_modelzoo.RUNTIMES[version] for version in shared)
    }
    for name in st_modelzoo.RUNTIMES.values():
        own = [r for r in records if (r.runtime, r.quantity) == (name, "activation RAM")]
        seen, unseen = [r for r in own if r.fitted], [r for r in own if not r.fitted]
        short = [(row, s) for row, s in missed[name] if st_modelzoo.RUNTIMES[row["tool_version"]] == name]
        said = "; ".join(f"{st_modelzoo.title(row)} by {100 * s:.1f} %" for row, s in short)
        widths = [r.width for r in seen]
        lines.append(
            [
                name,
                _inside(seen),
                f"{100 * mean(widths):.0f} ({100 * min(widths):.0f} to {100 * max(widths):.0f}) %",
                _inside(unseen),
                f"{len(seen) - len(short)} of {len(seen)}" + (f"; missed: {said}" if said else ""),
            ]
        )
    titles = ["runtime", "inside, rows fitted on", "width over published", "inside, FdMobileNet and flagged rows"]
    return table([*titles, "inside if the network is left out of the fit"], lines)


def _inside(records: Sequence[Record]) -> str:
    return f"{sum(not r.excess for r in records)} of {len(records)}"


def tinyengine(records: Sequence[Record]) -> str:
    """Every row of TinyEngine's README whose architecture is known [KiB]."""
    lines = []
    for name in dict.fromkeys(r.network for r in records if r.runtime == "tinyengine"):
        own = {r.quantity: r for r in records if r.runtime == "tinyengine" and r.network == name}
        cells = [name]
        for quantity in ("SRAM", "Flash image"):
            r = own[quantity]
            cells += [f"{r.measured / KIB:.0f}", f"{r.high / KIB:.1f}"]
        lines.append([*cells, own["Flash image"].verdict])
    return table(["network", "SRAM, README", "predicted", "Flash, README", "predicted", "error of Flash"], lines)


def mcunetv2(records: Sequence[Record]) -> str:
    """The four rows of Table S1 that are families of hwscale."""
    own = [r for r in records if r.runtime == "any"]
    lines = []
    for name in dict.fromkeys(r.network for r in own):
        macs, params = (next(r for r in own if (r.network, r.quantity) == (name, q)) for q in ("MACs", "parameters"))
        printed, counted = (
            (f"{macs.measured / 1e6:.0f} M", f"{params.measured / 1e6:.1f} M"),
            (
                f"{macs.high / 1e6:.2f} M",
                f"{params.high / 1e6:.3f} M",
            ),
        )
        lines.append([name, printed[0], counted[0], printed[1], counted[1]])
    return table(["network", "MACs, Table S1", "predicted", "parameters, Table S1", "predicted"], lines)


def misses(records: Sequence[Record]) -> str:
    """Every row that is off by more than its runtime says of itself."""
    lines = []
    for r in records:
        if r.miss:
            unit = KIB if r.unit == "B" else 1
            predicted = f"{r.high / unit:.1f}" if not r.interval else f"{r.low / unit:.1f} to {r.high / unit:.1f}"
            lines.append(
                [r.network, r.runtime, r.quantity, f"{r.measured / unit:.1f}", predicted, f"{100 * r.error:+.2f} %"]
            )
    return (
        table(["row", "runtime", "quantity", "measured [KiB]", "predicted [KiB]", "error"], lines) if lines else "None."
    )


def left_out(left: Sequence[LeftOut]) -> str:
    """Rows without a comparison, by reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for entry in left:
        reasons.setdefault((entry.runtime, entry.reason), []).append(entry.network)
    return "\n".join(f"* {runtime}: {reason}: {'; '.join(names)}." for (runtime, reason), names in reasons.items())
