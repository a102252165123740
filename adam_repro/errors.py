"""The one exception a person's mistake ends in."""


class UserError(Exception):
    """A mistake of the person at the keyboard, told in one message.

    The message names the option, the value, what is legal and what to do. The command line prints it
    without a traceback and exits with status 2.
    """


class TrialFailedError(UserError):
    """One trial cannot go on; the others of its sweep can."""


class WorkerFailedError(UserError):
    """Workers ended before their trials were complete, for a reason outside the trials."""
