"""``python notebooks/execute.py``: execute the notebooks and store their outputs; see README.md beside this file.

Every notebook runs in a kernel of its own, in the notebook's folder, with this checkout first on its path. What differs from run to run
is not stored: times, versions, identifiers of widgets. A notebook of which a cell fails is left as it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CELL_SECONDS = 120
WIDGET = "application/vnd.jupyter.widget-view+json"
STILL = "(a slider; it moves where the notebook runs, some of its positions are below)"


def executed(source: Path, sockets: Path) -> str:
    """The notebook ``source`` executed in its own folder, as text; CellExecutionError where a cell fails."""
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        # sockets in a folder of this run: ports of other runs cannot be taken by mistake
        config=Config({"KernelManager": {"transport": "ipc", "ip": str(sockets / source.stem)}}),
        timeout=CELL_SECONDS,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(source.resolve().parent)}},
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
            if output.get("data", {}).pop(WIDGET, None) is not None:
                output.data["text/plain"] = STILL
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return str(nbformat.writes(notebook)) + "\n"


def surroundings(runtime: Path) -> dict[str, str]:
    """Variables for the kernels: this checkout, one thread, and nothing of the user's own Jupyter and IPython."""
    paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    folders = ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
    own = {name: str(runtime) for name in folders}
    return own | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "JUPYTER_PLATFORM_DIRS": "1",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
        "COLUMNS": "100",
    }


def main() -> int:
    """Execute the notebooks named, or all of this folder, in place; 1 if a cell fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nb-") as temporary:
        os.environ.update(surroundings(Path(temporary)))
        for source in given.notebooks or sorted(HERE.glob("*.ipynb")):
            try:
                text = executed(source, Path(temporary))
            except RuntimeError as error:  # nbclient's, the traceback of the cell in it
                print(f"{source}: {error}", file=sys.stderr)
                return 1
            beside = source.with_name(f".{source.name}-new")
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, source)
            print(f"{source.name}: {len(text) / 1024:.0f} KiB", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
