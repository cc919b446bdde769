"""Bad input: one sentence on stderr that says what to do, the right exit code, never a traceback."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import hwscale

KIB = 1024
F746 = ("--platform", "stm32f746")
RAM64 = ("--limit", "ram=64KiB")


# ---- settings that cannot be used: exit 2 ----------------------------------------------------------------------------

# (arguments, what the sentence must contain)
REFUSED = [
    # names
    ("fit --net phinett --limit ram=64KiB", ["phinett", "did you mean 'phinet'"]),
    ("fit --net resnet50 --limit ram=64KiB", ["resnet50", "phinet", "xinet"]),
    ("fit --net phinet --platform stm32f74", ["stm32f74", "did you mean 'stm32f746'"]),
    ("fit --net phinet --platform nothing-like-it", ["nothing-like-it", "stm32h743"]),
    ("fit --net phinet --platform ./nowhere.toml", ["nowhere.toml"]),
    ("fit --net phinet --limit ram=64KiB --objective macks", ["macks", "did you mean 'macs'"]),
    ("fit --net phinet --limit ram=64KiB --objective balanced:r0=-1", ["r0"]),
    ("fit --net phinet --limit ram=64KiB --objective balanced:c=x", ["c=x"]),
    ("fit --net phinet --limit ram=64KiB --objective balanced:q=1", ["'q'", "c, r0"]),
    ("fit --net phinet --limit ram=64KiB --solver quadtre", ["quadtre", "did you mean 'quadtree'"]),
    ("fit --net phinet --limit ram=64KiB --runtime tensor", ["tensor", "tensors-strict"]),
    ("fit --net phinet --limit ram=64KiB --schedule patches", ["patches", "layer"]),
    ("fit --net phinet --limit ram=64KiB --verify touch", ["touch", "torch", "none"]),
    ("fit --net phinet --limit ram=64KiB --input-buffer extern", ["extern", "did you mean 'external'"]),
    ("cost --net xinett", ["did you mean 'xinet'"]),
    ("formula --net xinett", ["did you mean 'xinet'"]),
    ("nets show xinett", ["did you mean 'xinet'"]),
    ("platforms show stm32h74", ["stm32h74", "did you mean 'stm32h74"]),
    # quantities
    ("fit --net phinet --limit ram=256KB", ["256KB", "256 KiB", str(256 * KIB), "256000"]),
    ("fit --net phinet --limit ram=-5", ["ram", "-5"]),
    ("fit --net phinet --limit ram=-1KiB", ["ram", "-1KiB"]),
    ("fit --net phinet --limit ram=0", ["ram", "0"]),
    ("fit --net phinet --limit ram=nan", ["ram", "nan"]),
    ("fit --net phinet --limit ram=inf", ["ram", "inf"]),
    ("fit --net phinet --limit ram=much", ["ram", "much"]),
    ("fit --net phinet --limit ram=0.5", ["ram", "whole"]),
    ("fit --net phinet --limit macs=-4M", ["macs", "-4M"]),
    ("fit --net phinet --limit macs=nan", ["macs", "nan"]),
    ("fit --net phinet --platform stm32f746 --limit latency=nan", ["latency", "nan"]),
    ("fit --net phinet --platform stm32f746 --limit latency=-1ms", ["latency", "-1ms"]),
    ("fit --net phinet --platform stm32f746 --limit latency=100", ["latency", "unit", "100 ms"]),
    ("fit --net phinet --platform stm32h743 --limit energy=5", ["energy", "unit", "mJ"]),
    ("fit --net phinet --target ram=256KB", ["256 KiB"]),
    ("fit --net phinet --target ram=-1", ["ram", "-1"]),
    # keys
    ("fit --net phinet --limit rams=64KiB", ["rams", "did you mean 'ram'"]),
    ("fit --net phinet --target latncy=64ms", ["latncy", "did you mean 'latency'"]),
    ("fit --net phinet --limit ram=64KiB --fix alfa=1", ["alfa", "did you mean 'alpha'"]),
    ("fit --net phinet --limit ram=64KiB --fix gamma=4", ["phinet", "gamma"]),
    ("fit --net phinet --limit ram=64KiB --domain alfa=1:2", ["alfa", "did you mean 'alpha'"]),
    ("cost --net phinet --fix resolutoin=96", ["resolutoin", "did you mean 'resolution'"]),
    ("fit --net phinet --limit ram", ["--limit ram", "ram=256KiB"]),
    ("fit --net phinet --limit ram=", ["--limit ram="]),
    ("fit --net phinet --limit =64KiB", ["=64KiB"]),
    ("fit --net phinet --limit ram=64KiB --fix alpha", ["--fix alpha"]),
    ("fit --net phinet --limit ram=64KiB --domain alpha", ["--domain alpha"]),
    # twice, or against each other
    ("fit --net phinet --limit ram=64KiB --limit ram=128KiB", ["ram", "twice", "64KiB", "128KiB"]),
    ("fit --net phinet --target ram=64KiB --target ram=128KiB", ["ram", "twice"]),
    ("fit --net phinet --limit ram=64KiB --fix alpha=1 --fix alpha=2", ["alpha", "twice"]),
    ("fit --net phinet --limit ram=64KiB --domain alpha=1:2 --domain alpha=2:3", ["alpha", "twice"]),
    ("cost --net phinet --fix alpha=1 --fix alpha=2", ["alpha", "twice"]),
    ("fit --net phinet --limit ram=64KiB --fix alpha=1 --domain alpha=0.1:0.5", ["alpha", "fixed", "domain"]),
    ("fit --net phinet --limit ram=64KiB --target ram=64KiB", ["ram", "limit", "target"]),
    ("fit --net phinet --limit ram=64KiB --input-shape 3x96x96 --fix resolution=128", ["128", "(3, 96, 96)"]),
    ("fit --net phinet --limit ram=64KiB --input-shape 3x96x128 --fix resolution=96", ["96", "(3, 96, 128)"]),
    (
        "fit --net phinet --limit ram=64KiB --input-shape 3x96x96 --domain resolution=96,128",
        ["resolution", "input_shape"],
    ),
    ("fit --net phinet --limit ram=64KiB --input-shape 3x96x96 --in-channels 1", ["in_channels", "1"]),
    ("cost --net phinet --input-shape 3x96x96 --fix resolution=128", ["128", "(3, 96, 96)"]),
    # domains
    ("fit --net phinet --limit ram=64KiB --domain alpha=2:1", ["alpha", "empty"]),
    ("fit --net phinet --limit ram=64KiB --domain alpha=,", ["alpha", "empty"]),
    ("fit --net phinet --limit ram=64KiB --domain num_layers=9:7:1", ["num_layers", "empty"]),
    ("fit --net phinet --limit ram=64KiB --domain alpha=0.5:1:0", ["alpha", "step"]),
    ("fit --net phinet --limit ram=64KiB --domain alpha=0.5:1:-0.1", ["alpha", "step"]),
    ("fit --net phinet --limit ram=64KiB --domain alpha=1:2:3:4", ["1:2:3:4"]),
    ("fit --net phinet --limit ram=64KiB --domain alpha=x:1", ["alpha", "'x'"]),
    ("fit --net phinet --limit ram=64KiB --domain alpha=nan:1", ["alpha", "nan"]),
    ("fit --net phinet --limit ram=64KiB --domain alpha=-1:1", ["alpha", "-1"]),
    ("fit --net phinet --limit ram=64KiB --domain num_layers=5.5,6", ["num_layers", "5.5", "whole"]),
    ("fit --net xinet --limit ram=64KiB --domain alpha=0.001:0.002", ["xinet", "alpha"]),
    # values
    ("fit --net phinet --limit ram=64KiB --fix alpha=x", ["alpha", "'x'"]),
    ("fit --net phinet --limit ram=64KiB --fix alpha=nan", ["alpha", "nan"]),
    ("fit --net phinet --limit ram=64KiB --fix alpha=0", ["alpha", "above zero"]),
    ("fit --net phinet --limit ram=64KiB --fix alpha=-1", ["alpha", "-1"]),
    ("fit --net phinet --limit ram=64KiB --fix num_layers=7.5", ["num_layers", "7.5"]),
    ("fit --net phinet --limit ram=64KiB --fix num_layers=0", ["num_layers", "0"]),
    ("fit --net phinet --limit ram=64KiB --fix resolution=-96", ["resolution", "-96"]),
    ("fit --net phinet --limit ram=64KiB --fix residuals=maybe", ["residuals", "maybe", "true", "false"]),
    ("fit --net phinet --limit ram=64KiB --fix divisor=0", ["divisor", "0"]),
    ("fit --net xinet --limit ram=64KiB --fix gamma=0", ["gamma", "0"]),
    ("fit --net xinet --limit ram=64KiB --fix resolution=8", ["8x8"]),
    ("fit --net phinet --limit ram=64KiB --classes 0", ["classes", "0"]),
    ("fit --net phinet --limit ram=64KiB --classes -3", ["classes", "-3"]),
    ("fit --net phinet --limit ram=64KiB --in-channels 0", ["in_channels", "0"]),
    ("fit --net phinet --limit ram=64KiB --input-shape 3x96", ["3x96"]),
    ("fit --net phinet --limit ram=64KiB --input-shape axbxc", ["axbxc"]),
    ("fit --net phinet --limit ram=64KiB --input-shape 0x96x96", ["0"]),
    ("fit --net phinet --limit ram=64KiB --input-shape 3x-96x96", ["-96"]),
    ("cost --net phinet --classes 0", ["classes"]),
    # budgets
    ("fit --net phinet", ["limit", "platform"]),
    ("fit --net phinet --limit ram=none", ["limit"]),
    ("fit --net phinet --limit ram=64KiB --limit latency=100ms", ["latency", "platform"]),
    ("fit --net phinet --limit ram=64KiB --limit energy=1mJ", ["energy", "platform"]),
    ("fit --net phinet --platform ethos-u55-128 --limit latency=100ms", ["latency", "ethos-u55-128"]),
    ("fit --net phinet --platform stm32h743 --rates cmsis --limit latency=100ms", ["rates", "tflm + cmsis-nn"]),
    ("fit --net phinet --platform ethos-u55-128 --target latency=100ms", ["latency", "ethos-u55-128"]),
    ("fit --net phinet --platform stm32f746 --limit energy=1mJ", ["energy", "stm32f746"]),
    ("fit --net phinet --platform stm32f746 --margin 150%", ["margin"]),
    ("fit --net phinet --platform stm32f746 --margin 100%", ["margin"]),
    ("fit --net phinet --platform stm32f746 --margin -1%", ["margin"]),
    ("fit --net phinet --platform stm32f746 --margin 10", ["margin", "10 %"]),
    ("fit --net phinet --platform stm32f746 --margin nan", ["margin"]),
    ("fit --net phinet --platform stm32f746 --margin wide", ["margin", "wide"]),
    ("fit --net phinet --platform stm32f746 --reserve-ram 10MiB", ["reserve_ram", "320.0 KiB"]),
    ("fit --net phinet --platform stm32f746 --reserve-ram 320KiB", ["reserve_ram", "320.0 KiB"]),
    ("fit --net phinet --platform stm32f746 --reserve-flash 2MiB", ["reserve_flash", "1,024.0 KiB"]),
    ("fit --net phinet --platform stm32f746 --reserve-ram 64KB", ["64KB", "64 KiB"]),
    ("fit --net phinet --platform stm32f746 --reserve-ram=-1KiB", ["reserve_ram"]),
    ("fit --net phinet --platform stm32f746 --reserve-ram nan", ["reserve_ram", "nan"]),
    ("fit --net phinet --limit ram=64KiB --reserve-ram 4KiB", ["reserve_ram"]),
    # folders
    ("verify nowhere", ["nowhere"]),
    ("platforms new My_Board", ["My_Board"]),
]


@pytest.mark.parametrize(("line", "parts"), REFUSED, ids=[line for line, _ in REFUSED])
def test_bad_input_is_refused_in_one_sentence_that_says_why(refused: Any, line: str, parts: list[str]) -> None:
    sentence = refused(*line.split())
    for part in parts:
        assert part in sentence, sentence


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("fit --net phinet --limit ram=64KiB --classes ten", "--classes"),
        ("fit --net phinet --limit ram=64KiB --classes 2.5", "--classes"),
        ("fit --net phinet --limit ram=64KiB --in-channels rgb", "--in-channels"),
        ("fit --limit ram=64KiB", "--net"),
        ("fit --net phinet --limt ram=64KiB", "--limt"),
        ("fit --net phinet --limit ram=64KiB --objective", "--objective"),
        ("frob", "frob"),
        ("verify", "DIR"),
    ],
)
def test_what_the_parser_refuses_exits_with_two_and_names_the_option(cli: Any, line: str, option: str) -> None:
    answer = cli(*line.split())
    assert answer.code == 2
    assert answer.out == ""
    assert option in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("value", ["1e300", "1e30", "1e12"])
def test_an_absurd_width_is_refused_not_overflowed(refused: Any, value: str) -> None:
    refused("fit", "--net", "phinet", *RAM64, "--fix", f"alpha={value}", code=(2, 3))


def test_a_domain_too_large_to_tabulate_is_refused_not_swallowed(python: Any) -> None:
    """PhiNet's default domain has 10^8 candidates: a table of them takes more memory than a laptop has."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))"
    arguments = ["hwscale", "fit", "--net", "phinet", *RAM64, "--solver", "table", "--verify", "none"]
    try:
        answer = python(
            "-c", f"{limit}; import sys; sys.argv = {arguments}; from hwscale.cli import main; main()", timeout=15
        )
    except subprocess.TimeoutExpired:
        pytest.fail("no answer in 15 s, and no word that the domain is too large")
    assert "Traceback" not in answer.err
    assert answer.code in (0, 2)


