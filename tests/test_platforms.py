"""Platform descriptors: the built-in ones, the rules a descriptor obeys, and what the reader says when it does not."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwscale.errors import PlatformError
from hwscale.platform import check_platform, load_platform, new_platform, platforms
from hwscale.platform_keys import LAYER_OPERATORS, STATUSES, TABLES, TOP
from hwscale.platform_records import MemoryRegion, Source
from hwscale.platform_schema import platform_schema

KIB = 1024
FOLDER = Path(__file__).parents[1] / "platforms"

# arenas by the arithmetic of the datasheets' memory maps, [KiB]
ARENAS_KIB = {
    "stm32h743": 512,  # AXI SRAM; D2 (288), D3 and DTCM lie elsewhere
    "stm32h747": 512,
    "stm32h7a3": 256 + 384 + 384,  # AXI SRAM1, 2, 3
    "stm32f746": 64 + 240 + 16,  # DTCM, SRAM1, SRAM2
    "stm32f767": 128 + 368 + 16,
    "stm32f412": 256,
    "stm32l452": 128 + 32,
    "stm32l4r5": 192 + 64 + 384,  # SRAM2 at its alias
    "stm32u585": 192 + 64 + 512,
    "nrf52840": 256,
    "nrf5340": 512,
    "gap8": 512,  # L2
    "k210": 2 * 1024,  # the KPU's SRAM, not the 6 MiB beside it
    "rp2040": 4 * 64 + 2 * 4,
    "esp32-s3": 256,  # largest block of about 320
    "rpi3": 1024 * 1024,
    "rpi4": 4 * 1024 * 1024,
    **{f"ethos-u55-{macs}": 2 * 1024 for macs in (32, 64, 128, 256)},  # ISRAM; 1 MiB of SRAM lies elsewhere
}

VALID = """\
schema = "hwscale-platform/1"
name = "board"
part = "CHIP1"
vendor = "Maker"
core = "Cortex-M4F"
default_rates = "rt 1.0"

[clock]
hz = 100_000_000
source = "datasheet rev 1, table 2"
status = "primary"

[flash]
size_bytes = "1 MiB"
location = "internal"
source = "datasheet rev 1, table 3"
status = "primary"

[[ram]]
name = "sram1"
base_address = 0x20000000
size_bytes = 65_536
arena = true
source = "datasheet rev 1, table 4"
status = "primary"

[[ram]]
name = "sram2"
base_address = 0x20010000
size_bytes = "32 KiB"
arena = true
source = "datasheet rev 1, table 4"
status = "primary"
note = "touches sram1"

[[power]]
power_mw = 12.5
condition = "3.3 V"
default = true
source = "measured"
status = "derived"

[[power]]
power_mw = 9
condition = "1.8 V"
source = "measured"
status = "derived"

[[runtime]]
name = "tflm"
ram_overhead_bytes = 0
flash_overhead_bytes = "60 KiB"
rates = "rt 1.0"
source = "measured"
status = "derived"

[[throughput]]
operator = "conv2d"
runtime = "rt 1.0"
mac_per_s = 40_000_000
source = "measured"
status = "derived"

[[throughput]]
operator = "pointwise"
runtime = "rt 1.0"
mac_per_s = 30_000_000
source = "a paper"
status = "paper"

[[throughput]]
operator = "depthwise"
runtime = "rt 1.0"
mac_per_s = 9_000_000
source = "scaled by clock"
status = "estimated"

[[throughput]]
operator = "fully_connected"
runtime = "rt 1.0"
mac_per_s = 20_000_000
source = "measured"
status = "derived"

