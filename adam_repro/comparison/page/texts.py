"""What a comparison says in sentences, and in LaTeX: to be cited, and to go into a paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from adam_repro import __version__
from adam_repro.comparison import spec
from adam_repro.comparison.model import (
    HIGHER,
    LOWER,
    SAME,
    UNDECIDED,
    Comparison,
    Entrant,
    Score,
    TaskResult,
)
from adam_repro.comparison.page import tables

#: What the text of the page and of methods.md rests on.
BIBTEX = """\
@inproceedings{kingma2015adam,
  title = {Adam: A Method for Stochastic Optimization},
  author = {Kingma, Diederik P. and Ba, Jimmy},
  booktitle = {International Conference on Learning Representations},
  year = {2015},
  note = {arXiv:1412.6980}
}
@article{dolan2002benchmarking,
  title = {Benchmarking optimization software with performance profiles},
  author = {Dolan, Elizabeth D. and Mor{\\'e}, Jorge J.},
  journal = {Mathematical Programming},
  volume = {91}, number = {2}, pages = {201--213}, year = {2002}
}
@article{holm1979simple,
  title = {A simple sequentially rejective multiple test procedure},
  author = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume = {6}, number = {2}, pages = {65--70}, year = {1979}
}
@article{shaffer1986modified,
  title = {Modified sequentially rejective multiple test procedures},
  author = {Shaffer, Juliet Popper},
  journal = {Journal of the American Statistical Association},
  volume = {81}, number = {395}, pages = {826--831}, year = {1986}
}
@article{schuirmann1987comparison,
  title = {A comparison of the two one-sided tests procedure and the power approach for assessing the
           equivalence of average bioavailability},
  author = {Schuirmann, Donald J.},
  journal = {Journal of Pharmacokinetics and Biopharmaceutics},
  volume = {15}, number = {6}, pages = {657--680}, year = {1987}
}
"""
WORDS = {LOWER: "lower", SAME: "the same within 1 %", HIGHER: "higher", UNDECIDED: "undecided"}
ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
ARROWS = {LOWER: r"$\downarrow$", HIGHER: r"$\uparrow$", SAME: "$=$", UNDECIDED: "?"}


def software() -> str:
    """BibTeX of this package."""
    return (
        "@software{adam_repro,\n"
        "  title = {adam-repro: Adam (Kingma \\& Ba 2014), reproduced, and a bench to compare optimizers},\n"
        f"  version = {{{__version__}}}\n"
        "}\n"
    )


def sentence(comparison: Comparison, candidate: Entrant) -> str:
    """The result of a candidate in one sentence, with everything that it depends on."""
    tasks = _listed([one.task for one in comparison.tasks])
    how = f"Each tuned with {comparison.budget} trials on one seed and repeated with "
    how += f"{comparison.seeds - 1} other{'s' * (comparison.seeds != 2)}"
    scores = [one for one in tables.tested(comparison) if one.candidate == candidate.label]
    if not scores:
        return f"{how}, {candidate.label} was trained on {tasks} beside nobody ({_origin(comparison)})."
    reference = tables.reference_rival(comparison)
    own = [one for one in scores if one.rival == reference] or scores
    text = f"{how}, {candidate.label} ended with a training cost {_counted(own)}"
    if len({one.rival for one in scores}) > 1:
        others = (
            f"all {len(comparison.rivals)} rivals ({_listed([r.label for r in comparison.rivals])})"
        )
        counts = {
            word: sum(one.verdict == verdict for one in scores) for verdict, word in WORDS.items()
        }
        shown = _listed([f"{word} {_times(count)}" for word, count in counts.items() if count])
        text += f"; over {others} it was {shown}"
    tests = (
        "ratios with 95 % intervals, paired t tests, Holm's correction over the whole table, 5 %"
    )
    return f"{text} ({tests}; {_origin(comparison)})."


def _counted(scores: Sequence[Score]) -> str:
    """``lower than adam’s on logreg (× 0.91 [0.9, 0.92]) and mlp; higher than adam’s on lm``."""
    rival = scores[0].rival
    words = {
        LOWER: f"lower than {rival}’s",
        SAME: f"within 1 % of {rival}’s",
        HIGHER: f"higher than {rival}’s",
        UNDECIDED: f"undecided beside {rival}’s",
    }
    tasks = {v: [_with_ratio(one) for one in scores if one.verdict == v] for v in words}
    return "; ".join(f"{words[v]} on {_listed(several)}" for v, several in tasks.items() if several)


def _with_ratio(score: Score) -> str:
    if math.isnan(score.ratio):
        decided = score.why and score.verdict != UNDECIDED
        return f"{score.task} ({score.why})" if decided else score.task
    measured = f"× {tables.ratio(score.ratio)} {tables.interval(score)}".strip()
    return f"{score.task} ({measured})"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([*([", ".join(words[:-1])] if len(words) > 1 else []), *words[-1:]])


def _origin(comparison: Comparison) -> str:
    dates = comparison.provenance.get("dates") or []
    parts = [
        f"adam-repro {__version__}",
        f"scale {comparison.scale}",
        str(comparison.provenance.get("hardware", "hardware unknown")),
        str(dates[-1]) if dates else "",
    ]
    return ", ".join(part for part in parts if part)


def latex(comparison: Comparison) -> str:
    """The first table of the page: a tabular for each candidate, which needs no package."""
    return "\n".join(_tabular(comparison, one) for one in comparison.candidates)


def _tabular(comparison: Comparison, candidate: Entrant) -> str:
    rivals = [one.label for one in comparison.rivals]
    head = " & ".join(escaped(word) for word in ("task", candidate.label, *rivals))
    lines = []
    for row in tables.verdicts(comparison, candidate.label):
        cells = {cell["rival"]: _latex_cell(cell) for cell in row["cells"]}
        words = [escaped(row["task"]), row["value"].replace(tables.NONE, "--")]
        lines.append(" & ".join([*words, *(cells.get(rival, "--") for rival in rivals)]) + r" \\")
    caption = (
        f"Final training cost of {candidate.label} (nats per example), and its ratio to each rival's with "
        f"the 95 % interval over paired seeds. Verdicts after Holm's correction at 5 %: "
    )
    legend = r"$\downarrow$ lower, $\uparrow$ higher, $=$ the same within 1\,\%, ? undecided."
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}{legend} {escaped(_how(comparison))}}}",
            rf"\begin{{tabular}}{{l{'r' * (1 + len(rivals))}}}",
            r"\hline",
            head + r" \\",
            r"\hline",
            *lines,
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _how(comparison: Comparison) -> str:
    return (
        f"Every optimizer tuned with {comparison.budget} trials a task, then repeated with "
        f"{comparison.seeds - 1} other seeds; adam-repro {__version__}, scale {comparison.scale}."
    )


def _latex_cell(cell: dict[str, Any]) -> str:
    arrow = ARROWS[cell["verdict"]]
    rival_diverged = cell["said"] and cell["verdict"] == LOWER
    ratio = cell["ratio"].replace("× ", "") or ("diverged" if rival_diverged else "--")
    return " ".join(word for word in (arrow, ratio, cell["interval"]) if word)


def escaped(text: str) -> str:
    """A text as LaTeX shows it."""
    return "".join(ESCAPES.get(letter, letter) for letter in text)


def space(comparison: Comparison, entrant: Entrant) -> str:
    """What was tuned of an optimizer, in a sentence. Ours search more on some tasks than on others."""
    words = " ".join(entrant.words) or entrant.label
    if not entrant.lr_option:
        lr = "it has no stepsize"
    elif entrant.lr_range is not None:
        lr = f"{entrant.lr_option} between {entrant.lr_range[0]:g} and {entrant.lr_range[1]:g}"
    elif entrant.lr is None:
        lr = f"{entrant.lr_option} from a grid that grows until the best is not on its edge"
    elif len(entrant.lr) == 1:
        lr = f"{entrant.lr_option}={entrant.lr[0]:g}, not tuned"
    else:
        lr = f"{entrant.lr_option} among {', '.join(f'{value:g}' for value in entrant.lr)}"
    tried: dict[str, list[Any]] = {key: list(values) for key, values in entrant.search.items()}
    for task in comparison.tasks:
        for trial in task.tuning.get(entrant.label, ()):
            for key, value in trial.setting.others:
                tried.setdefault(key, []).append(value)
    searched = [
        f"{key} among {', '.join(dict.fromkeys(map(str, values)))}" for key, values in tried.items()
    ]
    return f"{entrant.label} ({words}): {'; '.join([lr, *searched])}"


def about(task: TaskResult) -> str:
    """What a task trains, in a sentence: the words of configs/compare.yaml, then an epoch of its trials."""
    settings = next(iter(task.settings.values()), {})  # of a trial: nobody's where all diverged
    section = settings.get("task", {})
    data = str(section.get("data", {}).get("name"))
    ours = spec.load().tasks.get(task.task)
    if ours is not None and section.get("model") != "torch":
        what = ours.about + ", here on generated data" * data.startswith("synthetic")
    elif section:
        what = f"a task of one's own, {section.get('target') or section['name']}, on {data}"
    else:
        what = "a task of one's own"
    text = what[0].upper() + what[1:]
    return f"{text}; {_epoch(task, settings)}" if settings else text


def _epoch(task: TaskResult, settings: Mapping[str, Any]) -> str:
    """How much data an epoch is; the rows tell where that is a step on everything."""
    if (task.rows["step"] == task.rows["epoch"] + 1).any():
        return "an epoch is a step on the full batch"
    examples = settings["task"].get("epoch_examples")
    much = f"{examples:,} examples" if examples else "a pass over the training set"
    return f"an epoch is {much} in minibatches of {settings['batch_size']}"


def provenance(comparison: Comparison) -> list[tuple[str, str]]:
    """Where the numbers are from: names and texts."""
    found = comparison.provenance
    committed = found.get("committed") or {}
    tasks = [one.task for one in comparison.tasks]
    quick = " (tasks=quick)" * (sorted(tasks) == sorted(spec.load().quick))
    pairs = {
        "Command": comparison.command,
        "Tasks": _listed(tasks) + quick,
        "Hardware": str(found.get("hardware", "not known")),
        "Versions": ", ".join(f"{name} {one}" for name, one in (found.get("versions") or {}).items()),
        "Commit": str(found.get("commit") or ""),
        "Trained": " to ".join(dict.fromkeys(map(str, found.get("dates") or []))),
        "Reused rows": "; ".join(
            f"{count} committed trial{'s' * (count != 1)} trained on {name}"
            for name, count in committed.items()
        ),
        "Budget": f"{comparison.budget} tuning trials of every optimizer on every task, then "
        f"{comparison.seeds} seeds of the best setting, the tuning seed among them",
    }  # fmt: skip
    return [(name, text) for name, text in pairs.items() if text]
