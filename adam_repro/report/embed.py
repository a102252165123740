"""Embed a drawing in a page, so that the page needs no file beside it."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from PIL import Image, features

LIMIT = 2 << 20  # bytes of a page, so that it opens at once
_UNQUOTED = " !$'()*+,-./:;<=>?@"  # characters that an address between double quotes may contain


def fitting(png: Mapping[str, str], svg: Mapping[str, str], room: int) -> dict[str, str]:
    """The SVGs, the shortest first, that may replace PNGs on a page with ``room`` bytes below `LIMIT`."""
    chosen = {}
    for name, address in sorted(svg.items(), key=lambda item: len(item[1])):
        room -= len(address) - len(png[name])
        if room > 0:
            chosen[name] = address
    return chosen


def linked(embedded: Mapping[str, str], excess: int) -> dict[str, str]:
    """The files beside the page, of the largest drawings, that stand in for its ``excess`` bytes.

    Figures are always embedded; these are the drawings behind them, as grids of stepsizes.
    """
    chosen = {}
    for name, address in sorted(embedded.items(), key=lambda item: -len(item[1])):
        if excess <= 0:
            break
        chosen[name] = f"{name}.png"
        excess -= len(address) - len(chosen[name])
    return chosen


def data_uri(drawing: Path) -> str:
    """The address of an SVG or PNG that holds its bytes. It needs no escape between double quotes."""
    content = drawing.read_bytes()
    if drawing.suffix == ".svg":  # text, to which base64 would add a third
        return f"data:image/svg+xml,{quote(_minify(content), safe=_UNQUOTED)}"
    kind = "png"
    if features.check("webp"):  # not every Pillow has it
        kind, content = "webp", _to_webp(content)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _to_webp(png: bytes) -> bytes:
    """The same pixels, lossless, in four fifths of the bytes."""
    packed = io.BytesIO()
    Image.open(io.BytesIO(png)).save(packed, "WEBP", lossless=True)
    return packed.getvalue()


def _minify(svg: bytes) -> bytes:
    """The same picture as Matplotlib writes it, without comments, metadata, unused ids and spaces."""
    svg = re.sub(rb"<!--.*?-->|<metadata>.*?</metadata>", b"", svg, flags=re.DOTALL)
    svg = re.sub(rb"\s+", b" ", svg).replace(b"> <", b"><")
    svg = re.sub(rb'<g id="[^"]*"', b"<g", svg)  # nothing refers to the id of a group
    svg = re.sub(rb'(?<= d=")[^"]*', lambda d: re.sub(rb" ?([A-Za-z]) ?", rb"\1", d[0]), svg)
    svg = re.sub(rb'(?<= style=")[^"]*', lambda d: re.sub(rb"([:;]) ", rb"\1", d[0]), svg)
    short = {name: b"%x" % i for i, name in enumerate(re.findall(rb' id="([^"]*)"', svg))}
    svg = re.sub(
        rb'( id="|#)([\w.-]+)(?=[")])',
        lambda found: found[1] + b"i" + short[found[2]] if found[2] in short else found[0],
        svg,
    )
    # In an address a double quote takes three characters (%22), a single quote one.
    return re.sub(rb'="([^"\']*)"', rb"='\1'", _styles_to_classes(svg))


def _styles_to_classes(svg: bytes) -> bytes:
    """Each distinct style attribute becomes a class, written once."""
    classes: dict[bytes, bytes] = {}

    def named(found: re.Match[bytes]) -> bytes:
        return b' class="%s"' % classes.setdefault(found[1], b"c%x" % len(classes))

    svg = re.sub(rb' style="([^"]*)"', named, svg)
    rules = b"".join(b".%s{%s}" % (name, style) for style, name in classes.items())
    return svg.replace(b"</style>", rules + b"</style>", 1)
