"""Render the templates of a page and its summary. Only HTML is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

TEMPLATES = Path(__file__).parent / "templates"


class Renderer:
    """Renders the templates of some folders; those of the report, style sheet and macros, are among them."""

    def __init__(self, *folders: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader([*folders, TEMPLATES]),
            autoescape=select_autoescape(["html.j2"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def __call__(self, template: str, **data: Any) -> str:
        """The text of a template with ``data``."""
        return self._environment.get_template(template).render(data)


render = Renderer()
