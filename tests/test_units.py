"""Quantities: what users may write, what they may not, and what they read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwscale.errors import ConfigError
from hwscale.units import (
    format_bytes,
    format_count,
    format_joules,
    format_seconds,
    parse_bytes,
    parse_count,
    parse_joules,
    parse_seconds,
)

KIB = 1024
PARSERS = {"bytes": parse_bytes, "count": parse_count, "seconds": parse_seconds, "joules": parse_joules}
WHOLE = st.integers(1, 2**40)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096 B", 4096),
        ("256 KiB", 256 * KIB),
        ("256KiB", 256 * KIB),
        ("1.5MiB", KIB**2 + KIB**2 // 2),
        ("2 GiB", 2 * KIB**3),
        ("0.5 KiB", KIB // 2),
        (" 64 KiB ", 64 * KIB),
        (262144, 256 * KIB),
        (4096.0, 4096),
    ],
)
def test_sizes_are_whole_bytes_with_binary_units(text: object, size: int) -> None:
    assert parse_bytes(text) == size
    assert type(parse_bytes(text)) is int


@given(WHOLE)
def test_every_whole_number_of_bytes_survives_in_every_unit(size: int) -> None:
    assert parse_bytes(size) == parse_bytes(f"{size} B") == size
    assert parse_bytes(f"{size} KiB") == size * KIB
    assert parse_bytes(f"{size}MiB") == size * KIB**2


@given(st.sampled_from(["KB", "MB", "GB", "kB", "kb", "mb", "K", "M", "G"]), st.integers(1, 9999))
def test_decimal_looking_sizes_are_refused_in_every_spelling(unit: str, amount: int) -> None:
    with pytest.raises(ConfigError, match="ambiguous"):
        parse_bytes(f"{amount} {unit}")


def test_the_refusal_of_kb_offers_both_readings() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_bytes("256KB", "limit ram")
    message = str(refused.value)
    assert all(part in message for part in ("limit ram", "256KB", "256 KiB", str(256 * KIB), str(256 * 1000)))


@pytest.mark.parametrize("given_", ["0.1 KiB", 0.5, "1.0001 KiB"])
def test_a_fraction_of_a_byte_is_refused(given_: object) -> None:
    with pytest.raises(ConfigError, match="whole"):
        parse_bytes(given_)


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize(
    "given_",
    [0, -1, math.nan, math.inf, -math.inf, "", " ", "nan", "inf", "fast", "KiB", "1 2", "--5", "0x10"],
    ids=repr,
)
def test_what_is_no_finite_number_above_zero_is_refused(parser: object, given_: object) -> None:
    with pytest.raises(ConfigError):
        parser(given_)


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("given_", [True, None, [1], {}], ids=repr)
def test_what_is_no_quantity_at_all_is_refused(parser: object, given_: object) -> None:
    with pytest.raises(ConfigError):
        parser(given_)


@pytest.mark.parametrize(
    ("parser", "given_"),
    [
        (parse_bytes, "-1 KiB"),
        (parse_bytes, "0 KiB"),
        (parse_bytes, "3 parsec"),
        (parse_count, "-40M"),
        (parse_count, "40 MiB"),
        (parse_count, 0.2),
        (parse_seconds, "-1 ms"),
        (parse_seconds, "0 s"),
        (parse_seconds, "100"),
        (parse_seconds, "100 KiB"),
        (parse_joules, "5"),
        (parse_joules, "-5 mJ"),
        (parse_joules, "5 ms"),
    ],
)
def test_wrong_signs_and_wrong_units_are_refused(parser: object, given_: object) -> None:
    with pytest.raises(ConfigError):
        parser(given_)


@pytest.mark.parametrize(("name", "parser"), PARSERS.items())
def test_the_refusal_names_what_was_being_read(name: str, parser: object) -> None:
    with pytest.raises(ConfigError, match=f"my {name}"):
        parser("rubbish", f"my {name}")


@given(st.integers(1, 2**53 // 1000**3))
def test_counts_take_powers_of_a_thousand(count: int) -> None:
    assert parse_count(count) == parse_count(str(count)) == count
    assert parse_count(f"{count}k") == count * 1000
    assert parse_count(f"{count} M") == count * 1000**2
    assert type(parse_count(f"{count}G")) is int


def test_a_count_may_have_decimals_before_its_suffix() -> None:
    assert parse_count("1.5M") == 1_500_000
    assert parse_count("40M") == 40_000_000


@given(st.integers(1, 10**6))
def test_times_and_energies_scale_by_thousands(amount: int) -> None:
    for parser, unit in ((parse_seconds, "s"), (parse_joules, "J")):
        for power, prefix in enumerate(("", "m", "u", "n")):
            assert parser(f"{amount} {prefix}{unit}") == pytest.approx(amount * 1000.0**-power, rel=1e-12)
        assert parser(float(amount)) == amount


def test_a_megajoule_is_not_a_millijoule() -> None:
    try:
        joules = parse_joules("5 MJ")
    except ConfigError:
        return
    assert joules == pytest.approx(5e6)


@given(st.floats(1e-6, 1e4))
def test_times_and_energies_read_back_to_four_digits(value: float) -> None:
    half_a_digit = 0.51e-3
    assert parse_seconds(format_seconds(value)) == pytest.approx(value, rel=half_a_digit)
    assert parse_joules(format_joules(value)) == pytest.approx(value, rel=half_a_digit)


@given(st.floats(1e-9, 1e-6))
def test_nanoseconds_and_nanojoules_read_back_to_three_digits(value: float) -> None:
    half_a_digit = 5.1e-3
    assert parse_seconds(format_seconds(value)) == pytest.approx(value, rel=half_a_digit)
    assert parse_joules(format_joules(value)) == pytest.approx(value, rel=half_a_digit)


@given(st.integers(KIB, 2**40))
def test_sizes_print_in_kib_to_one_decimal(size: int) -> None:
    number, unit = format_bytes(size).split()
    assert unit == "KiB"
    assert abs(float(number.replace(",", "")) - size / KIB) <= 0.05 + 1e-9


@given(st.integers(0, KIB - 1))
def test_sizes_below_one_kib_print_exactly(size: int) -> None:
    assert format_bytes(size) == f"{size} B"


@given(st.integers(1, 2**50))
def test_counts_print_to_half_a_percent(count: int) -> None:
    text = format_count(count)
    scale = {"k": 1e3, "M": 1e6, "G": 1e9}
    number, _, suffix = text.partition(" ")
    assert float(number.replace(",", "")) * scale.get(suffix, 1) == pytest.approx(count, rel=5.01e-3)


def test_formats_of_round_quantities() -> None:
    assert format_bytes(512 * KIB) == "512.0 KiB"
    assert format_count(40_120_000) == "40.12 M"
    assert format_seconds(0.1372) == "137.2 ms"
    assert format_joules(0.0051) == "5.1 mJ"
