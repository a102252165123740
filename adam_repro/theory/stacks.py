"""Theory's tasks as the engine meets them: a check and a stack by `task.model`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adam_repro.config.trial import Trial
from adam_repro.theory import counterexample, regret
from adam_repro.theory.counterexample import Counterexample
from adam_repro.theory.regret import Regret

TheoryStack = Regret | Counterexample

#: Raises UserError for a trial the task cannot run.
CHECKS: dict[str, Callable[[Trial], None]] = {
    "regret": regret.check,
    "counterexample": counterexample.check,
}

STACKS: dict[str, Callable[[Sequence[Trial]], TheoryStack]] = {
    "regret": Regret,
    "counterexample": Counterexample,
}