# ---- nothing fits: exit 3 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", ["phinet", "xinet"])
@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        (("--limit", "ram=1KiB"), "ram"),
        (("--limit", "ram=64KiB", "--limit", "flash=500 B"), "flash"),
        (("--limit", "ram=64KiB", "--limit", "macs=1k"), "macs"),
        (("--platform", "stm32f746", "--limit", "latency=1us"), "latency"),
        (("--platform", "stm32h743", "--limit", "energy=1nJ"), "energy"),
        (("--limit", "ram=64KiB", "--fix", "resolution=256"), "ram"),
        (("--target", "ram=1KiB"), "ram"),
    ],
    ids=" ".join,
)
def test_an_infeasible_budget_exits_with_three_and_names_limit_need_and_shortfall(
    refused: Any, net: str, arguments: tuple[str, ...], limit: str
) -> None:
    sentence = refused("fit", "--net", net, *arguments, code=3)
    assert limit in sentence
    assert re.search(r"needs [\d.,]+", sentence)
    assert re.search(r"[\d.,]+ \S+ more", sentence)
    assert "smallest budget" in sentence


def test_the_shortfall_is_what_is_needed_less_what_is_allowed() -> None:
    with pytest.raises(hwscale.InfeasibleError) as refused:
        hwscale.fit("xinet", limits={"ram": 1024}, verify="none")
    error = refused.value
    assert (error.limit, error.allowed) == ("ram", 1024)
    assert error.shortfall == error.needed - 1024 > 0


