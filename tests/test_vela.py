"""Vela's estimates: the summary it writes, sentences where it cannot estimate, and the platforms it estimates for."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections.abc import Callable
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from tflite_builder import Builder, built

from hwscale.errors import ConfigError, PlatformError
from hwscale.measure import vela
from hwscale.measure.vela import VelaRecord, estimate
from hwscale.measure.vela_summary import read_summary
from hwscale.platform import check_platform, load_platform, platforms
from hwscale.platform_keys import ACCELERATORS
from hwscale.platform_records import VelaTarget

KIB = 1024
U55 = {"accelerator": "ethos-u55-128", "system_config": "Ethos_U55_High_End_Embedded", "memory_mode": "Shared_Sram"}
VALUES = {
    "experiment": "default",
    "network": "network",
    "accelerator_configuration": "Ethos_U55_128",
    "system_config": "Ethos_U55_High_End_Embedded",
    "memory_mode": "Shared_Sram",
    "core_clock": "500000000.0",
    "arena_cache_size": "2048.0",
    "inference_time": "0.0007",
    "sram_memory_used": "66.203125",
    "dram_memory_used": "0.0",
    "on_chip_flash_memory_used": "0.0",
    "off_chip_flash_memory_used": "99.34375",
    "nn_macs": "3087840",
    "cycles_total": "350000",
}
LOG = """
Warning (supported operators) operator: TOPK_V2, ofm: 'NPU operators = 7'
Warning (supported operators) operator: CAST, ofm: 'b'
Warning (supported operators) operator: CAST, ofm: 'c'

CPU operators = 3 (4.9%)
NPU operators = 58 (95.1%)
"""
INI = """
[System_Config.Ethos_U55_Deep_Embedded]
axi1_port=OffChipFlash
[System_Config.Ethos_U55_High_End_Embedded]
axi1_port=OffChipFlash
[System_Config.Ethos_U65_High_End]
axi1_port=Dram
[Memory_Mode.Shared_Sram]
arena_mem_area=Axi0
[Memory_Mode.Dedicated_Sram]
arena_mem_area=Axi1
[Memory_Mode.Dedicated_Sram_256KB]
inherit=Memory_Mode.Dedicated_Sram
"""


def summary(**changes: str | None) -> str:
    values = {label: value for label, value in {**VALUES, **changes}.items() if value is not None}
    return ",".join(values) + "\r\n" + ",".join(values.values()) + "\r\n"


def record(log: str = LOG, **changes: str | None) -> VelaRecord:
    return read_summary(summary(**changes), log, version="5.2.0", compiled_bytes=112_496)


def written(folder: Path, data: bytes, name: str = "net.tflite") -> Path:
    file = folder / name
    file.write_bytes(data)
    return file


def is_sentence(text: str) -> bool:
    return text.endswith(".") and len(text.splitlines()) == 1 and "Traceback" not in text and len(text) < 600


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Vela as if it was installed, ending with what the test says; the commands it was called with."""
    ini = ConfigParser()
    ini.read_string(INI)
    monkeypatch.setattr(vela, "_installed", lambda: ("5.2.0", ini))

    def answer(code: int = 0, log: str = LOG, error: str = "", text: str | None = None) -> list[list[str]]:
        calls: list[list[str]] = []

        def run(command: list[str], *, cwd: Path, timeout: float, **_: Any) -> subprocess.CompletedProcess[bytes]:
            calls.append(command)
            if timeout < 1:
                raise subprocess.TimeoutExpired(command, timeout)
            if text is not None:
                (cwd / "network_summary_Ethos_U55_High_End_Embedded.csv").write_text(text)
                (cwd / "network_vela.tflite").write_bytes(bytes(77))
            return subprocess.CompletedProcess(command, code, log.encode(), error.encode())

        monkeypatch.setattr(subprocess, "run", run)
        return calls

    return answer


def test_a_summary_is_read_in_bytes_and_cycles() -> None:
    found = record()
    assert (found.version, found.accelerator) == ("5.2.0", "ethos-u55-128")
    assert (found.system_config, found.memory_mode) == ("Ethos_U55_High_End_Embedded", "Shared_Sram")
    assert found.sram_bytes == found.ram_bytes == 67_792  # 66.203125 x 1024
    assert found.off_chip_flash_bytes == found.flash_bytes == 101_728
    assert (found.dram_bytes, found.on_chip_flash_bytes, found.compiled_bytes) == (0, 0, 112_496)
    assert found.sram_target_bytes == 2 * KIB**2
    assert (found.macs, found.cycles, found.clock_hz, found.inference_s) == (3_087_840, 350_000, 500_000_000, 0.0007)


