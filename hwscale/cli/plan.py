"""``hwscale calibrate --plan``: the ops worth measuring, as a table, a file to fill in and .tflite files to flash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from hwscale.cli.arguments import say

if TYPE_CHECKING:
    from hwscale.plan import Plan


def run(
    net: str,
    platform: str | None,
    runtime: str,
    points: int | None,
    output: str | None,
    tflite_dir: str | None,
    as_json: bool,
) -> None:
    """Plan, write what was asked for, and print.

    ``points`` shapes per operator, None for as many as a calibration needs; ``output`` the CSV, ``tflite_dir`` the
    folder of single ops, None for no such files. ConfigError for what cannot be planned, and rather than overwrite a
    file.
    """
    from hwscale.plan import plan
    from hwscale.plan_files import check_absent, export_tflite, tflite_paths

    check_absent(() if output is None else (output,))
    found = plan(net, platform, runtime=runtime, points=points)
    if tflite_dir is not None:
        check_absent(tuple(tflite_paths(found, tflite_dir).values()))
    if output is not None:
        found.write_csv(output)
    if tflite_dir is not None:
        export_tflite(found, tflite_dir, say)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
    else:
        _render(found, output, tflite_dir)


def _render(found: Plan, output: str | None, tflite_dir: str | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    from hwscale.cli.console import open_console
    from hwscale.family_shapes import op_label
    from hwscale.units import format_count, format_seconds
    from hwscale.work import shape_record

    console = open_console()
    where = f" on {found.platform}" if found.platform else ""
    console.print(f"[bold]{found.net}[/bold]{where}, runtime {found.runtime}: {len(found.shapes)} ops to measure")
    console.print(f"nominal coefficients: {escape(found.nominal)}")
    for part in found.kinds:
        errors = ", ".join(
            f"{work.quantity} by {error:.2g} %" for work, error in zip(part.works, part.errors, strict=True)
        )
        console.print()
        console.print(
            f"[bold]{part.kind}[/bold]  {len(part.shapes)} of {part.candidates} shapes, D-efficiency "
            f"{100 * part.efficiency:.0f} %; 1 % of noise shifts {errors}"
        )
        table = Table(box=None, padding=(0, 2), show_edge=False)
        table.add_column("op", no_wrap=True)
        for name in ("MACs", "elements", "nominal"):
            table.add_column(name, justify="right", no_wrap=True)
        for shape, seconds in zip(part.shapes, part.nominal_s, strict=True):
            record = shape_record(shape)
            macs = format_count(record.macs) if record.macs else "-"
            table.add_row(op_label(shape), macs, f"{record.elements:,}", format_seconds(seconds))
        console.print(table)
    for kind, reason in found.left_out.items():
        console.print(f"left out: {kind}, for {escape(reason)}")
    if output is not None:
        console.print(f"wrote {escape(output)}: fill in latency_ms")
    if tflite_dir is not None:
        console.print(f"wrote {len(found.shapes)} .tflite files of one op each to {escape(tflite_dir)}")
