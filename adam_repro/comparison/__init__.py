"""Optimizers beside each other: tuned with the same number of trials, repeated, judged, shown."""
