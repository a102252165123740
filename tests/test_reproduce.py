"""The command that trains and draws figures: what it does not overwrite."""

from __future__ import annotations

from pathlib import Path

import pytest

from adam_repro.errors import UserError
from adam_repro.reproduce import _keep_fuller


def test_a_fuller_scale_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "fig4.csv"
    path.write_text("figure,scale\nfig4,paper\n")
    _keep_fuller(path, "paper")
    with pytest.raises(UserError, match=r"scale=smoke: .*fig4\.csv holds results of scale paper"):
        _keep_fuller(path, "smoke")


@pytest.mark.parametrize("content", ["", "figure,scale\n", "figure\nfig4\n"])
def test_a_csv_without_results_is_in_nobodys_way(tmp_path: Path, content: str) -> None:
    path = tmp_path / "fig4.csv"
    path.write_text(content)
    _keep_fuller(path, "smoke")
    _keep_fuller(tmp_path / "missing.csv", "smoke")
