"""Optimizers and learning-rate schedules, from optax, chosen by a configuration."""

import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from aigc_jax.ranges import Amount, Count, Part

FINAL_RATE = 0.1  # of the peak, where the cosine and linear schedules end


def optimizer(
    kind: Literal["adam", "adamw", "lion", "rmsprop", "sgd"],
    steps: int,
    /,
    *,
    learning_rate: Amount,
    schedule: Literal["constant", "cosine", "linear", "trapezoid"],
    warmup_steps: Count,
    b1: Part,
    b2: Part,
    eps: Amount,
    weight_decay: Amount,
    clip_norm: Amount,
) -> optax.GradientTransformation:
    """Clipping by global norm, the optimizer's direction, decoupled weight decay, learning rate.

    kind: adam (Kingma & Ba 2015), adamw (Loshchilov & Hutter 2019: adam with weight_decay > 0),
        lion (Chen et al. 2023), rmsprop (Tieleman & Hinton 2012) with decay b2, sgd with momentum b1.
    schedule: after the warm-up: constant; cosine or linear to a tenth of the rate; trapezoid, constant for one half and
        then linear to 0 (Isola et al. 2017, Zhu et al. 2017).
    steps: of the whole run, where the schedules end. warmup_steps: linear from 0, part of `steps`.
    weight_decay: of kernels and embeddings (leaves of two or more axes), not of biases and scales.
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
    parts.append(optax.scale_by_learning_rate(rate(learning_rate, schedule, warmup_steps, steps)))
    return optax.chain(*parts)


def rate(peak: float, schedule: str, warmup_steps: int, steps: int) -> optax.Schedule:
    """Updates done -> learning rate: a linear warm-up that reaches the peak at update `warmup_steps`, and then
    the schedule."""
    remaining = max(steps - warmup_steps, 1)
    body = {
        "constant": optax.constant_schedule(peak),
        "cosine": optax.cosine_decay_schedule(peak, remaining, alpha=FINAL_RATE),
        "linear": optax.linear_schedule(peak, FINAL_RATE * peak, remaining),
        "trapezoid": lambda done: peak * jnp.minimum(1.0, 2 - 2 * jnp.minimum(done / remaining, 1.0)),
    }[schedule]
    if not warmup_steps:
        return body
    return optax.join_schedules(
        [optax.linear_schedule(peak / warmup_steps, peak, max(warmup_steps - 1, 1)), body], [warmup_steps]
    )


def rate_at(peak: float, schedule: str, warmup_steps: int, steps: int, done: int) -> float:
    """`rate` of the update that follows `done` others, without a device."""
    if done < warmup_steps:
        return peak * (done + 1) / warmup_steps
    share = min((done - warmup_steps) / max(steps - warmup_steps, 1), 1.0)
    if schedule == "trapezoid":
        return peak * min(1.0, 2 - 2 * share)
    left = {"constant": 1.0, "cosine": 0.5 * (1 + math.cos(math.pi * share)), "linear": 1 - share}[schedule]
    return peak * (FINAL_RATE + (1 - FINAL_RATE) * left)


def updates(opt_state: Any) -> int:
    """The number of updates in a state of `optimizer`, as its schedule counts them."""
    scheduled = optax.ScaleByScheduleState
    leaves = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, scheduled))
    return next((int(jax.device_get(node.count)) for node in leaves if isinstance(node, scheduled)), 0)


def _matrices(params: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)
