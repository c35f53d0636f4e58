"""Optimizers and learning-rate schedules, from optax, chosen by a configuration."""

import math
import re
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from aigc_jax.errors import ConfigError
from aigc_jax.ranges import Amount, Count, Part, Pattern, Size

FINAL_RATE = 0.1  # of the peak, where the cosine and linear schedules end


def optimizer(
    kind: Literal["adam", "adamw", "lion", "rmsprop", "sgd"],
    steps: int,
    /,
    *,
    learning_rate: Amount,
    schedule: Literal["constant", "cosine", "linear", "trapezoid", "inverse_sqrt"],
    warmup_steps: Count,
    reference_steps: Size,
    b1: Part,
    b2: Part,
    eps: Amount,
    weight_decay: Amount,
    clip_norm: Amount,
    unit_norm: Pattern,
) -> optax.GradientTransformation:
    """Clipping by global norm, the optimizer's direction, decoupled weight decay, learning rate, norms of weights.

    kind: adam (Kingma & Ba 2015), adamw (Loshchilov & Hutter 2019: adam with weight_decay > 0),
        lion (Chen et al. 2023), rmsprop (Tieleman & Hinton 2012) with decay b2, sgd with momentum b1.
    schedule: after the warm-up: constant; cosine or linear to a tenth of the rate; trapezoid, constant for one half and
        then linear to 0 (Isola et al. 2017, Zhu et al. 2017); inverse_sqrt, the rate / sqrt(max(t / t_ref, 1)) after t
        updates, those of the warm-up among them (Karras et al. 2024, arXiv:2312.02696, eq. 67).
    steps: of the whole run, where the schedules end. warmup_steps: linear from 0, part of `steps`.
    reference_steps: t_ref of inverse_sqrt, up to which the rate is constant.
    weight_decay: of kernels and embeddings (leaves of two or more axes), not of biases and scales.
    unit_norm: a pattern searched in the paths of weights: see `keep_norm`; "" = none.
    """
    parts = []
    if clip_norm:
        parts.append(optax.clip_by_global_norm(clip_norm))
    directions: dict[str, Callable[[], optax.GradientTransformation]] = {
        "adam": lambda: optax.scale_by_adam(b1, b2, eps),
        "adamw": lambda: optax.scale_by_adam(b1, b2, eps),
        "lion": lambda: optax.scale_by_lion(b1, b2),
        "rmsprop": lambda: optax.scale_by_rms(b2, eps, eps_in_sqrt=False),
        "sgd": lambda: optax.trace(decay=b1),
    }
    parts.append(directions[kind]())
    if weight_decay:
        parts.append(optax.add_decayed_weights(weight_decay, mask=_matrices))
    parts.append(optax.scale_by_learning_rate(rate(learning_rate, schedule, warmup_steps, steps, reference_steps)))
    if unit_norm:
        parts.append(keep_norm(unit_norm))
    return optax.chain(*parts)


def keep_norm(pattern: str) -> optax.GradientTransformation:
    """Forced weight normalization (Karras et al. 2024, arXiv:2312.02696, section 2.3 and algorithm 1).

    After each update the weights of every output, an index of the last axis, have a mean square of 1. For networks
    that divide weights by their norm where they use them, which then compute the same. Last in a chain.

    pattern: searched in the paths of weights: those of two or more axes with a match. Raises ConfigError at `init`
        where there are none.
    """

    def matches(path: Any, leaf: jax.Array) -> bool:
        return leaf.ndim >= 2 and bool(re.search(pattern, jax.tree_util.keystr(path, simple=True, separator="/")))

    def init(params: optax.Params) -> optax.EmptyState:
        if not any(jax.tree.leaves(jax.tree_util.tree_map_with_path(matches, params))):
            paths = ", ".join(
                jax.tree_util.keystr(path, simple=True, separator="/")
                for path, leaf in jax.tree_util.tree_leaves_with_path(params)
                if leaf.ndim >= 2
            )
            raise ConfigError(f'"unit_norm" is "{pattern}", and is in no path of a weight of two or more axes: {paths}')
        return optax.EmptyState()

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        def one(path: Any, update: jax.Array, weight: jax.Array) -> jax.Array:
            if not matches(path, weight):
                return update
            moved = weight + update
            square = jnp.mean(jnp.square(moved), axis=tuple(range(moved.ndim - 1)), keepdims=True)
            return jnp.where(square > 0, moved * jax.lax.rsqrt(square), moved) - weight

        return jax.tree_util.tree_map_with_path(one, updates, params), state

    return optax.GradientTransformation(init, update)


def rate(peak: float, schedule: str, warmup_steps: int, steps: int, reference_steps: int = 1) -> optax.Schedule:
    """Updates done -> learning rate: a linear warm-up that reaches the peak at update `warmup_steps`, and then
    the schedule."""
    remaining = max(steps - warmup_steps, 1)
    body = {
        "constant": optax.constant_schedule(peak),
        "cosine": optax.cosine_decay_schedule(peak, remaining, alpha=FINAL_RATE),
        "linear": optax.linear_schedule(peak, FINAL_RATE * peak, remaining),
        "trapezoid": lambda done: peak * jnp.minimum(1.0, 2 - 2 * jnp.minimum(done / remaining, 1.0)),
        "inverse_sqrt": lambda done: peak / jnp.sqrt(jnp.maximum((done + warmup_steps) / reference_steps, 1.0)),
    }[schedule]
    if not warmup_steps:
        return body
    return optax.join_schedules(
        [optax.linear_schedule(peak / warmup_steps, peak, max(warmup_steps - 1, 1)), body], [warmup_steps]
    )


def rate_at(peak: float, schedule: str, warmup_steps: int, steps: int, done: int, reference_steps: int = 1) -> float:
    """`rate` of the update that follows `done` others, without a device."""
    if done < warmup_steps:
        return peak * (done + 1) / warmup_steps
    share = min((done - warmup_steps) / max(steps - warmup_steps, 1), 1.0)
    if schedule == "trapezoid":
        return peak * min(1.0, 2 - 2 * share)
    if schedule == "inverse_sqrt":
        return peak / math.sqrt(max(done / reference_steps, 1.0))
    left = {"constant": 1.0, "cosine": 0.5 * (1 + math.cos(math.pi * share)), "linear": 1 - share}[schedule]
    return peak * (FINAL_RATE + (1 - FINAL_RATE) * left)


def updates(opt_state: Any) -> int:
    """The number of updates in a state of `optimizer`, as its schedule counts them."""
    scheduled = optax.ScaleByScheduleState
    leaves = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, scheduled))
    return next((int(jax.device_get(node.count)) for node in leaves if isinstance(node, scheduled)), 0)


def _matrices(params: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)