# ---- whose fault it is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "call"),
    [
        ("ConfigError", lambda: hwscale.fit("phinett", limits={"ram": 1024})),
        ("PlatformError", lambda: hwscale.fit("phinet", "stm32f74")),
        ("PlatformError", lambda: hwscale.load_platform("stm32f74")),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={"ram": float("nan")})),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={"ram": True})),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={"ram": [1]})),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={})),
        ("ConfigError", lambda: hwscale.fit("phinet", targets={})),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={"ram": 65536}, fix={"alpha": None})),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={"ram": 65536}, fix={"alpha": [0.5]})),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={"ram": 65536}, domain={"alpha": []})),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={"ram": 65536}, domain={"alpha": (2, 1)})),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={"ram": 65536}, classes=0)),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={"ram": 65536}, classes="many")),
        ("ConfigError", lambda: hwscale.fit("phinet", limits={"ram": 65536}, input_shape=(3, 96))),
        ("ConfigError", lambda: hwscale.fit("phinet", "stm32f746", margin=float("nan"))),
        ("ConfigError", lambda: hwscale.fit("phinet", "stm32f746", reserve_ram=1.5)),
        ("ConfigError", lambda: hwscale.cost("phinet", {"alpha": "wide"})),
        ("ConfigError", lambda: hwscale.cost("phinet", {"resolution": 128}, input_shape=(3, 96, 96))),
        ("ConfigError", lambda: hwscale.build("xinet", {"alpha": 0.01})),
        ("ConfigError", lambda: hwscale.formula("xinett")),
        ("ConfigError", lambda: hwscale.verify("/nowhere")),
    ],
)
def test_errors_have_the_class_of_whose_fault_they_are(error: str, call: Any) -> None:
    with pytest.raises(getattr(hwscale, error)) as raised:
        call()
    assert len(str(raised.value).splitlines()) == 1


