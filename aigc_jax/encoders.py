"""Codecs of what is given: a text encoder for captions, latents for the other image of a pair.

A codec of the target writes it and reads samples back; one of a given field only writes it.
"""

from collections.abc import Mapping
from typing import Any

import jax

from aigc_jax.method import UNLIKE, Array, Batch, Codec, Frozen, Given, Key, Method, PyTree, State

GIVEN = 1 << 30  # the stream of these random keys, beside a method's own


def encoding(method: Method, encoders: Mapping[str, Codec]) -> Method:
    """The method that is given these fields encoded. encoders: by field."""
    if not encoders:
        return method
    sample, walk = method.sample, method.parts.get("walk")

    def encoded(key: Key, frozen: Frozen, given: Given) -> Given:
        key = jax.random.fold_in(key, GIVEN)
        found = {name: encoders.get(name.removeprefix(UNLIKE)) for name in given}
        return {name: by.encode(key, frozen, given[name]) if by else given[name] for name, by in found.items()}

    def one_by_one(keys: Array, frozen: Frozen, given: Given) -> Given:
        """With a key a row, so that a sample depends on its own alone."""

        def one(key: Key, row: Given) -> Given:
            rows = encoded(key, frozen, {name: x[None] for name, x in row.items()})
            return jax.tree.map(lambda x: x[0], rows)

        theirs = {name: x for name, x in given.items() if name.removeprefix(UNLIKE) in encoders}
        return {**given, **jax.vmap(one)(keys, theirs)}

    def seen(key: Key, frozen: Frozen, batch: Batch) -> Batch:
        return batch.replace(given=encoded(key, frozen, batch.given))

    def drawn(keys: Array, state: State, given: Given, plan: PyTree) -> Array:
        assert sample is not None
        return sample(keys, state, one_by_one(keys, state.frozen, given), plan)

    def walked(key: Key, state: State, n: int, given: Given) -> Array:
        assert walk is not None
        return walk(key, state, n, one_by_one(jax.random.split(key, n), state.frozen, given))

    parts: dict[str, Any] = {"walk": walked} if walk else {}
    return method._replace(
        init=lambda key, batch, frozen: method.init(key, seen(key, frozen, batch), frozen),
        step=lambda key, state, batch: method.step(key, state, seen(key, state.frozen, batch)),
        evaluate=lambda key, state, batch: method.evaluate(key, state, seen(key, state.frozen, batch)),
        sample=sample and drawn,
        parts={**method.parts, **parts},
    )
