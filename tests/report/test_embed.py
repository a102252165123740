"""Drawings embedded in a page: a PNG loses no pixel, an SVG draws the same in fewer bytes."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from adam_repro.plots import style
from adam_repro.plots.theory import DrawingFile
from adam_repro.report import embed, pages
from adam_repro.report.theory import TheorySection


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    figure = Figure(figsize=(2, 2))
    axes = figure.subplots()
    axes.plot([0, 1, 2], [0.1234567, 5.7654321, 3.3333333])
    axes.set_title('the "paper\'s" #1 & <2>, 100 %')
    style.save(figure, tmp_path, "one")
    return tmp_path


def test_an_svg_in_a_page_is_the_same_drawing(drawn: Path) -> None:
    kind, text = embed.data_uri(drawn / "one.svg").split(",", 1)
    assert kind == "data:image/svg+xml"

    def elements(source: str) -> list[tuple[str, dict[str, str]]]:
        """Tags and attributes; ids are numbered, and letters of a path stand apart."""
        found = list(ElementTree.fromstring(source).iter())
        css = "".join(one.text or "" for one in found if one.tag.endswith("}style"))
        classes = dict(re.findall(r"\.(\w+)\{([^}]*)\}", css))
        owners = [one for one in found if "id" in one.attrib and not one.tag.endswith("}g")]
        names = {one.attrib["id"]: f"id-{i}" for i, one in enumerate(owners)}
        parts = []
        for one in found:
            mine = dict(one.attrib)
            if one.tag.endswith("}g"):
                mine.pop("id", None)
            if "d" in mine:
                mine["d"] = re.sub(r"([A-Za-z])", r" \1 ", mine["d"])
            if "class" in mine:
                mine["style"] = classes[mine.pop("class")]
            if "style" in mine:
                mine["style"] = re.sub(r"([:;]) ", r"\1", mine["style"])
            for key, value in mine.items():
                text = re.sub(r"(?<=#)[\w.-]+(?=\)|$)", lambda n: names.get(n[0], n[0]), value)
                mine[key] = " ".join(names.get(text, text).split())
            parts.append((one.tag, mine))
        left_out = re.compile(r"rdf-syntax|purl.org|creativecommons|metadata")
        return [part for part in parts if not left_out.search(part[0])]

    original = elements((drawn / "one.svg").read_text())
    assert elements(unquote(text)) == original
    used = {n for _, mine in original for v in mine.values() for n in re.findall(r"#(id-\d+)\b", v)}
    referred = re.findall(r"""(?:href=["']|url\()#([\w.-]+)""", unquote(text))
    assert len(used) == len(set(referred)) > 2


def test_a_png_in_a_page_is_the_same_pixels_in_fewer_bytes(drawn: Path) -> None:
    kind, text = embed.data_uri(drawn / "one.png").split(",", 1)
    assert kind == "data:image/webp;base64"
    webp = base64.b64decode(text)
    assert len(webp) < (drawn / "one.png").stat().st_size
    with Image.open(io.BytesIO(webp)) as shown, Image.open(drawn / "one.png") as png:
        assert shown.format == "WEBP"
        assert np.array_equal(shown.convert("RGBA"), png.convert("RGBA"))


def test_a_png_is_embedded_as_it_is_if_pillow_lacks_webp(
    drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed.features, "check", lambda name: name != "webp")
    kind, text = embed.data_uri(drawn / "one.png").split(",", 1)
    assert kind == "data:image/png;base64"
    assert base64.b64decode(text) == (drawn / "one.png").read_bytes()


def test_a_caption_is_escaped(drawn: Path) -> None:
    pages.write([], [], TheorySection(drawings=[DrawingFile("one", '<b> & "')]), drawn)
    shown = (drawn / "index.html").read_text()
    assert '<img alt="&lt;b&gt; &amp; &#34;" src="data:image/svg' in shown
    assert "<figcaption>&lt;b&gt; &amp; &#34;</figcaption>" in shown
