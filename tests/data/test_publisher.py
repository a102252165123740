"""The archive download from a local server; torchvision is replaced by a mock."""

from __future__ import annotations

import hashlib
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from adam_repro.data import publisher
from adam_repro.data.sources import SourceError

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers["User-Agent"].startswith("Python"):
            self.send_error(403)
            return
        if self.path == "/gone.tar.gz":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        half = self.path == "/cut.tar.gz"
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if half else CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_download_has_a_progress_bar(url: str, tmp_path: Path, capsys) -> None:
    publisher.archive_download(f"{url}/set.tar.gz", len(CONTENT), SHA256, tmp_path)
    assert (tmp_path / "set.tar.gz").read_bytes() == CONTENT
    assert "set.tar.gz: 100%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "says"),
    [("cut.tar.gz", "bytes"), ("gone.tar.gz", "404")],
)
def test_the_error_of_a_broken_download(url: str, tmp_path: Path, file: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        publisher.archive_download(f"{url}/{file}", len(CONTENT), SHA256, tmp_path)


def test_a_file_with_another_checksum_is_rejected(url: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"sha256 {SHA256}; 3 bytes, sha256 00 expected"):
        publisher.archive_download(f"{url}/set.tar.gz", 3, "00", tmp_path)


def test_a_checksum_may_be_an_md5_and_the_size_unknown(url: str, tmp_path: Path, capsys) -> None:
    md5 = hashlib.md5(CONTENT).hexdigest()
    publisher.archive_download(f"{url}/set.zip", None, f"md5:{md5}", tmp_path)
    assert (tmp_path / "set.zip").read_bytes() == CONTENT
    assert "set.zip: 100%" in capsys.readouterr().err  # the server's own size
    with pytest.raises(SourceError, match=f"bytes, md5 {md5}; md5 00 expected"):
        publisher.archive_download(f"{url}/set.zip", None, "md5:00", tmp_path)


def test_the_error_of_an_unreachable_server(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="download failed after 0 bytes"):
        publisher.archive_download("http://127.0.0.1:9/x.tar.gz", 3, "00", tmp_path)


def test_torchvisions_reason_is_on_one_line(tmp_path: Path, monkeypatch) -> None:
    def refuse(root: str, download: bool) -> None:
        raise RuntimeError(f"Error downloading:\nTried a,\ngot {root} {download}")

    mock = SimpleNamespace(datasets=SimpleNamespace(MNIST=refuse))
    monkeypatch.setitem(sys.modules, "torchvision", mock)
    with pytest.raises(SourceError, match=f"Error downloading: Tried a, got {tmp_path} True"):
        publisher.torchvision_download("MNIST", tmp_path)


def test_torchvision_is_told_addresses_with_encryption(tmp_path: Path, monkeypatch) -> None:
    asked: list[str] = []

    class Fashion:
        mirrors: ClassVar = ["http://elsewhere/"]

        def __init__(self, root: str, download: bool) -> None:
            asked.extend(self.mirrors)

    mock = SimpleNamespace(datasets=SimpleNamespace(FashionMNIST=Fashion))
    monkeypatch.setitem(sys.modules, "torchvision", mock)
    publisher.torchvision_download("FashionMNIST", tmp_path)
    assert asked
    assert all(address.startswith("https://") for address in asked)
    assert Fashion.mirrors == ["http://elsewhere/"]


@pytest.mark.slow
def test_torchvision_still_has_the_list_that_is_replaced() -> None:
    import torchvision

    for name in publisher.HTTPS_MIRRORS:
        assert isinstance(getattr(torchvision.datasets, name).mirrors, list)
    assert torchvision.datasets.CIFAR10.url.startswith("https://")
