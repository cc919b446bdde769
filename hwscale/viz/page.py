"""One HTML file that holds all it shows: text, tables, plots and the script that draws them; it asks no network for anything."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from hwscale.viz.canvas import require
from hwscale.viz.markup import text

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
"""What the browser may load: nothing but what is in the page."""

_EARLY = 'document.documentElement.dataset.theme=matchMedia("(prefers-color-scheme: dark)").matches?"dark":"light";'


def html_page(title: str, lead: str, sections: dict[str, str], foot: str) -> str:
    """The page; ``sections`` are HTML by the name that leads to them, ``title``, ``lead`` and ``foot`` text.

    ConfigError without plotly.
    """
    links = "".join(
        f'<a href="#{text(name)}">{text(name.replace("-", " "))}</a>' for name, content in sections.items() if content
    )
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{text(title)}</title>",
            f"<style>{_asset('page.css')}</style><script>{_EARLY}</script></head><body>",
            f'<header><h1>{text(title)}</h1><button type="button" id="theme" aria-label="switch colours">dark</button></header>',
            f'<main><p class="lead">{text(lead)}</p><nav aria-label="sections">{links}</nav>',
            "<noscript><p>Plots and sorting need JavaScript; every number is in the tables.</p></noscript>",
            *sections.values(),
            f"</main><footer>{text(foot)}</footer>",
            f"<script>{_plotly()}</script>",
            f"<script>{_asset('page.js')}</script></body></html>\n",
        ]
    )


def _asset(name: str) -> str:
    return (files("hwscale.viz") / "assets" / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """plotly.js, as the Python package ships it."""
    require("plotly")
    script: Any = files("plotly") / "package_data" / "plotly.min.js"
    found: str = script.read_text(encoding="utf-8")
    return found.replace("</script", "<\\/script")
