"""Runs the commands that the pages show and compares, or writes, what they print: ``python docs/outputs.py [--write] [PAGE ...]``.

A block under ``<!-- output -->`` starts with ``$ command``, perhaps with ``| head -N`` or ``| tail -N``; a block under
``<!-- file: NAME -->`` is written as that file, one under ``<!-- run -->`` is Python and must run. The blocks of a page run in their
order, in an empty folder of their own.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
PAGES = [path for folder in ("", "concepts", "howto") for path in sorted((HERE / folder).glob("*.md"))]
BLOCK = re.compile(
    r"<!-- (?P<what>output|run|file: (?P<name>\S+)) -->\n(?P<fence>```\w+\n)(?P<body>.*?)(?P<end>^```$)",
    re.DOTALL | re.MULTILINE,
)
CUT = re.compile(r" \| (head|tail) -(\d+)$")
SECONDS = re.compile(r"(?:\d+\.\d\d|(?<=complete table, )\d+\.\d) s(?=$|;)")


def has_outputs(page: Path) -> bool:
    """Whether a page shows what a command prints."""
    return "<!-- output -->" in page.read_text(encoding="utf-8")


def printed(command: str) -> str:
    """What a `hwscale` command prints, both streams in their order; without blanks at the ends of lines."""
    from hwscale.cli import main

    cut = CUT.search(command)
    words = shlex.split(command[: cut.start()] if cut else command)
    if words[0] != "hwscale":
        raise ValueError(f"{command}: only hwscale commands have their output checked")
    stream, before, path = io.StringIO(), sys.argv, sys.path.copy()
    sys.argv = words
    try:
        with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream), contextlib.suppress(SystemExit):
            main()
    finally:
        sys.argv, sys.path[:] = before, path  # a factory of a page is imported from its folder
    return _cut(stream.getvalue(), cut)


def printed_afresh(command: str) -> str:
    """The same in a process of its own: nothing is in memory yet, so the times are those that a user sees."""
    cut = CUT.search(command)
    words = shlex.split(command[: cut.start()] if cut else command)
    found = subprocess.run(
        [sys.executable, "-m", *words],
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return _cut(found.stdout, cut)


def _cut(words: str, cut: re.Match[str] | None) -> str:
    lines = [line.rstrip() for line in words.rstrip().splitlines()]
    if cut:
        count = int(cut[2])
        lines = lines[:count] if cut[1] == "head" else lines[-count:]
    return "\n".join(lines)


def timeless(words: str) -> str:
    """The same without how long it took."""
    return "\n".join(SECONDS.sub("", line) for line in words.splitlines())


def renewed(page: str, run: Callable[[str], str] = printed) -> str:
    """The page with every output as it is now; where only times differ it stays."""

    def block(found: re.Match[str]) -> str:
        if found["name"]:
            Path(found["name"]).write_text(found["body"], encoding="utf-8")
            return found[0]
        if found["what"] == "run":
            exec(compile(found["body"], "example", "exec"), {})  # noqa: S102 - the pages are this project's own
            return found[0]
        first, _, shown = found["body"].partition("\n")
        now = run(first.removeprefix("$ "))
        if timeless(now) == timeless(shown.rstrip()):
            return found[0]
        return f"<!-- output -->\n{found['fence']}{first}\n{now}\n{found['end']}"

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return BLOCK.sub(block, page)


def _main(arguments: list[str]) -> int:
    sys.path.insert(0, str(HERE.parent))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    write = "--write" in arguments
    chosen = [Path(name).resolve() for name in arguments if name != "--write"] or [p for p in PAGES if has_outputs(p)]
    stale = 0
    for page in chosen:
        before = page.read_text(encoding="utf-8")
        if (after := renewed(before, printed_afresh)) != before:
            stale += 1
            print(f"{page.relative_to(HERE)}: {'written' if write else 'differs; write it anew with --write'}")
            if write:
                page.write_text(after, encoding="utf-8")
    return 0 if write or not stale else 1


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
