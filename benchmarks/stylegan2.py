"""StyleGAN2 in PyTorch with the layers of aigc_jax/nn/stylegan2.py, from the papers' equations (arXiv:1912.04958).

Styles scale the inputs and outputs of convolutions, as the authors train it, and not the weights of a convolution in
groups, one an example. Filters are convolutions channel by channel; to twice the resolution they are transposed.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE, GROUP, SLOW, KEPT = 0.2, 4, 0.01, 0.995
EPSILON = 1e-8


def activate(x: Tensor) -> Tensor:
    """The leaky ReLU times sqrt(2)."""
    return math.sqrt(2) * F.leaky_relu(x, SLOPE)


def widths(settings: Mapping[str, Any]) -> list[int]:
    """Channels of the grids, the finest first."""
    return [min(settings["channels"] * 2**i, settings["most"]) for i in range(settings["halvings"] + 1)]


class Filter(nn.Module):
    """[1, 3, 3, 1] / 8 along both axes."""

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("square", line[:, None] * line)

    def taps(self, x: Tensor) -> Tensor:
        return self.square.to(x.dtype).expand(x.shape[1], 1, 4, 4)

    def forward(self, x: Tensor, border: int, stride: int = 1) -> Tensor:
        return F.conv2d(x, self.taps(x), padding=border, stride=stride, groups=x.shape[1])

    def up(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, 4 * self.taps(x), padding=1, stride=2, groups=x.shape[1])


class Dense(nn.Module):
    """Equalised; multiplier: of the learning rate."""

    def __init__(self, inputs: int, features: int, bias: float = 0.0, multiplier: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, inputs) / multiplier)
        self.bias = nn.Parameter(torch.full((features,), bias / multiplier))
        self.multiplier, self.scale = multiplier, multiplier / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.multiplier)


class Conv(nn.Module):
    """Equalised, 1x1 or 3x3, and to half the resolution."""

    def __init__(self, inputs: int, features: int, size: int = 3, half: bool = False, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(features)) if bias else None
        self.size, self.filter, self.scale = size, Filter() if half else None, 1 / math.sqrt(size * size * inputs)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.scale
        if self.filter is None:
            return F.conv2d(x, weight, self.bias, padding=self.size // 2)
        if self.size == 1:
            return F.conv2d(self.filter(x, 1, stride=2), weight, self.bias)
        return F.conv2d(self.filter(x, 2), weight, self.bias, stride=2)


class Modulated(nn.Module):
    """Eq. 1 and 3, 1x1 or 3x3, and to twice the resolution."""

    def __init__(self, inputs: int, features: int, width: int, size: int = 3, twice: bool = False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, inputs, size, size))
        self.style = Dense(width, inputs, bias=1.0)
        self.size, self.filter, self.scale = size, Filter() if twice else None, 1 / math.sqrt(size * size * inputs)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scales, weight = self.style(style), self.weight * self.scale
        x = x * scales[:, :, None, None].to(x.dtype)
        if self.filter is None:
            y = F.conv2d(x, weight, padding=self.size // 2)
        else:
            y = 4 * self.filter(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), 1)
        if self.size == 1:  # to colours
            return y
        norms = torch.rsqrt(scales.float() ** 2 @ (weight**2).sum((2, 3)).T + EPSILON)
        return y * norms[:, :, None, None].to(y.dtype)


class Layer(nn.Module):
    """A modulated convolution, noise, a bias and the activation."""

    def __init__(self, inputs: int, features: int, width: int, twice: bool):
        super().__init__()
        self.conv = Modulated(inputs, features, width, twice=twice)
        self.noise, self.bias = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(features, 1, 1))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        x = self.conv(x, style)
        noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device)
        return activate(x + (self.noise * noise + self.bias).to(x.dtype))


class Generator(nn.Module):
    """Mapping network and synthesis; `style` and `render` are its halves."""

    def __init__(self, settings: Mapping[str, Any]):
        super().__init__()
        height, across, colours = settings["image"]
        width, (coarsest, *finer) = settings["width"], widths(settings)[::-1]
        self.mapping = nn.ModuleList(Dense(width, width, multiplier=SLOW) for _ in range(settings["depth"]))
        grid = coarsest, height >> settings["halvings"], across >> settings["halvings"]
        self.constant = nn.Parameter(torch.randn(grid))
        self.layers = nn.ModuleList([Layer(coarsest, coarsest, width, False)])
        self.colours = nn.ModuleList([Modulated(coarsest, colours, width, 1)])
        before = coarsest
        for features in finer:
            self.layers.extend([Layer(before, features, width, True), Layer(features, features, width, False)])
            self.colours.append(Modulated(features, colours, width, 1))
            before = features
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(colours, 1, 1)) for _ in self.colours)
        self.filter = Filter()
        self.register_buffer("mean", torch.zeros(width))

    def style(self, z: Tensor) -> Tensor:
        x = z * torch.rsqrt((z**2).mean(1, keepdim=True) + EPSILON)
        for layer in self.mapping:
            x = activate(layer(x))
        return x.float()

    def render(self, w: Tensor) -> Tensor:
        """w: [B, L, width]"""
        x = self.layers[0](self.constant.expand(len(w), -1, -1, -1), w[:, 0])
        image = self.colours[0](x, w[:, 1]).float() + self.biases[0]
        for i in range(1, len(self.colours)):
            x = self.layers[2 * i - 1](x, w[:, 2 * i - 1])
            x = self.layers[2 * i](x, w[:, 2 * i])
            own = self.colours[i](x, w[:, 2 * i + 1]).float() + self.biases[i]
            image = self.filter.up(image) + own
        return image

    def forward(self, z: Tensor, other: Tensor, mixed: Tensor) -> Tensor:
        """In training: the mean of w moves, and layers for which `mixed` [B, L] is true have the style of `other`."""
        w = self.style(z)
        with torch.no_grad():
            self.mean.lerp_(w.mean(0), 1 - KEPT)
        return self.render(torch.where(mixed[:, :, None], self.style(other)[:, None], w[:, None]))


class Discriminator(nn.Module):
    """Residual."""

    def __init__(self, settings: Mapping[str, Any]):
        super().__init__()
        height, across, colours = settings["image"]
        finest, *coarser = widths(settings)
        self.image, before = Conv(colours, finest, 1), finest
        self.layers, self.halves, self.shortcuts = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for features in coarser:
            self.layers.append(Conv(before, before))
            self.halves.append(Conv(before, features, half=True))
            self.shortcuts.append(Conv(before, features, 1, half=True, bias=False))
            before = features
        grid = (height >> settings["halvings"]) * (across >> settings["halvings"])
        self.last, self.features, self.logit = Conv(before + 1, before), Dense(before * grid, before), Dense(before, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = activate(self.image(images))
        for layer, half, shortcut in zip(self.layers, self.halves, self.shortcuts, strict=True):
            x = (activate(half(activate(layer(x)))) + shortcut(x)) / math.sqrt(2)
        groups = x.float().reshape(-1, GROUP, *x.shape[1:])
        deviation = torch.sqrt(groups.var(1, correction=0) + EPSILON).mean((1, 2, 3)).repeat_interleave(GROUP)
        channel = deviation[:, None, None, None].to(x.dtype).expand(-1, 1, *x.shape[2:])
        x = activate(self.last(torch.cat([x, channel], 1)))
        return self.logit(activate(self.features(x.flatten(1))))[:, 0].float()
