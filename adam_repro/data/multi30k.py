"""Multi30k: 29,000 image captions in English, with their German and French translations.

Elliott et al. 2016, "Multi30K: Multilingual English-German Image Descriptions" (arXiv 1605.00459), task 1:
29,000 pairs to train, 1,014 to validate, and the 1,000 of the test set 2016. The texts are those of the
publisher's repository at one commit: ``train.en`` was corrected in March 2021, and scores from before are
of a slightly different text. No package registry that we know of carries the set.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from adam_repro.config.validate import Choice, check
from adam_repro.data import parallel_text, publisher
from adam_repro.data.dataset import Array
from adam_repro.data.parallel_text import ParallelDataset, Settings
from adam_repro.data.sources import DatasetSource, Download, SourceError, fetch, verify_md5

URL = (
    "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a"
    "/data/task1/raw"
)
FOLDER = "multi30k"
LANGUAGES = ("en", "de", "fr")
PAIRS = ("en-de", "de-en", "en-fr")
#: Our names of the splits -> the publisher's, and the number of lines.
SPLITS = {
    "train": ("train", 29_000),
    "validation": ("val", 1014),
    "test": ("test_2016_flickr", 1000),
}
#: md5 of each text, unpacked: a file that was packed again is still valid.
MD5 = {
    "train.en": "053a34ece7c904dbc8c7361799afbe4c",
    "train.de": "d3b4bc1671cfb805267f97f16884beba",
    "train.fr": "849ec62eac03bcc3335f8bac00a4045a",
    "val.en": "2234730e7925354b766681b029b347ec",
    "val.de": "9f139b15d9d11936dea7af2904e57d8c",
    "val.fr": "5c6267b6b147feb0fd6a826d01b7a53a",
    "test_2016_flickr.en": "2022a6c31e2418047a0511333d55ed42",
    "test_2016_flickr.de": "cde61d7401b116652ee84099c7858ca3",
    "test_2016_flickr.fr": "091159ae517b43efa0faaa650c49923b",
}
#: Size in bytes and sha256 of each file that the publisher gives, ``NAME.gz``.
ARCHIVES = {
    "train.en": (568929, "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
    "train.de": (637044, "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
    "train.fr": (604242, "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"),
    "val.en": (21650, "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
    "val.de": (24681, "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
    "val.fr": (23001, "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"),
    "test_2016_flickr.en": (
        21077,
        "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    ),
    "test_2016_flickr.de": (
        22890,
        "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    ),
    "test_2016_flickr.fr": (
        22310,
        "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
    ),
}


def find_files(folder: Path) -> list[Path]:
    """The nine files ``multi30k/NAME.gz``, or none.

    Raises SourceError when some of them are absent.
    """
    root = folder / FOLDER
    paths = [root / f"{name}.gz" for name in MD5]
    missing = [path.name for path in paths if not path.is_file()]
    if len(missing) == len(paths):
        return []
    if missing:
        raise SourceError(f"{root} lacks {', '.join(missing)}")
    return paths


def read_files(files: list[Path]) -> dict[str, Array]:
    """The texts, uint8 [bytes] by name, from the nine files; verifies every md5."""
    arrays: dict[str, Array] = {}
    for path in files:
        try:
            content = gzip.decompress(path.read_bytes())
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise SourceError(f"{path}: not a whole .gz file ({error})") from error
        verify_md5(str(path), content, MD5[path.name.removesuffix(".gz")])
        arrays[path.name.removesuffix(".gz")] = np.frombuffer(content, np.uint8)
    return arrays


def verify(arrays: Mapping[str, Array]) -> None:
    """Raises SourceError unless these are the nine published texts."""
    for name, md5 in MD5.items():
        if name not in arrays:
            raise SourceError(f"multi30k: {name} is missing")
        verify_md5(f"multi30k: {name}", arrays[name].tobytes(), md5)


def download(folder: Path) -> None:
    """The publisher's nine files, 2 MB, each verified. Raises SourceError."""
    root = folder / FOLDER
    root.mkdir()
    for name, (size, sha256) in ARCHIVES.items():
        publisher.archive_download(f"{URL}/{name}.gz", size, sha256, root)


MULTI30K = DatasetSource(
    name="multi30k",
    version=1,
    description="29,000 + 1,014 + 1,000 image captions in English, German and French",
    find=find_files,
    read=read_files,
    verify=verify,
    downloads=(Download(f"publisher ({URL})", download),),
    instructions=(
        f"put {', '.join(f'{name}.gz' for name in MD5)} (publisher: {URL}; no package registry has "
        f"them) into a folder called {FOLDER} in a folder"
    ),
)


def load(
    pair: str = "en-de",
    lowercase: bool = True,
    merges: int = 10_000,
    joint: bool = True,
    max_length: int = 60,
    pairs: int | None = None,
) -> ParallelDataset:
    """Multi30k as pairs of subword ids; the options beside ``pair`` are those of `parallel_text.load`.

    No sentence is longer than the default ``max_length``: nothing is left out. Raises UserError.
    """
    check("task.data.pair", pair, Choice(*PAIRS))
    settings = Settings(lowercase, merges, joint, max_length, pairs)
    texts = fetch(MULTI30K)
    languages = parallel_text.language_pair(pair)
    key = f"multi30k-{pair}-{settings.key}"
    return parallel_text.prepare(
        "multi30k",
        key,
        texts.header["sha256"],
        partial(_lines, texts.arrays, languages),
        languages,
        settings,
    )


def _lines(texts: Mapping[str, Array], languages: tuple[str, str]) -> parallel_text.Lines:
    found: parallel_text.Lines = {}
    for split, (theirs, count) in SPLITS.items():
        source, target = (
            parallel_text.decode(texts[f"{theirs}.{language}"].tobytes(), f"{theirs}.{language}")
            for language in languages
        )
        assert len(source) == len(target) == count  # as their md5s say
        found[split] = source, target
    return found
