"""Maxima of 3x3 windows with stride 2, the last window hanging over the edge.

PyTorch's kernels have two shortcomings on a GPU. They sum the gradient in no fixed order, and they store the
positions of the maxima in eight bytes each, which is half of the memory traffic. These are Triton kernels for
images in channels-last layout. One thread gathers each element of the gradient, in a fixed order.
``TRITON_INTERPRET=1`` runs them on a CPU.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from adam_repro.kernels import twice
from adam_repro.kernels.triton import compiles, tl, triton

BLOCK = 1024
LAID = torch.channels_last


def pooled_size(side: int) -> int:
    """How many windows there are along a ``side`` of so many pixels."""
    return -(-(side - 3) // 2) + 1


if triton is not None:
    # An image at a time: an offset within it fits into 32 bits, that of the image may not.
    @triton.jit
    def _forward(  # type: ignore[no-untyped-def]
        x, out, place,
        height: tl.constexpr, width: tl.constexpr, rows: tl.constexpr, columns: tl.constexpr,
        channels: tl.constexpr, block: tl.constexpr,
    ):  # fmt: skip
        size: tl.constexpr = rows * columns * channels
        blocks: tl.constexpr = (size + block - 1) // block
        image = (tl.program_id(0) // blocks).to(tl.int64)
        at = tl.program_id(0) % blocks * block + tl.arange(0, block)
        channel = at % channels
        column = at // channels % columns
        row = at // (channels * columns)
        x += image * (height * width * channels)
        best = tl.full((block,), float("-inf"), tl.float32)
        where = tl.full((block,), 0, tl.int32)
        for tap in tl.static_range(9):
            h = 2 * row + tap // 3
            w = 2 * column + tap % 3
            there = (at < size) & (h < height) & (w < width)
            pixel = x + (h * width + w) * channels
            value = tl.load(pixel + channel, mask=there, other=float("-inf"))
            # The first of equals, and the last NaN, as PyTorch has it.
            better = (value > best) | (value != value)
            best = tl.where(better, value, best)
            where = tl.where(better, tap, where)
        tl.store(out + image * size + at, best, mask=at < size)
        tl.store(place + image * size + at, where.to(tl.int8), mask=at < size)

    @triton.jit
    def _backward(  # type: ignore[no-untyped-def]
        gradient, place, found,
        height: tl.constexpr, width: tl.constexpr, rows: tl.constexpr, columns: tl.constexpr,
        channels: tl.constexpr, block: tl.constexpr,
    ):  # fmt: skip
        size: tl.constexpr = height * width * channels
        blocks: tl.constexpr = (size + block - 1) // block
        image = (tl.program_id(0) // blocks).to(tl.int64)
        at = tl.program_id(0) % blocks * block + tl.arange(0, block)
        channel = at % channels
        w = at // channels % width
        h = at // (channels * width)
        gradient += image * (rows * columns * channels)
        place += image * (rows * columns * channels)
        total = tl.full((block,), 0.0, tl.float32)
        # A pixel is in at most two windows each way: that which begins at it or just before, and the last.
        for before in tl.static_range(4):
            row = h // 2 - before // 2
            column = w // 2 - before % 2
            down = h - 2 * row
            right = w - 2 * column
            there = (at < size) & (row >= 0) & (row < rows) & (down < 3)
            there = there & (column >= 0) & (column < columns) & (right < 3)
            window = (row * columns + column) * channels + channel
            chosen = tl.load(place + window, mask=there, other=-1)
            mine = there & (chosen == 3 * down + right)
            total += tl.load(gradient + window, mask=mine, other=0.0)
        tl.store(found + image * size + at, total, mask=at < size)


class MaxPool(torch.autograd.Function):
    """[n, channels, height, width] to [n, channels, pooled_size(height), pooled_size(width)], in float32.

    Under ``vmap`` the trials' images are one after another those of one batch.
    """

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.contiguous(memory_format=LAID)
        n, channels, height, width = x.shape
        rows, columns = pooled_size(height), pooled_size(width)
        shape = (n, channels, rows, columns)
        out = torch.empty(shape, device=x.device, memory_format=LAID)
        place = torch.empty(shape, dtype=torch.int8, device=x.device, memory_format=LAID)
        programs = n * triton.cdiv(rows * columns * channels, BLOCK)
        with torch.cuda.device_of(x):  # else Triton launches on the current GPU
            _forward[(programs,)](x, out, place, height, width, rows, columns, channels, BLOCK)
        return out, place

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.shape = inputs[0].shape
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> Tensor:
        (place,) = ctx.saved_tensors
        n, channels, height, width = ctx.shape
        gradient = gradient.contiguous(memory_format=LAID)
        found = torch.empty(ctx.shape, device=gradient.device, memory_format=LAID)
        programs = n * triton.cdiv(height * width * channels, BLOCK)
        with torch.cuda.device_of(gradient):
            _backward[(programs,)](
                gradient, place, found, height, width, *place.shape[2:], channels, BLOCK
            )
        return found

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int], x: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        x = x.movedim(in_dims[0], 0)
        out, place = MaxPool.apply(x.flatten(0, 1))
        return (out.unflatten(0, x.shape[:2]), place.unflatten(0, x.shape[:2])), (0, 0)


@cache
def available(device: torch.device) -> bool:
    """Whether the kernels can be had on ``device``."""

    @torch.enable_grad()
    def small() -> None:
        x = torch.zeros(1, 1, 3, 3, device=device, requires_grad=True)
        MaxPool.apply(x)[0].sum().backward()

    return compiles(device, small)


def max_pool(x: Tensor) -> Tensor:
    """Pool [n, channels, height, width], by these kernels where they can be had."""
    if x.dtype == torch.float32 and not twice.asked() and available(x.device):
        return MaxPool.apply(x)[0]
    return max_pool2d(x, 3, stride=2, ceil_mode=True)
