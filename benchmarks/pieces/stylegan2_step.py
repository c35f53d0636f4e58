"""Training steps of StyleGAN2 with its penalties at their intervals: plain PyTorch.

A run is 16 steps: of the discriminator and of the generator, with R1 in one of them, path length in two, Adam, and the
average of the generator's weights.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.ddpm import images
from benchmarks.work import Side, Work

CEILING = ""  # PyTorch's counter of FLOPs does not pass a gradient of a gradient
UNIT = "images"
SMALL = dict(image=(64, 64, 3), channels=16, most=128, halvings=4, width=128, depth=2)
SIZES = {
    "cpu": dict(**SMALL, batch=32, precision="float32"),
    "gpu": dict(**SMALL | dict(channels=64, most=512, width=512), batch=64, precision="bfloat16"),
    "tiny": dict(image=(8, 8, 1), channels=2, most=4, halvings=1, width=4, depth=1, batch=4, precision="float32"),
}
STEPS = 16  # of a run: the interval of R1
R1, PATH_LENGTH, PATH_LENGTH_EVERY, MIXING = 0.01, 2.0, 8, 0.9
RATE, B2, DECAY = 0.0025, 0.99, 0.999
NETWORK = ("channels", "most", "halvings")


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's steps, a call each."""
    from benchmarks import ours

    changes = {f"networks.{name}.{key}": settings[key] for name in ("generator", "discriminator") for key in NETWORK}
    changes |= {f"networks.generator.{key}": settings[key] for key in ("width", "depth")}
    changes |= {"networks.generator.mixing": MIXING, "method.latent": settings["width"]}
    changes |= {"method.r1": R1, "method.penalty_every": STEPS}
    changes |= {"method.path_length": PATH_LENGTH, "method.path_length_every": PATH_LENGTH_EVERY}
    changes |= {"precision": settings["precision"], "train.steps_per_call": 1}
    config = ours.settings("stylegan2_fashion_mnist", changes)
    facts = {"shape": settings["image"], "levels": 256}
    step = ours.training(config, facts, {"target": images(settings)}, settings["batch"])

    def run() -> None:
        for _ in range(STEPS):
            step.run()

    return step._replace(run=run, items=STEPS * step.items)


def pytorch(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """The same steps; penalties take gradients of gradients, which torch.compile does not: those parts are eager."""
    import math

    import torch
    from torch.nn.functional import softplus

    from benchmarks import peers
    from benchmarks.stylegan2 import Discriminator, Generator

    generator, discriminator = (kind(settings).to(peers.DEVICE) for kind in (Generator, Discriminator))
    generate, discern = (torch.compile(each) if compiled else each for each in (generator, discriminator))

    def adam(network: torch.nn.Module, every: int) -> torch.optim.Optimizer:
        share = every / (every + 1)
        return torch.optim.Adam(network.parameters(), RATE * share, (0.0, B2**share), fused=True)

    by_generator, by_discriminator = adam(generator, PATH_LENGTH_EVERY), adam(discriminator, STEPS)
    average = peers.Average(generator, DECAY)
    real = torch.from_numpy(images(settings)).permute(0, 3, 1, 2).contiguous().to(peers.DEVICE)
    rows, layers = settings["batch"], 2 * settings["halvings"] + 2
    mean = torch.zeros((), device=peers.DEVICE)

    def noise() -> torch.Tensor:
        return torch.randn(rows, settings["width"], device=peers.DEVICE)

    def fake() -> torch.Tensor:
        first = torch.randint(1, layers, (rows, 1), device=peers.DEVICE)
        second = torch.rand(rows, 1, device=peers.DEVICE) < MIXING
        return generate(noise(), noise(), second & (torch.arange(layers, device=peers.DEVICE) >= first))

    def of_discriminator(penalised: bool) -> torch.Tensor:
        with torch.no_grad():
            made = fake()
        loss = (softplus(-discern(real)) + softplus(discern(made))).mean()
        if not penalised:
            return loss
        given = real.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(discriminator(given).sum(), given, create_graph=True)
        return loss + STEPS * R1 * 0.5 * (slopes**2).sum((1, 2, 3)).mean()

    def of_generator(penalised: bool) -> torch.Tensor:
        loss = softplus(-discern(fake())).mean()
        if not penalised:
            return loss
        w = generator.style(noise())[:, None].repeat(1, layers, 1)
        made = generator.render(w)
        y = torch.randn_like(made) / math.sqrt(made.shape[2] * made.shape[3])
        (slopes,) = torch.autograd.grad((made * y).sum(), w, create_graph=True)
        lengths = (slopes**2).sum(2).mean(1).sqrt()
        penalty = ((lengths - mean) ** 2).mean()
        mean.lerp_(lengths.detach().mean(), 0.01)
        return loss + PATH_LENGTH_EVERY * PATH_LENGTH * penalty

    def run() -> None:
        for i in range(STEPS):
            peers.update(by_discriminator, lambda i=i: of_discriminator(i == 0), settings["precision"])
            discriminator.requires_grad_(False)
            peers.update(by_generator, lambda i=i: of_generator(i % PATH_LENGTH_EVERY == 0), settings["precision"])
            discriminator.requires_grad_(True)
            average.update()
        peers.finish()

    count = peers.parameters(generator, discriminator)
    return Work(run, STEPS * rows, count, memory=peers.memory())


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", pytorch, "PyTorch, eager"),
    "compiled": Side("torch", lambda settings: pytorch(settings, compiled=True), "PyTorch, torch.compile"),
}
