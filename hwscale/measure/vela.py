"""What Vela, Arm's compiler for the Ethos-U, estimates of an int8 .tflite: memory, cycles, what it leaves to the CPU.

An estimator, never a runtime. Every number is Vela's own: its memory is that of the compiled network, far below what the same
file takes in a Cortex-M's arena, and its cycles come from its model of the hardware, unchecked here on any hardware. The system
configurations and memory modes are those of the vela.ini that Arm ships with it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path

from hwscale.errors import ConfigError, nearest
from hwscale.measure.tflite_file import read_tflite
from hwscale.measure.tflite_model import FileModel
from hwscale.measure.vela_summary import REMEDY, VelaRecord, read_summary
from hwscale.platform_keys import ACCELERATORS

__all__ = ["VelaRecord", "estimate"]

PACKAGE = "ethos-u-vela"
MAX_MAP_BYTES = 2**31 - 1
"""Of all feature maps together: beyond it the 32-bit sizes that Vela computes with wrap around, and it says nothing."""
MAX_NAME_LENGTH = 16 << 20
"""Of the tensors' names, counted at each use: Vela prints them."""
MAX_SRAM_TARGET_BYTES = 2**32


def estimate(
    path: Path | str,
    *,
    accelerator: str,
    system_config: str,
    memory_mode: str,
    sram_target_bytes: int | None = None,
    timeout_s: float = 120,
) -> VelaRecord:
    """Compile a .tflite with Vela, in a process and a folder of its own, and read the summary that it writes.

    Parameters
    ----------
    accelerator : such as ``"ethos-u55-128"``: the NPU and its MACs per cycle.
    system_config, memory_mode : sections of Arm's vela.ini, such as ``"Ethos_U55_High_End_Embedded"`` and ``"Shared_Sram"``.
    sram_target_bytes : SRAM of the platform, which Vela tries to stay within; without it, it takes 4 GiB for granted.

    Raises
    ------
    ConfigError : Vela is missing; a name is none of the allowed ones; the file cannot be read, is compiled already, has
        nothing for the NPU or cannot be compiled; the time is over.
    """
    version, ini = _installed()
    _check_names(ini, accelerator, system_config, memory_mode)
    options = {"accelerator-config": accelerator, "system-config": system_config, "memory-mode": memory_mode}
    if sram_target_bytes is not None:
        if not 1 <= sram_target_bytes <= MAX_SRAM_TARGET_BYTES:
            raise ConfigError(
                f"sram_target_bytes is {sram_target_bytes}, but must be 1 to {MAX_SRAM_TARGET_BYTES}: pass the platform's SRAM."
            )
        options["arena-cache-size"] = str(sram_target_bytes)
    model = _read(path)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        record = _compile(Path(path), model, options, Path(folder), timeout_s, version)
    if not record.npu_operators or not record.cycles:
        left = ", ".join(record.cpu_kinds) or "everything"
        raise ConfigError(
            f"{model.title} has nothing for the NPU, Vela leaves {left} to the CPU: quantise weights and activations to int8."
        )
    return record


def _installed() -> tuple[str, ConfigParser]:
    """Vela's version and the configurations that Arm ships with it."""
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise ConfigError(f"Estimates for an Ethos-U need the package {PACKAGE}: {REMEDY}.") from error
    ini = ConfigParser()
    if not ini.read(str(package.locate_file("ethosu/config_files/Arm/vela.ini")), encoding="utf-8"):
        raise ConfigError(f"{PACKAGE} {package.version} comes without Arm/vela.ini: install another, {REMEDY}.")
    return package.version, ini


def _check_names(ini: ConfigParser, accelerator: str, system_config: str, memory_mode: str) -> None:
    """Refuse what Vela answers with a traceback, and combinations that it takes although they make no sense."""
    _check_name("accelerator", accelerator, ACCELERATORS)
    family = f"Ethos_{accelerator.split('-')[1].upper()}_"
    systems = [name for name in _sections(ini, "System_Config.") if name.startswith(family)]
    _check_name(f"system configuration of {accelerator}", system_config, systems)
    has_dram = ini[f"System_Config.{system_config}"]["axi1_port"] == "Dram"
    modes = _sections(ini, "Memory_Mode.")
    usable = [name for name in modes if has_dram or _arena_port(ini, f"Memory_Mode.{name}") == "Axi0"]
    _check_name(f"memory mode of {system_config}", memory_mode, usable)


