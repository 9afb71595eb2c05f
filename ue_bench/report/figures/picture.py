"""How a figure is saved, and how its SVG becomes a part of a page."""

import io
import re
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from ue_bench.errors import BenchError
from ue_bench.report.figures.hover import LINK
from ue_bench.report.figures.style import settle

DPI = 150
MARGIN = 0.1  # inches around what is drawn
_POINT = re.compile(rf'<a xlink:href="{LINK}([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """PNG at 150 dpi and SVG with its points' texts, the same for the same records. Raises BenchError when the folder cannot be
    written."""
    figure.set_dpi(DPI)  # letters are laid out as wide as they will be drawn
    settle(figure)
    box = figure.get_tightbbox().padded(MARGIN)  # a text may be wider than the layout reckoned
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches=box)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(paths[0], dpi=DPI, bbox_inches=box)
        paths[1].write_text(
            _POINT.sub(r'<g class="point"><title>\1</title>\2</g>', text.getvalue()),
            encoding="utf-8",
        )
    except OSError as error:
        raise BenchError(
            f"cannot write {folder}: {error.strerror or error}; choose another --out or free the space"
        ) from error
    return paths


def inline(svg: str, prefix: str, title: str) -> str:
    """The text of a saved SVG as an element of a page: without prologue and fixed size, named `title`, its ids under `prefix`
    and only those that something refers to."""
    head, body = svg[svg.index("<svg") :].split(">", 1)
    width, box = re.search(r' width="([\d.]+)pt"', head), re.search(r' viewBox="[^"]*"', head)
    if width is None or box is None:
        raise ValueError("not an SVG that `save` has written")
    body = re.sub(
        r'<metadata>.*?</metadata>|<style type="text/css">.*?</style>',
        "",
        body,
        count=2,
        flags=re.DOTALL,
    )
    referred = set(re.findall(r'(?:url\(|xlink:href=")#([^)"]+)', body))
    body = re.sub(
        r' id="([^"]*)"',
        lambda match: f' id="{prefix}{match[1]}"' if match[1] in referred else "",
        body,
    )
    body = re.sub(r'(url\(|xlink:href=")#', rf"\1#{prefix}", body).replace("xlink:href=", "href=")
    start = f'<svg{box[0]} style="--width: {float(width[1]) * 4 / 3:.0f}px" role="img" aria-label="{escape(title, quote=True)}">'
    return start + body
