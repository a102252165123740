"""Which subfunction is evaluated next, and when another one joins the active set."""

import torch
from torch import Tensor

from adam_repro.optim.sfo.quadratic import TINY, Metric, Quadratics


def draw(candidates: Tensor, generator: torch.Generator) -> int:
    """One index at random where the mask `candidates` [N] is true."""
    indices = candidates.nonzero().flatten().cpu()
    return int(indices[torch.randint(len(indices), (1,), generator=generator)])


def _farthest(squares: Tensor, active: Tensor) -> int:
    return int(squares.where(active, -torch.inf).argmax())


def choose(models: Quadratics, x: Tensor, generator: torch.Generator) -> int:
    """The subfunction to evaluate at x [K]; may activate one.

    First an active one evaluated once, then one not yet evaluated; from then on the one whose last
    position is farthest from x, in the metric of the summed Hessian or of its own. If none is
    farther than 1e-12 in the first, a random inactive one joins and is taken.
    """
    active, counts = models.active, models.counts
    for seen in (1, 0):
        young = active & (counts == seen)
        if bool(young.any()):
            return draw(young, generator)
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
    """Whether the active subfunctions disagree about as much as their mean gradient is long.

    sum_i (g_i - g)^T H^-1 (g_i - g) / (n (n - 1)) >= max_gradient_noise g^T H^-1 g, over the n > 1
    active ones, with g_i their last gradients, g the mean and H the summed Hessian.
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
    models: Quadratics,
    metric: Metric,
    failed: bool,
    waited: int,
    generator: torch.Generator,
) -> bool:
    """Activate a random inactive subfunction if it is time; whether it was.

    Time is when every active one has been evaluated twice and the gradient is noisy, the last step
    failed, or more steps than active subfunctions have gone by since the last growth (`waited`).
    """
    active = models.active
    if bool(active.all()) or int(models.counts[active].min()) < 2:
        return False
    if not (failed or waited > int(active.sum()) or is_noisy(models, metric)):
        return False
    models.activate(draw(~active, generator))
    return True
