"""A checkpoint as bytes, and what in a state cannot be had back from them."""

from __future__ import annotations

import io
from typing import Any

import torch

from adam_repro.engine.batching_policy import out_of_memory


def pack(state: Any) -> io.BytesIO:
    """``state`` as torch.load reads it, from the beginning."""
    content = io.BytesIO()
    # The checksum of a zip file takes more than half of the time, and torch.load does not look at it.
    summed = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(state, content)
    finally:
        torch.serialization.set_crc32_options(summed)
    content.seek(0)
    return content


def unreadable(state: Any, name: str) -> str | None:
    """The innermost part of ``state``, which is called ``name``, that cannot be read back.

    ``None`` if all can. torch.save takes nearly everything; torch.load, which must run no code of a
    file, only tensors, numbers, words and plain collections of them.
    """
    if _comes_back(state):
        return None
    if type(state) in (dict, list, tuple):
        parts = state.items() if isinstance(state, dict) else enumerate(state)
        for key, part in parts:
            found = unreadable(part, f"{name}[{key!r}]")
            if found is not None:
                return found
    kind = type(state)
    return f"{name}, a {kind.__module__}.{kind.__qualname__}"


def _comes_back(state: Any) -> bool:
    try:
        torch.load(pack(state), map_location="cpu", weights_only=True)
    except Exception as error:  # pickle raises whatever an object of the user's raises
        if out_of_memory(error):
            raise
        return False
    return True
