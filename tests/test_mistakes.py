"""A person's mistakes: one clear message each, status 2, no traceback, nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from adam_repro.cli import COMMANDS, main
from tests.helpers import TINY_COMMAND as TINY

TORCH = "optimizer=torch optimizer.target=torch.optim"

MISTAKES = [
    ("run task=lgreg", "task=lgreg: must be one of", "did you mean logreg?"),
    ("run optimizer=adamm", "optimizer=adamm: must be one of", "did you mean adam?"),
    ("run optimizer=adma", "optimizer=adma: must be one of", "did you mean adam?"),
    ("run task=MLP", "task=MLP: must be one of", "did you mean mlp?"),
    ("run engine=bacthed", "engine=bacthed: must be one of", "did you mean batched?"),
    ("run logger=tensorbaord", "logger=tensorbaord", "did you mean tensorboard?"),
    ("run task.order=evry_pass", "task.order=evry_pass", "did you mean every_pass?"),
    ("run schedule=constnat", "schedule=constnat: must be", "did you mean constant?"),
    ("run task.data.name=fashion", "task.data.name=fashion", "did you mean fashion_mnist?"),
    ("run averaging=mean", "averaging=mean: must be one of", "polyak"),
    ("run optimizer.lrr=1", "optimizer.lrr: there is no such option", "did you mean optimizer.lr?"),
    ("run optimzer=adam", "optimzer: there is no such option", "did you mean optimizer?"),
    ("run task.data.nme=x", "task.data.nme: there is no such option", "task.data.name"),
    ("run optimizer.lr=-1", "lr=-1", "above 0"),
    ("run optimizer.lr=0", "lr=0", "above 0"),
    ("run optimizer.lr=nan", "lr=nan", "finite"),
    ("run optimizer.lr=fast", "lr='fast'", "number"),
    ("run optimizer.lr=1,2", "optimizer.lr=1,2: one trial has one value", "add -m"),
    ("run optimizer.beta1=1", "beta1=1", "below 1"),
    ("run optimizer.beta2=-0.1", "beta2=-0.1", "at least 0"),
    ("run optimizer.form=fast", "form='fast'", "algorithm1, efficient"),
    ("run epochs=0", "epochs=0", "at least 1"),
    ("run epochs=many", "epochs=many", "whole number"),
    ("run seed=-1", "seed=-1", "at least 0"),
    ("run batch_size=0", "batch_size=0", "at least 1"),
    ("run batch_size=257", "batch_size=257", "at most 256"),
    ("run schedule=no_such_schedule", "schedule=no_such_schedule", "inv_sqrt_pass"),
    ("run task.l2=-1", "task.l2=-1", "at least 0"),
    ("run task.init=random", "task.init=random", "glorot_uniform"),
    ("run task=mlp task.dropout_hidden=1", "task.dropout_hidden=1", "below 1"),
    ("run task.data.name=mnits", "mnits", "mnist"),
    ("run device=gpu", "device=gpu", "auto, cpu"),
    ("run device=cuda:99", "device=cuda:99", "auto, cpu"),
    ("run engine=fast", "engine=fast", "auto, batched, looped"),
    ("run averaging=exponential averaging.decay=1", "averaging.decay=1", "at least 0 and below 1"),
    ("run optimizer=torch", "optimizer.target", "import path"),
    (f"run {TORCH}.Adamm", "optimizer.target=torch.optim.Adamm", "Adamm"),
    (f"run {TORCH}.Adam optimizer.kwargs.betaa=1", "betaa", "betas"),
    (
        f"run {TORCH}.SparseAdam",
        "optimizer.target=torch.optim.SparseAdam: its step 1 failed with lr=0.001",
        "dense gradients",
    ),
    (f"run {TORCH}.Adam optimizer.kwargs=5", "optimizer.kwargs=5", "optimizer.kwargs.eps"),
    (
        f"run {TORCH}.Adam optimizer.kwargs.lr=5",
        "optimizer.kwargs.lr=5: would override optimizer.lr=0.001",
        "use optimizer.lr=5",
    ),
    (f"run {TORCH}.Adam +optimizer.eps=1", "optimizer.eps", "optimizer.kwargs.eps"),
    (f"run {TORCH}.Adam optimizer.lr=fast", "optimizer.lr=fast", "finite number"),
    ("run averaging.name=exponential", "averaging.decay: missing", "averaging=exponential"),
    ("run optimizer.name=foo", "optimizer.name=foo: must be one of adam", "torch"),
    ("run optimizer.name=5", "optimizer.name=5", "a word"),
    (f"run {TORCH}.NAdam optimizer.kwargs={{epsilon:1e-6}}", "no option 'epsilon'", "betas"),
    (
        "run optimizer=my_module.Mine",
        "optimizer=my_module.Mine: must be one of",
        "optimizer=torch optimizer.target=my_module.Mine",
    ),
    (
        f"run {TORCH}.NAdam optimizer.rho=3",
        "optimizer.rho: there is no such",
        "optimizer.kwargs.rho",
    ),
    ("run task.target=my.Task", "task.target: there is no such option", "task=torch takes it"),
    ("run optimizer.target=my.Opt", "optimizer.target: there is no", "optimizer=torch takes it"),
    ("run task=my.Task", "task=my.Task: must be one of", "task=torch task.target=my.Task"),
    ("run +foo=3", "foo: there is no such option; legal here: task, optimizer", "progress"),
    (
        "run averaging=polyak +averaging.decay=0.3",
        "averaging.decay: there is no such",
        "averaging.name",
    ),
    ("run optimizer.name=torch", "optimizer.target=None", "import path"),
    ("run task.model=foo", "task.model=foo: must be one of logreg", "counterexample"),
    ("run task.model=[1]", "task.model=[1]: must be one of logreg", "counterexample"),
    ("run task.name=5", "task.name=5", "without slashes"),
    ("run task.name=../elsewhere", "task.name=../elsewhere", "without slashes"),
    ("run task.data=mnist", "task.data=mnist", "task.data.name=mnist"),
    ("run task.data.name=5", "task.data.name=5", "name of a data set"),
    ("run +task.data.shape=5", "task.data.shape=5", "a list of positive integers"),
    ("run +task.data.seed=-1", "task.data.seed=-1", "a whole number, at least 0"),
    ("run task=cnn_mnist task.image=5", "task.image=5", "[channels, side]"),
    ("run task=cnn_mnist task.image=[1,4]", "task.image=[1, 4]", "at least 8"),
    ("run task=mlp task.data.name=synthetic_text", "task.data.name=synthetic_text", "rows of 784"),
    (
        "run task=imdb ~task.data.values task.data.name=synthetic",
        "task.data.name=synthetic",
        "at most 10000 in at most 2 classes",
    ),
    (
        "run task=imdb ~task.data.values task.data.name=synthetic_text +task.data.columns=10001",
        "sparse rows of 10001 values",
        "at most 10000",
    ),
    (
        "run task=imdb ~task.data.values task.data.name=synthetic_text +task.data.classes=3",
        "in 3 classes",
        "at most 2 classes",
    ),
    ("run task=cnn_mnist +task.data.shape=[3,32,32]", "dense rows of 3072", "dense rows of 784"),
    ("run task=vae +task.data.shape=[785]", "dense rows of 785", "dense rows of 784"),
    ("run task=logreg +task.data.classes=20", "in 20 classes", "at most 10 classes"),
    ("run ~task.data", "task.data: missing", "task.data.name=mnist"),
    ("run ~task.l2", "task.l2: missing", "at least 0"),
    ("run ~task.order", "task.order=None", "once, every_pass, file"),
    ("run ~task.init", "task.init=None", "glorot_uniform"),
    ("run ~seed", "seed: missing", "~seed"),
    ("run ~averaging.name", "averaging.name=None", "polyak"),
    ("run results_dir=null", "results_dir=None", "results_dir=results"),
    ("run results_dir=1.5", "results_dir=1.5", "results_dir=results"),
    ("run results_dir=[1]", "results_dir=[1]", "results_dir=results"),
    ("run results_dir=~no_such_user_/x", "results_dir=~no_such_user_/x", "no such home folder"),
    ("report results_dir=~no_such_user_/x", "results_dir=~no_such_user_/x", "no such home folder"),
    ("run optimizer=1", "optimizer=1: must be one of", "adam"),
    ("run averaging=true", "averaging=true: must be one of", "polyak"),
    ("run schedule=ä", "schedule=ä: must be", "schedule='ä'"),
    ("run -m seed=range(0)", "-m: there is nothing to train", "range(a,b)"),
    ("run -m epochs=0,1", "epochs=0", "at least 1"),
    ("run -m optimizer.lrr=1,2", "optimizer.lrr: there is no such option", "optimizer.lr"),
    ("run -m hydra.sweeper.max_batch_size=0 seed=1,2", "max_batch_size=0", "at least 1"),
    ("run -m hydra.launcher.workers=3 seed=1,2", "hydra.launcher.workers", "executor=local"),
    ("run -m --cfg job", "--cfg", "leave -m"),
    ("run --resolve", "--resolve", "--cfg job"),
    ("run --experimental-rerun=x.pickle", "--experimental-rerun", "pickled"),
    ("run -sc install=bash", "-sc", "no shell completion"),
    ("run optimizer.lr=1e39", "lr=1e+39", "finite"),
    ("run task.l2=1e39", "task.l2=1e+39", "at most"),
    (f"run seed={'9' * 309}", "seed=", "whole number"),
    (f"run epochs={'9' * 309}", "epochs=", "whole number"),
    (f"run {TORCH}.Adam optimizer.lr=1e39", "lr=1e+39", "torch.optim.Adam"),
    (
        "run optimizer=torch optimizer.target=exits.Mine",
        "optimizer.target=exits.Mine",
        "ends the process",
    ),
    (
        "run optimizer=torch optimizer.target=raises.Mine",
        "optimizer.target=raises.Mine",
        "cannot be imported",
    ),
    ("run results_dir=FILE/below", "results_dir", "cannot write"),
    ("run task", "task: options are given as NAME=VALUE", "task=logreg"),
    ("reproduce fig1_mnits", "no figure 'fig1_mnits'", "did you mean fig1_mnist?"),
    ("reproduce scale=smoke", "which figures", "all: fig1_mnist"),
    ("reproduce fig1_mnist scale=tiny", "scale=tiny", "paper, short, smoke"),
    ("reproduce fig1_mnist lr=1", "lr: there is no such option", "results_dir"),
    ("reproduce fig1_mnist device=gpu scale=smoke progress=false", "device=gpu", "auto, cpu"),
    (
        "reproduce fig1_mnist scale=smoke progress=false results_dir=FILE",
        "results_dir",
        "cannot write",
    ),
    ("report fig9", "no figure 'fig9'", "fig1_mnist"),
    ("report scale=smoke", "scale: there is no such option", "results_dir"),
    ("report", "there is no CSV of a figure in results/paper", "adam-repro reproduce"),
    ("report results_dir=FILE", "there is no CSV of a figure", "adam-repro reproduce"),
    ("report fig4 results_dir=nowhere", "there is no folder nowhere/paper", "adam-repro reproduce"),
    ("theory scale=tiny", "scale=tiny", "paper, smoke"),
    ("theory lr=1", "lr: there is no such option", "scale, results_dir, progress"),
    ("theory progress=1", "progress=1", "true or false"),
    ("rum", "no command 'rum'", "did you mean run?"),
    ("rum", "no command 'rum'", ", ".join(COMMANDS)),
    ("data lst", "no 'lst'", "did you mean list?"),
    ("compare adma", "adma: there is no such optimizer", "did you mean adam?"),
    ("compare adam tasks=logerg", "tasks=logerg: must be one of", "did you mean logreg?"),
    ("compare adam schedules=constnat", "constnat: must be one of", "did you mean constant?"),
    ("reproduce fig1_mnist scale=smoek", "scale=smoek", "did you mean smoke?"),
    ("reproduce fig1_mnist reading=fited", "reading=fited", "did you mean fitted?"),
    ("reproduce fig1_mnist scal=smoke", "scal: there is no such option", "did you mean scale?"),
    ("plot . band=rnage", "band=rnage", "did you mean range?"),
    ("data get", "no 'get'", "list, fetch or verify"),
    ("data fetch mnits", "no data set 'mnits'", "mnist"),
    ("data list mnist", "takes no names", "mnist"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "named", "legal"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_gets_one_message(
    words: str,
    named: str,
    legal: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("not a folder")
    modules = tmp_path_factory.mktemp("modules")
    (modules / "exits.py").write_text("import sys; sys.exit(0)")
    (modules / "raises.py").write_text("class Odd(BaseException): pass\nraise RuntimeError")
    monkeypatch.syspath_prepend(modules)
    arguments = words.replace("FILE", str(tmp_path / "file")).split()
    if arguments[0] == "run":
        own = "task.data" in words and "+task.data" not in words
        arguments[1:1] = [] if own else TINY
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == "" or "trials at scale" in out  # what is to be trained is said before it starts
    assert named in err
    assert legal in err
    assert "Traceback" not in err
    assert "Error executing job" not in err
    assert err.count("\n") <= 6
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file"]
