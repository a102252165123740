"""The Sum-of-Functions Optimizer (Sohl-Dickstein, Poole, Ganguli, ICML 2014), arXiv 1311.2115."""

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from adam_repro.memory import available_bytes
from adam_repro.optim.sfo.active import choose, draw, grow
from adam_repro.optim.sfo.memory import require_memory
from adam_repro.optim.sfo.quadratic import Metric, Quadratics, change_coordinates
from adam_repro.optim.sfo.settings import Settings, check
from adam_repro.optim.sfo.subspace import Subspace

Evaluate = Callable[[Tensor, int], tuple[float, Tensor]]

MIN_SCALE = 1e-5  # floor of step_scale
MAX_RETREATS = 10
RETREAT_FACTOR = 0.01  # share of the failed step that a retreat keeps
OUTLIER = 3.0  # standard deviations
SCALARS = ("step_scale", "predicted", "path", "moves", "waited")


class SFO:
    """Minimise F(theta) = sum_i f_i(theta) over N deterministic subfunctions.

    Every f_i has a quadratic model (BFGS from its own last evaluations) in a subspace that all share.
    Each step evaluates one f_i, updates its model and moves to the minimum of the sum of the models.
    The f_i must be deterministic: under dropout or other noise the method fails.

    evaluate(theta, i) -> (f_i, its gradient): theta is float64 [M], not to be changed; the gradient
    is [M] of any float type. theta0: [M]. Hyperparameters: see `Settings`.

    theta: the current iterate, float64 [M], on theta0's device; it is not yet evaluated.
    history: (i, f_i) of every evaluation in order, those of failed steps included.

    Raises UserError for an illegal hyperparameter, and before allocation if the memory is too small.
    On a CPU the same seed gives the same iterates, bit for bit.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        theta0: Tensor,
        n_subfunctions: int = 24,
        seed: int = 0,
        **hyperparameters: Any,
    ) -> None:
        check({"n_subfunctions": n_subfunctions, **hyperparameters})
        self.settings = Settings(**hyperparameters)
        self.N = N = n_subfunctions
        require_memory(
            theta0.numel(),
            N,
            self.settings.dtype,
            self.settings.max_history,
            available_bytes(theta0.device),
        )
        self._evaluate = evaluate
        self.generator = torch.Generator().manual_seed(seed)
        self.theta = theta0.detach().flatten().to(torch.float64, copy=True)
        self.previous_theta = self.theta.clone()
        self.subspace = Subspace(self.theta, N, self.settings.dtype, self.generator)
        self.x = self.subspace.project(self.theta)
        self.previous_x = self.x.clone()
        self.models = Quadratics(N, self.subspace.k_max, self.settings, self.theta.device)
        for _ in range(min(self.settings.initial_active, N)):
            newcomer = draw(~self.models.active, self.generator)
            self.models.activate(newcomer, self.settings.hessian_init)
        self.history: list[tuple[int, float]] = []
        self.step_scale = 1.0
        self.predicted = 0.0  # decrease of the summed model in the last move
        self.path = 0.0  # sum of the lengths of all moves
        self.moves = 0
        self.waited = 0  # steps since the active set grew

    @property
    def evaluations(self) -> int:
        """Subfunction evaluations so far."""
        return len(self.history)

    def run(self, passes: int = 1) -> list[float]:
        """Run `passes` more passes of N evaluations; return the mean cost of each pass.

        A pass ends with the first step that reaches a multiple of N evaluations. Its cost is the
        mean of its finite values.
        """
        costs = []
        for _ in range(passes):
            first = self.evaluations
            goal = (first // self.N + 1) * self.N
            while self.evaluations < goal:
                self.step()
            values = [v for _, v in self.history[first:] if math.isfinite(v)]
            costs.append(sum(values) / max(1, len(values)))
        return costs

    def step(self) -> tuple[int, float]:
        """Evaluate one subfunction, update its model, move; return (i, f_i at the point kept).

        Raises FloatingPointError if f_i is finite neither here nor at the previous iterate.
        """
        if not self.subspace.has_room(2):
            self._collapse()
        i = choose(self.models, self.x[: self.subspace.K], self.generator)
        value, gradient = self._call(self.theta, i)
        failed = self._has_failed(i, value)
        if failed:
            self.step_scale = max(self.step_scale / 2, MIN_SCALE)
            value, gradient = self._fall_back(i, value, gradient)
        else:
            self.step_scale = 1 / self.N + (1 - 1 / self.N) * self.step_scale
        self.models.record(i, self.x, self.subspace.project(gradient), value)
        self.models.refit(i, self.subspace.K)
        metric = Metric(self.models.hessian(self.subspace.K))
        self._move(metric)
        self.waited += 1
        if grow(self.models, metric, failed, self.waited, self.generator):
            self.waited = 0
        return i, value

    def _call(self, theta: Tensor, i: int) -> tuple[float, Tensor]:
        """f_i and its gradient; the value is inf if either is not finite."""
        value, gradient = self._evaluate(theta, i)
        gradient = gradient.detach().flatten().to(self.theta)
        self.history.append((i, float(value)))
        finite = math.isfinite(value) and math.isfinite(float(gradient.sum()))
        return (float(value) if finite else math.inf), gradient

    # -- failure ---------------------------------------------------------------------------------

    def _has_failed(self, i: int, value: float) -> bool:
        """Whether the last move failed, judged by f_i.

        It failed if f_i is not finite; if it is new and an outlier among the others' last values; or
        if it rose and exceeds its model by more than the predicted decrease of the others.
        """
        if not math.isfinite(value):
            return True
        if self.moves == 0:
            return False
        models = self.models
        if models.counts[i] == 0:
            others = models.values[models.counts > 1]
            if len(others) < 2:
                return False
            return value > float(others.mean() + OUTLIER * others.std(correction=0))
        last, predicted = float(models.values[i]), models.predict(i, self.x)
        return value > last and value - predicted > self.predicted - (last - predicted)

    def _fall_back(self, i: int, value: float, gradient: Tensor) -> tuple[float, Tensor]:
        """After a failure: make the better of the current and the previous iterate the current one.

        The worse one is recorded in the history of f_i. First, while f_i exceeds its value at the
        previous iterate by ten times the predicted decrease, the current iterate retreats towards it.
        """
        before, gradient_before = self._call(self.previous_theta, i)
        for _ in range(MAX_RETREATS):
            if value - before < 10 * abs(self.predicted):
                break
            self.theta.sub_(self.previous_theta).mul_(RETREAT_FACTOR).add_(self.previous_theta)
            self.x = self.previous_x + RETREAT_FACTOR * (self.x - self.previous_x)
            value, gradient = self._call(self.theta, i)
        if not math.isfinite(min(value, before)):
            raise FloatingPointError(f"SFO: subfunction {i} is not finite here nor one step before")
        if before < value:
            self.theta, self.previous_theta = self.previous_theta, self.theta
            self.x, self.previous_x = self.previous_x, self.x
            value, before = before, value
            gradient, gradient_before = gradient_before, gradient
        if math.isfinite(before):
            inside = self.subspace.project(gradient_before)
            self.models.record(i, self.previous_x, inside, before)
        return value, gradient

    # -- moving ----------------------------------------------------------------------------------

    def _move(self, metric: Metric) -> None:
        """Take step_scale times the step to the minimum of the summed model, within the length limits.

        x <- x - step_scale H^-1 G, H and G the Hessian and gradient of the sum of the models.
        """
        K = self.subspace.K
        direction = metric.solve(self.models.gradient(self.x[:K])[:, None])[:, 0]
        move = torch.zeros_like(self.x)
        move[:K] = -self._limited(direction)
        self.predicted = 0.5 * float(move[:K] @ metric.hessian @ move[:K])
        self.previous_theta.copy_(self.theta)
        self.previous_x = self.x
        self.subspace.add_to(self.theta, move)
        self.x = self.x + move
        self.path += float(move.norm())
        self.moves += 1

    def _limited(self, direction: Tensor) -> Tensor:
        """step_scale times the Newton direction, at least min_step long. After N evaluations it is at
        most max_step_ratio mean steps long."""
        step = self.step_scale * direction
        length = float(step.norm())
        if length == 0.0:
            return step
        allowed = max(length, self.settings.min_step)
        if self.evaluations > self.N:
            allowed = min(allowed, self.settings.max_step_ratio * self.path / self.evaluations)
        return step * (allowed / length)

    def _collapse(self) -> None:
        """Shrink the subspace to the vectors of the models and the last two iterates."""
        iterates = torch.stack([self.x, self.previous_x])
        keep = torch.cat([self.models.essential(), iterates])
        change = self.subspace.collapse(keep, self.generator)
        self.models.transform(change)
        change_coordinates(self.x, change)
        change_coordinates(self.previous_x, change)

    # -- state -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All that determines the next iterates. The tensors are not copies: save or copy them."""
        return {
            "settings": {"n_subfunctions": self.N, **asdict(self.settings)},
            "generator": self.generator.get_state(),
            "theta": self.theta,
            "previous_theta": self.previous_theta,
            "x": self.x,
            "previous_x": self.previous_x,
            "basis": self.subspace.basis[: self.subspace.K],
            "K": self.subspace.K,
            "models": self.models.state_dict(),
            "history": list(self.history),
            **{name: getattr(self, name) for name in SCALARS},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume exactly where `state_dict` was taken.

        Raises ValueError if the state has other settings or another number of parameters.
        """
        expected = {"n_subfunctions": self.N, **asdict(self.settings)}
        if state["settings"] != expected or state["theta"].shape != self.theta.shape:
            raise ValueError(f"SFO: the state has {state['settings']}, this optimizer {expected}")
        self.generator.set_state(state["generator"].cpu())
        for name in ("theta", "previous_theta", "x", "previous_x"):
            setattr(self, name, state[name].to(self.theta, copy=True))
        self.subspace.K = state["K"]
        self.subspace.basis[: len(state["basis"])] = state["basis"]
        self.models.load_state_dict(state["models"])
        self.history = list(state["history"])
        for name in SCALARS:
            setattr(self, name, state[name])
