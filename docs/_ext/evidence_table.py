"""How each number is known, as the runtimes and the platforms themselves say it."""

from __future__ import annotations

from hwscale.latency_file import built_in_models
from hwscale.runtimes import RUNTIMES


def markdown() -> str:
    """RAM and Flash of every runtime."""
    lines = ["| runtime | quantity | known as | how, and how far off |", "|---|---|---|---|"]
    for name, runtime in RUNTIMES.items():
        for quantity, said in runtime.evidence.items():
            grade = said.partition(" ")[0].rstrip(":")
            reason = said.removeprefix(grade).lstrip(": ") or runtime.meaning
            lines.append(f"| `{name}` | {quantity_name(quantity)} | {grade} | {reason} |")
    return "\n".join(lines)


def quantity_name(quantity: str) -> str:
    """As people write it."""
    return {"ram": "RAM", "flash": "Flash"}.get(quantity, quantity)


def latency_markdown() -> str:
    """The operator models that ship with the platforms."""
    lines = [
        "| platform | kernels measured | measurements | networks | error on networks left out | 9 of 10 networks within |",
        "|---|---|---|---|---|---|",
    ]
    for platform, model in built_in_models():
        low, high = (100 * (end - 1) for end in model.interval)
        error = "-" if model.left_out_error is None else f"{100 * model.left_out_error:.1f} %"
        lines.append(
            f"| `{platform.name}` | {model.name} | {model.n} | {model.networks} | {error} | {low:+.0f} .. {high:+.0f} % |"
        )
    return "\n".join(lines)
