"""How one network learns: gradient, accumulation, optimizer and moving average.

Every family is built from learners: one for a VAE, two for a GAN. A family gives the loss;
the rest of an update is the same for all and stands here.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import traverse_util

from aigc_jax.errors import ConfigError, Unfit
from aigc_jax.method import Array, Key, Method, PyTree, State
from aigc_jax.ops import averages
from aigc_jax.ops import batch as whole

Loss = Callable[[PyTree, PyTree, Key, Any], tuple[Array, tuple[PyTree, Mapping[str, Array]]]]
"""(params, extra, key, batch) -> (losses [B], (extra, metrics)); metrics are scalars."""


MOVES, STAYS = "moves", "stays"  # of weights, where not all are trained

Decay = Callable[[Array], Array]
"""Steps taken (int32) -> the share of an average that the next step leaves as it was."""


def ema(decay: float, warmup: bool) -> Decay:
    """An exponential average; warmup: over about a tenth of the run so far while that is shorter."""

    def at(step: Array) -> Array:
        return jnp.minimum(decay, (1 + step) / (10 + step)) if warmup else jnp.float32(decay)

    return at


def power(width: float) -> Decay:
    """A power-function average of a relative width (`ops.averages`): the first step leaves nothing of the start."""
    return functools.partial(averages.decay, averages.gamma_of(width))


class Gradient(NamedTuple):
    """What a loss gives of one network, the means over the batch of all devices."""

    grads: PyTree  # as the network's params
    extra: PyTree  # the network's other collections after the loss's passes
    metrics: Mapping[str, Array]  # the loss's own, scalars


class Adapter(NamedTuple):
    """A few numbers that are trained in place of a network's weights, which stay as they are (see `adapters`)."""

    base: PyTree  # shapes of the weights that it adapts
    init: Callable[[Key], PyTree]  # the numbers to train, under which the network is the base's
    merge: Callable[[PyTree, PyTree], PyTree]  # (those numbers, what is kept of the base's) -> the network's weights
    kept: Callable[[PyTree], PyTree] = lambda base: base  # the base's weights -> what is kept of them while training


