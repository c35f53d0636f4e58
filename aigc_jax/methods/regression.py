"""Regression: the one image that is nearest to what could be, from a given one.

    L = E |x - f(y)|    or    E (x - f(y))²,    means over values

f is a network of `methods.diffusion` without noise, at x = 0 and time 0: all it sees is what is given, y. By squares it
learns E[x | y], the mean of all images that y could come from. That is also what a denoiser gives where noise has
drowned x, and what diffusion from y has to be held against: nothing has a smaller squared error, and where y does not
decide x, it is blurred (Saharia et al. 2021, arXiv:2104.07636, section 4; Blau & Michaeli 2018, arXiv:1711.06077).
"""

from collections.abc import Mapping
from typing import Any, Literal

import jax.numpy as jnp

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops.batch import per_example
from aigc_jax.ops.enlarge import enlarged, fits
from aigc_jax.ranges import Count, Size

NETWORKS = ("net",)
DISTANCES = {"l1": jnp.abs, "mse": jnp.square}


def regression(
    learners: Mapping[str, Learner],
    /,
    *,
    loss: Literal["l1", "mse"],
    base: str = "",
    shape: tuple[Size, ...],
    levels: Count,
) -> Method:
    """The method for images, and for whatever else has this shape.

    learners: "net" maps (x [B, *shape], t float [B], given, None, train) to float32 [B, *shape]; its field `reads`
    names what of `given` it sees.
    loss: l1 = the mean of |.|, mse = that of squares. base: the given field of images that outputs are added to,
    enlarged where they are smaller; "" = none. levels: that a value of the data has; 0 = results are not clipped.
    """
    net = learners["net"]
    reads: tuple[str, ...] = getattr(net.module, "reads", ())
    if not reads:
        raise ConfigError(
            '"method.name" is "regression", and the network reads nothing that is given: set '
            "--config.networks.net.image to a given field of images."
        )
    used = tuple(dict.fromkeys((*reads, *((base,) if base else ()))))

    def inputs(given: Given) -> tuple[Any, ...]:
        rows = len(next(iter(given.values())))
        seen = {name: given[name] for name in reads if name in given}
        return jnp.zeros((rows, *shape)), jnp.zeros(rows), seen, None

    def onto(output: Array, given: Given) -> Array:
        """f: the network's output on its base."""
        return output + enlarged(given[base], (shape[0], shape[1])) if base else output

    def losses(
        params: PyTree, extra: PyTree, key: Key, batch: Batch
    ) -> tuple[Array, tuple[PyTree, Mapping[str, Array]]]:
        output, extra = net.apply(params, extra, *inputs(batch.given), train=True, key=key)
        found = per_example(jnp.mean, DISTANCES[loss](onto(output, batch.given) - batch.target))
        return found, (extra, {loss: jnp.mean(found)})

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        _check_base(base, batch.given, shape)
        variables = net.init(key, *inputs(batch.given), train=False)
        return initial_state({"net": (net, variables)}, frozen)

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        return net.update(key, state, losses, batch)

    def predicted(state: State, given: Given) -> Array:
        """float32 [n, *shape]."""
        found = onto(net.predict(state, *inputs(given), train=False), given)
        return jnp.clip(found, -1, 1) if levels else found

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """Both distances of what is predicted, in values of -1 … 1: l1 and mse."""
        off = predicted(state, batch.given) - batch.target
        return {name: PerExample.of(per_example(jnp.mean, each(off))) for name, each in DISTANCES.items()}

    def sample(keys: Array, state: State, given: Given, plan: PyTree) -> Array:
        """The prediction from each of `given`, whatever the key."""
        return predicted(state, given)

    return Method(init, step, evaluate, sample, reads=used)


def _check_base(base: str, given: Given, shape: tuple[int, ...]) -> None:
    """Raises ConfigError where outputs cannot be added to it."""
    if not base:
        return
    there = ", ".join(given) or "nothing"
    if base not in given:
        raise ConfigError(f'"method.base" is "{base}", and given is {there}: name one of these, or set it to "".')
    size = given[base].shape[1:]
    if len(size) != len(shape) or not fits(size, shape) or size[-1] not in (1, shape[-1]):
        raise ConfigError(
            f'"method.base" is "{base}" of {list(size)}, which cannot be enlarged to {list(shape)}: set it to "".'
        )
