"""A training step of the WGAN-GP of configs/wgan_gp_fashion_mnist.py: plain PyTorch, with the same residual networks.

The critic moves on real and generated images and a penalty on its gradient between them, then the generator; each with
its Adam, and the generator with an average of its weights.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from benchmarks.ddpm import images
from benchmarks.work import Side, Work

CEILING = ""  # PyTorch's counter of FLOPs does not pass a gradient of a gradient
UNIT = "images"
PAPER = dict(
    generator=dict(channels=16, multipliers=(4, 2)),
    discriminator=dict(channels=16, multipliers=(1, 2, 4, 4), halvings=2),
    latent=100,
    image=(28, 28, 1),
    batch=64,
)
TINY = dict(
    generator=dict(channels=2, multipliers=(2, 1)),
    discriminator=dict(channels=2, multipliers=(1, 2), halvings=2),
    latent=4,
    image=(8, 8, 1),
    batch=4,
)
SIZES = {
    "cpu": dict(**PAPER, precision="float32"),
    "gpu": dict(**PAPER, precision="bfloat16"),
    "tiny": dict(**TINY, precision="float32"),
}
RATES, BETAS = dict(generator=1e-4, discriminator=3e-4), (0.0, 0.9)
WEIGHT, DECAY, EPSILON = 10.0, 0.999, 2e-5  # of the penalty, of the average, of batch normalisation


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's step."""
    from benchmarks import ours

    sizes = {name: settings[name] for name in ("generator", "discriminator")}
    changes = {f"networks.{name}.{key}": value for name, each in sizes.items() for key, value in each.items()}
    changes |= {"method.latent": settings["latent"], "precision": settings["precision"]}
    config = ours.settings("wgan_gp_fashion_mnist", changes)
    facts = {"shape": settings["image"], "levels": 256}
    return ours.training(config, facts, {"target": images(settings)}, settings["batch"])


def networks(settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """(generator, discriminator) with the same layers as ours; their parameters are as many."""
    import torch
    from torch import nn

    from benchmarks import peers

    def conv(inputs: int, outputs: int) -> nn.Module:
        return nn.Conv2d(inputs, outputs, 3, padding=1)

    class Sum(nn.Module):
        """Of a way and its shortcut."""

        def __init__(self, way: nn.Module, shortcut: nn.Module):
            super().__init__()
            self.way, self.shortcut = way, shortcut

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.way(x) + self.shortcut(x)

    def doubling(inputs: int, outputs: int) -> nn.Module:
        way = nn.Sequential(
            *(nn.BatchNorm2d(inputs, EPSILON), nn.ReLU(), nn.Upsample(scale_factor=2), conv(inputs, outputs)),
            *(nn.BatchNorm2d(outputs, EPSILON), nn.ReLU(), conv(outputs, outputs)),
        )
        return Sum(way, nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2)))

    def judging(inputs: int, outputs: int, halves: bool, first: bool) -> nn.Module:
        half = [nn.AvgPool2d(2)] if halves else []
        begun = [] if first else [nn.ReLU()]
        way = nn.Sequential(*begun, conv(inputs, outputs), nn.ReLU(), conv(outputs, outputs), *half)
        if halves or inputs != outputs:
            return Sum(way, nn.Sequential(*half, nn.Conv2d(inputs, outputs, 1)))
        return Sum(way, nn.Identity())

    class Total(nn.Module):
        """Of each channel."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sum((2, 3))

    height, width, colours = settings["image"]
    of = settings["generator"]
    widths = [of["channels"] * multiplier for multiplier in of["multipliers"]]
    grid = widths[0], height >> len(widths), width >> len(widths)
    layers: list[nn.Module] = [nn.Linear(settings["latent"], grid[0] * grid[1] * grid[2]), nn.Unflatten(1, grid)]
    layers += [doubling(*pair) for pair in pairwise([widths[0], *widths])]
    layers += [nn.BatchNorm2d(widths[-1], EPSILON), nn.ReLU(), conv(widths[-1], colours), nn.Tanh()]
    generator = nn.Sequential(*layers)

    of = settings["discriminator"]
    widths = [of["channels"] * multiplier for multiplier in of["multipliers"]]
    pairs = enumerate(pairwise([colours, *widths]))
    blocks = [judging(*pair, i < of["halvings"], i == 0) for i, pair in pairs]
    discriminator = nn.Sequential(*blocks, nn.ReLU(), Total(), nn.Linear(widths[-1], 1), nn.Flatten(0))
    return generator.to(peers.DEVICE), discriminator.to(peers.DEVICE)


def pytorch(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """The loop that the paper's algorithm 1 describes, with one update of the critic a step."""
    import torch

    from benchmarks import peers

    generator, discriminator = (network.train() for network in networks(settings))
    # torch.compile has no gradient of a gradient: the critic stays as it is.
    generate = torch.compile(generator) if compiled else generator
    by_generator, by_discriminator = (
        torch.optim.Adam(network.parameters(), RATES[name], BETAS, fused=True)
        for name, network in (("generator", generator), ("discriminator", discriminator))
    )
    average = peers.Average(generator, DECAY)
    real = torch.from_numpy(images(settings)).permute(0, 3, 1, 2).contiguous().to(peers.DEVICE)

    def fake() -> torch.Tensor:
        return generate(torch.randn(settings["batch"], settings["latent"], device=peers.DEVICE))

    def of_discriminator() -> torch.Tensor:
        with torch.no_grad():
            made = fake().float()
        share = torch.rand(settings["batch"], 1, 1, 1, device=peers.DEVICE)
        between = (share * real + (1 - share) * made).requires_grad_()
        (slopes,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
        penalty = (slopes.flatten(1).norm(dim=1) - 1) ** 2
        return (discriminator(made) - discriminator(real)).float().mean() + WEIGHT * penalty.mean()

    def of_generator() -> torch.Tensor:
        return -discriminator(fake()).float().mean()

    def run() -> None:
        peers.update(by_discriminator, of_discriminator, settings["precision"])
        discriminator.requires_grad_(False)
        peers.update(by_generator, of_generator, settings["precision"])
        discriminator.requires_grad_(True)
        average.update()
        peers.finish()

    count = peers.parameters(generator, discriminator)
    return Work(run, settings["batch"], count, memory=peers.memory())


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", pytorch, "PyTorch, eager"),
    "compiled": Side(
        "torch", lambda settings: pytorch(settings, compiled=True), "PyTorch, torch.compile but for the critic"
    ),
}
