"""The training engine: stacks of trials, epoch by epoch."""
