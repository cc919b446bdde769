"""Where a calibration is written: beside a descriptor, which may be a new one; all of its files or none."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from pathlib import Path

from hwscale.errors import ConfigError
from hwscale.platform import Platform, descriptors
from hwscale.platform_check import judge
from hwscale.platform_keys import TOP


def target_of(platform: Platform, output: str | Path | None) -> Path | None:
    """The new descriptor to write, None for none; ConfigError if it cannot be there, or a built-in platform has none."""
    if output is None:
        if platform.origin.resolve().parent == descriptors().resolve():
            raise ConfigError(
                f"{platform.name} is built in, and calibration writes beside the descriptor; add --output my-{platform.name}.toml "
                "to calibrate a copy"
            )
        return None
    return new_descriptor(output)


def new_descriptor(output: str | Path) -> Path:
    """Where a new descriptor may be written; ConfigError if it cannot be there, or a file is."""
    target = Path(output)
    if target.suffix != ".toml" or target.name.endswith(".latency.toml"):
        raise ConfigError(f"{target}: a descriptor is a .toml file; write to {target.name.partition('.')[0]}.toml")
    if problem := judge(target.stem, TOP["name"].kind, f"{target}: the name of the platform")[0]:
        raise ConfigError(f"{problem}; choose another file name")
    for file in (target, target.with_name(f"{target.stem}.latency.toml")):
        if os.path.lexists(file):
            raise ConfigError(f"{file} exists and is not overwritten; choose another --output, or calibrate {target}")
    return target


def copied(platform: Platform, target: Path) -> str:
    """The text of a platform's descriptor under the name of ``target``."""
    text = platform.origin.read_text(encoding="utf-8-sig")
    if not (target.parent / "platform.schema.json").is_file():
        text = re.sub(r"\A#:schema .*\n", "", text)
    top, opened, tables = re.split(r"(^\s*\[)", text, maxsplit=1, flags=re.MULTILINE)
    top = re.sub(r"^\s*name\s*=.*$", f'name = "{target.stem}"', top, count=1, flags=re.MULTILINE)
    text = top + opened + tables
    if tomllib.loads(text).get("name") != target.stem:
        raise ConfigError(f"{platform.origin}: its name could not be replaced; copy it to {target} by hand")
    return text


def write_all(texts: dict[Path, str]) -> tuple[Path, ...]:
    """Write every file, or none; what is there under a name is replaced in one step. ConfigError if it cannot be."""
    staged: dict[Path, Path] = {}
    fresh = [path for path in texts if not path.exists()]
    try:
        for path, text in texts.items():
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", newline="\n", dir=path.parent, prefix=f".{path.name}-", delete=False
            ) as stream:
                staged[path] = Path(stream.name)
                stream.write(text)
            staged[path].chmod(0o644)
        for path, temporary in staged.items():
            os.replace(temporary, path)
    except OSError as error:
        for one in fresh:
            one.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written ({error.strerror or error}); choose another folder") from None
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
    return tuple(texts)
