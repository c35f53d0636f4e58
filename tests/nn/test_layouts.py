"""Laws that hold of a transformer with any options: caching, causality, padding, packing, positions and groups."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.errors import Unfit
from aigc_jax.nn.transformer import Transformer
from aigc_jax.ops.platform import run_once

V, T, B = 11, 9, 2
TOKENS = np.random.default_rng(0).integers(0, V, (B, T)).astype(np.int32)
LLAMA = dict(positions="rotary", norm="rms", activation="swiglu", bias="none", mlp_width=20, tied=False)
LAYOUTS = {
    "gpt2": {},
    "sinusoidal": dict(positions="sinusoidal", activation="relu", head_width=6),
    "llama": LLAMA,
    "llama, grouped": LLAMA | dict(kv_heads=2),
    "qwen3": LLAMA | dict(kv_heads=2, head_width=6, query_key_norm=True),
    "relative": dict(positions="relative", norm="rms", activation="geglu", bias="none", buckets=4, farthest=6),
}


@functools.cache
def network(layout, **changes):
    """A network and weights of the size that trained ones have."""
    options = {**dict(vocabulary=V, length=20, layers=1, width=16, heads=4, dropout=0.0, tied=True)}
    net = Transformer(**{**options, **LAYOUTS[layout], **changes})
    variables = run_once(functools.partial(net.init, causal=True, train=False))(jax.random.key(0), TOKENS)
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [x + 0.3 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return net, jax.tree.unflatten(tree, moved)


@functools.cache
def whole(layout):
    """(tokens, ...) -> causal logits."""
    net, variables = network(layout)
    return run_once(functools.partial(net.apply, variables, causal=True, train=False))


@functools.cache
def decoder(layout):
    net, variables = network(layout)
    return run_once(functools.partial(net.apply, variables, method="decode"))


@functools.cache
def expected(layout):
    return np.asarray(whole(layout)(TOKENS))


@pytest.fixture(params=["gpt2", "sinusoidal", "llama", "qwen3", "relative"])
def layout(request):
    return request.param


def test_cached_logits_equal_the_whole_pass(layout):
    """A prompt, and then token by token."""
    net, _ = network(layout)
    cache, index, found = net.empty_cache(B, T), 0, []
    assert cache[0][0].shape[1] == (net.kv_heads or net.heads)
    for size in (5, 1, 1, 1, 1):
        logits, cache = decoder(layout)(TOKENS[:, index : index + size], cache, index)
        found.append(logits)
        index += size
    np.testing.assert_allclose(np.concatenate(found, 1), expected(layout), atol=2e-5)


def test_no_token_reads_later_ones_and_the_last_reads_all(layout):
    changed = np.stack([TOKENS[0]] * T)
    changed[np.arange(T), np.arange(T)] = (changed[np.arange(T), np.arange(T)] + 1) % V
    # One program for all changes, at the batch's own size.
    differs = (
        np.stack([np.asarray(whole(layout)(np.stack([row, TOKENS[1]]))[0]) for row in changed]) != expected(layout)[0]
    )
    differs = differs.any(-1)  # [changed, place]
    assert not np.tril(differs, -1).any()
    assert differs[:, -1].all()


def test_padding_on_the_left_changes_nothing(layout):
    """In a whole pass and in a cache: 4 columns that nothing reads, and positions that count from the first token."""
    padded = np.concatenate([np.full((B, 4), 3, np.int32), TOKENS], 1)
    mask = np.arange(T + 4) >= 4
    mask, positions = (np.stack([x] * B) for x in (mask, np.maximum(np.arange(T + 4) - 4, 0)))
    logits = whole(layout)(padded, mask=mask, positions=positions)
    np.testing.assert_allclose(logits[:, 4:], expected(layout), atol=2e-5)
    net, _ = network(layout)
    cache, found, index = net.empty_cache(B, T + 4), [], 0
    for size in (8, 5):
        at = slice(index, index + size)
        logits, cache = decoder(layout)(padded[:, at], cache, index, mask=mask, positions=positions[:, at])
        found.append(logits)
        index += size
    np.testing.assert_allclose(np.concatenate(found, 1)[:, 4:], expected(layout), atol=2e-5)


def test_packed_texts_are_as_if_alone(layout):
    """Both texts in one row: each reads its own tokens, from position 0 on."""
    packed = TOKENS.reshape(1, -1)
    text = np.arange(2 * T) // T
    logits = whole(layout)(packed, mask=(text[:, None] == text)[None], positions=(np.arange(2 * T) % T)[None])
    np.testing.assert_allclose(np.asarray(logits).reshape(B, T, V), expected(layout), atol=2e-5)


def test_only_differences_of_rotary_positions_matter():
    """A relative error of float32 in the angles, and no more."""
    for layout in ("llama, grouped", "qwen3"):
        positions = np.stack([np.arange(T)] * B)
        near, far = (np.asarray(whole(layout)(TOKENS, positions=positions + shift)) for shift in (0, 50))
        np.testing.assert_allclose(far, near, atol=2e-4)
        stretched = whole(layout)(TOKENS, positions=2 * positions)
        assert np.abs(stretched - near).max() > 0.1


def test_positions_are_those_that_are_said():
    """Learned and sinusoidal ones belong to a token wherever it stands: a mask of nothing, one token at position 7."""
    for layout in ("gpt2", "sinusoidal"):
        alone = whole(layout)(TOKENS, positions=np.full((B, T), 7), mask=np.stack([np.eye(T, dtype=bool)] * B))
        once = whole(layout)(TOKENS[:, :1], positions=np.full((B, 1), 7))
        np.testing.assert_allclose(alone[:, 0], once[:, 0], atol=2e-5)
        assert np.abs(alone[:, 0] - expected(layout)[:, 0]).max() > 0.1


@pytest.mark.parametrize("kv_heads", [1, 2])
def test_grouped_attention_is_that_of_repeated_heads(kv_heads):
    """The network of all heads has each kernel of keys and values once for every head of its group."""
    _, grouped = network("llama, grouped", kv_heads=kv_heads)
    params = jax.tree.map(lambda x: x, grouped["params"])
    attention = dict(params["blocks_0"]["attention"])
    query, memory = (attention.pop(name)["kernel"] for name in ("query", "key_value"))
    repeated = jnp.repeat(memory, 4 // kv_heads, axis=2)
    attention["qkv"] = {"kernel": jnp.concatenate([query[:, None], repeated], axis=1)}
    params["blocks_0"] = {**params["blocks_0"], "attention": attention}
    full = network("llama")[0]
    few = network("llama, grouped", kv_heads=kv_heads)[0]
    found, wanted = run_once(
        lambda a, b: [net.apply(v, TOKENS, causal=True, train=False) for net, v in ((few, a), (full, b))]
    )(grouped, {"params": params})
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("layout", ["llama, grouped", "qwen3", "relative"])
def test_every_weight_has_a_gradient(layout):
    """Also where blocks are computed again for it."""
    net, variables = network(layout, remat=True)
    loss = lambda v: jnp.sum(jnp.sin(net.apply(v, TOKENS, causal=True, train=True)))  # noqa: E731
    plain = network(layout)[0]
    again = lambda v: jnp.sum(jnp.sin(plain.apply(v, TOKENS, causal=True, train=True)))  # noqa: E731
    found, wanted = run_once(lambda v: (jax.grad(loss)(v), jax.grad(again)(v)))(variables)
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(wanted), strict=True):
        assert np.isfinite(a).all() and (np.asarray(a) != 0).any(), path
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(b).max())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(kv_heads=3), "kv_heads is 3, and has to divide the heads, 4: one of 1, 2, 4"),
        (dict(positions="rotary", head_width=3), "head_width is 3, and rotary positions turn pairs, and a head has 3"),
        (dict(positions="sinusoidal", width=5, heads=1), "width is 5, and sinusoidal positions need an even one"),
        (dict(positions="relative", farthest=16), "farthest is 16, and has to be above half the buckets, 16"),
        (dict(length=8), "length is 8, and the sequences have 9 tokens"),
    ],
)
def test_what_does_not_fit_is_refused(changes, said):
    options = dict(vocabulary=V, length=20, layers=1, width=16, heads=4, dropout=0.0, tied=True)
    with pytest.raises(Unfit, match=said):
        Transformer(**{**options, **changes}).init(jax.random.key(0), TOKENS, causal=True, train=False)
