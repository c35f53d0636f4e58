"""Another library of JAX for generative models, dewml, with its own network, trainer and sampler.

Its U-Net, with the widths of configs/ddpm_cifar.py and a residual block more a level, which brings it to 36.5 million
parameters beside our 35.7. What differs besides: blocks keep the width of the level above on the way down; no dropout;
attention after a level's last block alone, and at the coarsest level too, since the middle has what that has; the time
embedding is of random Fourier features; the loss is weighted by time; DDIM does not clip the predicted image.

flaxdiff 0.2.11, dewml's parent, is not here: the step of its DiffusionTrainer slices by a number that is known only
when it runs, which JAX 0.10.2 refuses. Its GeneralDiffusionTrainer was not tried.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import ddpm
from benchmarks.in_jax import count, peak
from benchmarks.work import Work


def optimizer() -> optax.GradientTransformation:
    """Gradients clipped by their global norm, then Adam."""
    return optax.chain(optax.clip_by_global_norm(ddpm.CLIP), optax.adam(ddpm.RATE))


def unet(settings: Mapping[str, Any], attention: Any) -> dict[str, Any]:
    """The fields of its network. attention: what a level has that has any."""
    height, _, colours = settings["image"]
    levels = len(settings["multipliers"])
    attends = [height >> level in settings["attention"] for level in range(levels)]
    attends[-1] = True
    return dict(
        output_channels=colours,
        emb_features=4 * settings["channels"],
        feature_depths=tuple(settings["channels"] * m for m in settings["multipliers"]),
        attention_configs=tuple(attention if a else None for a in attends),
        num_res_blocks=settings["blocks"] + 1,
        norm_groups=32,
        dtype=jnp.dtype(settings["precision"]),
    )


class Dewml:
    """The package dewml: its network, its process and its trainer."""

    def __init__(self, settings: Mapping[str, Any]):
        from dew import Field, InputSpec, Trainer
        from dew.diffusion.process import Process
        from dew.diffusion.schedules.linear import LinearNoiseScheduler
        from dew.diffusion.transforms import EpsilonPredictionTransform
        from dew.nn.attention import Stage
        from dew.nn.backbones import Unet
        from dew.objectives.diffusion import DiffusionObjective

        self.network = Unet(**unet(settings, Stage(heads=1)))
        self.process = Process(LinearNoiseScheduler(ddpm.TIMESTEPS), EpsilonPredictionTransform())
        field = InputSpec(Field("image", settings["image"]))
        objective = DiffusionObjective(self.network, self.process, field, unconditional_prob=0.0, ema_decay=ddpm.DECAY)
        self.trainer = Trainer(objective, optimizer(), key=jax.random.key(0))
        self.state = self.trainer.place()[0]
        self.parameters = count(self.state.variables["params"])


def dewml_step(settings: Mapping[str, Any]) -> Work:
    """The step that its trainer compiles."""
    of, batch = Dewml(settings), {"image": jnp.asarray(ddpm.images(settings))}
    step = of.trainer.compile(of.state, batch)
    held = [of.state]

    def run() -> None:
        held[0], loss, *_ = step(held[0], batch)
        jax.block_until_ready((held, loss))

    return Work(run, settings["batch"], of.parameters, memory=peak())


def dewml_sampling(settings: Mapping[str, Any]) -> Work:
    """Its DDIM, compiled as a whole."""
    from dew import sample
    from dew.sampling.solvers.gaussian import DDIM

    of = Dewml(settings)
    shape = settings["batch"], *settings["image"]

    @jax.jit
    def draw(variables: Any, key: jax.Array) -> jax.Array:
        denoise = of.process.denoiser(of.network, variables, conditions={})
        return sample(denoise, of.process.noise(key, shape), settings["steps"], solver=DDIM(), key=key)

    def run() -> None:
        assert np.asarray(draw(of.state.averaged, jax.random.key(1))).shape == shape

    return Work(run, settings["batch"], of.parameters, memory=peak())
