"""Section 4, its refutation and the paper's smaller statements, measured: online convex optimisation."""

USAGE = """\
adam-repro theory [scale=paper|smoke] [results_dir=results] [progress=true]

Measures section 4 and its refutation: the regret of Adam, AdaGrad, SGD and AMSGrad beside the bounds
of their theorems, the sequences of Reddi et al. (2018), and the paper's smaller statements beside
their closed forms. CSVs and figures go to RESULTS_DIR/paper; finished trials are not run again.
"""
