"""What a person has found out from a figure: ``<figure>.md`` beside its CSV, shown as it stands.

It belongs to the results it speaks of and not to the figure's configuration: another folder of results,
with other numbers, has other findings or none. Links in it are read from the folder it lies in.
"""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt


def read(folder: Path, figure: str) -> tuple[str, list[str]]:
    """The text, empty where there is none, and what is wrong with its file."""
    path = folder / f"{figure}.md"
    try:
        return path.read_text(encoding="utf-8").strip(), []
    except FileNotFoundError:
        return "", []
    except (OSError, UnicodeDecodeError) as error:
        return "", [f"{path.name} cannot be read ({type(error).__name__})"]


def html(text: str) -> str:
    """CommonMark to HTML; tags that stand in the text are shown as text."""
    return str(MarkdownIt("commonmark", {"html": False}).disable("image").render(text))
