"""The contract between a generative family and the trainer.

A family is a function `<family>(learners, ...) -> Method`. The trainer knows nothing else:

    state, metrics = method.step(fold_in(root, i), state, batch(i))

so that a run is a function of its configuration, and step i a function of (seed, i, state).
All four functions are pure and traceable. Arrays reach them only as arguments, because an
array captured by a compiled closure becomes a constant of the program.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

Array = jax.Array
Key = jax.Array
PyTree = Any
Batch = Mapping[str, Array]  # leading axis: examples


class State(struct.PyTreeNode):
    """All that training changes, and the frozen arrays that it reads."""

    step: Array  # int32 scalar: steps taken, counted by the trainer
    params: Mapping[str, PyTree]  # networks trained by gradient, by name
    opt_state: Mapping[str, PyTree]  # one optax state per trained network
    ema: Mapping[str, PyTree]  # averages of weights: a network's name for the one to use; {} = none
    extra: Mapping[str, PyTree]  # moved by rule: batch statistics, codebooks, image pools
    frozen: Mapping[str, PyTree]  # never updated, never saved: pretrained networks

    def weights(self, network: str) -> PyTree:
        """The weights to sample and evaluate with: the average where there is one."""
        return self.ema[network] if network in self.ema else self.params[network]


class Measure(struct.PyTreeNode):
    """A quantity measured on each example of a batch; its mean is sum(total) / sum(weight).

    The trainer drops the rows that only pad the last batch, and adds up the rest.
    """

    total: Array  # float32 [B]
    weight: Array  # float32 [B]

    @classmethod
    def of(cls, values: Array) -> "Measure":
        """One value an example, all of equal weight. values: [B]."""
        return cls(values.astype(jnp.float32), jnp.ones(values.shape, jnp.float32))


class Method(NamedTuple):
    """A generative family with its networks, optimizers and settings bound."""

    init: Callable[[Key, Batch, Mapping[str, PyTree]], State]
    """(key, batch, frozen) -> State. Only the batch's shapes and dtypes are read."""

    step: Callable[[Key, State, Batch], tuple[State, Mapping[str, Array]]]
    """(key, state, batch) -> (State, metrics): one update of every network. Metrics are scalars.

    The trainer takes the step when all of them are finite. `Learner.update` gives each network's gradient norm, as
    <network>_gradient, among them; an update by other means has to give one too.
    """

    evaluate: Callable[[Key, State, Batch], Mapping[str, Measure]]
    """(key, state, batch) -> measures, with the averaged weights, nothing updated."""

    sample: Callable[[Key, State, int, Any], PyTree] | None
    """(key, state, n, condition) -> n samples in the units of a prepared batch. None: it generates nothing.

    `condition` is None or a pytree of arrays whose leading axis is n: labels, prompts, images.
    """

    walk: Callable[[Key, State, int], PyTree] | None = None
    """(key, state, n) -> n samples on a way from one random latent to another. None: it has none to walk through."""
