"""The command line as a user meets it: what is printed where, exit codes, JSON, --save and verify, what is not loaded."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import hwscale

KIB = 1024
F746_RAM, F746_FLASH = (64 + 256) * KIB, 1024 * KIB  # DTCM + SRAM1 and 2; platforms/stm32f746.toml
FAMILIES = ("phinet", "xinet")
HAS_TARGETS = ("--target", "ram=256KiB", "--target", "flash=1MiB", "--target", "macs=20M")

FIT_KEYS = {
    "schema": str,
    "family": str,
    "runtime": str,
    "schedule": str,
    "objective": str,
    "hyperparameters": dict,
    "input_shape": list,
    "classes": int,
    "cost": dict,
    "ram_parts": dict,
    "evidence": dict,
    "limits": dict,
    "slack": dict,
    "binding": list,
    "certificate": dict,
    "verification": dict,
}


def without_seconds(text: str) -> dict[str, Any]:
    answer = json.loads(text)
    del answer["certificate"]["seconds"]
    return answer


# ---- fit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_fit_prints_a_table_on_stdout_and_nothing_on_stderr(cli: Any, family: str) -> None:
    answer = cli("fit", "--net", family, "--platform", "stm32f746")
    assert answer.code == 0
    assert answer.err == ""
    for part in (
        family,
        "stm32f746",
        "alpha=",
        "RAM",
        "Flash",
        "MACs",
        "proven best",
        "verified with torch",
        "reserve",
    ):
        assert part in answer.out, part


def test_an_estimate_is_never_printed_as_if_it_were_exact(cli: Any) -> None:
    answer = cli("fit", "--net", "xinet", "--platform", "stm32h743", "--verify", "none")
    assert all("estimated" in line for line in answer.out.splitlines() if re.match(r"\s+(latency|energy)\b", line))


@pytest.mark.parametrize("family", FAMILIES)
def test_json_follows_the_schema(cli: Any, family: str) -> None:
    answer = cli("fit", "--net", family, "--platform", "stm32h743", "--limit", "latency=500ms", "--json")
    assert answer.code == 0
    record = json.loads(answer.out)
    assert record["schema"] == "hwscale.fit/1"
    for key, kind in FIT_KEYS.items():
        assert type(record[key]) is kind, key
    assert (record["family"], record["platform"]) == (family, "stm32h743")
    cost = record["cost"]
    assert set(cost) == {
        "ram_bytes", "flash_bytes", "macs", "params", "latency_s", "energy_j", "latency_interval_s", "energy_interval_j"
    }  # fmt: skip
    assert cost["latency_interval_s"][0] < cost["latency_s"] < cost["latency_interval_s"][1]
    latency = record["evidence"]["latency"]
    assert (latency["is"], latency["library"], latency["n"]) == ("estimated", "tflm + cmsis-nn", 9)
    assert 0 < latency["left_out_error"] < 0.1
    assert latency["source"]
    assert all(type(cost[name]) is int for name in ("ram_bytes", "flash_bytes", "macs", "params"))
    assert set(record["evidence"]) == {"ram", "flash", "latency", "energy"}
    assert set(record["limits"]) == set(record["slack"]) == {"ram", "flash", "latency"}
    spent = {"ram": cost["ram_bytes"], "flash": cost["flash_bytes"], "latency": cost["latency_s"]}
    for name, limit in record["limits"].items():
        assert record["slack"][name] == pytest.approx(limit - spent[name], rel=1e-9, abs=1e-12)
        assert record["slack"][name] >= 0
        assert name == "latency" or (type(limit) is int and type(record["slack"][name]) is int)
    assert record["limits"]["latency"] == 0.5
    assert set(record["binding"]) <= set(record["limits"])
    certificate = record["certificate"]
    expected = {"status", "objective", "bound", "gap", "evaluations", "domain_size", "method", "seconds"}
    assert expected <= set(certificate)
    assert (certificate["status"], certificate["gap"]) == ("optimal", 0)
    assert certificate["bound"] == certificate["objective"]
    assert certificate["evaluations"] > 0
    assert certificate["domain_size"] > 0
    verification = record["verification"]
    assert (verification["backend"], verification["ok"], verification["uncounted"]) == ("torch", True, [])
    measured = {row["quantity"]: (row["predicted"], row["measured"]) for row in verification["rows"]}
    assert (record["runtime"], verification["runtime"]) == ("tflm", "tensors")
    assert set(record["ram_parts"]) == {"head", "tail"}
    assert sum(record["ram_parts"].values()) == cost["ram_bytes"]
    counted = hwscale.cost(family, record["hyperparameters"], runtime="tensors").cost
    for name in ("ram_bytes", "flash_bytes", "macs", "params"):
        assert measured[name] == (getattr(counted, name), getattr(counted, name))
    assert measured["macs"] == (cost["macs"], cost["macs"])
    assert measured["params"] == (cost["params"], cost["params"])


def test_json_equals_the_api(cli: Any) -> None:
    answer = cli("fit", "--net", "xinet", "--limit", "ram=64KiB", "--json")
    api = json.loads(json.dumps(hwscale.fit("xinet", limits={"ram": 64 * KIB}).to_dict()))
    del api["certificate"]["seconds"]
    assert without_seconds(answer.out) == api


def test_json_without_platform_says_null_not_a_number(cli: Any) -> None:
    record = json.loads(cli("fit", "--net", "xinet", "--limit", "ram=64KiB", "--verify", "none", "--json").out)
    assert record["platform"] is None
    assert record["cost"]["latency_s"] is None
    assert record["cost"]["energy_j"] is None
    assert record["limits"] == {"ram": 64 * KIB}
    assert record["verification"]["backend"] == "none"
    assert record["verification"]["ok"] is not True, "what was not measured is not verified"


def test_every_flag_reaches_the_answer(cli: Any) -> None:
    answer = cli(
        *("fit", "--net", "phinet", "--platform", "stm32h743", "--limit", "ram=200KiB", "--limit", "macs=30M"),
        *(
            "--fix",
            "num_layers=8",
            "--domain",
            "alpha=0.2:0.9",
            "--domain",
            "resolution=96,128",
            "--domain",
            "beta=0.5:1.5:0.25",
        ),
        *(
            "--objective",
            "macs",
            "--runtime",
            "tensors-strict",
            "--solver",
            "quadtree",
            "--classes",
            "7",
            "--in-channels",
            "1",
        ),
        *("--input-buffer", "external", "--reserve-flash", "64KiB", "--margin", "5%", "--json"),
    )
    record = json.loads(answer.out)
    assert answer.code == 0
    values = record["hyperparameters"]
    assert values["num_layers"] == 8
    assert 0.2 <= values["alpha"] <= 0.9
    assert values["resolution"] in (96, 128)
    assert values["beta"] in (0.5, 0.75, 1.0, 1.25, 1.5)
    assert record["input_shape"] == [1, values["resolution"], values["resolution"]]
    assert (record["classes"], record["objective"], record["runtime"]) == (7, "macs", "tensors-strict")
    assert record["limits"]["ram"] == 200 * KIB
    assert record["limits"]["macs"] == 30_000_000
    assert record["limits"]["flash"] < 2048 * KIB - 64 * KIB
    assert "quadtree" in record["certificate"]["method"]
    assert record["verification"]["ok"] is True


def test_input_shape_allows_rectangles_and_other_channels(cli: Any) -> None:
    record = json.loads(cli("fit", "--net", "xinet", "--limit", "ram=96KiB", "--input-shape", "1x96x128", "--json").out)
    assert record["input_shape"] == [1, 96, 128]
    assert record["verification"]["ok"] is True


@pytest.mark.parametrize(("margin", "kept"), [("10%", (9, 10)), ("7%", (93, 100)), ("0.3", (7, 10)), ("0", (1, 1))])
def test_a_margin_is_cut_by_floor(cli: Any, margin: str, kept: tuple[int, int]) -> None:
    limits = json.loads(cli(*XINET_F746, "--margin", margin, "--json").out)["limits"]
    assert limits == {"ram": F746_RAM * kept[0] // kept[1], "flash": F746_FLASH * kept[0] // kept[1]}


XINET_F746 = ("fit", "--net", "xinet", "--platform", "stm32f746", "--verify", "none")


def test_a_reserve_is_subtracted_and_printed_even_when_zero(cli: Any) -> None:
    record = json.loads(cli(*XINET_F746, "--reserve-ram", "64KiB", "--reserve-flash", "1000 B", "--json").out)
    assert record["limits"] == {"ram": F746_RAM - 64 * KIB, "flash": F746_FLASH - 1000}
    assert re.search(
        r"reserve.*ram.*64\.0 KiB.*1000 B", cli(*XINET_F746, "--reserve-ram", "64KiB", "--reserve-flash", "1000 B").out
    )
    assert re.search(r"reserve.*ram 0 B", cli(*XINET_F746).out)


@pytest.mark.parametrize("family", FAMILIES)
def test_explain_names_the_peak_its_live_tensors_and_the_proof(cli: Any, family: str) -> None:
    arguments = ("fit", "--net", family, "--limit", "ram=96KiB", "--limit", "flash=512KiB")
    out = cli(*arguments, "--explain").out
    ram = json.loads(cli(*arguments, "--json", "--verify", "none").out)["cost"]["ram_bytes"]
    assert "peak" in out
    parts = re.search(r"RAM ([\d,]+) B = head ([\d,]+) \+ tail ([\d,]+)$", out, re.MULTILINE)
    assert parts, out
    total, head, tail = (int(part.replace(",", "")) for part in parts.groups())
    assert total == head + tail == ram
    live = [int(size.replace(",", "")) for size in re.findall(r" x \d+ x \d+ +([\d,]+) *$", out, re.MULTILINE)]
    assert re.search(rf"sum\s+{sum(live):,}\b", out)
    assert sum(-(-size // 16) * 16 for size in live) == head, "the live tensors, aligned, add up to the head"
    assert "candidates" in out
    out = cli(*arguments, "--runtime", "tensors", "--explain").out
    ram = json.loads(cli(*arguments, "--runtime", "tensors", "--json", "--verify", "none").out)["cost"]["ram_bytes"]
    assert re.search(rf"sum\s+{ram:,}\b", out), "the live tensors add up to the RAM"


def test_explain_does_not_spoil_json(cli: Any) -> None:
    assert json.loads(cli(*XINET_F746, "--explain", "--json").out)["schema"] == "hwscale.fit/1"


def test_the_nlp_solver_exits_with_five_and_says_not_proven(cli: Any) -> None:
    arguments = (
        "fit",
        "--net",
        "xinet",
        "--limit",
        "ram=110KiB",
        "--domain",
        "alpha=0.3,0.5,0.8",
        "--solver",
        "nlp",
        "--verify",
        "none",
    )
    answer = cli(*arguments)
    assert answer.code == 5
    assert "not proven best" in answer.out
    assert "optimal" not in answer.out
    assert json.loads(cli(*arguments, "--json").out)["certificate"]["status"] == "feasible"


def test_targets_report_their_distance_and_are_never_exceeded(cli: Any) -> None:
    answer = cli("fit", "--net", "phinet", *HAS_TARGETS, "--json")
    record = json.loads(answer.out)
    assert answer.code == 0
    targets = {"ram": 256 * KIB, "flash": 1024 * KIB, "macs": 20_000_000}
    reached = {
        "ram": record["cost"]["ram_bytes"],
        "flash": record["cost"]["flash_bytes"],
        "macs": record["cost"]["macs"],
    }
    for name, target in targets.items():
        assert 0.99 * target <= reached[name] <= target
        assert record["distance"][name] == pytest.approx(reached[name] / target - 1, abs=1e-12)
    table = cli("fit", "--net", "phinet", *HAS_TARGETS).out
    assert all(re.search(rf"target {name}.*-0\.\d+ %", table) for name in targets)


def test_warnings_reach_the_reader_of_the_table(cli: Any) -> None:
    out = " ".join(cli("fit", "--net", "phinet", "--limit", "ram=40KiB", "--verify", "none").out.split())
    assert "RAM is the only budget" in out
    assert "below 96 px" in out


# ---- the same answer everywhere --------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_two_processes_give_the_same_json(python: Any, family: str) -> None:
    command = ("-m", "hwscale", "fit", "--net", family, "--platform", "stm32f746", "--verify", "none", "--json")
    first, second = (python(*command, PYTHONHASHSEED=seed) for seed in ("0", "4711"))
    assert first.code == second.code == 0
    assert first.err == second.err == ""
    assert without_seconds(first.out) == without_seconds(second.out)


def test_exit_codes_of_a_real_process(python: Any) -> None:
    fits = python("-m", "hwscale", "fit", "--net", "xinet", "--limit", "ram=64KiB", "--json")
    assert (fits.code, fits.err) == (0, "")
    assert json.loads(fits.out)["verification"]["ok"] is True
    usage = python("-m", "hwscale", "fit", "--net", "xinet", "--limit", "ram=64KB")
    infeasible = python("-m", "hwscale", "fit", "--net", "xinet", "--limit", "ram=1KiB")
    assert (usage.code, usage.out) == (2, "")
    assert (infeasible.code, infeasible.out) == (3, "")
    assert all(len(run.err.strip().splitlines()) == 1 and "Traceback" not in run.err for run in (usage, infeasible))


def test_a_reader_that_stops_early_sees_no_traceback(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hwscale", "platforms", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    message = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert "Traceback" not in message
    assert "Exception ignored" not in message


# ---- what is not loaded ----------------------------------------------------------------------------------------------

HEAVY = {"torch", "sympy", "scipy", "pulp", "highspy", "ortools"}
LIST_HEAVY = f"import sys; print(*sorted({HEAVY | {'numpy'}} & set(sys.modules)), file=sys.stderr)"


def loaded(python: Any, code: str) -> set[str]:
    done = python("-c", f"{code}\n{LIST_HEAVY}")
    assert done.code == 0, done.err
    return set(done.err.split())


def command(*arguments: str) -> str:
    return (
        f"import sys; sys.argv = {['hwscale', *arguments]}\nfrom hwscale.cli import main\n"
        "try:\n    main()\nexcept SystemExit as exit_:\n    assert not exit_.code, exit_.code\n"
    )


def test_import_loads_nothing_heavy(python: Any) -> None:
    assert loaded(python, "import hwscale") == set()


@pytest.mark.parametrize("arguments", [("--help",), ("fit", "--help"), ("--version",)], ids=" ".join)
def test_help_loads_not_even_numpy(python: Any, arguments: tuple[str, ...]) -> None:
    assert loaded(python, command(*arguments)) == set()


@pytest.mark.parametrize("family", [*FAMILIES, "atomnet"])
def test_fit_without_verification_loads_no_torch_sympy_scipy_or_pulp(python: Any, family: str) -> None:
    code = command("fit", "--platform", "stm32f746", "--net", family, "--verify", "none")
    assert loaded(python, code) & HEAVY == set()


# ---- save and verify -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_fit_verifies(cli: Any, tmp_path: Path, family: str) -> None:
    folder = tmp_path / "new" / "best"
    saved = cli("fit", "--net", family, "--limit", "ram=48KiB", "--limit", "flash=150KiB", "--save", folder, "--json")
    assert saved.code == 0
    printed = json.loads(saved.out)
    written = json.loads((folder / "fit.json").read_text())
    assert written["hyperparameters"] == printed["hyperparameters"]
    assert written["cost"] == printed["cost"]
    assert (folder / "weights.pt").is_file()
    assert sorted(path.name for path in folder.iterdir()) == ["fit.json", "weights.pt"]
    table = cli("verify", folder)
    assert table.code == 0
    assert "verified" in table.out
    record = json.loads(cli("verify", folder, "--json").out)
    assert record["ok"] is True
    assert hwscale.verify(folder).ok


def test_a_saved_rectangle_with_options_and_external_input_verifies(cli: Any, tmp_path: Path) -> None:
    folder = tmp_path / "best"
    arguments = ("--limit", "ram=48KiB", "--limit", "flash=150KiB", "--input-shape", "1x64x96", "--classes", "2")
    options = ("--fix", "squeeze_excite=false", "--fix", "divisor=4", "--input-buffer", "external")
    assert cli("fit", "--net", "phinet", *arguments, *options, "--save", folder).code == 0
    assert cli("verify", folder).code == 0


def test_a_saved_folder_can_be_moved(cli: Any, tmp_path: Path) -> None:
    cli("fit", "--net", "xinet", "--limit", "ram=48KiB", "--limit", "flash=150KiB", "--save", tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert cli("verify", tmp_path / "there").code == 0


# ---- cost, formula, platforms, nets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_cost_equals_the_api(cli: Any, family: str) -> None:
    arguments = (
        "cost",
        "--net",
        family,
        "--fix",
        "alpha=0.5",
        "--fix",
        "resolution=96",
        "--platform",
        "stm32h743",
        "--classes",
        "3",
    )
    record = json.loads(cli(*arguments, "--json").out)
    api = hwscale.cost(family, {"alpha": 0.5, "resolution": 96}, platform="stm32h743", classes=3)
    assert record["cost"] == json.loads(json.dumps(dataclasses.asdict(api.cost)))
    assert record["hyperparameters"]["alpha"] == 0.5
    assert record["hyperparameters"]["resolution"] == 96
    assert "RAM" in cli(*arguments).out


def test_the_ops_of_a_cost_add_up(cli: Any) -> None:
    record = json.loads(cli("cost", "--net", "xinet", "--json").out)
    assert sum(op["macs"] for op in record["ops"]) == record["cost"]["macs"]
    aligned = [-(-tensor["size_bytes"] // 16) * 16 for tensor in record["live"]]
    assert max(op["live_bytes"] for op in record["ops"]) == sum(aligned) == record["ram_parts"]["head"]
    assert sum(record["ram_parts"].values()) == record["cost"]["ram_bytes"]
    record = json.loads(cli("cost", "--net", "xinet", "--runtime", "tensors", "--json").out)
    assert max(op["live_bytes"] for op in record["ops"]) == record["cost"]["ram_bytes"]
    assert sum(tensor["size_bytes"] for tensor in record["live"]) == record["cost"]["ram_bytes"]


@pytest.mark.parametrize("family", FAMILIES)
def test_formula_prints_ram_flash_and_macs(cli: Any, family: str) -> None:
    answer = cli("formula", "--net", family)
    assert (answer.code, answer.err) == (0, "")
    assert all(part in answer.out for part in ("RAM", "Flash", "MACs", "floor", "alpha"))


def test_the_relaxed_formula_has_no_rounding(cli: Any) -> None:
    out = cli("formula", "--net", "xinet", "--relaxed").out
    costs = out.partition("RAM")[2]
    assert "alpha" in costs
    assert "floor" not in costs


def test_the_formula_as_latex_is_latex(cli: Any) -> None:
    out = cli("formula", "--net", "xinet", "--latex").out
    assert r"\alpha" in out
    assert r"\left\lfloor" in out
    assert out.count("{") == out.count("}")
    assert r"\left\lfloor" not in cli("formula", "--net", "xinet", "--relaxed", "--latex").out


def test_the_formula_as_json_parses(cli: Any) -> None:
    record = json.loads(cli("formula", "--net", "phinet", "--json", "--classes", "3").out)
    assert record["schema"] == "hwscale.formula/1"
    assert (record["family"], record["classes"]) == ("phinet", 3)


def test_platforms_list_and_show_every_built_in(cli: Any) -> None:
    listed = cli("platforms", "list").out
    for name in hwscale.platforms():
        assert name in listed
        shown = cli("platforms", "show", name)
        assert (shown.code, shown.err) == (0, "")
        assert name in shown.out
        assert json.loads(cli("platforms", "show", name, "--json").out)["name"] == name
        assert cli("platforms", "check", name).code == 0


def test_a_new_descriptor_is_written_checked_and_never_overwritten(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("platforms", "new", "my-board").code == 0
    template = (tmp_path / "my-board.toml").read_text()
    unfilled = cli("platforms", "check", "my-board.toml")
    assert unfilled.code == 2
    assert re.search(r"my-board\.toml:\d+: ", unfilled.out + unfilled.err)
    again = cli("platforms", "new", "my-board")
    assert again.code == 2
    assert (tmp_path / "my-board.toml").read_text() == template


def test_the_schema_is_json(cli: Any) -> None:
    assert "properties" in json.loads(cli("platforms", "schema").out)


def test_a_platform_can_be_a_file(cli: Any, tmp_path: Path) -> None:
    source = Path(hwscale.load_platform("stm32f746").origin).read_text()
    (tmp_path / "mine.toml").write_text(source.replace('"stm32f746"', '"mine"', 1))
    record = json.loads(
        cli("fit", "--net", "xinet", "--platform", tmp_path / "mine.toml", "--verify", "none", "--json").out
    )
    assert record["limits"] == {"ram": F746_RAM, "flash": F746_FLASH}


def test_nets_list_and_show(cli: Any) -> None:
    listed = cli("nets", "list").out.split()
    assert set(FAMILIES) <= set(listed)
    for family in FAMILIES:
        shown = cli("nets", "show", family).out
        assert all(name in shown for name in hwscale.cost(family).to_dict()["hyperparameters"])


@pytest.mark.parametrize("verb", ["fit", "cost", "schedule", "formula", "verify", "platforms", "nets"])
def test_every_verb_has_help(cli: Any, verb: str) -> None:
    answer = cli(verb, "--help")
    assert answer.code == 0
    assert "Usage" in answer.out


def test_version_is_that_of_the_package(cli: Any) -> None:
    assert hwscale.__version__ in cli("--version").out
