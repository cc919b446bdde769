"""What is read from a front afterwards: drawing, saving, loading, the command line."""

from __future__ import annotations

import csv
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import hwscale
from hwscale.cli import app
from hwscale.errors import ConfigError
from hwscale.explore.front import Front
from tests.fronts import PLATFORM

COSTS = ("ram", "flash", "latency")


@pytest.fixture(scope="module")
def front() -> Front:
    return hwscale.pareto("xinet", PLATFORM, domain={"alpha": (0.3, 1.2), "num_layers": [5, 6]}, over=COSTS)


@pytest.fixture(scope="module")
def flat() -> Front:
    return hwscale.pareto("mobilenet_v2", PLATFORM)


def test_rows_come_by_rising_ram_then_flash_then_falling_score(front: Front) -> None:
    keys = list(zip(front.columns["ram"], front.columns["flash"], -front.columns["score"], strict=True))
    assert keys == sorted(keys)
    assert len(keys) == len(front) == len(front.points)


@pytest.mark.parametrize("epsilon", [0.001, 0.005, 0.1])
@pytest.mark.parametrize(("x", "y"), [("ram", "macs"), ("flash", "score"), ("latency", "ram"), ("macs", "flash")])
def test_every_point_lies_near_a_drawn_one_that_is_as_good_in_x(front: Front, x: str, y: str, epsilon: float) -> None:
    across, up = (np.asarray(front.columns[name], float) for name in (x, y))
    drawn = front.thinned(x, y, epsilon)
    sign = 1 if x in COSTS else -1
    for row in range(len(front)):
        near = np.abs(across[drawn] - across[row]) <= epsilon * across[row]
        near &= np.abs(up[drawn] - up[row]) <= epsilon * np.abs(up[row])
        assert (near & (sign * across[drawn] <= sign * across[row])).any()
    assert len(drawn) < len(front)
    assert len(set(drawn.tolist())) == len(drawn)


@pytest.mark.parametrize(
    ("x", "y"), [("ram", "macs"), ("latency", "resolution"), ("flash", "ram"), ("macs", "latency")]
)
def test_a_staircase_holds_what_nothing_beats_in_two_columns(front: Front, x: str, y: str) -> None:
    across = front.columns[x] * (1.0 if x in COSTS else -1.0)
    up = front.columns[y] * (1.0 if y in COSTS else -1.0)
    pairs = set(zip(across.tolist(), up.tolist(), strict=True))
    truth = {p for p in pairs if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in pairs)}
    rows = front.staircase(x, y)
    assert [(across[row], up[row]) for row in rows] == sorted(truth, reverse=x not in COSTS)


def test_a_saved_front_is_the_same_front(front: Front, flat: Front, tmp_path: Path) -> None:
    for one in (front, flat):
        path = one.save(tmp_path / "some.npz")
        again = hwscale.load_front(path)
        assert again.to_dict() == one.to_dict()
        assert again.to_csv() == one.to_csv()
        assert [entry.name for entry in tmp_path.iterdir()] == ["some.npz"]
        assert all(again.columns[name].dtype == column.dtype for name, column in one.columns.items())


