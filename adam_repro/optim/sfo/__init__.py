"""SFO: a quasi-Newton method for sums of deterministic functions, compared with Adam in figure 2b."""

from adam_repro.optim.sfo.memory import require_memory, required_bytes
from adam_repro.optim.sfo.settings import Settings, check
from adam_repro.optim.sfo.sfo import SFO

__all__ = ["SFO", "Settings", "check", "require_memory", "required_bytes"]
