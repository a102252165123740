"""Selects the next subfunction to evaluate, and grows the active set."""

import torch
from torch import Tensor

from adam_repro.optim.sfo.quadratic import TINY, Metric, Quadratics


def draw(candidates: Tensor, generator: torch.Generator) -> int:
    """A random index at which the mask `candidates` [N] is true."""
    indices = candidates.nonzero().flatten().cpu()
    return int(indices[torch.randint(len(indices), (1,), generator=generator)])


def _farthest(squares: Tensor, active: Tensor) -> int:
    return int(squares.where(active, -torch.inf).argmax())


def choose(models: Quadratics, x: Tensor, generator: torch.Generator) -> int:
    """The index of the subfunction to evaluate at x [K]; may activate one.

    First an active one evaluated once, then one never evaluated. After that, the one whose last
    position is farthest from x, in the metric of the summed Hessian or of its own. If no squared
    distance in the first metric reaches 1e-12, a random inactive one is activated and returned.
    """
    active, counts = models.active, models.counts
    for evaluations in (1, 0):
        candidates = active & (counts == evaluations)
        if bool(candidates.any()):
            return draw(candidates, generator)
    rule = models.settings.selection
    if rule == "random":
        return draw(active, generator)
    if rule == "both":
        heads = bool(torch.randint(2, (1,), generator=generator))
        rule = "distance" if heads else "single"
    D = models.offsets(x)
    if rule == "single":
        return _farthest((D * models.curve_each(D)).sum(dim=1), active)
    squares = ((D @ models.hessian(len(x))) * D).sum(dim=1)
    if not bool(active.all()) and float(squares[active].max()) < TINY:
        newcomer = draw(~active, generator)
        models.activate(newcomer)
        return newcomer
    return _farthest(squares, active)


def is_noisy(models: Quadratics, metric: Metric) -> bool:
    """Whether the noise of the mean gradient is about as large as the mean gradient.

    sum_i (g_i - g)^T H^-1 (g_i - g) / (n (n - 1)) >= max_gradient_noise g^T H^-1 g, over the
    n > 1 active subfunctions: g_i are their last gradients, g is the mean, H the summed Hessian.
    """
    gradients = models.gradients[models.active, : len(metric.hessian)]
    n = len(gradients)
    if n < 2:
        return False
    mean = gradients.mean(dim=0)
    sides = torch.cat([gradients - mean, mean[None]])
    squares = (sides * metric.solve(sides.T).T).sum(dim=1)
    noise = float(squares[:-1].sum()) / (n * (n - 1))
    return noise >= models.settings.max_gradient_noise * float(squares[-1])


def grow(
    models: Quadratics, metric: Metric, failed: bool, waited: int, generator: torch.Generator
) -> bool:
    """Activate a random inactive subfunction if the active set should grow; return whether it did.

    Every active one must have been evaluated twice. Then the set grows if the gradient is noisy, the
    last step failed, or the steps since the last growth (`waited`) exceed the active subfunctions.
    """
    active = models.active
    if bool(active.all()) or int(models.counts[active].min()) < 2:
        return False
    if not (failed or waited > int(active.sum()) or is_noisy(models, metric)):
        return False
    models.activate(draw(~active, generator))
    return True
