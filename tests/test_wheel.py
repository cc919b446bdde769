"""The wheel, built via the sdist as releases are, holds the formulas and the platforms and works outside the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_wheel_built_from_the_sdist_holds_formulas_and_platforms(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "hwscale").rglob("*.py")}
    targets = {f"hwscale/platforms/{path.name}" for path in (ROOT / "platforms").glob("*.toml")}
    assert modules | targets | {"hwscale/py.typed"} <= packed
    assert not any(name.startswith(("formulas", "tests")) for name in packed)
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    code = "import hwscale; assert 'stm32h743' in hwscale.platforms(); print(hwscale.load_platform('gap8').arena_bytes)"
    seen = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(installed)!r}); {code}"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert seen.stdout.strip() == str(512 * 1024)
