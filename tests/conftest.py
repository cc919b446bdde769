"""What the tests share: one thread per process, and the command line, in process and for real."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch and numpy read it when they load; subprocesses inherit it
if "torch" in sys.modules:
    sys.modules["torch"].set_num_threads(1)

ROOT = Path(__file__).parents[1]


class Run(NamedTuple):
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """``cli("fit", "--net", "xinet", ...)`` in this process; an exception that escapes `main` fails the test."""
    from hwscale.cli import main

    def run(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["hwscale", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        return Run(code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(cli: Callable[..., Run]) -> Callable[..., str]:
    """``refused(*arguments, code=2)`` checks that the command is refused in one sentence, and returns the sentence."""

    def run(*arguments: object, code: int | tuple[int, ...] = 2) -> str:
        answer = cli(*arguments)
        assert answer.code in (code if isinstance(code, tuple) else (code,)), answer
        assert answer.out == "", "stdout is for results"
        sentence = answer.err.strip()
        assert "Traceback" not in sentence
        assert sentence.startswith("error: ")
        assert len(sentence.splitlines()) == 1, sentence
        assert not sentence.endswith(":"), f"the sentence breaks off: {sentence}"
        return sentence

    return run


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., Run]:
    """``python("-m", "hwscale", "fit", ...)``: a process of its own, in an empty folder."""

    def run(*arguments: object, timeout: float = 60, **environment: str) -> Run:
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            check=False,
            text=True,
            timeout=timeout,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths, **environment},
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run