def test_operators_on_the_cpu_are_counted_and_named_and_make_the_estimate_a_lower_bound() -> None:
    found = record()
    assert (found.npu_operators, found.cpu_operators) == (58, 3)
    assert found.cpu_kinds == ("CAST", "TOPK_V2")
    assert found.is_at_least
    named = read_summary(summary(), LOG, version="5.2.0", compiled_bytes=1, writers={"b": "CONV_2D", "d": "ADD"})
    assert named.cpu_kinds == ("CAST", "CONV_2D", "TOPK_V2")
    assert not record("CPU operators = 0 (0.0%)\nNPU operators = 58 (100.0%)\n").is_at_least


def test_where_the_mode_has_constants_in_sram_the_chip_needs_both() -> None:
    found = record(memory_mode="Sram_Only", on_chip_flash_memory_used="99.5", off_chip_flash_memory_used="0.0")
    assert found.ram_bytes == 67_792 + 101_888
    assert found.flash_bytes == 101_888


NUMBERS = [label for label, value in VALUES.items() if value.replace(".", "").isdigit()]
ODD = [(label, None) for label in VALUES if label not in ("experiment", "network")]
ODD += [(label, odd) for label in NUMBERS for odd in ("", "many")]
ODD += [(label, odd) for label in NUMBERS if label != "inference_time" for odd in ("-1", "nan", "1e999")]


@pytest.mark.parametrize(("label", "odd"), ODD)
def test_a_summary_of_another_form_is_refused_in_a_sentence(label: str, odd: str | None) -> None:
    with pytest.raises(ConfigError, match=r"The summary of Vela 5\.2\.0 cannot be read .* pip install") as refused:
        record(**{label: odd})
    assert is_sentence(str(refused.value))


@pytest.mark.parametrize("text", ["", "a,b", "\0", summary() + "a", summary().split("\r\n")[0]])
def test_a_summary_without_its_one_line_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"The summary of Vela 5\.2\.0 cannot be read"):
        read_summary(text, LOG, version="5.2.0", compiled_bytes=1)


def test_what_vela_prints_must_hold_the_counts() -> None:
    with pytest.raises(ConfigError, match=r"The summary of Vela 5\.2\.0 cannot be read"):
        record("NPU operators = 58 (95.1%)\n")


def test_without_vela_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(ConfigError, match=r"need the package ethos-u-vela: pip install 'hwscale\[vela\]'\."):
        estimate(written(tmp_path, built()), **U55)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accelerator": "ethos-u55-12"}, "No accelerator is called 'ethos-u55-12'; did you mean 'ethos-u55-128'?"),
        ({"accelerator": ""}, "No accelerator is called ''; allowed: ethos-u55-128, ethos-u55-256, "),
        (
            {"system_config": "High_End"},
            "of ethos-u55-128 is called 'High_End'; allowed: Ethos_U55_Deep_Embedded, Ethos_U55_Hi",
        ),
        ({"system_config": "Ethos_U65_High_End"}, "Allowed: Ethos_U55_Deep_Embedded, Ethos_U55_High_End_Embedded."),
        ({"memory_mode": "shared"}, "memory mode of Ethos_U55_High_End_Embedded is called 'shared'; "),
        (
            {"memory_mode": "Dedicated_Sram"},
            "is called 'Dedicated_Sram'; did you mean 'Shared_Sram'? Allowed: Shared_Sram.",
        ),
        ({"memory_mode": "Dedicated_Sram_256KB"}, "is called 'Dedicated_Sram_256KB'; "),
        ({"sram_target_bytes": 0}, "sram_target_bytes is 0, but must be 1 to 4294967296: "),
    ],
)
def test_an_unknown_name_is_answered_with_the_allowed_ones(
    tmp_path: Path, pretended: Callable[..., list[list[str]]], changes: dict[str, Any], message: str
) -> None:
    pretended()
    with pytest.raises(ConfigError) as refused:
        estimate(written(tmp_path, built()), **{**U55, **changes})
    assert message in str(refused.value)
    assert is_sentence(str(refused.value))


def test_a_system_with_dram_may_have_its_maps_there(tmp_path: Path, pretended: Callable[..., list[list[str]]]) -> None:
    pretended(1, error="RuntimeError: reached")
    names = {"accelerator": "ethos-u65-256", "system_config": "Ethos_U65_High_End"}
    with pytest.raises(ConfigError, match="reached"):
        estimate(written(tmp_path, built()), memory_mode="Dedicated_Sram_256KB", **names)


