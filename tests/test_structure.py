"""The package's structure, as adam_repro/README.md draws it: floors, no circle, rooms of a moderate size."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import adam_repro

PACKAGE = Path(adam_repro.__file__).parent
ROOT = PACKAGE.parent
#: Top to bottom: a file imports from its own floor and from those below.
FLOORS = (
    "cli", "commands", "comparison", "sweep", "runs", "report", "claims", "plots", "results",
    "figures", "online", "engine", "optim", "tasks", "data", "kernels", "config",
    "import_path source_code config_folders files file_locks open_files standard_streams random_streams "
    "memory statistics wording errors",
)  # fmt: skip
LEVELS = {room: level for level, rooms in enumerate(FLOORS) for room in rooms.split()}
#: Files that the map tells its reader to write.
EXAMPLES = {
    "optim/mine.py", "tasks/mine.py", "data/mine.py", "configs/optimizer/mine.yaml",
    "configs/task/mine.yaml", "task/twolayer.yaml", "my_task.py",
}  # fmt: skip
#: Rooms that get one file more with every optimizer, task or data set.
GROWING = ("optim", "tasks", "data")
FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imports(path: Path) -> Iterator[str]:
    """The modules of this package that a file imports anywhere, also within functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_upward(path: Path) -> None:
    own = room(module_name(path))
    if own in ("", "__main__"):
        return
    for found in imports(path):
        if room(found):
            assert LEVELS[own] <= LEVELS[room(found)], f"{path} imports {found}"


def test_no_files_import_each_other() -> None:
    graph = {
        name: {
            found for found in imports(path) if found != name and not name.startswith(f"{found}.")
        }
        for name, path in MODULES.items()
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"circle: {error.args[1]}")


def test_every_room_is_on_a_floor() -> None:
    assert {room(module_name(path)) for path in FILES} - {"", "__main__"} == set(LEVELS)


def test_no_room_is_crowded_or_outweighs_the_others() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    total = sum(lines.values())
    for folder in {path.parent for path in FILES} - {PACKAGE}:
        files = list(folder.glob("*.py"))
        assert len(files) <= (40 if folder.name in GROWING else 15), folder
        weight = sum(lines[path] for path in FILES if folder in path.parents)
        assert weight <= 0.15 * total, f"{folder}: {weight} of {total} lines"


@pytest.mark.parametrize(
    "text", [PACKAGE / "README.md", PACKAGE / "kernels" / "README.md"], ids=str
)
def test_every_path_that_a_map_names_exists(text: Path) -> None:
    named = set(
        re.findall(
            r"`((?:[\w-]+/)+[\w.-]*|[\w-]+\.(?:py|md|yaml|toml))`", text.read_text(encoding="utf-8")
        )
    )
    assert len(named) > 5
    for name in named - EXAMPLES:
        places = (ROOT / name, PACKAGE / name, text.parent / name)
        assert any(place.exists() for place in places), f"{text.name} names {name}"


def texts_without_encoding(path: Path) -> Iterator[int]:
    """The lines of a file that open a text in the encoding of whoever runs it. ruff misses some."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        named = {keyword.arg for keyword in node.keywords}
        of = node.func.value if isinstance(node.func, ast.Attribute) else None
        name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        words = [one.value for one in node.args if isinstance(one, ast.Constant)]
        binary = any(isinstance(word, str) and "b" in word for word in words)
        library = isinstance(of, ast.Name) and of.id in (
            "os",
            "gzip",
            "tarfile",
            "zipfile",
            "Image",
        )
        text = name == "read_text" or (name == "write_text" and of is not None)
        text |= name in ("run", "Popen", "check_output") and "text" in named
        text |= name == "open" and not library and not binary
        if text and "encoding" not in named:
            yield node.lineno


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [*FILES, *sorted((ROOT / "scripts").glob("*.py"))], ids=lambda path: path.name
)
def test_every_text_has_an_encoding(path: Path) -> None:
    assert list(texts_without_encoding(path)) == [], path


#: Where a folder may be listed without `files.visible`: it is no folder of a person's, or names are
#: matched whole.
LISTED = {
    "files.py", "open_files.py", "plots/style.py", "data/brown.py", "data/packages.py",
    "results/frame.py", "results/sweep_folder.py",
}  # fmt: skip


@pytest.mark.slow
def test_no_folder_is_listed_with_the_files_that_macos_leaves_in_it() -> None:
    listing = {"glob", "rglob", "iterdir", "listdir", "scandir"}
    for path in FILES:
        calls = [
            node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)
        ]
        names = {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}
        where = path.relative_to(PACKAGE).as_posix()
        assert where in LISTED or not listing & names, where


@pytest.mark.slow
def test_training_imports_neither_section_4_nor_sfo() -> None:
    words = ["run", "task=cnn_mnist", "optimizer=adam", "task.data.name=synthetic", "epochs=1",
             "+task.data.n_train=16", "+task.data.n_test=8", "batch_size=8", "progress=false"]  # fmt: skip
    code = (
        "import sys, tempfile; from adam_repro.cli import main;"
        "folder = tempfile.mkdtemp(); status = main([*sys.argv[1:], f'results_dir={folder}']);"
        "found = [m for m in sys.modules if m.startswith(('adam_repro.online', 'adam_repro.optim.sfo',"
        " 'adam_repro.engine.sfo', 'scipy.optimize'))]; sys.exit(f'imported {found}' if found else status)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
