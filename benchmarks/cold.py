"""What the command line costs from a cold start, in units of ``python -c "import torch"`` on the same machine.

A ratio travels between machines, seconds do not. The commands take turns, so that noise hits all alike.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

from benchmarks.budgets import PLATFORM
from benchmarks.report import Line

SECTION = "cold start: whole process"
RUNS = 7
TORCH = "python -c 'import torch'"
PYTHON = "python -c pass"
HELP = "hwscale --help"
FIT_BAR = 0.5
HELP_BAR = 0.25


ATOMNET = ("--platform", "stm32f746", "--limit", "latency=813ms")
"""The latency that Table 3 of the AtomNet paper gives its 320 KB network on this board."""


def _fit(net: str, asked: Sequence[str] = ("--platform", PLATFORM)) -> tuple[str, list[str]]:
    arguments = ["fit", "--net", net, *asked, "--verify", "none"]
    return f"hwscale {' '.join(arguments)}", [sys.executable, "-m", "hwscale", *arguments]


def commands() -> dict[str, list[str]]:
    """Each command as printed and as run, with this interpreter."""
    return {
        TORCH: [sys.executable, "-c", "import torch"],
        PYTHON: [sys.executable, "-c", "pass"],
        HELP: [sys.executable, "-m", "hwscale", "--help"],
        **dict(_fit(net) for net in ("phinet", "xinet")),
        **dict([_fit("atomnet", ATOMNET)]),
    }


def seconds(command: Sequence[str]) -> float:
    """Wall time of one process; RuntimeError with its stderr if it fails."""
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    taken = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return taken


def measure(runs: int = RUNS) -> list[Line]:
    """Median seconds of every command over ``runs`` rounds, and its ratio to importing torch."""
    todo = commands()
    names = list(todo)
    for name in names:
        # unmeasured: compiles byte code and fills the file cache, as an installed package has them
        seconds(todo[name])
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(runs):
        for at in range(len(names)):
            # another command starts every round, so that none always follows the heavy one
            name = names[(turn + at) % len(names)]
            taken[name].append(seconds(todo[name]))
    torch_s = median(taken[TORCH])
    lines = []
    for name in names:
        middle = median(taken[name])
        spread = f"{middle * 1e3:.0f} ms, {min(taken[name]) * 1e3:.0f}..{max(taken[name]) * 1e3:.0f} in {runs} runs"
        bar = None if name in (TORCH, PYTHON) else HELP_BAR if name == HELP else FIT_BAR
        lines.append(Line(SECTION, name, middle / torch_s, "x torch", bar, note=spread))
    return lines
