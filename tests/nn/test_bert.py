"""What BERT reads: both sides, types, no padding. Its numbers are those of `tests/weights/test_bert.py`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.errors import Unfit
from aigc_jax.nn.bert import Bert
from aigc_jax.ops.platform import run_once

V, T, B, WIDTH = 11, 7, 3, 8
TOKENS = np.random.default_rng(0).integers(0, V, (B, T)).astype(np.int32)
SIZES = dict(vocabulary=V, length=10, layers=2, width=WIDTH, heads=2, dropout=0.0)


@functools.cache
def network(**changes):
    """The network and weights of the size that trained ones have."""
    net = Bert(**{**SIZES, **changes})
    variables = run_once(functools.partial(net.init, train=False))(jax.random.key(0), TOKENS)
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [x + 0.3 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return net, jax.tree.unflatten(tree, moved)


@functools.cache
def program(**changes):
    """(tokens, ...) -> what the head gives."""
    net, variables = network(**changes)
    return run_once(functools.partial(net.apply, variables, train=False))


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, (B, T, V)),
        (dict(head="hidden"), (B, T, WIDTH)),
        (dict(head="classes", classes=5), (B, 5)),
        (dict(head="tokens", classes=4, types=0), (B, T, 4)),
    ],
)
def test_each_head_gives_its_shape_in_float32(changes, shape):
    net = Bert(**{**SIZES, **changes}, dtype=jnp.bfloat16)
    found = jax.eval_shape(lambda: net.init_with_output(jax.random.key(0), TOKENS, train=False)[0])
    assert (found.shape, found.dtype) == (shape, jnp.float32)


def test_a_vector_is_normalised_before_the_head():
    """The norm after the last sum: mean and variance are those of its scale and shift, here 1 and 0."""
    net, variables = network(head="hidden")
    last = variables["params"]["blocks_1"]["mlp_norm"]
    plain = {"scale": jnp.ones(WIDTH), "bias": jnp.zeros(WIDTH)}
    assert jax.tree.map(jnp.shape, last) == jax.tree.map(jnp.shape, plain)
    params = variables["params"] | {"blocks_1": variables["params"]["blocks_1"] | {"mlp_norm": plain}}
    found = np.asarray(run_once(functools.partial(net.apply, train=False))({"params": params}, TOKENS))
    np.testing.assert_allclose(found.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(found.var(-1), 1, atol=1e-4)


def test_every_place_reads_both_sides_and_no_padding():
    mask = np.ones((B, T), bool)
    mask[:, 5:] = False
    before = np.asarray(program()(TOKENS, mask=mask))
    for column in range(T):
        changed = TOKENS.copy()
        changed[:, column] = (changed[:, column] + 1) % V
        differs = (np.asarray(program()(changed, mask=mask)) != before).any(axis=(0, 2))[:5]
        assert differs.all() if column < 5 else not differs.any(), column
    cut = np.asarray(program()(TOKENS[:, :5], mask=mask[:, :5]))
    np.testing.assert_allclose(cut, before[:, :5], atol=1e-5)


def test_types_are_read_and_are_0_where_nothing_is_said():
    types = np.zeros((B, T), np.int32)
    said = program()(TOKENS, types=types)
    np.testing.assert_allclose(program()(TOKENS), said, atol=1e-6)
    types[:, 3:] = 1
    assert np.abs(program()(TOKENS, types=types) - said).max() > 0.1


def test_packed_texts_are_as_if_alone():
    packed, text = np.concatenate([TOKENS[0], TOKENS[1, :3]])[None], np.array([0] * T + [1] * 3)
    positions = np.concatenate([np.arange(T), np.arange(3)])[None]
    found = program()(packed, mask=(text[:, None] == text)[None], positions=positions)[0]
    np.testing.assert_allclose(found[:T], program()(TOKENS)[0], atol=1e-5)
    np.testing.assert_allclose(found[T:], program()(TOKENS[1:2, :3])[0], atol=1e-5)


def test_the_places_that_are_asked_for_are_those_of_all():
    at = np.array([[2, 0], [6, 6], [1, 5]])
    expected = np.take_along_axis(np.asarray(program()(TOKENS)), at[..., None], axis=1)
    np.testing.assert_allclose(program()(TOKENS, at=at), expected, atol=1e-5)


def test_a_mean_is_of_the_tokens_that_are_read():
    net, variables = network(head="classes", classes=5, pooling="mean")
    layer, hidden = variables["params"]["labels"], Bert(**SIZES, head="hidden")
    mask = np.arange(T) < np.array([7, 3, 1])[:, None]
    encoder = {"params": {key: x for key, x in variables["params"].items() if key != "labels"}}
    vectors = np.asarray(hidden.apply(encoder, TOKENS, mask=mask, train=False))
    mean = np.stack([row[read].mean(0) for row, read in zip(vectors, mask, strict=True)])
    found = net.apply(variables, TOKENS, mask=mask, train=False)
    np.testing.assert_allclose(found, mean @ layer["kernel"] + layer["bias"], atol=1e-5)
    assert "pooler" not in variables["params"]


def test_the_pooled_token_is_the_first_after_one_layer():
    net, variables = network(head="hidden", pooled=True)
    hidden = net.apply(variables, TOKENS, train=False)
    layer = variables["params"]["pooler"]
    expected = np.tanh(np.asarray(hidden)[:, 0] @ layer["kernel"] + layer["bias"])
    np.testing.assert_allclose(net.apply(variables, hidden, method="pool"), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(head="classes"), 'classes is 0, and a head "classes" has labels'),
        (dict(heads=3), "heads is 3, and has to divide the width, 8"),
        (dict(length=6), "length is 6, and the sequences have 7 tokens"),
    ],
)
def test_what_does_not_fit_is_refused(changes, said):
    with pytest.raises(Unfit, match=said):
        jax.eval_shape(lambda: Bert(**{**SIZES, **changes}).init(jax.random.key(0), TOKENS, train=False))
