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

from adam_repro import __version__, open_files, standard_streams
from adam_repro.commands import help
from adam_repro.errors import UserError
from adam_repro.files import yaml_flaw
from adam_repro.wording import suggestion

COMMANDS = ("run", *help.COMMANDS)
INTERRUPTED = "\nInterrupted. The same command goes on where it stopped."


class _Interrupts:
    """SIGINT and SIGTERM as KeyboardInterrupt, so that cleanup runs.

    A library may turn that into an error of its own, or be in the middle of its import: ``came`` tells.
    """

    def __init__(self) -> None:
        self.came = False

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)

    @staticmethod
    def ignore() -> None:
        """Whoever presses Ctrl-C twice need not see where Python is when it ends."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        self.came = True
        raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; the exit status: 0 done, 1 failed, 2 a person's mistake, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with standard_streams.lenient() as output:
        status = _answer(words, ends_here=arguments is None)
    if output.failure is None:
        return status
    if not isinstance(output.failure, BrokenPipeError):  # nobody listens, as in `run … | head -1`
        reason = output.failure.strerror or output.failure
        print(f"adam-repro: cannot write to standard output: {reason}", file=sys.stderr)
    return status or 1


def _answer(words: list[str], ends_here: bool) -> int:
    """``ends_here``: the process ends afterwards."""
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
            f"or --help{suggestion(command, COMMANDS)}",
            file=sys.stderr,
        )
        return 2
    interrupts = _Interrupts()
    interrupts.listen()
    try:
        return _run(command, rest)
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, KeyboardInterrupt) or interrupts.came:
            if ends_here:
                interrupts.ignore()
            print(INTERRUPTED, file=sys.stderr)
            return 130
        told = _tell(error)
        if told is None:
            raise
        message, status = told
        print(f"adam-repro {command}: {message}", file=sys.stderr)
        return status


def _tell(error: Exception) -> tuple[str, int] | None:
    """The message and the exit status of an error that is no fault of ours; None of any other."""
    if isinstance(error, UserError):
        return str(error), 2
    if isinstance(error, MemoryError) or _torch_is_out_of_memory(error):
        advice = "choose less data, a smaller batch_size, or a machine with more"
        return f"not enough memory; {advice}", 2
    if hasattr(error, "problem_mark"):  # of YAML that Hydra or OmegaConf has read
        return yaml_flaw(error, named=True), 2
    if not isinstance(error, OSError):
        return None
    # Hydra and pandas write below the results folder too, and any of them may be the first to fail.
    path = error.filename2 or error.filename  # of two, the place that something was to be put
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f"no space left on the device of {path or 'results_dir'}"
        again = "free some and give the same command again: it goes on where it stopped"
        return f"{where}; {again}", 2
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return open_files.TOO_MANY, 2
    return f"{path}: {error.strerror}" if path else str(error.strerror or error), 1


def _torch_is_out_of_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:
        return False
    from adam_repro.memory import out_of_memory

    return out_of_memory(error)


def _run(command: str, arguments: list[str]) -> int:
    wanted = not arguments and command in (
        "reproduce",
        "compare",
        "plot",
        "data",
    )  # which do nothing by themselves
    if command != "run" and (wanted or {"-h", "--help"} & set(arguments)):
        print(help.of(command), end="")
        return 0
    for name in [name for name in os.environ if name.startswith("TQDM_")]:
        del os.environ[
            name
        ]  # tqdm takes them for arguments of every bar, and fails on some at import
    open_files.raise_limit()
    status: int = import_module(f"adam_repro.commands.{command}").main(arguments)
    return status
