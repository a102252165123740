"""Words of a command line that Hydra would read otherwise than people mean them."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from adam_repro.config.command_words import how_to_quote, prepare
from adam_repro.errors import UserError

PARSER = OverridesParser.create()

FOLDERS = [
    "results", "Größe", "结果", "a=b", "r#1", "~/res", "my (copy)", "1_000", "2014",
    "it's", 'a"b', "back\\slash", "end\\", "end\\'", "a,b", "{a", "a}b", "(x)", "f(x)", " a", "a b",
    "@x", "/abs/path", "100%", "a&b", "0x10", "-x", "[a",
]  # fmt: skip


@pytest.mark.parametrize("key", ["results_dir", "++task.name", "optimizer.target"])
@pytest.mark.parametrize("value", FOLDERS)
def test_a_text_is_what_was_typed(key: str, value: str) -> None:
    other = value.replace("_", "").isdigit() or value == "a,b"
    if other and key != "results_dir":  # no name, or values of a sweep: told so later
        assert prepare([f"{key}={value}"]) == [f"{key}={value}"]
        return
    (word,) = prepare([f"{key}={value}"])
    assert PARSER.parse_overrides([word])[0].value() == value


@pytest.mark.parametrize(
    "word",
    [
        "results_dir='my results'",
        "results_dir=null",
        "results_dir=${oc.env:HOME}/x",
        "optimizer.lr=1_000",
    ],
)
def test_other_words_are_left_alone(word: str) -> None:
    assert prepare([word]) == [word]


def test_the_flag_of_a_sweep_may_stand_anywhere() -> None:
    assert prepare(["task=mlp", "-m", "seed=1,2"]) == ["-m", "task=mlp", "seed=1,2"]


def test_a_sweep_over_texts_stays_one() -> None:
    words = ["-m", "optimizer.target=a.B,c.D"]
    assert prepare(words) == words


@pytest.mark.parametrize("value", ["my (copy)", "ä", "it's", "end\\"])
def test_how_to_quote_can_be_copied(value: str) -> None:
    message = how_to_quote(f"schedule={value}")
    advice = message.split('give "')[1].split('", with')[0]
    assert PARSER.parse_overrides([advice])[0].value() == value


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-sc", "install=bash"], "-sc: there is no shell completion"),
        (["--shell-completion", "install=bash"], "no shell completion"),
        (["--experimental-rerun", "x.pickle"], "--experimental-rerun: it would run code"),
        (["--experimental-rerun=x.pickle"], "it would run code"),
        (["-m", "--cfg", "job"], "--cfg: prints the configuration of one trial"),
        (["-m", "-c", "job"], "--cfg: prints"),
        (["--resolve"], "--resolve: only together with --cfg job"),
        (["-m", "hydra.sweeper.max_batch_size=0"], "max_batch_size=0: must be a whole number, at least 1"),
        (["-m", "hydra.sweeper.max_batch_size=-1"], "at least 1"),
        (["-m", "hydra.job.chdir=true"], "share one process"),
        (["-m", "optimizer.lr=tag(log,interval(0,1))"], "an interval above 0"),
        (["-m", "optimizer.lr=tag(log,interval(-1,1))"], "an interval above 0"),
        (["-m", "optimizer.lr=interval(1,1e-3)"], "whose first end is the lower one"),
        (["-m", "optimizer.lr=interval(0,inf)"], "between two finite numbers"),
        (["results_dir=2014.12"], "as results_dir=results; one that is called so"),
        (["results_dir=1e-3"], "\"results_dir='1e-3'\""),
        (["results_dir=true"], "\"results_dir='true'\""),
        (["hydra.sweep.dir=nan"], "\"hydra.sweep.dir='nan'\""),
        (["optimizer=1"], "optimizer=1: must be one of adadelta"),
        (["averaging=true"], "averaging=true: must be one of exponential, none, polyak"),
        (["task=[1]"], "task=[1]: must be one of"),
        (["task={a:1}"], "must be one of"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(words: list[str], named: str) -> None:
    with pytest.raises(UserError) as refused:
        prepare(words)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    "words",
    [["-m", "optimizer.lr=interval(1e-4,1)"], ["-m", "optimizer.lr=tag(log,interval(1e-4,1))"],
     ["-m", "hydra.sweeper.max_batch_size=null"], ["--cfg", "job", "--resolve"], ["-m", "--help"],
     ["task=logreg", "optimizer=adam"], ["-m", "task=glob(*)", "optimizer=adam,sgd"]],
)  # fmt: skip
def test_what_can_be_meant_is_not(words: list[str]) -> None:
    assert prepare(words) == words