[[throughput]]
operator = "pixelshuffle"
runtime = "rt 1.0"
supported = false
source = "measured"
status = "derived"
"""


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "board.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def changed(old: str, new: str) -> str:
    assert VALID.count(old) >= 1, old
    return VALID.replace(old, new, 1)


@pytest.mark.parametrize("name", platforms())
def test_every_built_in_platform_loads_and_has_no_error(name: str) -> None:
    assert load_platform(name).name == name
    assert [str(finding) for finding in check_platform(name) if finding.severity == "error"] == []


@pytest.mark.parametrize("name", platforms())
def test_sources_name_documents_that_others_can_find(name: str) -> None:
    text = (FOLDER / f"{name}.toml").read_text()
    assert text.startswith("#:schema ./platform.schema.json\n")
    for source in re.findall(r'^(?:source|note) = "(.*)"$', text, re.MULTILINE):
        assert not re.search(r"\.\./|\.csv|^/|/home/", source), source


def test_only_numbers_that_cannot_be_left_out_are_unverified() -> None:
    warned = {name for name in platforms() if any("unverified" in f.message for f in check_platform(name))}
    assert warned == {"gap8", "esp32-s3", "rpi3", "rpi4"}


@pytest.mark.parametrize("name", platforms())
def test_arena_equals_the_arithmetic_of_the_memory_map(name: str) -> None:
    assert load_platform(name).arena_bytes == ARENAS_KIB[name] * KIB


def test_arena_names_the_banks_it_is_made_of() -> None:
    assert load_platform("stm32f746").arena_regions == ("dtcm", "sram1_sram2")
    assert load_platform("stm32h743").arena_regions == ("axi_sram",)
    assert load_platform("stm32l4r5").arena_regions == ("sram1", "sram2_alias", "sram3")


def test_flash_is_unlimited_where_there_is_none_to_speak_of() -> None:
    assert load_platform("rpi4").flash_bytes is None
    assert load_platform("stm32h743").flash_bytes == 2 * KIB**2


banks = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 5), st.booleans(), st.booleans()), min_size=1, max_size=7
).flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows)))))


@settings(derandomize=True, deadline=None)
@given(banks)
def test_arena_is_the_longest_run_of_arena_bytes(
    case: tuple[list[tuple[int, int, bool, bool]], list[int]],
) -> None:
    rows, order = case
    source = Source("drawn", "derived")
    regions, used, alone, base = [], set(), [0], 0
    for number, (gap, size, arena, placed) in enumerate(rows):
        base += gap
        regions.append(MemoryRegion(f"bank{number}", size, base if placed else None, arena, source))
        if arena and placed:
            used |= set(range(base, base + size))
        elif arena:
            alone.append(size)
        base += size
    assume(any(region.arena for region in regions))
    longest = max(next(n for n in range(base + 1) if start + n not in used) for start in range(base + 1))
    platform = dataclasses.replace(load_platform("rp2040"), ram=tuple(regions[n] for n in order))
    assert platform.arena_bytes == max(longest, *alone)
    sizes = {region.name: region.size_bytes for region in regions}
    assert sum(sizes[name] for name in platform.arena_regions) == platform.arena_bytes


def test_a_valid_descriptor_is_read_in_full(tmp_path: Path) -> None:
    board = load_platform(written(tmp_path, VALID))
    assert board.arena_bytes == (64 + 32) * KIB
    assert board.flash_bytes == KIB**2
    assert board.clock_hz == 100_000_000
    assert board.ram[1].source == Source("datasheet rev 1, table 4", "primary", "touches sram1")
    assert board.power_w() == 12.5 / 1000
    overhead = board.overhead("tflm")
    assert overhead is not None
    assert (overhead.ram_overhead_bytes, overhead.flash_overhead_bytes) == (0, 60 * KIB)
    assert board.overhead("xcubeai") is None
    assert check_platform(board.origin) == []


RULES = [
    # what is replaced, by what, severity, message, text of the line the finding points at
    ('name = "board"\n', 'name = "board"\npartt = "x"\n', "error", r"no key 'partt'; did you mean 'part'\?", "partt"),
    ("arena = true", "arean = true", "error", r"\[\[ram\]\] has no key 'arean'; did you mean 'arena'\?", "arean"),
    ("arena = true\n", "", "error", r"\[\[ram\]\] lacks arena: .* add it as true or false", "status"),
    ("[clock]", "[clok]", "error", r"no key 'clok'; did you mean 'clock'\?", "[clok]"),
    ('core = "Cortex-M4F"\n', "", "error", "the top of the file lacks core", "default_rates"),
    ('"hwscale-platform/1"', '"hwscale-platform/9"', "error", "must be the text 'hwscale-platform/1'", "schema"),
    ('name = "board"', 'name = "My Board"', "error", "must be lower-case letters", "name"),
    ("hz = 100_000_000", 'hz = "100 MHz"', "error", r"clock.hz is '100 MHz', but it must be a whole number", "hz"),
    ("hz = 100_000_000", "hz = true", "error", r"clock.hz is true, but it must be a whole number", "hz"),
    ("hz = 100_000_000", "hz = 100", "warning", "clock.hz is only 100; see that it is not in MHz", "hz"),
    ("65_536", "-65_536", "error", r"ram\[0\].size_bytes is -65536, but it must be a whole number", "-65_536"),
    ("65_536", "0", "error", r"ram\[0\].size_bytes is 0, but it must be", "size_bytes = 0"),
    ("65_536", "64.5", "error", r"ram\[0\].size_bytes is 64.5, but it must be", "64.5"),
    ("65_536", '"64 KB"', "error", r"ram\[0\].size_bytes: '64 KB' is ambiguous; write '64 KiB'", "64 KB"),
    ("65_536", "64_000", "warning", "64000 B is not a whole number of KiB", "64_000"),
    ("65_536", "64", "warning", r"ram\[0\].size_bytes is only 64; see that it is not in KiB", "= 64"),
    ("65_536", "0x" + "f" * 9000, "error", "is a number of 36000 bits", "0xff"),
    ("arena = true", 'arena = "yes"', "error", r"ram\[0\].arena is 'yes', but it must be true or false", "yes"),
    ("arena = true", "arena = 1", "error", r"ram\[0\].arena is 1, but it must be true or false", "arena = 1"),
    ('source = "datasheet rev 1, table 2"\n', "", "error", r"\[clock\] lacks source", "status"),
    ('source = "datasheet rev 1, table 2"', 'source = " "', "error", r"clock.source is ' ', but it must be", "source"),
    ('"primary"', '"certain"', "error", "clock.status is 'certain', but it must be one of primary, sec", "certain"),
    ('"primary"', '"unverified"', "warning", "clock is unverified; look it up in the datasheet", "unverified"),
    ('"sram2"', '"sram1"', "error", r"\[\[ram\]\] 'sram1' is there twice", None),
    (
        "0x20010000",
        "0x2000f000",
        "error",
        r"sram1 \(0x20000000-0x2000ffff\) and sram2 \(0x2000f000-0x20016fff\) overlap",
        "0x2000f000",
    ),
    ('"1 MiB"', '"64 KiB"', "warning", "exceeds internal Flash .65536 B.; see that the two are not swapped", "64 KiB"),
    ('"internal"', '"board"', "error", "flash.location is 'board', but it must be one of external, internal", "board"),
    ('rates = "rt 1.0"', 'rates = "rt 1.1"', "error", "default_rates is 'rt 1.1', .* did you mean 'rt 1.0'", "rt 1.1"),
    ('\nrates = "rt 1.0"', '\nrates = "other"', "error", r"rates is 'other', but no \[\[throughput\]\]", "other"),
    ('"fully_connected"', '"grouped"', "warning", "default_rates 'rt 1.0' has no rate for fully_connected", "default_"),
    ('"pointwise"', '"conv2d"', "error", "'conv2d' under 'rt 1.0' is there twice; keep the slower", "conv2d"),
    ('"pointwise"', '"conv3d"', "error", r"throughput\[1\].operator is 'conv3d', .* one of conv2d", "conv3d"),
    ("mac_per_s = 9_000_000\n", "", "error", "depthwise needs either mac_per_s or supported = false", "[[through"),
    ("supported = false", "supported = true", "error", "pixelshuffle needs either", "[[through"),
    ("9_000_000", "9_000_000\nsupported = false", "error", "depthwise needs either", "[[through"),
    ("9_000_000", "-9", "error", r"throughput\[2\].mac_per_s is -9, but it must be a whole number", "-9"),
    ("9_000_000", "9", "warning", r"mac_per_s is only 9; see that it is not in millions", "= 9"),
    ("default = true\n", "", "error", r"0 of 2 \[\[power\]\] tables have default = true", "[[power]]"),
    ("power_mw = 9", "default = true\npower_mw = 9", "error", r"2 of 2 \[\[power\]\] tables have default", "[[power]]"),
    ("power_mw = 9", "power_mw = nan", "error", r"power\[1\].power_mw is nan, but it must be milliwatts", "nan"),
    (
        'ram_overhead_bytes = 0\nflash_overhead_bytes = "60 KiB"\nrates = "rt 1.0"\n',
        "",
        "error",
        r"\[\[runtime\]\] says nothing; add ram_overhead_bytes",
        "[[runtime]]",
    ),
    ("[flash]", "[[flash]]", "error", r"flash is an array, but it is written as \[flash\]", "[[flash]]"),
    ('name = "board"', 'name = "other"', "warning", "name is 'other', not the file's", None),
]


@pytest.mark.parametrize(("old", "new", "severity", "message", "line"), RULES)
def test_each_broken_rule_is_found_at_its_line(
    tmp_path: Path, old: str, new: str, severity: str, message: str, line: str | None
) -> None:
    text = changed(old, new)
    file = written(tmp_path, text)
    (finding,) = [found for found in check_platform(file) if re.search(message, found.message)]
    assert finding.severity == severity
    if line is not None:
        number = int(finding.where.removeprefix(f"{file}:"))
        assert line in text.splitlines()[number - 1]
    if severity == "error":
        with pytest.raises(PlatformError, match=message):
            load_platform(file)
    else:
        assert load_platform(file).core == "Cortex-M4F"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (re.sub(r"\[\[ram\]\](.|\n)*?(?=\[\[power)", "", VALID), r"\[\[ram\]\] is missing .* platforms/README.md"),
        (VALID.replace("arena = true", "arena = false"), r"no \[\[ram\]\] has arena = true"),
        (re.sub(r"\[\[throughput\]\](.|\n)*", "", VALID), "default_rates is 'rt 1.0', but .* leave default_rates out"),
        (VALID.replace("hz = 100_000_000", "hz = = 1"), r"board.toml:9: is not valid TOML \(Invalid value"),
        (VALID.replace('"Maker"', '"Maker'), r"board.toml:4: is not valid TOML"),
        ("a = " + "[" * 5000, "is not valid TOML"),
        ("a = 1" + "0" * 5000, "is not valid TOML"),
        (b'name = "\xff"', r"cannot be read \(.*utf-8"),
        (b"#" * (1024**2 + 1), "cannot be read .it is larger than 1 MiB"),
        ("", "the top of the file lacks schema"),
    ],
)
def test_a_file_that_is_no_descriptor_is_refused_in_a_sentence(tmp_path: Path, text: str | bytes, message: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(PlatformError, match=message):
        load_platform(file)
    assert any(finding.severity == "error" for finding in check_platform(file))


def test_check_collects_every_fault_in_file_order(tmp_path: Path) -> None:
    text = changed("hz = 100_000_000", "hz = 0").replace("65_536", "-1").replace('"conv2d"', '"conv"')
    findings = check_platform(written(tmp_path, text))
    assert [f.message.split(" ")[0] for f in findings if f.severity == "error"] == [
        "clock.hz",
        "ram[0].size_bytes",
        "throughput[0].operator",
    ]


def test_a_windows_byte_order_mark_and_line_ends_are_read(tmp_path: Path) -> None:
    file = written(tmp_path, b"\xef\xbb\xbf" + VALID.replace("\n", "\r\n").encode())
    assert load_platform(file).arena_bytes == (64 + 32) * KIB


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="No such file or directory"):
        load_platform(tmp_path / "none.toml")
    with pytest.raises(PlatformError, match="it is a directory"):
        load_platform(tmp_path)
    with pytest.raises(PlatformError, match="null byte"):
        load_platform("./\0.toml")


def test_text_names_a_built_in_platform_in_any_case_and_paths_a_file(tmp_path: Path) -> None:
    board = load_platform("STM32H743")
    assert board.name == "stm32h743"
    assert load_platform(board) is board
    file = written(tmp_path, VALID)
    assert load_platform(str(file)) == load_platform(file)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(PlatformError, match=r"no platform is called 'stm32h743zi'; did you mean 'stm32h743'\?"):
        load_platform("stm32h743zi")
    with pytest.raises(PlatformError, match=r"allowed: esp32-s3, .*gap8, .* or a path such as \./board\.toml"):
        check_platform("")


def test_names_are_listed_without_reading_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", None)
    assert {"stm32h743", "gap8", "rpi4"} <= set(platforms())
    assert platforms() == tuple(sorted(platforms()))


def test_default_rates_are_those_the_descriptor_names() -> None:
    rates = load_platform("stm32h743").rates()
    assert rates.runtime == "x-cube-ai 7.3/8.0 class"
    assert rates.mac_per_s("conv2d") == round(0.8133 * 480e6)
    assert rates.mac_per_s("pointwise") == pytest.approx(32 * 32 * 64 * 64 / 12.132e-3, rel=1e-4)
    assert rates.mac_per_s("depthwise") == pytest.approx(32 * 3 * 3 * 64 * 64 / 12.828e-3, rel=1e-4)
    assert rates.mac_per_s("fully_connected") == round(0.5163 * 480e6)
    assert rates.status == "estimated"


@pytest.mark.parametrize("name", platforms())
def test_a_default_rate_set_prices_every_layer_operator(name: str) -> None:
    board = load_platform(name)
    if board.default_rates is None:
        assert name in {"nrf5340", "stm32u585"} or name.startswith("ethos-u55-")
        with pytest.raises(PlatformError, match=f"{name}: no default_rates, so latency is unknown .*(it has: |add )"):
            board.rates()
    else:
        assert all(board.rates().mac_per_s(operator) > 0 for operator in LAYER_OPERATORS)


def test_a_runtime_finds_its_rates_by_either_name() -> None:
    board = load_platform("stm32h743")
    assert board.rates("xcubeai") == board.rates("x-cube-ai 7.3/8.0 class")
    assert board.rates("xinet-supplementary").mac_per_s("depthwise") == 41_590_000
    with pytest.raises(PlatformError, match=r"stm32h743: no rates of 'tflm', so its latency is unknown; it has: x-cub"):
        board.rates("tflm")


def test_a_rate_that_is_missing_or_unsupported_is_an_error(tmp_path: Path) -> None:
    board = load_platform(written(tmp_path, VALID))
    assert board.rates().status == "estimated"
    with pytest.raises(PlatformError, match=r"board: 'rt 1\.0' has no rate of 'grouped', only of: conv2d, depthwise"):
        board.rates().mac_per_s("grouped")
    with pytest.raises(PlatformError, match=r"board: 'rt 1\.0' cannot run 'pixelshuffle'"):
        board.rates().mac_per_s("pixelshuffle")


def test_power_is_the_default_one_and_its_absence_an_error() -> None:
    assert load_platform("stm32h7a3").power_w() == 139.2 / 1000
    assert load_platform("stm32l452").power_w() == 22.36 / 1000
    with pytest.raises(PlatformError, match=r"stm32f746: no \[\[power\]\], so energy is unknown"):
        load_platform("stm32f746").power_w()


def test_schema_file_is_what_the_reader_checks() -> None:
    assert json.loads((FOLDER / "platform.schema.json").read_text()) == platform_schema()
    jsonschema.Draft202012Validator.check_schema(platform_schema())


@pytest.mark.parametrize("name", platforms())
def test_built_in_platforms_obey_the_schema(name: str) -> None:
    document = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    jsonschema.Draft202012Validator(platform_schema()).validate(document)


ODD = ["-1", "0", "1", "1.0", "1.5", "1e400", "nan", "-inf", "true", '""', '"x"', '"8 KiB"', "[]", "[1]", "{}", "{a=1}"]
ODD += ["2024-01-01", "07:30:00", "0x" + "f" * 5000, "1e12"]


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_are_refused_in_a_sentence_and_never_against_the_schema(tmp_path: Path, odd: str) -> None:
    validator = jsonschema.Draft202012Validator(platform_schema())
    for line in [line for line in VALID.splitlines() if " = " in line]:
        text = changed(f"{line}\n", f"{line.split(' = ')[0]} = {odd}\n")
        findings = check_platform(written(tmp_path, text))
        assert not any("\n" in finding.message for finding in findings)
        if not any(finding.severity == "error" for finding in findings):
            validator.validate(tomllib.loads(text))


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(0, len(VALID)), st.integers(0, 40), st.one_of(st.text(max_size=30), st.sampled_from(ODD)))
def test_mangled_text_raises_nothing_but_platform_error(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int, inserted: str
) -> None:
    text = VALID[:start] + inserted + VALID[start + length :]
    survives_reading(tmp_path_factory, text.encode(errors="surrogatepass"))


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=8).map(lambda raw: VALID.encode() + raw)))
def test_arbitrary_bytes_raise_nothing_but_platform_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    survives_reading(tmp_path_factory, raw)


def survives_reading(factory: pytest.TempPathFactory, raw: bytes) -> None:
    file = written(factory.getbasetemp(), raw)
    refused = any(finding.severity == "error" for finding in check_platform(file))
    try:
        board = load_platform(file)
    except PlatformError:
        assert refused
    else:
        assert not refused
        assert board.arena_bytes > 0


def filled(template: str) -> str:
    text = re.sub(r"^(# )?(\w+) = 0 ", r"\1\2 = 8_388_608 ", template, flags=re.MULTILINE)
    return re.sub(r'^(# )?(\w+) = "" ', r'\1\2 = "known" ', text, flags=re.MULTILINE)


def test_a_new_descriptor_is_read_once_it_is_filled_in(tmp_path: Path) -> None:
    file = new_platform("my-board", tmp_path / "my-board.toml")
    with pytest.raises(PlatformError, match="part is '', but it must be text that is not empty"):
        load_platform(file)
    file.write_text(filled(file.read_text()))
    assert load_platform(file).arena_bytes == 8 * KIB**2
    assert {finding.severity for finding in check_platform(file)} == {"warning"}


def test_a_new_descriptor_holds_every_key_in_its_comments(tmp_path: Path) -> None:
    text = filled(new_platform("my-board", tmp_path / "my-board.toml").read_text())
    uncommented = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    document = tomllib.loads(uncommented)
    assert set(document) == {*TOP, *TABLES}
    for name, table in TABLES.items():
        (row,) = document[name] if table.repeated else [document[name]]
        assert set(row) == set(table.keys)


def test_a_new_descriptor_overwrites_nothing_and_needs_a_usable_name(tmp_path: Path) -> None:
    file = written(tmp_path, VALID)
    with pytest.raises(PlatformError, match=r"cannot be written \(File exists\); choose another path"):
        new_platform("board", file)
    assert file.read_text() == VALID
    with pytest.raises(PlatformError, match="the name of a platform is 'My Board', but it must be lower-case"):
        new_platform("My Board", tmp_path / "x.toml")
    with pytest.raises(PlatformError, match=r"a descriptor is a \.toml file; write to board\.json\.toml"):
        new_platform("board", tmp_path / "board.json")
    with pytest.raises(PlatformError, match=r"cannot be written \(No such file"):
        new_platform("board", tmp_path / "none" / "board.toml")


def test_a_latency_file_is_no_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = load_platform("rp2040").origin.read_text()
    for name in ("rp2040.toml", "rp2040.latency.toml"):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr("hwscale.platform.descriptors", lambda: tmp_path)
    assert platforms() == ("rp2040",)
    sentence = "rp2040.latency.toml: is a latency file, which belongs to the platform in rp2040.toml; give that one"
    for given_name in ("rp2040.latency", tmp_path / "rp2040.latency.toml", "rp2040.latency.toml"):
        with pytest.raises(PlatformError, match=re.escape(sentence)):
            load_platform(given_name)
    assert [finding.severity for finding in check_platform("rp2040.latency.toml")] == ["error"]


def test_a_new_descriptor_is_not_written_as_a_latency_file(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"\.latency\.toml is how a latency file ends; write to board\.toml"):
        new_platform("board", tmp_path / "board.latency.toml")
    assert not list(tmp_path.iterdir())


def test_the_readme_tells_every_key_and_status_and_its_example_is_read(tmp_path: Path) -> None:
    readme = (FOLDER / "README.md").read_text()
    for word in [*STATUSES, *TOP, *(key for table in TABLES.values() for key in table.keys)]:
        assert f"`{word}`" in readme, word
    example = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)[0]
    file = tmp_path / "my-board.toml"
    file.write_text(example)
    assert check_platform(file) == []
    assert load_platform(file).arena_bytes == (64 + 256) * KIB


def test_reading_a_platform_imports_nothing_heavy() -> None:
    heavy = ("numpy", "scipy", "sympy", "torch", "pydantic", "jsonschema")
    program = "import sys, hwscale.platform as p; p.load_platform('stm32h743'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert not set(heavy) & set(loaded)
