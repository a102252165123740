"""A convolution of images of few channels as one product with their patches, on a GPU.

cuDNN's kernels are made for many channels. For a minibatch of CIFAR-10 on an H200 in TF32 they take 47
microseconds for the first convolution and 168 for the gradient of its weights (in float32 76 and 452).
Products with the images' patches take 34 and 31 (49 and 64: results/benchmark/step_gpu.csv). A Triton kernel
copies the patches into a matrix; ``TRITON_INTERPRET=1`` runs it on a CPU.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from adam_repro.kernels.triton import compiles, tl, triton

BLOCK = 1024
SIDE, MARGIN = 5, 2  # of the filters, and of the zeros around a picture
FEW = 4  # channels up to which patches are laid out
EVEN = 16  # columns are a multiple of it, the last ones zero, as products have it best

if triton is not None:

    @triton.jit
    def _lay_out(  # type: ignore[no-untyped-def]
        x, out,
        height: tl.constexpr, width: tl.constexpr, channels: tl.constexpr, columns: tl.constexpr,
        side: tl.constexpr, margin: tl.constexpr, block: tl.constexpr,
    ):  # fmt: skip
        size: tl.constexpr = height * width * columns
        blocks: tl.constexpr = (size + block - 1) // block
        image = (tl.program_id(0) // blocks).to(tl.int64)
        at = tl.program_id(0) % blocks * block + tl.arange(0, block)
        column = at % columns  # in the order of a filter: channel, row, column
        channel = column // (side * side)
        w = at // columns % width + column % side - margin
        h = at // (columns * width) + column // side % side - margin
        there = (at < size) & (channel < channels)
        there = there & (h >= 0) & (h < height) & (w >= 0) & (w < width)
        pixel = x + image * (height * width * channels) + (h * width + w) * channels
        value = tl.load(pixel + channel, mask=there, other=0.0)
        tl.store(out + image * size + at, value, mask=at < size)


def patches(x: Tensor) -> Tensor:
    """[n, c, h, w] to [n h w, columns]: around every pixel what a 5x5 filter sees, then zeros."""
    x = x.contiguous(memory_format=torch.channels_last)
    n, channels, height, width = x.shape
    columns = triton.cdiv(channels * SIDE * SIDE, EVEN) * EVEN
    out = x.new_empty(n * height * width, columns)
    programs = n * triton.cdiv(height * width * columns, BLOCK)
    with torch.cuda.device_of(x):  # else Triton launches on the current GPU
        _lay_out[(programs,)](x, out, height, width, channels, columns, SIDE, MARGIN, BLOCK)
    return out


@cache
def available(device: torch.device) -> bool:
    """Whether the kernel can be had on ``device``."""
    return compiles(device, lambda: patches(torch.zeros(1, 1, 1, 1, device=device)))


def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """[n, c, h, w] by filters [o, c, 5, 5], with two zeros around: [n, o, h, w].

    By patches where they pay: in training, since an evaluation has no gradient and large batches.
    """
    n, channels, height, width = x.shape
    few = channels <= FEW and x.dtype == weight.dtype == torch.float32
    learns = torch.is_grad_enabled() and not x.requires_grad
    if not (few and learns and available(x.device)):
        return conv2d(x, weight, padding=MARGIN)
    laid = patches(x)
    filters = weight.flatten(1)
    filters = pad(filters, (0, laid.shape[1] - filters.shape[1]))
    return (laid @ filters.t()).unflatten(0, (n, height, width)).permute(0, 3, 1, 2)
