"""The README's commands run, and the output it shows is what they print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from hwscale.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = [line.removeprefix("$ ") for line in README.splitlines() if line.startswith("$ hwscale ")]
SHOWN = re.search(r"<!-- output: (.+?) -->\n```text\n(.+?)\n```", README, re.DOTALL)


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", shlex.split(command))
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0, command


def timeless(text: str) -> list[str]:
    return [re.sub(r"\d+\.\d\d s$", "", line.rstrip()) for line in text.strip().splitlines()]


def test_the_output_shown_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert SHOWN is not None
    run(SHOWN[1], monkeypatch)
    assert timeless(capsys.readouterr().out) == timeless(SHOWN[2])


def test_every_command_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert len(COMMANDS) >= 8
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        run(command, monkeypatch)


def test_the_python_examples_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        exec(example, {})  # noqa: S102 - the README is this project's own
    assert (tmp_path / "best" / "fit.json").is_file()