def test_the_configuration_and_the_target_reach_vela_and_nothing_is_left_behind(
    tmp_path: Path, pretended: Callable[..., list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    calls = pretended(text=summary())
    monkeypatch.chdir(tmp_path)
    written(tmp_path, built(), "--version")  # a file name is no option
    found = estimate("--version", sram_target_bytes=100_000, **U55)
    assert found == read_summary(summary(), LOG, version="5.2.0", compiled_bytes=77)
    ((*_, copy, ini, out, accelerator, system, mode, target),) = calls
    assert copy.endswith("network.tflite")
    assert copy.startswith(out.removeprefix("--output-dir="))
    assert (ini, accelerator) == ("--config=Arm/vela.ini", "--accelerator-config=ethos-u55-128")
    assert (system, mode) == ("--system-config=Ethos_U55_High_End_Embedded", "--memory-mode=Shared_Sram")
    assert target == "--arena-cache-size=100000"
    assert list((tmp_path / "temporary").iterdir()) == []


OUTCOMES: list[tuple[dict[str, Any], str]] = [
    ({"code": -11}, r"Vela 5\.2\.0 crashed on .*net\.tflite \(signal 11\): convert the network again\."),
    (
        {"code": 1, "error": "Traceback\nRuntimeError: no such op"},
        r"cannot compile .*net\.tflite \(RuntimeError: no such",
    ),
    ({"code": 1, "log": "Failed to parse TFLite file."}, r"cannot compile .* \(Failed to parse TFLite file\): convert"),
    ({"code": 2, "log": ""}, r"cannot compile .*net\.tflite \(it gives no reason\)"),
    ({"code": 0, "log": ""}, r"cannot compile .*net\.tflite \(it gives no reason\)"),
    ({"text": "garbage"}, r"The summary of Vela 5\.2\.0 cannot be read"),
    (
        {"text": summary(cycles_total="0")},
        r"net\.tflite has nothing for the NPU, Vela leaves CAST, TOPK_V2 to the CPU: ",
    ),
    (
        {"text": summary(), "log": "NPU operators = 0\nCPU operators = 4"},
        "nothing for the NPU, Vela leaves everything to",
    ),
]


@pytest.mark.parametrize(("outcome", "message"), OUTCOMES)
def test_where_vela_gives_no_estimate_a_sentence_says_why(
    tmp_path: Path, pretended: Callable[..., list[list[str]]], outcome: dict[str, Any], message: str
) -> None:
    pretended(**outcome)
    with pytest.raises(ConfigError, match=message) as refused:
        estimate(written(tmp_path, built()), **U55)
    assert is_sentence(str(refused.value))


def test_time_is_bounded(tmp_path: Path, pretended: Callable[..., list[list[str]]]) -> None:
    pretended()
    with pytest.raises(ConfigError, match=r"did not finish .*net\.tflite within 0\.5 s: allow it more\."):
        estimate(written(tmp_path, built()), timeout_s=0.5, **U55)


def huge() -> bytes:
    """An addition of a map of 1.8e9 B to itself: its input and output do not fit 32 bits together."""
    net = Builder()
    x = net.tensor(1, 30_000, 30_000, 2)
    return net.build([x], [net.add(x, x)])


def talkative() -> bytes:
    """200 operators that read a tensor with a name of 100,000 letters."""
    net = Builder()
    x = net.tensor(1, 2, 2, 1, name="x" * 100_000)
    for _ in range(200):
        y = net.unary(x)
    return net.build([x], [y])


def compiled() -> bytes:
    net = Builder()
    x = net.tensor(1, 4, 4, 8)
    commands = net.tensor(1, 1, 1, 16)  # memory that only the driver fills
    y = net.tensor(1, 10)
    net.op("CUSTOM", [commands, x], [y])
    net.codes[-1][1] = "ethos-u"
    return net.build([x], [y])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"net\.tflite"),
        (b"not a model at all", r"net\.tflite"),
        (built()[:-200], r"net\.tflite"),
        (compiled(), r"net\.tflite is compiled already: pass the \.tflite that Vela made it from\."),
        (huge(), r"net\.tflite has 3600000000 B of feature maps, but Vela counts up to 2147483647: "),
        (talkative(), r"net\.tflite has tensor names of more than 16777216 letters in all: "),
    ],
)
def test_a_file_that_vela_would_not_check_is_refused_before_it_runs(
    tmp_path: Path, pretended: Callable[..., list[list[str]]], data: bytes, message: str
) -> None:
    calls = pretended()
    with pytest.raises(ConfigError, match=message) as refused:
        estimate(written(tmp_path, data), **U55)
    assert is_sentence(str(refused.value))
    assert calls == []


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path, pretended: Callable[..., list[list[str]]]) -> None:
    pretended()
    for path in (tmp_path, tmp_path / "none.tflite", "\0"):
        with pytest.raises(ConfigError, match=r"pass the path of a \.tflite model"):
            estimate(path, **U55)


