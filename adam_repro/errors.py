"""The one exception a person's mistake ends in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class UserError(Exception):
    """A mistake of the person at the keyboard, told in one message.

    The message names the option, the value, what is legal and what to do. The command line prints it
    without a traceback and exits with status 2.
    """


class TrialFailedError(UserError):
    """One trial cannot go on; the others of its sweep can.

    Where it stands for several trials, ``messages`` has one of each that failed, and ``outcome`` the status
    of every trial by identity.
    """

    def __init__(self, *messages: str, outcome: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(messages[0])
        self.messages = messages
        self.outcome = outcome


class WorkerFailedError(UserError):
    """Workers ended before their trials were complete, for a reason outside the trials."""
