"""Every drawing: the figures, one trial, any trials, section 4. Reads files only; never imports torch."""

import os
import sys


def _import_matplotlib() -> None:
    """Import Matplotlib, which fails where the user's settings of it are broken.

    Such are ``MPLBACKEND``, as Jupyter and Colab hand it to every child, with a backend that is not
    installed here, or a ``matplotlibrc`` that is not UTF-8. No drawing of ours reads either of them.
    """
    try:
        import matplotlib
    except (ValueError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
            del sys.modules[name]  # parts of the attempt that failed
        names = ("MPLBACKEND", "MATPLOTLIBRC")
        theirs = {name: os.environ.pop(name) for name in names if name in os.environ}
        os.environ["MATPLOTLIBRC"] = os.devnull
        try:
            import matplotlib  # noqa: F401
        finally:
            del os.environ["MATPLOTLIBRC"]
            os.environ.update(theirs)


_import_matplotlib()
