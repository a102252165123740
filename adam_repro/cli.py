"""The ``adam-repro`` command. Nothing heavy is imported before a subcommand needs it."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from adam_repro import __version__
from adam_repro.errors import UserError

USAGE = """\
adam-repro: Adam (Kingma & Ba 2014), every experiment of the paper.

  adam-repro run task=logreg optimizer=adam       train one trial and draw its curve
  adam-repro run -m task=mlp optimizer=adam,adagrad optimizer.lr=1e-3,1e-2 seed=0,1
                                                  a sweep: every combination
  adam-repro reproduce fig1_mnist fig4 | all [scale=short]
                                                  train what the figures need, then draw them
  adam-repro report [figure ...]                  draw the figures from their CSVs alone
  adam-repro theory                               regret, bounds and counterexamples of section 4
  adam-repro data list | fetch | verify [name ...]
                                                  the data sets: what is here, get it, check it

  adam-repro run --help                           every task, optimizer and option
  adam-repro COMMAND --help                       help on a command
  adam-repro --version
"""


def _run(arguments: list[str]) -> int:
    from adam_repro import run

    return run.main(arguments)


def _reproduce(arguments: list[str]) -> int:
    from adam_repro.report import usage

    if usage.shown(usage.REPRODUCE, arguments or ["--help"]):
        return 0
    from adam_repro import reproduce

    return reproduce.main(arguments)


def _report(arguments: list[str]) -> int:
    from adam_repro.report import usage

    if usage.shown(usage.REPORT, arguments):
        return 0
    from adam_repro.report import command

    return command.main(arguments)


THEORY_USAGE = """\
adam-repro theory [scale=paper|smoke] [results_dir=results] [progress=true]

Measures section 4 and its refutation: the regret of Adam, AdaGrad, SGD and AMSGrad beside the bounds
of their theorems, the sequences of Reddi et al. (2018), and the paper's smaller statements beside
their closed forms. CSVs and figures go to RESULTS_DIR/paper; finished trials are not run again.
"""


def _theory(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        print(THEORY_USAGE, end="")
        return 0
    from adam_repro.commands import theory

    return theory.main(arguments)


DATA_USAGE = """\
adam-repro data list                  every data set, and whether it is here
adam-repro data fetch [name ...]      get them: from ADAM_REPRO_DATA, the publisher, a registry
adam-repro data verify [name ...]     check every byte of what is here against the checksums

Without a name, fetch takes every data set and verify every one that is here. ADAM_REPRO_DATA names
a folder with the publishers' own files; ADAM_REPRO_CACHE the folder to cache in.
"""


def _data(arguments: list[str]) -> int:
    verb, names = (arguments or ["--help"])[0], arguments[1:]
    if verb in ("-h", "--help") or {"-h", "--help"} & set(names):
        print(DATA_USAGE, end="")
        return 0
    if verb not in ("list", "fetch", "verify"):
        raise UserError(f"there is no {verb!r}; use list, fetch or verify")
    from adam_repro.data import commands

    rows = commands.list_datasets()
    if verb == "list":
        if names:
            raise UserError(f"list takes no names, got {' '.join(names)}")
        width = max(34, *(len(row.state) + 2 for row in rows))
        for row in rows:
            print(f"{row.name:<15}{row.state:<{width}}{row.contents}")
        return 0
    known = [row.name for row in rows]
    for name in names:
        if name not in known:
            raise UserError(f"there is no data set {name!r}; use one of {', '.join(known)}")
    if verb == "fetch":
        return _each(commands.fetch, names or known)
    here = [row.name for row in rows if row.state != "not fetched"]
    if not names and not here:
        print("nothing is here yet; `adam-repro data fetch` gets the data sets")
    return _each(commands.verify, names or here)


def _each(act: Callable[[str], str], names: list[str]) -> int:
    """Do all, though some fail; the status says whether any did."""
    status = 0
    for name in names:
        try:
            print(act(name))
        except UserError as error:
            print(error, file=sys.stderr)
            status = 2
    return status


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "run": _run,
    "reproduce": _reproduce,
    "report": _report,
    "theory": _theory,
    "data": _data,
}


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """To be told to end is to be interrupted: what is under way is left in order."""
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; the exit status: 0 done, 1 failed, 2 a person's mistake, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0
    if words[0] == "--version":
        print(f"adam-repro {__version__}")
        return 0
    command = COMMANDS.get(words[0])
    if command is None:
        print(
            f"adam-repro: there is no command {words[0]!r}; use one of {', '.join(COMMANDS)}, "
            "or --help",
            file=sys.stderr,
        )
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return command(words[1:])
    except UserError as error:
        print(f"adam-repro {words[0]}: {error}", file=sys.stderr)
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
                f"adam-repro {words[0]}: no space left on the device of {path or 'results_dir'}; "
                "free some and give the same command again: it goes on where it stopped",
                file=sys.stderr,
            )
            return 2
        where = f"{path}: " if path else ""
        print(f"adam-repro {words[0]}: {where}{error.strerror or error}", file=sys.stderr)
        return 1
