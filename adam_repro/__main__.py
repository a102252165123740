"""``python -m adam_repro`` and the ``adam-repro`` command.

A signal that comes before ``main`` listens ends the process at once: nothing has been begun, and a
traceback through imports tells nobody anything.
"""

import os
import signal
import sys

for _number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_number, lambda *_: os._exit(130))

from adam_repro.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
