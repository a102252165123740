"""Optimizers by import path, any ``torch.optim.Optimizer``: their options, steps and state."""

from adam_repro.engine.torch_optimizer.options import check, check_with
from adam_repro.engine.torch_optimizer.step import TorchOptimizerStep

__all__ = ["TorchOptimizerStep", "check", "check_with"]
