"""On a GPU the whole step is recorded once, as a CUDA graph, and replayed: the host only counts.

What is recorded: gather, draws, forward, backward, update, averages and costs, of every group.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Protocol

import torch

from adam_repro.engine import device as devices
from adam_repro.engine.epoch_loop import DeviceLoop, EpochLoop, HostLoop, LoopParts
from adam_repro.engine.optimizer_step import RuleStep
from adam_repro.memory import out_of_memory

Step = Callable[[], None]

# Steps before the recording, in which libraries make their handles and choose their kernels.
WARM_UP = 3


def make_loop(work: LoopParts) -> EpochLoop:
    """How the steps of a stack are done on its device."""
    if work.device.type == "cuda" and capturable(work):
        return GraphLoop(work, CudaGraph(work.device))
    return HostLoop(work)


def capturable(work: LoopParts) -> bool:
    """Whether a step touches the same memory every time.

    Not so with sparse rows, whose minibatches differ in length, nor with optimizers by import path,
    which may do anything.
    """
    rules = all(isinstance(u, RuleStep) for group in work.groups for u in group.rules())
    return rules and not work.sampler.rows.sparse


class GraphRecorder(Protocol):
    """Turns a step into its replay."""

    def warm_up(self, step: Step) -> None:
        """Do the step, where it will be recorded."""

    def record(self, step: Step, draws: torch.Generator) -> Step:
        """Record the step without doing it; what does it from now on.

        Raises:
            RuntimeError: it cannot be recorded.
        """


class GraphLoop(DeviceLoop):
    """A resident step that is replayed after its first times.

    The warm-up is the beginning of the training itself, and a recording computes nothing: no state
    has to be put back. A step that cannot be recorded goes on as it began, with a warning.
    """

    def __init__(self, work: LoopParts, recorder: GraphRecorder) -> None:
        super().__init__(work)
        self.recorder = recorder
        self.warm = 0
        self.replay: Step | None = None
        self.refused = False

    @property
    def captured(self) -> bool:  # type: ignore[override]
        return self.replay is not None

    def advance(self) -> None:
        if self.replay is None and not self.refused:
            if self.warm < WARM_UP:
                self.warm += 1
                self.recorder.warm_up(self.step)
                return
            self._record()
        (self.replay or self.step)()

    def _record(self) -> None:
        place = self.draws.get_state()
        try:
            self.replay = self.recorder.record(self.step, self.draws)
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            self.refused = True
            # A generator that was in a failed recording still believes itself in it.
            self.draws = torch.Generator(self.work.device)
            self.draws.set_state(place)
            reason = str(error).strip().split("\n")[0]
            warnings.warn(
                f"this step could not be recorded as a CUDA graph, and is called instead: {reason}",
                RuntimeWarning,
                stacklevel=2,
            )


class CudaGraph:
    """Records on another stream than the usual one, as CUDA demands."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = devices.stream(device, 0)

    def warm_up(self, step: Step) -> None:
        outside = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(outside)
        with torch.cuda.stream(self.stream):
            step()
        outside.wait_stream(self.stream)

    def record(self, step: Step, draws: torch.Generator) -> Step:
        graph = torch.cuda.CUDAGraph()
        # The graph then advances this generator at every replay, as the step itself would.
        graph.register_generator_state(draws)
        # The outer block returns to the stream it found, which a failing recording does not.
        with (
            torch.cuda.device(self.device),
            torch.cuda.stream(torch.cuda.current_stream(self.device)),
            torch.cuda.graph(graph, stream=self.stream),
        ):
            step()
        return graph.replay