def _foreign(tmp_path: Path, kind: str, flat: Front) -> Path:
    path = tmp_path / "other.npz"
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"schema": "hwscale.front/1"}))
    elif kind == "object arrays":
        np.savez(path, header=np.array([{"schema": "hwscale.front/1"}], dtype=object))
    elif kind == "text":
        path.write_text("ram,flash\n1,2\n")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "one array":
        np.save(tmp_path / "one.npy", np.arange(3))
        path = tmp_path / "one.npy"
    elif kind == "other npz":
        np.savez(path, x=np.arange(3))
    elif kind == "cut":
        whole = flat.save(path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    else:
        flat.save(path)
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays["header"].tobytes())
        if kind == "newer":
            header["schema"] = "hwscale.front/2"
        else:
            arrays["column_ram"] = arrays["column_ram"][:-1]
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        *((kind, "no front that hwscale saved") for kind in ("pickle", "object arrays", "text", "empty", "one array")),
        ("other npz", "no front that hwscale saved"),
        ("cut", "no front that hwscale saved"),
        ("newer", "update hwscale"),
        ("short column", "damaged"),
    ],
)
def test_a_file_that_is_no_front_is_refused_in_a_sentence(kind: str, words: str, flat: Front, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        hwscale.load_front(_foreign(tmp_path, kind, flat))


def test_a_file_that_cannot_be_written_or_read_is_refused(flat: Front, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        flat.save(tmp_path / "missing" / "front.npz")
    with pytest.raises(ConfigError, match="no such file"):
        hwscale.load_front(tmp_path / "front.npz")
    with pytest.raises(ConfigError, match="folder"):
        hwscale.load_front(tmp_path)


def test_limits_on_what_the_front_is_not_over_are_refused_with_the_remedy(flat: Front, front: Front) -> None:
    with pytest.raises(ConfigError, match="over=\\('ram', 'flash', 'latency'\\)"):
        flat.best({"latency": "100 ms"})
    with pytest.raises(ConfigError, match=r"use hwscale\.fit"):
        front.best({"macs": "10M"})
    with pytest.raises(ConfigError, match="unknown limit"):
        front.best({"speed": 1})
    assert flat.best({"ram": 1}) is None
    lifted, kept = flat.best({"ram": "none", "flash": None}), flat.best()
    assert lifted is not None
    assert kept is not None
    assert lifted.score > kept.score
    energy, latency = front.best({"energy": "10 mJ"}), front.best({"latency": 0.010 / float(front.power_w or 0)})
    assert energy is not None
    assert energy == latency


def test_unknown_columns_and_shares_are_refused(flat: Front) -> None:
    for ask in (lambda: flat.staircase("rom", "macs"), lambda: flat.thinned("ram", "mac")):
        with pytest.raises(ConfigError, match="unknown column"):
            ask()
    with pytest.raises(ConfigError, match="epsilon"):
        flat.thinned("ram", "macs", 0)
    with pytest.raises(ConfigError, match="latency"):
        hwscale.pareto("mobilenet_v2").staircase("latency", "macs")


def test_csv_and_json_hold_every_point_with_whole_bytes(flat: Front) -> None:
    lines = list(csv.DictReader(io.StringIO(flat.to_csv())))
    assert [int(line["ram_bytes"]) for line in lines] == flat.columns["ram"].tolist()
    assert {"flash_bytes", "latency_s", "resolution_px", "alpha"} <= set(lines[0])
    document = json.loads(json.dumps(flat.to_dict()))
    assert document["schema"] == "hwscale.front/1"
    assert len(document["points"]) == len(flat)
    first = document["points"][0]
    assert isinstance(first["cost"]["ram_bytes"], int)
    assert first["hyperparameters"] == flat.hyperparameters(0)


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["pareto", *arguments])


NET = ("--net", "mobilenet_v2", "--platform", PLATFORM)


def test_the_command_prints_the_staircase_the_evidence_and_the_best_point(flat: Front) -> None:
    found = _run(*NET, "--limit", "ram=300KiB")
    best = flat.best({"ram": "300KiB"})
    assert found.exit_code == 0
    assert best is not None
    assert f"{len(flat):,} points over ram, flash of {flat.candidates:,} candidates" in found.stdout
    assert "exact" in found.stdout
    assert "ram 300.0 KiB" in found.stdout
    assert f"alpha={best.hyperparameters['alpha']}  resolution={best.hyperparameters['resolution']}" in found.stdout


def test_the_command_writes_what_it_later_loads(flat: Front, tmp_path: Path) -> None:
    target = tmp_path / "front.npz"
    assert _run(*NET, "--out", str(target)).exit_code == 0
    loaded = json.loads(_run("--load", str(target), "--json").stdout)
    mine = flat.to_dict()
    assert {k: v for k, v in loaded.items() if k != "seconds"} == {k: v for k, v in mine.items() if k != "seconds"}
    table = tmp_path / "front.csv"
    assert _run("--load", str(target), "--out", str(table), "--csv").stdout == table.read_text() == flat.to_csv()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--net"),
        ((*NET, "--load", "x.npz"), "both given"),
        (("--load", "x.npz", "--objective", "macs"), "--objective is for a new front"),
        ((*NET, "--json", "--csv"), "keep one"),
        ((*NET, "--out", "front.pdf"), "allowed: .html, .png, .csv, .npz"),
        ((*NET, "--out", "/nowhere/front.npz"), "no folder"),
        ((*NET, "--x", "rom"), "unknown column"),
        ((*NET, "--over", "ram"), "allowed: ram, flash"),
        ((*NET, "--limit", "latency=1ms"), "over="),
    ],
)
def test_a_users_mistake_is_one_sentence(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    found = _run(*arguments)
    assert isinstance(found.exception, ConfigError)
    assert words in str(found.exception)
    assert not found.stdout


def test_fronts_need_numpy_alone() -> None:
    code = (
        "import sys, hwscale, hwscale.explore.exact_front, hwscale.explore.front_file\n"
        "hwscale.pareto('mobilenet_v2', fix={'resolution': 96}).best()\n"
        "print([n for n in ('torch', 'scipy', 'matplotlib', 'plotly', 'pulp', 'sympy', 'rich', 'pandas') if n in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
