"""``python -m adam_repro``: the same as the ``adam-repro`` command."""

import sys

from adam_repro.cli import main

sys.exit(main())
