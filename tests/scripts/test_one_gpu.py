"""The one-GPU run: what it does in which order, and that it keeps to its time."""

from __future__ import annotations

import importlib.util
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from adam_repro.figures import load

SCRIPT = Path(__file__).parents[2] / "scripts" / "one_gpu.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("one_gpu_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


@pytest.mark.parametrize("rehearse", [True, False])
def test_the_most_valuable_comes_first_and_nothing_is_left_out(
    script: ModuleType, tmp_path: Path, rehearse: bool
) -> None:
    stages = script.plan(tmp_path, rehearse)
    names = [stage.name for stage in stages]
    assert names[:6] == ["tests", "speed", "scaling", "fig1_mnist", "fig2b_adam", "fig4"]
    assert names[-1] == "fig2b"
    assert set(load.names()) <= set(names)
    assert [stage.name for stage in stages if stage.once] == ["tests", "speed", "scaling"]
    trained = [stage.words for stage in stages[3:]]
    device, scale = ("cpu", "smoke") if rehearse else ("cuda", "paper")
    assert all({f"device={device}", f"scale={scale}"} <= set(words) for words in trained)


def test_named_figures_alone_in_their_order_with_the_options_given(
    script: ModuleType, tmp_path: Path
) -> None:
    stages = script.plan(tmp_path, False, ["fig4", "fig3"], ["seeds=1", "tf32=true"])
    assert [stage.name for stage in stages] == ["tests", "speed", "scaling", "fig4", "fig3"]
    assert all({"seeds=1", "tf32=true"} <= set(stage.words) for stage in stages[3:])


@pytest.mark.parametrize("words", [["fig5"], ["fig4", "seeds=0"], ["tf=true"], ["scale=short"]])
def test_a_mistake_is_told_before_anything_runs(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["one_gpu.py", "--rehearse", *words])
    monkeypatch.setattr(script, "run", lambda *_: pytest.fail("it ran"))
    with pytest.raises(SystemExit, match=words[-1].split("=")[0]):
        script.main()


def test_what_has_no_time_left_is_skipped(script: ModuleType, tmp_path: Path) -> None:
    ticks = iter([0.0, 1.0, 1.0, 9.0, 11.0, 12.0])
    stages = [script.Stage(name, python("pass")) for name in ("first", "second", "third")]
    outcome = script.run(stages, tmp_path, 10.0, lambda: next(ticks))
    assert outcome["first"] == "done (8 s)"
    assert outcome["second"] == outcome["third"] == "skipped: no time left"


@pytest.mark.slow
def test_a_stage_ends_when_its_time_does(script: ModuleType, tmp_path: Path) -> None:
    slow = script.Stage("slow", python("import time; time.sleep(60)"), most=0.1)
    outcome = script.run([slow, script.Stage("next", python("pass"))], tmp_path, 20.0)
    assert outcome["slow"].startswith("stopped: its time was over")
    assert outcome["next"].startswith("done")


def test_a_failure_is_told_and_does_not_stop_the_rest(script: ModuleType, tmp_path: Path) -> None:
    stages = [
        script.Stage("bad", python("print('why'); exit(3)")),
        script.Stage("good", python("")),
    ]
    outcome = script.run(stages, tmp_path, 60.0)
    assert outcome["bad"].startswith("failed with status 3")
    assert outcome["good"].startswith("done")
    assert "why" in (tmp_path / "logs" / "bad.log").read_text()


def test_given_again_it_repeats_no_test_and_asks_every_figure(
    script: ModuleType, tmp_path: Path
) -> None:
    stages = [script.Stage("tests", python(""), once=True), script.Stage("figure", python(""))]
    script.run(stages, tmp_path, 60.0)
    outcome = script.run(stages, tmp_path, 60.0)
    assert outcome["tests"] == "done before"
    assert outcome["figure"].startswith("done (")


def test_the_archive_holds_results_and_no_trials(script: ModuleType, tmp_path: Path) -> None:
    work = tmp_path / "work"
    for name in ("paper/fig4.csv", "paper/fig4.png", "logs/fig4.log", "runs/vae/adam/x/metrics.csv",
                 "paper/fig4.pdf"):  # fmt: skip
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(name)
    out = tmp_path / "out" / "all.tar.gz"
    script.pack(work, out, {"fig4": "done"})
    with tarfile.open(out) as archive:
        names = {name.removeprefix("one_gpu/") for name in archive.getnames()}
    assert names == {"paper/fig4.csv", "paper/fig4.png", "logs/fig4.log", "outcome.txt"}
    assert "fig4: done" in (work / "outcome.txt").read_text()


def test_what_was_begun_and_not_done_is_drawn(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    assert script.draw(tmp_path, True) == []
    for name in ("tests", "fig2b_adam", "fig1_mnist", "fig4"):
        (tmp_path / "logs" / f"{name}.log").touch()
    for name in ("tests", "fig2b_adam", "fig4"):
        (tmp_path / "logs" / f"{name}.done").touch()
    (stage,) = script.draw(tmp_path, True)
    assert stage.words[4:6] == ("fig1_mnist", "fig2b")
    assert "train=false" in stage.words
    (stage,) = script.draw(tmp_path, True, ["keep=true"])
    assert "keep=true" in stage.words  # else it would refuse to drop what was kept


def test_what_is_kept_is_brought_from_the_results_at_the_papers_scale(
    script: ModuleType, tmp_path: Path
) -> None:
    results, work = tmp_path / "results", tmp_path / "work"
    results.mkdir()
    for name, scale in (("fig2a", "paper"), ("fig3", "paper"), ("adamax", "short")):
        (results / f"{name}.csv").write_text(f"figure,scale\n{name},{scale}\n")
        (results / f"{name}.provenance.yaml").write_text(f"of {name}")
    paper = work / "paper"
    paper.mkdir(parents=True)
    for name, scale in (("fig3", "paper"), ("fig2a", "smoke")):
        (paper / f"{name}.csv").write_text(f"figure,scale\ngone further,{scale}\n")
        (paper / f"{name}.provenance.yaml").write_text("gone further")
    script.bring(work, [], results)
    found = {path.name: path.read_text() for path in paper.iterdir()}
    assert sorted(found) == [
        "fig2a.csv",
        "fig2a.provenance.yaml",
        "fig3.csv",
        "fig3.provenance.yaml",
    ]
    assert found["fig2a.csv"] == "figure,scale\nfig2a,paper\n"
    assert found["fig2a.provenance.yaml"] == "of fig2a"
    assert "gone further" in found["fig3.csv"]
    assert found["fig3.provenance.yaml"] == "gone further"
    script.bring(tmp_path / "other", ["fig3"], results)
    assert [path.name for path in (tmp_path / "other" / "paper").glob("*.csv")] == ["fig3.csv"]


@pytest.mark.parametrize(("words", "brought"), [(["keep=true"], True), ([], False)])
def test_keep_brings_before_it_trains(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str],
    brought: bool,
) -> None:  # fmt: skip
    work = tmp_path / "work"
    monkeypatch.setattr(sys, "argv", ["one_gpu.py", "fig2a", "--work", str(work), *words])
    monkeypatch.setattr(script.torch.cuda, "is_available", lambda: True)
    there = []

    def run(*_: object) -> dict[str, str]:
        there.append((work / "paper" / "fig2a.csv").exists())
        return {}

    monkeypatch.setattr(script, "run", run)
    monkeypatch.setattr(script, "pack", lambda *_: None)
    monkeypatch.setattr(script, "draw", lambda *_: [])
    assert script.main() == 0
    assert there[0] is brought
