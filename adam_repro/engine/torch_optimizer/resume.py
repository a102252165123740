"""Whether an optimizer by import path goes on from its checkpoint as it would have gone on.

Nothing but the optimizer's own code knows where it keeps what it remembers: in ``self.state``, in the
parameter groups, or where no ``state_dict`` looks, as in a module, a class, a closure or a slot. So it is
tried. After the first checkpoint a second trial is made from it, as a new process would make it: the
modules executed again, a new model, a new optimizer, its state loaded. Both take the next steps, with the
same gradients and draws, and after each the bytes of their parameters must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from adam_repro.engine.protocol import check_state
from adam_repro.engine.torch_optimizer.differences import differences
from adam_repro.engine.torch_optimizer.trial import ForeignTrial
from adam_repro.errors import TrialFailedError, UserError
from adam_repro.memory import out_of_memory
from adam_repro.optim.foreign import made_anew

#: Steps that are compared: as many as the methods in use wait between their rarer operations.
STEPS = 20
#: The share of the way since the checkpoint by which two trials may differ on a GPU, if each computes
#: gradients itself: sums there may be in any order.
TOLERANCE = 1e-3

_executed_again: set[str] = set()  # targets: once in a process, for it may take seconds


class ResumeCheck:
    """A trial from a checkpoint that follows the trial that goes on; ``report`` is told the outcome."""

    def __init__(
        self,
        live: ForeignTrial,
        twin: ForeignTrial,
        epoch: int,
        report: Callable[[str], None],
    ) -> None:
        self.live, self.twin, self.report = live, twin, report
        self.suspects = differences(live.update, twin.update)
        self.draws = twin.update.own_draws(epoch)
        self.start = live.theta.clone()
        self.gradients: list[Tensor] = []
        self.left = STEPS

    @staticmethod
    def begin(
        live: ForeignTrial,
        model: nn.Module,
        state: Mapping[str, Any],
        report: Callable[[str], None],
    ) -> None:
        """Let a trial made from ``state`` follow ``live`` from the beginning of its next epoch on."""
        trial = live.trials[0]
        target = trial.optimizer["target"]
        maker = None if target in _executed_again else made_anew(target)
        _executed_again.add(target)
        try:
            twin = ForeignTrial(trial, live.task, model, live.layout, maker)
            check_state(state["optimizer"], twin.state(0))
            with torch.no_grad():
                twin.theta.copy_(state["theta"][None])
            twin.restore(0, state["optimizer"])
        except (KeyError, TypeError, ValueError, UserError) as error:
            report(str(error))
            return
        except Exception as error:
            if not out_of_memory(error):
                raise
            report("there is not enough memory to try its checkpoint")
            return
        live.companion = ResumeCheck(live, twin, int(state["epoch"]), report)

    def start_epoch(self, rows: int) -> None:
        """Begin with the trial."""
        self.twin.start_epoch(rows)
        self._try(lambda: self.twin.update.set_mode("train"))

    def end_epoch(self) -> None:
        """An epoch that is shorter than `STEPS` decides too."""
        self._end("")

    def before_step(self, gradients: list[Tensor]) -> None:
        """Keep the gradients, into which the optimizer may write."""
        self.gradients = [] if self.live.reevaluates else [one.clone() for one in gradients]

    def after_step(self, *step: Any) -> None:
        """Take the same step, and compare."""
        _, _, _, t, cycle = step
        norm = self.live.norm
        assert norm is not None
        if self.live.reevaluates:
            self._try(lambda: self.twin.step(*step))
        else:
            self._try(lambda: self.twin.take(self.gradients, norm, t, cycle))
        if self.live.companion is None:
            return
        self.left -= 1
        if not self._same():
            about = f" (not in it, or not as it was: {', '.join(self.suspects)})"
            self._end(
                "from its checkpoint it takes another step than without"
                + about * bool(self.suspects)
            )
        elif not self.left:
            self._end("")

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            with self.draws.active():
                action()
        except TrialFailedError as error:
            self._end(f"loaded from its checkpoint it fails ({error})")
        except Exception as error:
            if not out_of_memory(error):
                raise
            self._end("there is not enough memory to try its checkpoint")

    def _same(self) -> bool:
        live, twin = self.live.theta, self.twin.theta
        if live.device.type == "cuda" and self.live.reevaluates:
            way = (live - self.start).norm()
            return bool(((twin - live).norm() <= TOLERANCE * way) | way.isnan())
        return torch.equal(live.view(torch.int32), twin.view(torch.int32))

    def _end(self, flaw: str) -> None:
        self.live.companion = None
        self.report(flaw)