class Learner(NamedTuple):
    """A network, and how its weights move."""

    name: str  # the key of this network in params, opt_state, ema and extra
    module: nn.Module
    tx: optax.GradientTransformation
    averages: Mapping[str, Decay]  # the averaged copies of the weights: key in State.ema -> decay
    accumulate: int  # parts of a batch whose gradients are added up before an update
    trainable: str = ""  # a pattern searched in the paths of weights: these move, the others stay; "" = all move
    adapter: Adapter | None = None  # what is trained in place of the weights
    fresh: str = ""  # a pattern searched in the paths of weights: these do not start from others; "" = none

    @property
    def start(self) -> str:
        """The key in State.frozen of the variables to start from, which an adapter merges with."""
        return f"networks.{self.name}.start"

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """`tx`, without a state for weights that stay."""
        if not self.trainable:
            return self.tx
        return optax.partition({MOVES: self.tx, STAYS: optax.set_to_zero()}, self._labels)

    def _labels(self, params: PyTree) -> PyTree:
        def label(path: Any, _: Any) -> str:
            return MOVES if re.search(self.trainable, jax.tree_util.keystr(path, simple=True, separator="/")) else STAYS

        return jax.tree_util.tree_map_with_path(label, params)

    def init(self, key: Key, *inputs: Any, **options: Any) -> tuple[PyTree, PyTree]:
        """(params, extra) for inputs of these shapes; extra holds the other collections. With an adapter: its params.

        Raises ConfigError where the network does not fit them, by the key of the field that decides.
        """
        params_key, dropout_key = jax.random.split(key)
        try:
            variables = dict(self.module.init({"params": params_key, "dropout": dropout_key}, *inputs, **options))
        except Unfit as error:
            where = f"networks.{self.name}.{error.field}"
            raise ConfigError(f'"{where}" is {error.value!r}, and {error.why}: set --config.{where}=…') from error
        params = variables.pop("params")
        if self.adapter:
            check_fits(params, self.adapter.base, self.start)
            params = self.adapter.init(params_key)
        if self.trainable and MOVES not in jax.tree.leaves(self._labels(params)):
            where, paths = f"optimizers.{self.name}.trainable", ", ".join(traverse_util.flatten_dict(params, sep="/"))
            raise ConfigError(f'"{where}" is {self.trainable!r}, and is in no path of a weight: {paths}.')
        return params, variables

    def of(self, state: State) -> tuple[PyTree, PyTree]:
        """(weights, extra) of this network in a state, not averaged: what `apply` takes."""
        return self._merged(state.params[self.name], state), state.extra.get(self.name, {})

    def _merged(self, params: PyTree, state: State) -> PyTree:
        """The module's weights. A state without the base's has them already: see `merged`."""
        if self.adapter is None or self.start not in state.frozen:
            return params
        return self.adapter.merge(params, state.frozen[self.start]["params"])

    def merged(self, state: State) -> State:
        """The state with an adapter merged, for any number of calls of `predict`."""
        return self._with_weights(state, self._merged(state.weights(self.name), state))

    def _with_weights(self, state: State, weights: PyTree) -> State:
        """The state to predict with these weights."""
        field = "ema" if self.name in state.ema else "params"
        frozen = {name: tree for name, tree in state.frozen.items() if name != self.start}
        return state.replace(**{field: {**getattr(state, field), self.name: weights}, "frozen": frozen})

    def apply(
        self, params: PyTree, extra: PyTree, *inputs: Any, key: Key | None = None, **options: Any
    ) -> tuple[Any, PyTree]:
        """(output, extra after the call). key: for dropout, where there is any."""
        rngs = None if key is None else {"dropout": key}
        variables = {"params": params, **extra}
        output, changed = self.module.apply(variables, *inputs, rngs=rngs, mutable=list(extra), **options)
        return output, {**extra, **changed}

    def settled(self, state: State) -> State:
        """The state to sample with many calls of `predict`: weights of two or more axes are in the network's dtype.

        Every call would convert them again, and compilers do not take that out of a loop. Biases and scales stay
        float32. Predictions are the same to the last bit. An adapter is merged.
        """
        dtype = getattr(self.module, "dtype", jnp.float32)
        merged = self._merged(state.weights(self.name), state)
        return self._with_weights(state, jax.tree.map(lambda x: x.astype(dtype) if x.ndim > 1 else x, merged))

    def predict(self, state: State, *inputs: Any, **options: Any) -> Any:
        """The output with the averaged weights, nothing changed: for evaluating and sampling."""
        variables = {"params": self._merged(state.weights(self.name), state), **state.extra.get(self.name, {})}
        return self.module.apply(variables, *inputs, **options)

    def update(self, key: Key, state: State, loss: Loss, batch: Any) -> tuple[State, Mapping[str, Array]]:
        """One optimizer step on the mean of `loss` over the batch; nothing but this network moves.

        batch: a pytree of arrays whose leading axis counts examples.
        Returns the state and the loss's metrics with the gradient's global norm beside them.
        """
        found = self.gradient(key, state, loss, batch)
        state, norm = self.move(state, found)
        return state, {**found.metrics, **norm}

    def gradient(self, key: Key, state: State, loss: Loss, batch: Any) -> "Gradient":
        """The gradient of the mean of `loss` over the batch, and what else its passes give; nothing moves."""
        params, extra = state.params[self.name], state.extra.get(self.name, {})

        def mean_loss(params: PyTree, extra: PyTree, key: Key, part: Any) -> tuple:
            if self.trainable:
                still = jax.lax.stop_gradient
                params = jax.tree.map(lambda x, label: x if label == MOVES else still(x), params, self._labels(params))
            losses, aux = loss(self._merged(params, state), extra, key, part)
            return jnp.mean(losses), aux

        gradient = jax.grad(mean_loss, has_aux=True)
        if self.accumulate == 1:
            grads, (extra, metrics) = gradient(params, extra, key, batch)
            return Gradient(whole.mean(grads), extra, whole.mean(metrics))

        def add(carry: tuple, part: tuple) -> tuple:
            total, extra = carry
            part_key, rows = part
            grads, (extra, metrics) = gradient(params, extra, part_key, rows)
            return (jax.tree.map(jnp.add, total, grads), extra), metrics

        parts = (jax.random.split(key, self.accumulate), whole.microbatches(batch, self.accumulate))
        (total, extra), metrics = jax.lax.scan(add, (jax.tree.map(jnp.zeros_like, params), extra), parts)
        grads = jax.tree.map(lambda g: g / self.accumulate, total)
        return Gradient(whole.mean(grads), extra, whole.mean(jax.tree.map(lambda m: jnp.mean(m, 0), metrics)))

    def lazily(self, every: int, so_far: "Gradient", key: Key, state: State, loss: Loss, batch: Any) -> "Gradient":
        """`so_far`, and in every `every`-th step also `every` times the gradient of a further loss.

        Lazy regularisation (Karras et al. 2020, arXiv:1912.04958, appendix B): the factor keeps the weight of the
        further loss. It stands before its metrics too, which are 0 in between: their means over steps are right.
        """
        held = state.replace(extra={**state.extra, self.name: so_far.extra}) if so_far.extra else state

        def due() -> Gradient:
            grads, extra, metrics = self.gradient(key, held, loss, batch)
            grads = jax.tree.map(lambda old, new: old + every * new, so_far.grads, grads)
            return Gradient(grads, extra, {**so_far.metrics, **jax.tree.map(lambda m: every * m, dict(metrics))})

        if every == 1:
            return due()

        def otherwise() -> Gradient:
            zeros = {name: jnp.zeros(m.shape, m.dtype) for name, m in jax.eval_shape(due).metrics.items()}
            return so_far._replace(metrics={**zeros, **so_far.metrics})

        return jax.lax.cond(state.step % every == 0, due, otherwise)

    def move(self, state: State, found: "Gradient") -> tuple[State, Mapping[str, Array]]:
        """One step of the optimizer and of the averages along a gradient: once a step for each network.

        Returns the state and {<network>_gradient: the gradient's global norm}.
        """
        params = state.params[self.name]
        updates, opt_state = self.optimizer.update(found.grads, state.opt_state[self.name], params)
        params = optax.apply_updates(params, updates)
        state = state.replace(
            params={**state.params, self.name: params},
            opt_state={**state.opt_state, self.name: opt_state},
            ema=self._averaged(state, params),
            extra={**state.extra, self.name: found.extra} if found.extra else state.extra,
        )
        return state, {f"{self.name}_gradient": optax.tree.norm(found.grads)}

    def _averaged(self, state: State, params: PyTree) -> Mapping[str, PyTree]:
        def moved(key: str, decay: Decay) -> PyTree:
            rest = 1 - decay(state.step)
            return jax.tree.map(lambda old, new: old + rest * (new - old), state.ema[key], params)

        return {**state.ema, **{key: moved(key, decay) for key, decay in self.averages.items()}}


