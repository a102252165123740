"""A drawing within a page, so that the page needs no file beside it."""

from __future__ import annotations

import base64
import re
from html import escape
from pathlib import Path
from urllib.parse import quote

TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
_KEPT = " !$'()*+,-./:;<=>?@"  # what may stand in the address of a picture, between double quotes


def figure(drawing: Path, caption: str) -> str:
    """The ``<figure>`` of an SVG or PNG, with its caption."""
    text = escape(caption)
    image = f'<img alt="{text}" src="{_address(drawing)}">'
    return f'<figure><div class="wide">{image}</div><figcaption>{text}</figcaption></figure>'


def _address(drawing: Path) -> str:
    kind = TYPES[drawing.suffix]
    data = drawing.read_bytes()
    if drawing.suffix == ".svg":  # text, to which base64 would add a third
        data = re.sub(rb"\s+", b" ", data).replace(b"> <", b"><")
        data = re.sub(
            rb'="([^"\']*)"', rb"='\1'", data
        )  # a double quote would take three characters
        return f"data:{kind},{quote(data, safe=_KEPT)}"
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
