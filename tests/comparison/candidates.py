"""Optimizers of other people, for comparisons: some good, some bad, some broken."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from adam_repro.tasks.base import Classifier, InputSpec
from adam_repro.tasks.initialise import initialise


class SkippingAdam(torch.optim.Adam):
    """Adam that leaves out every tenth step."""

    @torch.no_grad()
    def step(self, closure=None):  # type: ignore[no-untyped-def]
        group = self.param_groups[0]
        group["calls"] = group.get("calls", 0) + 1
        if group["calls"] % 10 == 1:
            return None
        return super().step(closure)


class RandomSteps(torch.optim.Optimizer):
    """Steps that know nothing of the cost."""

    def __init__(self, params, lr=1e-3):  # type: ignore[no-untyped-def]
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):  # type: ignore[no-untyped-def]
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(torch.randn_like(p), alpha=group["lr"])


class Blind(torch.optim.SGD):
    """Takes a stepsize and does not use it."""

    def __init__(self, params, lr=1e-3):  # type: ignore[no-untyped-def]
        super().__init__(params, lr=0.05)

    @torch.no_grad()
    def step(self, closure=None):  # type: ignore[no-untyped-def]
        for group in self.param_groups:
            group["lr"] = 0.05
        return super().step(closure)


class Still(torch.optim.SGD):
    """Does nothing."""

    def step(self, closure=None):  # type: ignore[no-untyped-def]
        return None


class Unseeded(torch.optim.SGD):
    """Differs from run to run: it counts the optimizers that were made."""

    made = 0

    def __init__(self, params, lr=1e-3):  # type: ignore[no-untyped-def]
        type(self).made += 1
        super().__init__(params, lr=lr * (1 + 0.1 * self.made))


class Forgetful(torch.optim.SGD):
    """Keeps what it needs where no checkpoint looks, and says nothing of it."""

    @torch.no_grad()
    def step(self, closure=None):  # type: ignore[no-untyped-def]
        memory = self.__dict__.setdefault("_memory", [])
        memory.append(1)
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(p.grad, alpha=group["lr"] * len(memory))


class Failing(torch.optim.SGD):
    """Raises in its step if its stepsize is above 1e-3."""

    @torch.no_grad()
    def step(self, closure=None):  # type: ignore[no-untyped-def]
        if self.param_groups[0]["lr"] > 1e-3:
            raise ArithmeticError("this stepsize is too much for me")
        return super().step(closure)


class Refusing(torch.optim.SGD):
    """Cannot be made for matrices."""

    def __init__(self, params, lr=1e-3):  # type: ignore[no-untyped-def]
        params = list(params)
        if any(p.ndim > 1 for p in params):
            raise ValueError("I take vectors alone")
        super().__init__(params, lr=lr)


class Averaging(torch.optim.SGD):
    """Has train() and eval(), as Schedule-Free optimizers do."""

    def train(self) -> None: ...

    def eval(self) -> None: ...


class NoStepsize(torch.optim.SGD):
    """Knows its stepsize by itself."""

    def __init__(self, params, momentum=0.0):  # type: ignore[no-untyped-def]
        super().__init__(params, lr=0.05, momentum=momentum)


class OtherName(torch.optim.SGD):
    """Calls its stepsize otherwise."""

    def __init__(self, params, eta=0.02):  # type: ignore[no-untyped-def]
        super().__init__(params, lr=eta)


class CalledAlpha(torch.optim.SGD):
    """Has a usual name for it."""

    def __init__(self, params, alpha=0.02, momentum=0.0):  # type: ignore[no-untyped-def]
        super().__init__(params, lr=alpha, momentum=momentum)


def factory(named_parameters, lr=0.5):  # type: ignore[no-untyped-def]
    """A function that returns an optimizer."""
    return torch.optim.SGD([parameter for _, parameter in named_parameters], lr=lr)


class TwoLayer(Classifier):
    """A task of one's own."""

    input_spec = InputSpec(784, classes=10)

    def model(self, generator: torch.Generator) -> nn.Module:
        net = nn.Sequential(nn.Linear(784, 8), nn.Tanh(), nn.Linear(8, 10))
        return initialise(net, "glorot_uniform", generator)

    def preprocess(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1).float().div_(255.0)
