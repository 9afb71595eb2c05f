"""Saves a figure, and makes its SVG a part of a page."""

import io
import re
import warnings
from html import escape
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from ue_bench.errors import visible
from ue_bench.report.figures.hover import LINK
from ue_bench.report.figures.style import fix_labels, settle
from ue_bench.whole_file import write_whole

DPI = 150
MARGIN = 0.1  # inches around what is drawn
# Inches of what is drawn that a page of 1,280 pixels shows in full size: a wider picture is shrunk,
# and its letters with it.
WIDEST = 1_092 / 96 - 2 * MARGIN
NARROWEST = 3.0  # inches that a figure keeps, whose texts alone are wider than a page
TITLE = 48  # letters of a line of a title
COLORS = 256  # of a PNG; their number makes its size, and the time that it takes
_NEARLY_WHITE = 250  # of 255: a palette's entry that is as light stands for white
_POINT = re.compile(rf'<a xlink:href="{LINK}([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_POINT_WITH_TITLE = r'<g class="point"><title>\1</title>\2</g>'
_WIDTH = re.compile(r' width="([\d.]+)pt"')
_VIEW_BOX = re.compile(r' viewBox="[^"]*"')
_PROLOGUE = re.compile(
    r'<metadata>.*?</metadata>|<style type="text/css">.*?</style>', flags=re.DOTALL
)
_REFERENCE = re.compile(r'(?:url\(|xlink:href=")#([^)"]+)')
_ID = re.compile(r' id="([^"]*)"')


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Save the PNG (150 dpi) and the SVG of a figure, which shows the texts of its points on hover.

    Equal records give equal files. Raises BenchError when the folder cannot be written.
    """
    text = io.StringIO()
    png = folder / f"{name}.png"
    svg = folder / f"{name}.svg"
    with warnings.catch_warnings():
        # The warning holds the character, which the terminal might obey.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.set_dpi(DPI)  # letters are laid out as wide as they will be drawn
        canvas = FigureCanvasAgg(figure)  # one measures each text once, and draws the PNG
        box = _settled_box(figure)
        fix_labels(figure)
        pixels = _png(canvas, box)
        box = box.padded(MARGIN)
        figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches=box)
    write_whole(png, pixels)
    write_whole(svg, visible(_POINT.sub(_POINT_WITH_TITLE, text.getvalue())))
    return [png, svg]


def _settled_box(figure: Figure) -> Bbox:
    """Fix the layout of a figure, narrower where it would be too wide, and return what is drawn.

    A text may be wider than the layout assumed. A layout that was fixed before stays.
    """
    engine = figure.get_layout_engine()
    settle(figure)
    box = figure.get_tightbbox()
    if engine is not None and box.width > WIDEST:
        for axes in figure.axes:
            axes.set_title(_in_lines(axes.get_title(loc="left")), loc="left")
        narrower = figure.get_figwidth() + WIDEST - box.width
        figure.set_figwidth(max(narrower, NARROWEST))
        figure.set_layout_engine(engine)
        settle(figure)
        box = figure.get_tightbbox()
    return box


def _in_lines(title: str) -> str:
    """Break the lines of a title that are longer than a panel of half a page is wide."""
    return "\n".join(fill(line, TITLE) for line in title.splitlines())


def _png(canvas: FigureCanvasAgg, box: Bbox) -> bytes:
    """Return the PNG of a figure in a palette of `COLORS` colours. box: what is drawn, in inches.

    It has a quarter of the bytes of one in full colours, and takes half of the time to pack.
    """
    full = Image.fromarray(_pixels(canvas, box)).convert("RGB")
    picture = full.quantize(COLORS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = picture.getpalette() or []
    picture.putpalette([255 if level >= _NEARLY_WHITE else level for level in palette])
    packed = io.BytesIO()
    picture.save(packed, "png", dpi=(DPI, DPI))
    return packed.getvalue()


def _pixels(canvas: FigureCanvasAgg, box: Bbox) -> np.ndarray:
    """Return what the box of a figure shows with `MARGIN` around it: uint8 [height, width, 4]."""
    figure = canvas.figure
    around = box.padded(MARGIN)
    width, height = figure.get_size_inches()
    if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height:
        canvas.print_figure(io.BytesIO(), format="rgba", dpi=DPI, bbox_inches=around)
        return np.array(canvas.buffer_rgba())
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())
    left, right = round(around.x0 * DPI), round(around.x1 * DPI)
    top, bottom = round((height - around.y1) * DPI), round((height - around.y0) * DPI)
    pixels = np.full((bottom - top, right - left, 4), 255, dtype=np.uint8)
    # The margin may lie outside of the figure.
    first_row, first_column = max(top, 0), max(left, 0)
    inside = drawn[first_row:bottom, first_column:right]
    rows = slice(first_row - top, first_row - top + inside.shape[0])
    columns = slice(first_column - left, first_column - left + inside.shape[1])
    pixels[rows, columns] = inside
    return pixels


def inline(svg: str, prefix: str, title: str, caption: str) -> str:
    """The text of an SVG that `save` has written, as an element of a page.

    The element has no prologue and no fixed size. Its ids begin with `prefix`; ids without a
    reference are left out.

    title: the name of the element for a screen reader. caption: the id of what describes it.
    """
    head, body = svg[svg.index("<svg") :].split(">", 1)
    width = _WIDTH.search(head)
    view_box = _VIEW_BOX.search(head)
    if width is None or view_box is None:
        raise ValueError("not an SVG that `save` has written")
    body = _PROLOGUE.sub("", body, count=2)
    referred = set(_REFERENCE.findall(body))

    def prefixed(match: re.Match[str]) -> str:
        if match[1] not in referred:
            return ""
        return f' id="{prefix}{match[1]}"'

    body = _ID.sub(prefixed, body)
    body = re.sub(r'(url\(|xlink:href=")#', rf"\1#{prefix}", body).replace("xlink:href=", "href=")
    pixels = float(width[1]) * 4 / 3
    return (
        f'<svg{view_box[0]} style="--width: {pixels:.0f}px" role="img" '
        f'aria-label="{escape(title, quote=True)}" aria-describedby="{caption}">{body}'
    )
