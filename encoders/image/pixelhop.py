"""PixelHop++: tokens of successive Saab transforms, fitted on training images (Chen 2020).

References: Chen, Rouhsedaghat, You, Rao, Kuo: PixelHop++: A Small
Successive-Subspace-Learning-Based (SSL-based) Model for Image Classification, 2020; Kuo:
Interpretable Convolutional Neural Networks via Feedforward Design, 2019 (Saab). There are no
labels, no gradients and nothing random: a hop splits each channel by the principal components of
its windows, and the energy of a component decides whether it is split again, becomes a feature, or
is dropped. No weights, so no licence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from scipy.linalg import helmert
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, pad, unfold

from encoders.image import Preprocessing
from encoders.image._staged import map_tokens
from encoders.weights import FITTED, state_hash
from kg.bounds import Count, Share, Side
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["PixelHop"]

TOGETHER = 16
"""Images that are fitted on at a time."""


class PixelHop(nn.Module):
    """Features of all hops on the grid of the last one, side by side.

    Its `width`, the number of features, is 0 until it is fitted or restored.
    """

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            weights: `fitted`: there are no others.
            size: Side of the input in pixels, a multiple of 2 to the number of hops.
            hops: Number of Saab transforms, each followed by 2 x 2 max-pooling.
            window: Side of the windows in pixels, odd.
            split: Smallest energy, as a share of that of the images, of a component that the next
                hop splits again.
            keep: Smallest energy of a component that becomes a feature.
            images: Largest number of training images for the fit.
        """

        weights: Literal["fitted"] = FITTED
        size: Side = 128
        hops: int = Field(default=3, ge=1, le=8)
        window: int = Field(default=5, ge=3, le=15)
        split: Share = 0.001
        keep: Share = 0.0001
        images: Count = 100

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options
        smallest = options.size // 2 ** (options.hops - 1)
        if options.size % 2**options.hops or options.window % 2 == 0 or smallest < options.window:
            raise InputError(
                f"pixelhop: size {options.size}, {options.hops} hops and window {options.window} "
                "do not fit",
                "window must be odd, size a multiple of 2 to the number of hops, and the input of "
                "the last hop at least as large as a window",
            )
        self.images = options.images
        self.preprocessing = Preprocessing(options.size, (0.5,), (0.25,))
        self.hops: Any = nn.ModuleList()

    @property
    def width(self) -> int:
        """Number of features."""
        return sum(len(hop.energy) - hop.onward for hop in self.hops)

    @torch.no_grad()
    def fit(self, pixels: Tensor) -> None:
        """Fit all hops, one after the other, on normalised training images `[n, 1, H, W]`.

        Raises:
            InputError: If there is no image.
        """
        if not len(pixels):
            raise InputError(
                "image.encoder pixelhop: the training studies have no image to fit it on",
                "choose another encoder, or other studies (data.require: [image])",
            )
        self.hops = nn.ModuleList()
        energy = torch.ones(1, dtype=torch.double)
        for place in range(1, self.options.hops + 1):
            split = self.options.split if place < self.options.hops else float("inf")
            hop = fitted_hop(pixels, energy, self.options.window, split, self.options.keep)
            self.hops.append(hop)
            if place == self.options.hops:
                break
            pixels = torch.cat(
                [hop(some)[:, : hop.onward] for some in torch.split(pixels, TOGETHER)]
            )
            energy = hop.energy[: hop.onward]

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the state of a fitted encoder, as `state_dict` gives it."""
        names = ("parent", "kernels", "bias", "energy", "further")
        self.hops = nn.ModuleList(
            Hop(*(tensors[f"hops.{place}.{name}"] for name in names))
            for place in range(self.options.hops)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode `pixels` `[B, 1, H, W]` (normalised) into tokens `[B, S, D]`, row by row."""
        if not self.hops:
            raise ValueError("pixelhop is neither fitted nor restored")
        features = []
        for hop in self.hops:
            responses = hop(pixels)
            # without its bias a feature keeps its digits in the half precision of the cache
            features.append((responses - hop.bias[:, None, None])[:, hop.onward :])
            pixels = responses[:, : hop.onward]
        factors = [2**further for further in reversed(range(len(features)))]
        pooled = [
            max_pool2d(one, factor)
            for one, factor in zip(features, factors, strict=True)
            if one.shape[1]
        ]
        return map_tokens(torch.cat(pooled, 1))

    def weights_hash(self) -> str:
        """SHA-256 over what was fitted."""
        return state_hash(self, "pixelhop")

    def trainable(self, last: int) -> tuple[str, ...]:
        """No parameters train.

        Raises:
            InputError: If any were to.
        """
        if last:
            raise InputError(
                "image.encoder pixelhop is fitted once, and has no stages that train",
                "set image.frozen to true",
            )
        return ()