@pytest.mark.parametrize("macs", [32, 64, 128, 256])
def test_each_ethos_u55_platform_says_what_vela_is_told(macs: int) -> None:
    name = f"ethos-u55-{macs}"
    board = load_platform(name)
    assert board.vela is not None
    assert (board.vela.accelerator, board.vela.system_config) == (name, "Ethos_U55_High_End_Embedded")
    assert board.vela.memory_mode == "Shared_Sram"
    assert board.flash_bytes is None
    assert check_platform(name) == []


def test_no_other_platform_has_an_ethos_u() -> None:
    assert {name for name in platforms() if load_platform(name).vela} == {f"ethos-u55-{m}" for m in (32, 64, 128, 256)}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'accelerator = "ethos-u55-32"',
            'accelerator = "ethos-u55-33"',
            r"vela.accelerator is 'ethos-u55-33', .* one of ",
        ),
        ('memory_mode = "Shared_Sram"\n', "", r"\[vela\] lacks memory_mode"),
        ("[vela]", "[[vela]]", r"vela is an array, but it is written as \[vela\]"),
        ("memory_mode", "memory_modus", r"\[vela\] has no key 'memory_modus'; did you mean 'memory_mode'\?"),
    ],
)
def test_the_table_of_vela_is_strict(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = load_platform("ethos-u55-32").origin.read_text()
    assert old in text
    file = tmp_path / "board.toml"
    file.write_text(text.replace(old, new))
    with pytest.raises(PlatformError, match=message):
        load_platform(file)


@pytest.fixture
def installed() -> None:
    """Only where ``hwscale[vela]`` is installed."""
    try:
        metadata.distribution(vela.PACKAGE)
    except metadata.PackageNotFoundError:
        pytest.skip("ethos-u-vela is not installed")


def names(target: VelaTarget | None) -> dict[str, str]:
    assert target is not None
    return {
        "accelerator": target.accelerator,
        "system_config": target.system_config,
        "memory_mode": target.memory_mode,
    }


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("macs", [32, 64, 128, 256])
def test_vela_estimates_for_each_platform(tmp_path: Path, macs: int) -> None:
    board = load_platform(f"ethos-u55-{macs}")
    found = estimate(written(tmp_path, built()), sram_target_bytes=board.arena_bytes, **names(board.vela))
    # conv 3x3x3 -> 8 at 4x4, depthwise 3x3, pointwise, the mean as a sum over 4x4, linear 8 -> 10
    assert found.macs == 16 * 8 * 27 + 16 * 8 * 9 + 16 * 8 * 8 + 16 * 8 + 8 * 10
    assert found.accelerator == f"ethos-u55-{macs}"
    assert found.sram_target_bytes == board.arena_bytes
    assert 8 * 8 * 3 + 4 * 4 * 8 <= found.sram_bytes < 16 * KIB
    assert found.cycles >= found.macs / macs
    assert found.inference_s == pytest.approx(found.cycles / found.clock_hz)
    assert found.compiled_bytes > found.flash_bytes > 0
    assert (found.cpu_operators, found.is_at_least) == (0, False)


@pytest.mark.usefixtures("installed")
def test_vela_has_every_accelerator_of_the_schema() -> None:
    helped = subprocess.run([sys.executable, "-m", "ethosu.vela", "--help"], capture_output=True, check=True)
    listed = helped.stdout.decode().split("--accelerator-config {", 1)[1].split("}", 1)[0]
    assert tuple(listed.split(",")) == ACCELERATORS


@pytest.mark.usefixtures("installed")
def test_vela_leaves_a_float_network_to_the_cpu_and_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"nothing for the NPU, Vela leaves ADD, CONV_2D, DEPTHWISE_CONV_2D, FULLY_CON"
    ):
        estimate(written(tmp_path, built("FLOAT32")), **U55)


@pytest.mark.usefixtures("installed")
def test_what_vela_leaves_to_the_cpu_is_not_estimated(tmp_path: Path) -> None:
    net = Builder()
    x = net.tensor(1, 8, 8, 3)
    y = net.conv(net.unary(net.conv(x, 8, k=3, s=2), "CUSTOM"), 8)
    found = estimate(written(tmp_path, net.build([x], [y])), **U55)
    assert (found.npu_operators, found.cpu_operators, found.cpu_kinds) == (2, 1, ("Fancy",))
    assert found.is_at_least
    assert found.macs == 16 * 8 * 27 + 16 * 8 * 8


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("seed", range(12))
def test_mutated_files_are_estimated_or_refused(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    data = bytearray(built())
    for _ in range(2):
        data[draw.randrange(len(data))] = draw.choice([0, 1, 127, 255])
    with contextlib.suppress(ConfigError):
        assert estimate(written(tmp_path, bytes(data)), **U55).cycles > 0
