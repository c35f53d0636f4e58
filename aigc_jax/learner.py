"""How one network learns: gradient, accumulation, optimizer and moving average.

Every family is built from learners: one for a VAE, two for a GAN. A family gives the loss;
the rest of an update is the same for all and stands here.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from aigc_jax.errors import ConfigError, Unfit
from aigc_jax.method import Array, Key, PyTree, State
from aigc_jax.ops import batch as whole

Loss = Callable[[PyTree, PyTree, Key, Any], tuple[Array, tuple[PyTree, Mapping[str, Array]]]]
"""(params, extra, key, batch) -> (losses [B], (extra, metrics)); metrics are scalars."""


Decay = Callable[[Array], Array]
"""Steps taken (int32) -> the share of an average that the next step leaves as it was."""


def ema(decay: float, warmup: bool) -> Decay:
    """An exponential average; warmup: over about a tenth of the run so far while that is shorter."""

    def at(step: Array) -> Array:
        return jnp.minimum(decay, (1 + step) / (10 + step)) if warmup else jnp.float32(decay)

    return at


class Gradient(NamedTuple):
    """What a loss gives of one network, the means over the batch of all devices."""

    grads: PyTree  # as the network's params
    extra: PyTree  # the network's other collections after the loss's passes
    metrics: Mapping[str, Array]  # the loss's own, scalars


class Learner(NamedTuple):
    """A network, and how its weights move."""

    name: str  # the key of this network in params, opt_state, ema and extra
    module: nn.Module
    tx: optax.GradientTransformation
    averages: Mapping[str, Decay]  # the averaged copies of the weights: key in State.ema -> decay
    accumulate: int  # parts of a batch whose gradients are added up before an update

    def init(self, key: Key, *inputs: Any, **options: Any) -> tuple[PyTree, PyTree]:
        """(params, extra) for inputs of these shapes; extra holds the other collections.

        Raises ConfigError where the network does not fit them, by the key of the field that decides.
        """
        params_key, dropout_key = jax.random.split(key)
        try:
            variables = dict(self.module.init({"params": params_key, "dropout": dropout_key}, *inputs, **options))
        except Unfit as error:
            where = f"networks.{self.name}.{error.field}"
            raise ConfigError(f'"{where}" is {error.value!r}, and {error.why}: set --config.{where}=…') from error
        return variables.pop("params"), variables

    def of(self, state: State) -> tuple[PyTree, PyTree]:
        """(params, extra) of this network in a state, not averaged: what `apply` takes."""
        return state.params[self.name], state.extra.get(self.name, {})

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
        float32. Predictions are the same to the last bit.
        """
        dtype = getattr(self.module, "dtype", jnp.float32)
        weights = jax.tree.map(lambda x: x.astype(dtype) if x.ndim > 1 else x, state.weights(self.name))
        field = "ema" if self.name in state.ema else "params"
        return state.replace(**{field: {**getattr(state, field), self.name: weights}})

    def predict(self, state: State, *inputs: Any, **options: Any) -> Any:
        """The output with the averaged weights, nothing changed: for evaluating and sampling."""
        variables = {"params": state.weights(self.name), **state.extra.get(self.name, {})}
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
        params, extra = self.of(state)

        def mean_loss(params: PyTree, extra: PyTree, key: Key, part: Any) -> tuple:
            losses, aux = loss(params, extra, key, part)
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

        def otherwise() -> Gradient:
            zeros = {name: jnp.zeros(m.shape, m.dtype) for name, m in jax.eval_shape(due).metrics.items()}
            return so_far._replace(metrics={**zeros, **so_far.metrics})

        return jax.lax.cond(state.step % every == 0, due, otherwise)

    def move(self, state: State, found: "Gradient") -> tuple[State, Mapping[str, Array]]:
        """One step of the optimizer and of the averages along a gradient: once a step for each network.

        Returns the state and {<network>_gradient: the gradient's global norm}.
        """
        params = state.params[self.name]
        updates, opt_state = self.tx.update(found.grads, state.opt_state[self.name], params)
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

    extra: what the family moves by rule besides the networks' own collections.
    """
    params = {name: params for name, (_, (params, _)) in networks.items()}
    return State(
        step=jnp.int32(0),
        params=params,
        opt_state={name: learner.tx.init(params[name]) for name, (learner, _) in networks.items()},
        ema={
            key: jax.tree.map(jnp.copy, params[name])
            for name, (learner, _) in networks.items()
            for key in learner.averages
        },
        extra={**{name: kept for name, (_, (_, kept)) in networks.items() if kept}, **extra},
        frozen=frozen,
    )