def initial_state(
    networks: Mapping[str, tuple[Learner, tuple[PyTree, PyTree]]], frozen: Mapping[str, PyTree], **extra: PyTree
) -> State:
    """The state before the first step, from each learner and the (params, extra) of its `init`.

    A network whose variables are in `frozen`, under its `Learner.start`, starts from these. Raises ConfigError where
    they are of other names or shapes.
    extra: what the family moves by rule besides the networks' own collections.
    """
    begun = {name: (learner, *_begun(learner, variables, frozen)) for name, (learner, variables) in networks.items()}
    params = {name: params for name, (_, params, _) in begun.items()}
    return State(
        step=jnp.int32(0),
        params=params,
        opt_state={name: learner.optimizer.init(params[name]) for name, (learner, *_) in begun.items()},
        ema={
            key: jax.tree.map(jnp.copy, params[name])
            for name, (learner, *_) in begun.items()
            for key in learner.averages
        },
        extra={**{name: kept for name, (_, _, kept) in begun.items() if kept}, **extra},
        frozen=frozen,
    )


def merging(method: Method, learners: Mapping[str, Learner]) -> Method:
    """The method that merges each adapter once before it evaluates or samples, and not again with every prediction."""
    adapted = [learner for learner in learners.values() if learner.adapter]
    sample = method.sample
    if not adapted:
        return method

    def merged(state: State) -> State:
        return functools.reduce(lambda state, learner: learner.merged(state), adapted, state)

    return method._replace(
        evaluate=lambda key, state, batch: method.evaluate(key, merged(state), batch),
        sample=sample and (lambda keys, state, given, plan: sample(keys, merged(state), given, plan)),
    )


def _begun(learner: Learner, own: tuple[PyTree, PyTree], frozen: Mapping[str, PyTree]) -> tuple[PyTree, PyTree]:
    """(params, extra) before the first step: a network's own, or those that it starts from."""
    params, extra = own
    if learner.start not in frozen:
        return own
    collections = dict(frozen[learner.start])
    weights = collections.pop("params")
    check_fits(extra, collections, learner.start)
    if learner.adapter is None:
        params = _started(learner, params, weights)
    return params, collections


def _started(learner: Learner, own: PyTree, others: PyTree) -> PyTree:
    """Weights from elsewhere, but for those that begin with random numbers."""
    here, there = (traverse_util.flatten_dict(tree, sep="/") for tree in (own, others))
    random = {path: x for path, x in here.items() if learner.fresh and re.search(learner.fresh, path)}
    if learner.fresh and not random:
        where = f"networks.{learner.name}.fresh"
        raise ConfigError(f'"{where}" is "{learner.fresh}", and is in no path of a weight: {", ".join(here)}.')
    rest = {path: x for path, x in here.items() if path not in random}
    taken = {path: x for path, x in there.items() if not (learner.fresh and re.search(learner.fresh, path))}
    check_fits(rest, taken, learner.start)
    return traverse_util.unflatten_dict({**taken, **random}, sep="/")


def check_fits(own: PyTree, others: PyTree, where: str) -> None:
    """Raises ConfigError that names every array in which variables from elsewhere differ from a network's own.

    where: the key that says where they are from.
    """

    def described(tree: PyTree) -> dict[str, str]:
        return {name: f"{x.dtype}{list(x.shape)}" for name, x in traverse_util.flatten_dict(tree, sep="/").items()}

    here, there = described(own), described(others)
    differ = [
        f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} in this configuration"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    ]
    if differ:
        raise ConfigError(f'"{where}" does not fit: {"; ".join(differ)}.')
