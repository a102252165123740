"""The help texts of the command line, apart from what the commands import, so that they are there at once."""

from __future__ import annotations

USAGE = """\
adam-repro: Adam (Kingma & Ba 2014), every experiment of the paper.

  adam-repro run task=logreg optimizer=adam       train one trial and draw its curve
  adam-repro run -m task=mlp optimizer=adam,adagrad optimizer.lr=1e-3,1e-2 seed=0,1
                                                  a sweep: every combination
  adam-repro reproduce fig1_mnist fig4 | all [scale=short]
                                                  train what the figures need, then draw them
  adam-repro report [figure ...]                  draw the figures from their CSVs alone
  adam-repro plot FOLDER ... | SWEEP              any trials beside each other in one picture
  adam-repro theory                               regret, bounds and counterexamples of section 4
  adam-repro data list | fetch | verify [name ...]
                                                  the data sets: what is here, get it, check it

  adam-repro run --help                           every task, optimizer and option
  adam-repro COMMAND --help                       help on a command
  adam-repro --version
"""

REPRODUCE = """\
adam-repro reproduce FIGURE ... | all  [scale=paper|short|smoke] [results_dir=results]

Trains the trials of the figures that are not finished, in stacks, then merges and draws them into
RESULTS_DIR/paper. It can be stopped and given again at any time: nothing is trained twice.

  FIGURE        {figures}
  scale         paper (default): every setting, epoch and seed; short; smoke: generated data, seconds
  reading       both; as_printed: the paper's own settings; dense_grid: every optimizer's best
  seeds         so many of each series at most are trained; without it, as many as the scale asks for
  keep          true: trials of the CSVs that are there are neither trained again nor lost
  train         true; false merges and draws what is there
  device, engine, tf32, progress              as for adam-repro run
  executor, workers, ...                      as for a sweep on a cluster (hydra.launcher.)
"""

REPORT = """\
adam-repro report [FIGURE ...]  [results_dir=results]

Draws the figures from RESULTS_DIR/paper/FIGURE.csv alone: PNG, PDF and SVG, the tables of agreement and
of the claims, index.html and README.md, all in RESULTS_DIR/paper. Without a name, every figure that has
a CSV there. An optimizer of your own joins a figure with a CSV of the same columns in
RESULTS_DIR/paper/extra; figure, series, epoch and train_cost are enough.

  FIGURE        {figures}
"""

PLOT = """\
adam-repro plot FOLDER ...  [x=epoch] [y=train_cost] [group=optimizer] [out=plot.png]

Draws trials beside each other, with a pair of axes for each task. Trials that differ in the seed alone
are one line, their mean, with a band. A cross is where a seed diverged. The paper's curve is dotted,
where the task has one. Folders that are damaged are named and left out.

  FOLDER        of a trial, above trials (as results/runs/mlp), or of a sweep (as results/sweeps/DATE)
  x             epoch (default), step, examples, seconds
  y             train_cost (default), eval_train_cost, test_cost, test_error or any column of metrics.csv
  group         what has a colour: a setting, as optimizer or optimizer.lr, or several with commas between;
                without it, every setting that varies, if ten colours are enough, else the optimizer. Of
                several settings in one colour, the best is thick: the lowest training cost at the end
  band          range (default): smallest to largest of the seeds; t: the 95 % t interval of their mean; none
  xscale, yscale                              auto (default), linear, log
  out           the picture: a name that ends in .png (default: plot.png), .pdf or .svg
"""

THEORY = """\
adam-repro theory [scale=paper|smoke] [results_dir=results] [progress=true]

Measures section 4 and its refutation: the regret of Adam, AdaGrad, SGD and AMSGrad beside the bounds
of their theorems, the sequences of Reddi et al. (2018), and the paper's smaller statements beside
their closed forms. CSVs and figures go to RESULTS_DIR/paper; finished trials are not run again.
"""

DATA = """\
adam-repro data list                  every data set, and whether it is here
adam-repro data fetch [name ...]      get them: from ADAM_REPRO_DATA, the publisher, a registry
adam-repro data verify [name ...]     check every byte of what is here against the checksums

Without a name, fetch takes every data set and verify every one that is here. ADAM_REPRO_DATA names
a folder with the publishers' own files; ADAM_REPRO_CACHE the folder to cache in.
"""

COMMANDS = {
    "reproduce": REPRODUCE, "report": REPORT, "plot": PLOT, "theory": THEORY, "data": DATA,
}  # fmt: skip


def of(command: str) -> str:
    """The help text of a command; that of ``run`` comes from Hydra."""
    text = COMMANDS[command]
    if "{figures}" not in text:
        return text
    from adam_repro.figures import load

    names = load.names()
    lines = [" ".join(names[i : i + 6]) for i in range(0, len(names), 6)]
    return text.format(figures="\n                ".join(lines))
