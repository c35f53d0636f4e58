"""What an encoder and a decoder read, in the layouts of T5 and BART, and that `autoregressive` trains them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import Unfit
from aigc_jax.learner import Learner
from aigc_jax.method import Batch
from aigc_jax.methods.autoregressive import autoregressive, plan
from aigc_jax.nn.encoder_decoder import EncoderDecoder
from aigc_jax.ops.bits import Unit
from aigc_jax.ops.platform import run_once

V, S, T, M, B = 9, 11, 6, 8, 3
SIZES = dict(vocabulary=V, length=T, source_vocabulary=S, source_length=M - 1, source_pad=0)
SIZES |= dict(layers=1, width=16, heads=4, dropout=0.0, tied=True)
T5 = dict(encoder_layers=2, buckets=4, farthest=6, head_width=6, scaled_output=True, source_vocabulary=V, shared=True)
LAYOUTS = {
    "t5": T5,
    "bart": dict(positions="learned", norm="layer", bias="all", after=True, normed=True, activation="gelu"),
    "rotary, grouped": dict(positions="rotary", kv_heads=2),
}
RANDOM = np.random.default_rng(0)
TOKENS = RANDOM.integers(0, V, (B, T)).astype(np.int32)
SOURCE = RANDOM.integers(1, V, (B, M)).astype(np.int32)
SOURCE[0, 5:] = SOURCE[1, 3:] = 0  # padding


@functools.cache
def network(layout):
    """The network and weights of the size that trained ones have."""
    net = EncoderDecoder(**{**SIZES, **LAYOUTS[layout]})
    init = functools.partial(net.init, given={"source": SOURCE}, train=False)
    leaves, tree = jax.tree.flatten(run_once(init)(jax.random.key(0), TOKENS))
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [x + 0.3 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return net, jax.tree.unflatten(tree, moved)


@functools.cache
def program(layout):
    """(tokens, source) -> logits."""
    net, variables = network(layout)
    return run_once(lambda tokens, source: net.apply(variables, tokens, given={"source": source}, train=False))


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


def test_cached_logits_equal_the_whole_pass(layout):
    net, variables = network(layout)
    read = run_once(functools.partial(net.apply, variables, method="read"))({"source": SOURCE})
    assert all(len(x) == B for x in jax.tree.leaves(read))
    decode = run_once(functools.partial(net.apply, variables, method="decode"))
    cache, index, found = net.empty_cache(B, T), 0, []
    for size in (3, 1, 1, 1):
        logits, cache = decode(TOKENS[:, index : index + size], cache, index, read)
        found.append(logits)
        index += size
    np.testing.assert_allclose(np.concatenate(found, 1), program(layout)(TOKENS, SOURCE), atol=2e-5)


def test_a_text_alone_may_have_a_twin_in_the_cache():
    """As `empty_cache` gives it on a GPU: see `ops.platform.gpu_in_half`."""
    net, variables = network("t5")

    def both(source):
        read = net.apply(variables, {"source": source}, method="read")
        return [net.apply(variables, TOKENS[:1], net.empty_cache(n, T), 0, read, method="decode")[0] for n in (1, 2)]

    one, two = run_once(both)(SOURCE[:1])
    assert two.shape == (1, T, V)
    np.testing.assert_allclose(two, one, atol=1e-5)


def test_every_token_reads_the_whole_source_but_its_padding(layout):
    before = np.asarray(program(layout)(TOKENS, SOURCE))
    for column in range(M):
        changed = SOURCE.copy()
        real = changed[:, column] != 0
        changed[real, column] = changed[real, column] % (V - 1) + 1
        differs = (np.asarray(program(layout)(TOKENS, changed)) != before).any(-1)
        np.testing.assert_array_equal(differs, np.broadcast_to(real[:, None], (B, T)))
    short = program(layout)(TOKENS[1:2], SOURCE[1:2, :3])  # without the padding
    np.testing.assert_allclose(short[0], before[1], atol=2e-5)


def test_no_token_reads_later_ones(layout):
    before = np.asarray(program(layout)(TOKENS, SOURCE))
    for column in range(T):
        changed = TOKENS.copy()
        changed[:, column] = (changed[:, column] + 1) % V
        differs = (np.asarray(program(layout)(changed, SOURCE)) != before).any(axis=(0, 2))
        np.testing.assert_array_equal(differs, np.arange(T) >= column)


def test_it_learns_to_copy_its_source():
    """Only the source tells what comes: by `autoregressive` as it is, from the first step to samples."""
    net = EncoderDecoder(**{**SIZES, "positions": "learned", "norm": "layer", "width": 32, "source_vocabulary": V})
    learner = Learner("net", net, optax.adam(5e-3), {}, 1)
    method = autoregressive(
        {"net": learner}, length=T, pad=0, bos=1, eos=2, packed=False, units=(Unit("char", (0, 0, *[1] * (V - 2))),)
    )

    def batch(seed):
        words = np.random.default_rng(seed).integers(3, V, (32, T - 1))
        rows = np.concatenate([np.full((32, 1), 1), words, np.full((32, 1), 2)], 1)
        return Batch(jnp.asarray(rows, jnp.int32), {"source": jnp.asarray(np.pad(rows, ((0, 0), (0, 1))), jnp.int32)})

    assert method.reads[-1] == "source"
    state = jax.jit(lambda key: method.init(key, batch(0), {}))(jax.random.key(0))
    step = jax.jit(method.step)
    for index in range(250):
        state, told = step(jax.random.key(index), state, batch(index))
    assert told["bits_per_char"] < 0.3
    new = batch(1000)
    keys = jax.random.split(jax.random.key(0), 32)
    found = run_once(method.sample)(keys, state, new.given, plan(temperature=0.0))
    assert np.mean(np.asarray(found) == new.target) > 0.95


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(shared=True), "shared is True, and the source has 11 tokens, the text 9"),
        (dict(source_length=6), "source_length is 6, and the sources have 7 tokens"),
        (dict(length=5), "length is 5, and the sequences have 6 tokens"),
    ],
)
def test_what_does_not_fit_is_refused(changes, said):
    net = EncoderDecoder(**{**SIZES, **changes})
    with pytest.raises(Unfit, match=said):
        jax.eval_shape(lambda: net.init(jax.random.key(0), TOKENS, given={"source": SOURCE}, train=False))
