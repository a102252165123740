"""What a person has to say about a figure: ``<figure>.md`` beside its CSV.

The text is about the results, not about the figure's configuration, so it is stored with the results.
Links in it are relative to its folder.
"""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt


def load(folder: Path, figure: str) -> tuple[str, list[str]]:
    """The text (Markdown; empty where there is none) and warnings about its file."""
    path = folder / f"{figure}.md"
    try:
        return path.read_text(encoding="utf-8").strip(), []
    except FileNotFoundError:
        return "", []
    except (OSError, UnicodeDecodeError) as error:
        return "", [f"{path.name} cannot be read ({type(error).__name__})"]


def to_html(text: str) -> str:
    """CommonMark to HTML. HTML tags in the text are shown as text, and images are not loaded."""
    return str(MarkdownIt("commonmark", {"html": False}).disable("image").render(text))