# ---- broken descriptors ----------------------------------------------------------------------------------------------

BREAKAGES = {
    "syntax": ("hz = 216_000_000", "hz = = 216", "TOML"),
    "text-for-number": ("hz = 216_000_000", 'hz = "fast"', "clock.hz"),
    "negative": ("size_bytes = 1_048_576", "size_bytes = -5", "flash.size_bytes"),
    "ambiguous": ("size_bytes = 1_048_576", 'size_bytes = "1024 KB"', "1024 KiB"),
    "unknown-key": ("size_bytes = 1_048_576", "size_byte = 1_048_576", "did you mean 'size_bytes'"),
    "overlap": ("base_address = 0x20010000", "base_address = 0x20008000", "overlap"),
    "status": ('status = "primary"', 'status = "guess"', "guess"),
    "rate": ("mac_per_s = 175_672_800", "mac_per_s = 0", "mac_per_s"),
    "rates": ('default_rates = "x-cube-ai 7.3/8.0 class"', 'default_rates = "nope"', "default_rates"),
}


def descriptor(folder: Path, name: str, old: str, new: str) -> Path:
    text = Path(hwscale.load_platform("stm32f746").origin).read_text().replace('"stm32f746"', f'"{name}"', 1)
    assert old in text
    (folder / f"{name}.toml").write_text(text.replace(old, new, 1))
    return folder / f"{name}.toml"


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_broken_descriptor_is_refused_with_file_line_and_key(
    refused: Any, cli: Any, tmp_path: Path, name: str
) -> None:
    old, new, part = BREAKAGES[name]
    path = descriptor(tmp_path, name, old, new)
    sentence = refused("fit", "--net", "phinet", "--platform", path)
    line = re.search(rf"{name}\.toml:(\d+): ", sentence)
    assert line, sentence
    assert part in sentence
    numbered = path.read_text().splitlines()
    near = " ".join(numbered[int(line[1]) - 1 : int(line[1]) + 1])
    assert new in near or name == "overlap", (sentence, near)
    assert cli("platforms", "check", path).code == 2


