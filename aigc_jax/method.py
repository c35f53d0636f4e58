"""The contract between a generative family, what its samples are made of, and the trainer.

A family is a function `<family>(learners, ...) -> Method`. The trainer knows nothing else:

    state, metrics = method.step(fold_in(root, i), state, batch(i))

so that a run is a function of its configuration, and step i a function of (seed, i, state).
All functions are pure and traceable. Arrays reach them only as arguments, because an
array captured by a compiled closure becomes a constant of the program.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

Array = jax.Array
Key = jax.Array
PyTree = Any
Rows = Mapping[str, Array]  # examples as a data set stores them: field -> [B, ...]
Given = Mapping[str, Array]  # what a target is generated from: field -> [B, ...]
Frozen = Mapping[str, PyTree]  # variables of networks that are read and never updated, by name

KNOWN = "known"  # in `Given`, beside the data's own fields: a part of the target itself
UNLIKE = "unlike_"  # in `Given`, before a field's name: what a sample is to be unlike


class Batch(struct.PyTreeNode):
    """Examples as a family sees them; the leading axis of every array counts them."""

    target: Array  # what is generated: images, tokens, latents, waves
    given: Given  # what it is generated from: labels, texts, images; {} = nothing


class State(struct.PyTreeNode):
    """All that training changes, and the frozen arrays that it reads."""

    step: Array  # int32 scalar: steps taken, counted by the trainer
    params: Mapping[str, PyTree]  # networks trained by gradient, by name
    opt_state: Mapping[str, PyTree]  # one optax state per trained network
    ema: Mapping[str, PyTree]  # averages of weights: a network's name for the one to use; {} = none
    extra: Mapping[str, PyTree]  # moved by rule: batch statistics, codebooks, image pools
    frozen: Frozen  # pretrained networks: the trainer puts them here for the length of a call, and saves them nowhere

    def weights(self, network: str) -> PyTree:
        """The weights to sample and evaluate with: the average where there is one."""
        return self.ema[network] if network in self.ema else self.params[network]


class PerExample(struct.PyTreeNode):
    """A quantity measured on each example of a batch; its mean is sum(total) / sum(weight).

    The trainer drops the rows that only pad the last batch, and adds up the rest.
    """

    total: Array  # float32 [B]
    weight: Array  # float32 [B]

    @classmethod
    def of(cls, values: Array) -> "PerExample":
        """One value an example, all of equal weight. values: [B]."""
        return cls(values.astype(jnp.float32), jnp.ones(values.shape, jnp.float32))


def unplanned() -> PyTree:
    """The plan of a method whose sampling has no settings."""
    return {}


def healthy(measures: Mapping[str, float]) -> Sequence[str]:
    """The diagnosis of a method that knows of no failure."""
    return ()


class Method(NamedTuple):
    """A generative family with its networks, optimizers and settings bound."""

    init: Callable[[Key, Batch, Frozen], State]
    """(key, batch, frozen) -> State. Only the batch's shapes and dtypes are read."""

    step: Callable[[Key, State, Batch], tuple[State, Mapping[str, Array]]]
    """(key, state, batch) -> (State, metrics): one update of every network. Metrics are scalars.

    The trainer takes the step when all of them are finite. `Learner.move` gives each network's gradient norm, as
    <network>_gradient, among them; an update by other means has to give one too.
    """

    evaluate: Callable[[Key, State, Batch], Mapping[str, PerExample]]
    """(key, state, batch) -> measures, with the averaged weights, nothing updated."""

    sample: Callable[[Array, State, Given, PyTree], Array] | None = None
    """(keys [n], state, given, plan) -> n samples as `Batch.target` has them. None: it generates nothing.

    A sample depends on its own key and on its own row of `given`, and on no other: neither the batch that it is drawn
    in nor its place there matters.
    """

    plan: Callable[..., PyTree] = unplanned
    """Settings of sampling -> arrays, such as temperatures or a table of steps: one program samples with any of them.

    The settings are the family's keys of the section `sample`.
    """

    reads: tuple[str, ...] = ()
    """The names in `given` that sampling makes use of. KNOWN: it goes on from a part of the target."""

    parts: Mapping[str, Callable] = {}
    """What a model is made of, by name, for editing, distillation and serving.

    walk: (key, state, n, given) -> n samples on a way from one random latent to another.
    """

    targets: tuple[str, ...] = ()
    """The fields that one state generates, whichever is the data's target; () = the one that it was trained on."""

    diagnose: Callable[[Mapping[str, float]], Sequence[str]] = healthy
    """What the means of `evaluate` say is wrong with training, each as a line with what to try; on the host.

    Measures may be missing. A failure is always told in the same words, by which the trainer knows it again: it prints
    a line once in a run, after some hundred steps, where two evaluations in a row gave it or the only one there is.
    """


class Codec(NamedTuple):
    """How a target is written for the network: as itself, as tokens, as latents of a trained network."""

    facts: Mapping[str, Any]  # of the encoded target: what networks and methods are filled from
    encode: Callable[[Key, Frozen, Array], Array]  # (key, frozen, target) -> the encoded target, [B, ...] both
    decode: Callable[[Frozen, Array], Array]  # (frozen, encoded) -> target
    look: Callable[[Frozen, Array], PyTree] | None = None
    """(frozen, target) -> what `encode` computes before it draws, arrays [B, ...].

    With it the trainer looks at each training example once, where nothing changes these, and keeps what was found.
    """
    draw: Callable[[Key, PyTree], Array] | None = None
    """(key, what `look` gave) -> what `encode` gives for this key."""
