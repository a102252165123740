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
  adam-repro compare my_module.MyOptimizer        an optimizer beside Adam and others: each tuned alike,
                                                  with a verdict for every task, on one page
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
  reading       both; fitted: settings chosen to match the paper's curves; tuned: every optimizer at its best
  seeds         so many of each series at most are trained; without it, as many as the scale asks for
  keep          true: trials of the CSVs that are there are neither trained again nor lost
  train         true; false merges and draws what is there
  --config-dir  a folder of your own, whose figure/NAME.yaml are figures too
  device, engine, tf32, progress, logger      as for adam-repro run
  executor, workers, ...                      as for a sweep on a cluster (hydra.launcher.)
"""

REPORT = """\
adam-repro report [FIGURE ...]  [results_dir=results]

Draws the figures from RESULTS_DIR/paper/FIGURE.csv alone: PNG, PDF and SVG, the tables of agreement and
of the claims, index.html and README.md, all in RESULTS_DIR/paper. Without a name, every figure that has
a CSV there. An optimizer of your own joins a figure with a CSV of the same columns in
RESULTS_DIR/paper/extra; figure, series, epoch and train_cost are enough.

  FIGURE        {figures}
  --config-dir  a folder of your own, whose figure/NAME.yaml are figures too
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

COMPARE = """\
adam-repro compare TARGET ...  [tasks=quick] [against=adam,...] [scale=short] [NAME=VALUE ...]
adam-repro compare --check TARGET     a minute: constructs, moves, honours lr, repeats, resumes

Tunes every optimizer with the same number of trials, repeats its best setting with other seeds, and
says for each task and rival whether its final training cost is lower, higher, the same within 1 %,
or undecided. The rows of our own optimizers that come with the package are used. It can be stopped and
given again at any time. Results: RESULTS_DIR/compare/LABEL.

  TARGET        an import path, as schedulefree.AdamWScheduleFree; one of our optimizers by name; or a
                compare.yaml: candidates, a list of {{target, label, kwargs, search, lr, lr_name}}, and any
                of the options label, tasks, against, scale, budget, seeds, schedules
  tasks         {tasks};
                or the import path of a task of your own
  --config-dir  a folder of your own, whose task/NAME.yaml are tasks too
  against       the rivals, targets too ({against}); none
  scale         short (default), paper: every epoch; smoke: generated data, to see that it runs
  lr            LOW..HIGH, as 1e-5..1; values, as 1e-3,1e-2; one value: not tuned. Without it, a grid
                around the default that grows until the best is not on its edge
  lr_name       the argument that is the stepsize, if it is not lr
  create_graph  true: gradients that can be differentiated again, for second-order methods
  search.X      values of the argument X to search too, as search.rho=0.9,0.99
  kwargs.X      the value of the argument X, as kwargs.weight_decay=0.01
  schedules     the choices of everybody, as constant,inv_sqrt_pass; without it, each task's
  budget        tuning trials of every optimizer on every task ({budget})
  seeds         of the best setting, the one that tuned it among them ({seeds}); an interval takes 3
  label         the name of the folder; without it, the candidates
  device, engine, tf32, progress, logger      as for adam-repro run
  executor, workers, ...                      as for a sweep on a cluster (hydra.launcher.)
"""

DATA = """\
adam-repro data list                  every data set, and whether it is here
adam-repro data fetch [name ...]      get them: from ADAM_REPRO_DATA, the publisher, a registry
adam-repro data verify [name ...]     check every byte of what is here against the checksums

Without a name, fetch takes every data set and verify every one that is here. ADAM_REPRO_DATA names
a folder with the publishers' own files; ADAM_REPRO_CACHE the folder to cache in.
"""

COMMANDS = {
    "reproduce": REPRODUCE, "report": REPORT, "compare": COMPARE, "plot": PLOT, "theory": THEORY,
    "data": DATA,
}  # fmt: skip


def of(command: str) -> str:
    """The help text of a command; that of ``run`` comes from Hydra."""
    text = COMMANDS[command]
    if command == "compare":
        return text.format(**_compare_defaults())
    if "{figures}" not in text:
        return text
    from adam_repro.figures import load

    names = load.names()
    lines = [" ".join(names[i : i + 6]) for i in range(0, len(names), 6)]
    return text.format(figures="\n                ".join(lines))


def _compare_defaults() -> dict[str, str]:
    """What configs/compare.yaml says, in words. Read here: its own reader would import Hydra."""
    import yaml

    from adam_repro.files import config_folder

    file = yaml.safe_load((config_folder() / "compare.yaml").read_text(encoding="utf-8"))
    names = ["all", *file["tasks"]]
    quick = f"quick (default: {', '.join(file['quick'])})"
    lines = [quick, *(", ".join(names[i : i + 7]) for i in range(0, len(names), 7))]
    return {
        "tasks": ",\n                ".join(lines),
        "against": ",".join(file["against"]),
        "budget": ", ".join(f"{scale} {n}" for scale, n in file["budget"].items()),
        "seeds": str(file["seeds"]),
    }
