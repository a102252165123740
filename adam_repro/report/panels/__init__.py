"""The drawings: curves, figure 4, stepsize sensitivity, time, test error."""
