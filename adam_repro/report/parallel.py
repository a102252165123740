"""Two processes that draw, which end when the command does: finished, interrupted or killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver
from typing import Any, TypeVar

Result = TypeVar("Result")

NEEDED = ["adam_repro.report.figure_report", "scipy.stats"]


def each(function: Callable[..., Result], jobs: Sequence[Sequence[Any]]) -> list[Result]:
    """``function(*job)`` for every job, in their order; of an interrupted call the rest is not begun."""
    # Forked from a server that only draws: what has trained may hold threads and a device, which
    # do not fork.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(NEEDED)
    pool = ProcessPoolExecutor(2, mp_context=context, initializer=_end_with_the_command)
    try:
        with _interrupted_later():
            found = [pool.submit(function, *job) for job in jobs]
        return [future.result() for future in found]
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Start processes whole: one that starts while its parent ends complains of what is gone.

    Ctrl-C reaches every process of a terminal; this one answers it, those that are started here do not.
    """
    came = []
    answer = signal.signal(signal.SIGINT, signal.SIG_IGN)
    forkserver.ensure_running()
    signal.signal(signal.SIGINT, lambda *_: came.append(signal.SIGINT))
    end = signal.signal(signal.SIGTERM, lambda *_: came.append(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, answer)
        signal.signal(signal.SIGTERM, end)
    if came:
        signal.raise_signal(came[0])


def _end_with_the_command() -> None:
    """End this process when its parent is killed: it would wait for work for ever."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
