"""Whose code an object is: the files of a person's own modules, and the installed packages, by version.

Both are followed through the imports of the own modules, also those within functions.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

#: Modules that every trial uses; their versions are in its provenance anyway.
KNOWN = ("adam_repro", "hydra_plugins", "torch", "numpy")
INSTALLED = ("site-packages", "dist-packages")  # folders of modules that belong to a package


@dataclass
class SourceCode:
    """``files`` of own modules by the module's name; ``packages``: versions by name."""

    files: dict[str, Path] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A hash of the bytes of all own files; empty without any."""
        each = [self._sha256(name) for name in sorted(self.files)]
        if len(each) > 1:
            return hashlib.sha256("".join(each).encode()).hexdigest()[:12]
        return each[0][:12] if each else ""

    @property
    def digests(self) -> dict[str, str]:
        """A hash of each own file, by the module's name."""
        return {name: self._sha256(name)[:12] for name in self.files}

    def _sha256(self, name: str) -> str:
        return hashlib.sha256(_bytes(self.files[name])).hexdigest()


def source_code(modules: Sequence[str]) -> SourceCode:
    """The code of these modules and of all that they import, but for Python's own and `KNOWN`."""
    found = SourceCode()
    waiting, seen = list(modules), set(modules)
    while waiting:
        name = waiting.pop()
        file = _file(name)
        if file is None or name.split(".")[0] in (*KNOWN, *sys.stdlib_module_names):
            continue
        if set(INSTALLED) & set(file.parts):
            package = _packages().get(name.split(".")[0])
            if package is not None:
                found.packages[package] = metadata.version(package)
            continue
        found.files[name] = file
        for one in _imports(name, file):
            if one not in seen:
                seen.add(one)
                waiting.append(one)
    return found


def _file(name: str) -> Path | None:
    """The file of a module, which is not imported for it; ``None`` where there is none."""
    module = sys.modules.get(name)
    try:
        spec = None if module is not None else importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
    origin = getattr(module, "__file__", None) if module is not None else spec and spec.origin
    path = Path(origin) if origin else None
    return path if path is not None and path.is_file() else None


def _imports(name: str, file: Path) -> Iterator[str]:
    """The modules that a file may import; of ``from a import b`` both ``a`` and ``a.b``."""
    if file.suffix != ".py":
        return
    parts = name.split(".")
    package = parts if file.name == "__init__.py" else parts[:-1]
    yield from (".".join(parts[:i]) for i in range(1, len(parts)))
    try:
        tree = ast.parse(_bytes(file))
    except SyntaxError:  # changed since it was imported
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # deleted while it is in use
        return b""


@cache
def _packages() -> dict[str, str]:
    """The package that each installed top-level module is from."""
    return {top: names[0] for top, names in metadata.packages_distributions().items()}


def loaded_with(module: str) -> set[str]:
    """The loaded modules that a new process would execute with this one: own ones, or of its package.

    None where one of them is compiled, or everything rests on it: such a module cannot be executed twice.
    """
    top = module.split(".")[0]
    file = _file(module)
    if file is None or top in (*KNOWN, *sys.stdlib_module_names):
        return set()
    if set(INSTALLED) & set(file.parts):
        found = {name for name in sys.modules if name.split(".")[0] == top}
    else:
        found = set(source_code([module]).files) & set(sys.modules)
    files = [_file(name) for name in found]
    return found if all(one is None or one.suffix == ".py" for one in files) else set()


def words(error: BaseException, module: str = "") -> str:
    """The class of an error, the first line of its text, and the last line of ``module`` that raised it."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    file = getattr(sys.modules.get(module), "__file__", None)
    went = traceback.extract_tb(error.__traceback__)
    numbers = [one.lineno for one in went if one.filename == file]
    return f"{text} ({Path(file).name}, line {numbers[-1]})" if file and numbers else text
