"""Two worker processes that end with the command: when it finishes, is interrupted or is killed."""

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

PRELOAD = ["adam_repro.report.figure_report", "scipy.stats"]


def starmap(
    function: Callable[..., Result], jobs: Sequence[Sequence[Any]], setup: Callable[[], object]
) -> list[Result]:
    """``function(*job)`` for every job, in their order. An interrupt cancels the jobs not begun.

    ``setup`` is called once in each process, before the jobs.
    """
    # Fork from a server: this process may have trained, and threads and devices do not survive a fork.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    pool = ProcessPoolExecutor(2, mp_context=context, initializer=_begin, initargs=(setup,))
    try:
        with _delayed_signals():
            futures = [pool.submit(function, *job) for job in jobs]
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _delayed_signals() -> Iterator[None]:
    """Handle SIGINT and SIGTERM after the block, in which processes start.

    A process that starts while its parent ends would print a traceback. Ctrl-C reaches every process of a
    terminal; this process handles it, and those started here ignore it.
    """
    received = []
    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    forkserver.ensure_running()
    signal.signal(signal.SIGINT, lambda *_: received.append(signal.SIGINT))
    on_terminate = signal.signal(signal.SIGTERM, lambda *_: received.append(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, on_interrupt)
        signal.signal(signal.SIGTERM, on_terminate)
    if received:
        signal.raise_signal(received[0])


def _begin(setup: Callable[[], object]) -> None:
    _exit_with_parent()
    setup()


def _exit_with_parent() -> None:
    """Exit when the parent is killed; otherwise this process would wait for work for ever."""

    def wait() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
