"""A drawing within a page: its bytes, or for an SVG the same drawing in fewer."""

from __future__ import annotations

import base64
import io
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from adam_repro.plots import style
from adam_repro.report import embed


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    figure = Figure(figsize=(2, 2))
    axes = figure.subplots()
    axes.plot([0, 1, 2], [0.1234567, 5.7654321, 3.3333333])
    axes.set_title('the "paper\'s" #1 & <2>, 100 %')
    style.save(figure, tmp_path, "one")
    return tmp_path


def address(figure: str) -> str:
    found = re.search(r'src="([^"]*)"', figure)
    assert found
    return unescape(found[1])


def test_an_svg_in_a_page_is_the_same_drawing(drawn: Path) -> None:
    kind, text = address(embed.figure(drawn / "one.svg", "caption")).split(",", 1)
    assert kind == "data:image/svg+xml"

    def said(source: str) -> list[tuple[str, dict[str, str]]]:
        """Tags and attributes, with the drawn ids numbered and a path's letters set apart."""
        every = list(ElementTree.fromstring(source).iter())
        sheet = "".join(one.text or "" for one in every if one.tag.endswith("}style"))
        classes = dict(re.findall(r"\.(\w+)\{([^}]*)\}", sheet))
        owners = [one for one in every if "id" in one.attrib and not one.tag.endswith("}g")]
        names = {one.attrib["id"]: f"id-{i}" for i, one in enumerate(owners)}
        found = []
        for one in every:
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
            found.append((one.tag, mine))
        return [
            part
            for part in found
            if not re.search(r"rdf-syntax|purl.org|creativecommons|metadata", part[0])
        ]

    whole = said((drawn / "one.svg").read_text())
    assert said(unquote(text)) == whole
    used = {n for _, mine in whole for v in mine.values() for n in re.findall(r"#(id-\d+)\b", v)}
    referred = re.findall(r"""(?:href=["']|url\()#([\w.-]+)""", unquote(text))
    assert len(used) == len(set(referred)) > 2


def test_a_png_in_a_page_is_the_same_pixels_in_fewer_bytes(drawn: Path) -> None:
    kind, text = address(embed.figure(drawn / "one.png", "caption")).split(",", 1)
    assert kind == "data:image/webp;base64"
    packed = base64.b64decode(text)
    assert len(packed) < (drawn / "one.png").stat().st_size
    with Image.open(io.BytesIO(packed)) as shown, Image.open(drawn / "one.png") as whole:
        assert shown.format == "WEBP"
        assert np.array_equal(shown.convert("RGBA"), whole.convert("RGBA"))


def test_a_png_is_its_bytes_where_pillow_knows_no_webp(
    drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed.features, "check", lambda name: name != "webp")
    kind, text = address(embed.figure(drawn / "one.png", "caption")).split(",", 1)
    assert kind == "data:image/png;base64"
    assert base64.b64decode(text) == (drawn / "one.png").read_bytes()


def test_a_caption_is_text(drawn: Path) -> None:
    assert "<figcaption>&lt;b&gt; &amp; &quot;</figcaption>" in embed.figure(
        drawn / "one.png", '<b> & "'
    )
