"""The ``adam-repro`` command: words to commands, errors to messages and exit statuses.

Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

from adam_repro import __version__
from adam_repro.commands import help
from adam_repro.errors import UserError

COMMANDS = ("run", *help.COMMANDS)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """Treat SIGTERM as Ctrl-C, so that cleanup runs."""
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; the exit status: 0 done, 1 failed, 2 a person's mistake, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(help.USAGE, end="")
        return 0
    if words[0] == "--version":
        print(f"adam-repro {__version__}")
        return 0
    command, rest = words[0], words[1:]
    if command not in COMMANDS:
        print(
            f"adam-repro: there is no command {command!r}; use one of {', '.join(COMMANDS)}, "
            "or --help",
            file=sys.stderr,
        )
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(command, rest)
    except UserError as error:
        print(f"adam-repro {command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where it stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # Hydra and pandas write below the results folder too, and any of them may be the first to fail.
        path = error.filename2 or error.filename  # of two, the place that something was to be put
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            print(
                f"adam-repro {command}: no space left on the device of {path or 'results_dir'}; "
                "free some and give the same command again: it goes on where it stopped",
                file=sys.stderr,
            )
            return 2
        where = f"{path}: " if path else ""
        print(f"adam-repro {command}: {where}{error.strerror or error}", file=sys.stderr)
        return 1


def _run(command: str, arguments: list[str]) -> int:
    wanted = not arguments and command in ("reproduce", "data")  # which do nothing by themselves
    if command != "run" and (wanted or {"-h", "--help"} & set(arguments)):
        print(help.of(command), end="")
        return 0
    status: int = import_module(f"adam_repro.commands.{command}").main(arguments)
    return status
