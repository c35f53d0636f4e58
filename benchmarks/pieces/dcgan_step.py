"""A training step of the DCGAN of configs/dcgan_fashion_mnist.py: plain PyTorch.

The discriminator sees real and generated images in batches of their own, then the generator moves; each with its Adam.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from benchmarks.ddpm import images
from benchmarks.work import Side, Work

CEILING = "convolution"
UNIT = "images"
PAPER = dict(generator=(128, 64), discriminator=(64, 128), latent=100, image=(28, 28, 1), batch=128)
SIZES = {
    "cpu": dict(**PAPER, precision="float32"),
    "gpu": dict(**PAPER, precision="bfloat16"),
    "tiny": dict(generator=(8, 4), discriminator=(4, 8), latent=4, image=(8, 8, 1), batch=4, precision="float32"),
}
RATE, BETAS = 2e-4, (0.5, 0.999)
SLOPE, SPREAD = 0.2, 0.02  # of the leaky ReLU below zero; standard deviation of the first weights


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's step."""
    from benchmarks import ours

    changes = {f"networks.{name}.widths": settings[name] for name in ("generator", "discriminator")}
    changes |= {"method.latent": settings["latent"], "precision": settings["precision"]}
    config = ours.settings("dcgan_fashion_mnist", changes)
    facts = {"shape": settings["image"], "levels": 256}
    return ours.training(config, facts, {"target": images(settings)}, settings["batch"])


def networks(settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """(generator, discriminator) with the same layers as ours; their parameters are as many."""
    from torch import nn

    from benchmarks import peers

    height, width, colours = settings["image"]
    coarse, fine = settings["generator"], settings["discriminator"]
    grid = coarse[0], height >> len(coarse), width >> len(coarse)
    layers = [nn.Linear(settings["latent"], grid[0] * grid[1] * grid[2], bias=False), nn.Unflatten(1, grid)]
    layers += [nn.BatchNorm2d(coarse[0]), nn.ReLU()]
    for before, after in pairwise(coarse):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    generator = nn.Sequential(*layers, nn.ConvTranspose2d(coarse[-1], colours, 4, 2, 1), nn.Tanh())
    layers = [nn.Conv2d(colours, fine[0], 4, 2, 1), nn.LeakyReLU(SLOPE)]
    for before, after in pairwise(fine):
        layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE)]
    last = fine[-1] * (height >> len(fine)) * (width >> len(fine))
    discriminator = nn.Sequential(*layers, nn.Flatten(), nn.Linear(last, 1), nn.Flatten(0))
    for module in (*generator.modules(), *discriminator.modules()):
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, std=SPREAD)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, SPREAD)
    return generator.to(peers.DEVICE), discriminator.to(peers.DEVICE)


def pytorch(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """The loop of PyTorch's DCGAN tutorial; the weights that do not move take no gradient."""
    import torch
    from torch.nn.functional import softplus

    from benchmarks import peers

    generator, discriminator = (network.train() for network in networks(settings))
    generate, discern = (torch.compile(each) if compiled else each for each in (generator, discriminator))
    by_generator, by_discriminator = (
        torch.optim.Adam(network.parameters(), RATE, BETAS, fused=True) for network in (generator, discriminator)
    )
    real = torch.from_numpy(images(settings)).permute(0, 3, 1, 2).contiguous().to(peers.DEVICE)

    def fake() -> torch.Tensor:
        return generate(torch.randn(settings["batch"], settings["latent"], device=peers.DEVICE))

    def of_discriminator() -> torch.Tensor:
        with torch.no_grad():
            made = fake()
        return (softplus(-discern(real).float()) + softplus(discern(made).float())).mean()

    def of_generator() -> torch.Tensor:
        return softplus(-discern(fake()).float()).mean()

    def run() -> None:
        peers.update(by_discriminator, of_discriminator, settings["precision"])
        discriminator.requires_grad_(False)
        peers.update(by_generator, of_generator, settings["precision"])
        discriminator.requires_grad_(True)
        peers.finish()

    count = peers.parameters(generator, discriminator)
    return Work(run, settings["batch"], count, 0.0 if compiled else lambda: peers.counted(run), peers.memory())


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", pytorch, "PyTorch, eager"),
    "compiled": Side("torch", lambda settings: pytorch(settings, compiled=True), "PyTorch, torch.compile"),
}