def _check_name(what: str, name: str, allowed: Sequence[str]) -> None:
    if name not in allowed:
        raise ConfigError(f"No {what} is called {str(name)[:60]!r}; {nearest(str(name)[:60], allowed)}.")


def _sections(ini: ConfigParser, prefix: str) -> list[str]:
    return [section.removeprefix(prefix) for section in ini.sections() if section.startswith(prefix)]


def _arena_port(ini: ConfigParser, section: str) -> str:
    """The port behind which a memory mode has the feature maps: Axi0 leads to SRAM, Axi1 to the other memory."""
    return ini[section].get("arena_mem_area") or _arena_port(ini, ini[section]["inherit"])


def _read(path: Path | str) -> FileModel:
    """The file, refused if Vela, which checks nothing, would crash on it or answer with a wrong number."""
    try:
        model = read_tflite(path)
    except ConfigError as error:
        if re.search(r"operator \d+ \(ethos-u\)", str(error)):  # what Vela puts in the place of all others
            raise ConfigError(f"{path} is compiled already: pass the .tflite that Vela made it from.") from error
        raise
    maps = sum(tensor.activation_bytes for tensor in model.tensors if not tensor.is_constant)
    if maps > MAX_MAP_BYTES:
        raise ConfigError(
            f"{model.title} has {maps} B of feature maps, but Vela counts up to {MAX_MAP_BYTES}: pass a network for a microcontroller."
        )
    used = (index for operator in model.operators for index in (*operator.inputs, *operator.outputs) if index >= 0)
    if sum(len(model.tensors[index].name) for index in used) > MAX_NAME_LENGTH:
        raise ConfigError(
            f"{model.title} has tensor names of more than {MAX_NAME_LENGTH} letters in all: remove them from the file."
        )
    return model


def _compile(
    path: Path, model: FileModel, options: Mapping[str, str], folder: Path, timeout_s: float, version: str
) -> VelaRecord:
    """Run Vela on a copy of ``path`` in ``folder``, where its outputs go too."""
    copy = folder / "network.tflite"  # a name that is no option, and names the outputs
    command = [sys.executable, "-m", "ethosu.vela", str(copy), "--config=Arm/vela.ini", f"--output-dir={folder}"]
    command += [f"--{name}={value}" for name, value in options.items()]
    try:
        shutil.copyfile(path, copy)
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, cwd=folder, check=False)
    except OSError as error:
        raise ConfigError(f"{path} cannot be handed to Vela ({error.strerror}): see that it can be read.") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"Vela {version} did not finish {path} within {timeout_s:g} s: allow it more.") from error
    log = done.stdout.decode(errors="replace")
    if done.returncode < 0:
        raise ConfigError(f"Vela {version} crashed on {path} (signal {-done.returncode}): convert the network again.")
    summary = folder / f"network_summary_{options['system-config']}.csv"
    compiled = folder / "network_vela.tflite"
    if done.returncode or not summary.is_file() or not compiled.is_file():
        reason = _reason(f"{log}\n{done.stderr.decode(errors='replace')}")
        raise ConfigError(f"Vela {version} cannot compile {path} ({reason}): convert the network again.")
    text = summary.read_text(encoding="utf-8", errors="replace")
    writers = {
        model.tensors[index].name: operator.builtin for operator in model.operators for index in operator.outputs
    }
    return read_summary(text, log, version=version, compiled_bytes=compiled.stat().st_size, writers=writers)


def _reason(log: str) -> str:
    """The last line that tells of an error, shortened."""
    telling = [line.strip() for line in log.splitlines() if re.search(r"error|fail", line, re.IGNORECASE)]
    return telling[-1][:200].rstrip(".") if telling else "it gives no reason"