class Hop(nn.Module):
    """A channel-wise Saab transform of `C` channels into `K` components, and 2 x 2 max-pooling.

    Args:
        parent: Channel that each component is of, `[K]`.
        kernels: Window of each component, orthonormal among those of a channel, `[K, 1, w, w]`.
        bias: Added to each component: the largest norm of a window of the channel, so that no
            response to a training image is negative, `[K]`.
        energy: Variance of each component as a share of that of the images, `[K]`.
        further: True where the next hop splits a component, False where it is a feature; the
            former stand first, `[K]`.
    """

    def __init__(
        self, parent: Tensor, kernels: Tensor, bias: Tensor, energy: Tensor, further: Tensor
    ) -> None:
        super().__init__()
        self.parent: Tensor
        self.kernels: Tensor
        self.bias: Tensor
        self.energy: Tensor
        self.further: Tensor
        self.register_buffer("parent", parent)
        self.register_buffer("kernels", kernels)
        self.register_buffer("bias", bias)
        self.register_buffer("energy", energy)
        self.register_buffer("further", further)
        self.onward = int(further.sum())

    def forward(self, maps: Tensor) -> Tensor:
        """Maps `[B, C, h, w]` into responses `[B, K, h / 2, w / 2]`."""
        channels = padded(maps, self.kernels.shape[-1])[:, self.parent]
        return max_pool2d(conv2d(channels, self.kernels, self.bias, groups=len(self.kernels)), 2)


def fitted_hop(maps: Tensor, energy: Tensor, window: int, split: float, keep: float) -> Hop:
    """Fit a hop on maps `[n, C, h, w]` of training images.

    Args:
        maps: The channels that are split.
        energy: Energy of each channel, `[C]`.
        window: Side of a window.
        split: Smallest energy of a component that is split again.
        keep: Smallest energy of a component that is kept.
    """
    kernels, variance, norm = saab(maps, window)
    total = variance.sum(1, keepdim=True).clamp_min(torch.finfo(torch.double).tiny)
    shares = energy[:, None] * variance / total
    kept = shares >= min(keep, split)
    # at least one is kept, and split where there is a next hop, be it of images without contrast
    kept.view(-1)[shares.argmax()] = True
    further = shares >= split
    further.view(-1)[shares.argmax()] = split < float("inf")
    chosen = torch.cat([further.nonzero(), (kept & ~further).nonzero()])
    parent, component = chosen.unbind(1)
    return Hop(
        parent,
        kernels[parent, component].view(-1, 1, window, window).float(),
        norm[parent].float(),
        shares[parent, component],
        further[parent, component],
    )


def saab(maps: Tensor, window: int) -> tuple[Tensor, Tensor, Tensor]:
    """Saab transform of each channel: its mean (DC), and principal components of the rest (AC).

    Args:
        maps: Channels `[n, C, h, w]` of training images.
        window: Side of a window.

    Returns:
        Kernels `[C, w * w, w * w]`, the mean first and then by falling variance; their variances
        `[C, w * w]`; and the largest norm of a window of each channel, `[C]`.
    """
    count, size = 0, window**2
    total = torch.zeros(maps.shape[1], size, dtype=torch.double)
    products = torch.zeros(maps.shape[1], size, size, dtype=torch.double)
    norm = torch.zeros(maps.shape[1], dtype=torch.double)
    for some in torch.split(maps, TOGETHER):
        patches = windows(some, window).double()
        count += patches.shape[0] * patches.shape[3]
        total += patches.sum((0, 3))
        products += (patches @ patches.transpose(2, 3)).sum(0)
        norm = torch.maximum(norm, patches.square().sum(2).amax((0, 2)).sqrt())
    mean = total / count
    covariance = products / count - mean[:, :, None] * mean[:, None]
    ones = torch.full((1, size), size**-0.5, dtype=torch.double)
    rest = torch.from_numpy(helmert(size))  # an orthonormal basis of what has mean 0
    values, vectors = torch.linalg.eigh(rest @ covariance @ rest.T)
    components = (vectors.flip(2).transpose(1, 2) @ rest).contiguous()
    # a component is known up to its sign: its largest entry is made positive
    components = components * components.gather(2, components.abs().argmax(2, keepdim=True)).sign()
    kernels = torch.cat([ones.expand(len(components), 1, size), components], 1)
    of_mean = (ones @ covariance @ ones.T)[:, 0]
    variance = torch.cat([of_mean, values.flip(1)], 1).clamp_min(0)
    return kernels, variance, norm


def windows(maps: Tensor, window: int) -> Tensor:
    """All windows, mirrored at the border: `[n, C, h, w]` to `[n, C, w * w, h * w]`."""
    return unfold(padded(maps, window), window).view(*maps.shape[:2], window**2, -1)


def padded(maps: Tensor, window: int) -> Tensor:
    """Maps with a mirrored border of half a window."""
    return pad(maps, [window // 2] * 4, mode="reflect")
