"""CUDA graphs: on a GPU the whole step is recorded once and then replayed, so that the host only counts.

The recording contains gather, draws, forward, backward, update, averages and costs of every group.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from adam_repro.engine import device as devices
from adam_repro.engine.epoch_loop import DeviceLoop, EpochLoop, HostLoop, LoopParts
from adam_repro.engine.optimizer_step import RuleStep
from adam_repro.memory import out_of_memory

Step = Callable[[], None]

# Steps before the recording, in which libraries make their handles and choose their kernels.
WARM_UP = 3


def make_loop(parts: LoopParts) -> EpochLoop:
    """The epoch loop for the device of a stack."""
    if parts.device.type == "cuda" and capturable(parts):
        return GraphLoop(parts, CudaGraph(parts.device))
    return HostLoop(parts)


def capturable(parts: LoopParts) -> bool:
    """Whether a step touches the same memory every time.

    Minibatches of sparse rows differ in length, and an optimizer by import path may do anything.
    """
    ours = all(isinstance(u, RuleStep) for group in parts.groups for u in group.optimizers())
    return ours and not parts.sampler.rows.sparse


class GraphRecorder(Protocol):
    """Records a step, and gives its replay."""

    def warm_up(self, step: Step) -> None:
        """Do the step on the stream on which it will be recorded."""

    def record(self, step: Step, draws: Sequence[torch.Generator]) -> Step:
        """Record the step, which draws from these generators, without doing it; what replays it.

        Raises:
            RuntimeError: it cannot be recorded.
        """


class GraphLoop(DeviceLoop):
    """A device loop whose step is replayed from a CUDA graph after its first times.

    The warm-up is the beginning of the training itself, and a recording computes nothing: no state
    has to be put back. A step that cannot be recorded is called instead, with a warning.
    """

    def __init__(self, parts: LoopParts, recorder: GraphRecorder) -> None:
        super().__init__(parts)
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
        places = [one.draws.get_state() for one in self.seeds]
        try:
            self.replay = self.recorder.record(self.step, [one.draws for one in self.seeds])
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            self.refused = True
            # After a failed recording a generator still believes that it is being recorded.
            for one, place in zip(self.seeds, places, strict=True):
                one.draws = torch.Generator(self.parts.device)
                one.draws.set_state(place)
            reason = str(error).strip().split("\n")[0]
            warnings.warn(
                f"this step could not be recorded as a CUDA graph, and is called instead: {reason}",
                RuntimeWarning,
                stacklevel=2,
            )


class CudaGraph:
    """Records on a stream of its own, as CUDA demands."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = devices.stream(device, 0)

    def warm_up(self, step: Step) -> None:
        outside = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(outside)
        with torch.cuda.stream(self.stream):
            step()
        outside.wait_stream(self.stream)

    def record(self, step: Step, draws: Sequence[torch.Generator]) -> Step:
        graph = torch.cuda.CUDAGraph()
        # The graph then advances these generators at every replay, as the step itself would.
        for generator in draws:
            graph.register_generator_state(generator)
        # The outer block returns to the stream it found, which a failing recording does not.
        with (
            torch.cuda.device(self.device),
            torch.cuda.stream(torch.cuda.current_stream(self.device)),
            torch.cuda.graph(graph, stream=self.stream),
        ):
            step()
        return graph.replay
