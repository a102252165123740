"""A drawing within a page, so that the page needs no file beside it."""

from __future__ import annotations

import base64
import io
import re
from html import escape
from pathlib import Path
from urllib.parse import quote

from PIL import Image, features

_KEPT = " !$'()*+,-./:;<=>?@"  # what may stand in the address of a picture, between double quotes


def figure(drawing: Path, caption: str) -> str:
    """The ``<figure>`` of an SVG or PNG, with its caption."""
    text = escape(caption)
    image = f'<img alt="{text}" src="{_address(drawing)}">'
    return f'<figure><div class="wide">{image}</div><figcaption>{text}</figcaption></figure>'


def _address(drawing: Path) -> str:
    data = drawing.read_bytes()
    if drawing.suffix == ".svg":  # text, to which base64 would add a third
        return f"data:image/svg+xml,{quote(_compact(data), safe=_KEPT)}"
    kind = "png"
    if features.check("webp"):  # not in every Pillow that was built by hand
        kind, data = "webp", _webp(data)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _webp(png: bytes) -> bytes:
    """The same pixels in four fifths of the bytes."""
    packed = io.BytesIO()
    Image.open(io.BytesIO(png)).save(packed, "WEBP", lossless=True)
    return packed.getvalue()


def _compact(svg: bytes) -> bytes:
    """The same picture in fewer bytes: without what is not drawn, as Matplotlib writes it."""
    svg = re.sub(rb"<!--.*?-->|<metadata>.*?</metadata>", b"", svg, flags=re.DOTALL)
    svg = re.sub(rb"\s+", b" ", svg).replace(b"> <", b"><")
    svg = re.sub(rb'<g id="[^"]*"', b"<g", svg)  # nothing refers to a group
    svg = re.sub(rb'(?<= d=")[^"]*', lambda d: re.sub(rb" ?([A-Za-z]) ?", rb"\1", d[0]), svg)
    svg = re.sub(rb'(?<= style=")[^"]*', lambda d: re.sub(rb"([:;]) ", rb"\1", d[0]), svg)
    short = {name: b"%x" % i for i, name in enumerate(re.findall(rb' id="([^"]*)"', svg))}
    svg = re.sub(
        rb'( id="|#)([\w.-]+)(?=[")])',
        lambda found: found[1] + b"i" + short[found[2]] if found[2] in short else found[0],
        svg,
    )
    # Within an address a double quote would take three characters.
    return re.sub(rb'="([^"\']*)"', rb"='\1'", _classed(svg))


def _classed(svg: bytes) -> bytes:
    """The few styles of a drawing said once, as classes, in place of at every element."""
    classes: dict[bytes, bytes] = {}

    def named(found: re.Match[bytes]) -> bytes:
        return b' class="%s"' % classes.setdefault(found[1], b"c%x" % len(classes))

    svg = re.sub(rb' style="([^"]*)"', named, svg)
    rules = b"".join(b".%s{%s}" % (name, style) for style, name in classes.items())
    return svg.replace(b"</style>", rules + b"</style>", 1)