def test_a_missing_key_is_named_with_its_meaning(refused: Any, tmp_path: Path) -> None:
    path = descriptor(tmp_path, "no-clock", "hz = 216_000_000\n", "")
    assert re.search(r"no-clock\.toml:\d+: .*\[clock\].*hz", refused("fit", "--net", "phinet", "--platform", path))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[[ram]]\n", b"schema = 3\n"], ids=repr)
def test_what_is_no_descriptor_is_refused(refused: Any, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.toml").write_bytes(content)
    assert "odd.toml" in refused("fit", "--net", "phinet", "--platform", tmp_path / "odd.toml")


def test_a_folder_is_no_descriptor(refused: Any, tmp_path: Path) -> None:
    assert str(tmp_path) in refused("fit", "--net", "phinet", "--platform", f"{tmp_path}/")


# ---- --save ----------------------------------------------------------------------------------------------------------

SMALL = ("fit", "--net", "xinet", "--limit", "ram=48KiB", "--limit", "flash=150KiB")


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_folder_that_is_not_empty_is_left_as_it_is(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("mine")
    answer = cli(*SMALL, "--save", tmp_path)
    assert answer.code == 2
    assert str(tmp_path) in answer.err
    assert files(tmp_path) == ["thesis"]
    assert (tmp_path / "thesis").read_text() == "mine"


@pytest.mark.parametrize("below", [".", "deeper"])
def test_a_file_in_the_way_is_left_as_it_is(cli: Any, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    answer = cli(*SMALL, "--save", tmp_path / "file" / below)
    assert answer.code == 2
    assert answer.err.startswith("error: --save ")
    assert len(answer.err.strip().splitlines()) == 1
    assert files(tmp_path) == ["file"]


def test_an_empty_folder_is_used(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert cli(*SMALL, "--save", tmp_path / "empty").code == 0
    assert files(tmp_path / "empty") == ["fit.json", "weights.pt"]


def test_nothing_is_written_when_nothing_fits(cli: Any, tmp_path: Path) -> None:
    assert cli("fit", "--net", "xinet", "--limit", "ram=1KiB", "--save", tmp_path / "best").code == 3
    assert files(tmp_path) == []


def test_a_full_disk_leaves_nothing_half_written(python: Any, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
    code = (
        f"{limit}; import sys; sys.argv = {['hwscale', *SMALL, '--save', 'best']}; from hwscale.cli import main; main()"
    )
    answer = python("-c", code)
    assert files(tmp_path) == []
    assert answer.code == 2
    assert "Traceback" not in answer.err
    assert "--save" in answer.err


# ---- verify of what was tampered with --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "best"
    hwscale.fit("xinet", "stm32h743", limits={"ram": "48 KiB", "flash": "150 KiB"}).save(folder)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def edit(folder: Path, *path: str, to: Any = None, drop: bool = False) -> None:
    record = json.loads((folder / "fit.json").read_text())
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    if drop:
        del inner[path[-1]]
    else:
        assert inner[path[-1]] != to
        inner[path[-1]] = to
    (folder / "fit.json").write_text(json.dumps(record))


def test_an_untouched_copy_verifies(cli: Any, copy: Path) -> None:
    assert cli("verify", copy).code == 0


@pytest.mark.parametrize("name", ["ram_bytes", "flash_bytes", "macs", "params", "latency_s", "energy_j"])
def test_a_changed_cost_is_noticed(refused: Any, copy: Path, name: str) -> None:
    edit(copy, "cost", name, to=1)
    assert name in refused("verify", copy, code=(2, 4))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("hyperparameters", "alpha"), 0.9),
        (("hyperparameters", "alpha"), "wide"),
        (("hyperparameters", "alpha"), None),
        (("hyperparameters", "num_layers"), 8),
        (("hyperparameters", "resolution"), 17),
        (("hyperparameters",), [1]),
        (("hyperparameters",), None),
        (("input_shape",), [3, 16, 16]),
        (("input_shape",), "square"),
        (("input_shape",), None),
        (("classes",), 11),
        (("classes",), "many"),
        (("family",), "phinet"),
        (("family",), "resnet"),
        (("family",), 7),
        (("runtime",), "abacus"),
        (("schema",), "hwscale.fit/999"),
        (("cost",), []),
        (("cost", "macs"), "many"),
    ],
    ids=str,
)
def test_a_changed_record_is_refused(refused: Any, copy: Path, path: tuple[str, ...], value: Any) -> None:
    edit(copy, *path, to=value)
    refused("verify", copy, code=(2, 4))


@pytest.mark.parametrize("key", ["schema", "family", "hyperparameters", "input_shape", "classes", "cost", "runtime"])
def test_a_record_that_lacks_a_key_is_refused(refused: Any, copy: Path, key: str) -> None:
    edit(copy, key, drop=True)
    refused("verify", copy, code=(2, 4))


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"schema": ', b"\xff\xfe\x00", b"not json"], ids=repr)
def test_a_record_that_is_no_json_is_refused(refused: Any, copy: Path, content: bytes) -> None:
    (copy / "fit.json").write_bytes(content)
    assert "fit.json" in refused("verify", copy, code=(2, 4))


def test_a_truncated_record_is_refused(refused: Any, copy: Path) -> None:
    text = (copy / "fit.json").read_text()
    (copy / "fit.json").write_text(text[: len(text) // 2])
    assert "fit.json" in refused("verify", copy, code=(2, 4))


@pytest.mark.parametrize("name", ["fit.json", "weights.pt"])
def test_a_missing_file_is_named(refused: Any, copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert name in refused("verify", copy, code=(2, 4))


@pytest.mark.parametrize("content", [b"", b"garbage" * 99], ids=["empty", "garbage"])
def test_weights_that_are_none_are_refused_without_advice_to_trust_them(
    refused: Any, copy: Path, content: bytes
) -> None:
    (copy / "weights.pt").write_bytes(content)
    sentence = refused("verify", copy, code=(2, 4))
    assert "weights.pt" in sentence
    assert "weights_only" not in sentence, "switching the check off is no advice"


def test_truncated_weights_are_refused(refused: Any, copy: Path) -> None:
    content = (copy / "weights.pt").read_bytes()
    (copy / "weights.pt").write_bytes(content[: len(content) // 2])
    assert "weights.pt" in refused("verify", copy, code=(2, 4))


def test_weights_of_another_network_are_refused(refused: Any, copy: Path) -> None:
    import torch

    torch.save({"a": torch.zeros(3)}, copy / "weights.pt")
    assert "weights.pt" in refused("verify", copy, code=(2, 4))


def test_one_weight_of_another_shape_is_refused(refused: Any, copy: Path) -> None:
    import torch

    weights = torch.load(copy / "weights.pt")
    first = next(iter(weights))
    weights[first] = weights[first][:1]
    torch.save(weights, copy / "weights.pt")
    assert "weights.pt" in refused("verify", copy, code=(2, 4))


def test_weights_never_run_code(refused: Any, copy: Path) -> None:
    import torch

    torch.save(Touch(copy / "ran"), copy / "weights.pt")
    refused("verify", copy, code=(2, 4))
    assert not (copy / "ran").exists()


class Touch:
    """Unpickles into a call of ``Path.touch``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))
