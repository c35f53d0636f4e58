"""DiT against plain NumPy with the same weights, its sizes, and the laws of patches and conditions."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import Unfit
from aigc_jax.nn.dit import Block, DiT

CLASSES, WORDS = 3, 7
SHAPE, PATCH, GRID = (4, 6, 2), 2, (2, 3)
X = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)
TIMES = jnp.array([0.0, 3.5, 700.0])
GIVEN = {
    "label": jnp.array([2, 0, 1]),
    "caption": jnp.array([[1, 4, 2, 0, 0], [1, 2, 0, 0, 0], [1, 5, 6, 3, 2]]),
}
KEPT = jnp.array([True, False, True])
SMALL = dict(shape=SHAPE, patch=PATCH, width=16, layers=1, heads=2, positions="sines", label_classes=CLASSES)
READING = dict(context_vocabulary=WORDS, context_layers=1)


def make(**changes):
    return DiT(**{**SMALL, **changes})


def shapes(net):
    inputs, options = net.example()
    return jax.eval_shape(lambda key: net.init(key, *inputs, **options), jax.random.key(0))["params"]


def size(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@functools.cache
def filled(net):
    """Variables whose every parameter is drawn at random, so that nothing is zero."""
    rng = np.random.default_rng(1)
    return {"params": jax.tree.map(lambda leaf: np.float32(0.2 * rng.normal(size=leaf.shape)), shapes(net))}


@functools.cache
def compiled(net, **options):
    """(variables, x, t, given, kept) -> output."""
    return jax.jit(functools.partial(net.apply, train=False, **options))


def call(net, x=X, given=GIVEN, kept=None, t=TIMES):
    return np.asarray(compiled(net)(filled(net), x, t, given, kept))


# The paper's network, one example at a time, in float64.


def linear(x, weights):
    return x @ weights["kernel"].astype(np.float64) + weights["bias"]


def norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)


def silu(x):
    return x / (1 + np.exp(-x))


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def sines(place, width):
    angles = place / 10_000 ** (np.arange(0, width, 2) / width)
    return np.concatenate([np.sin(angles), np.cos(angles)])


def turned(x, place):
    frequencies = 100 ** (-4 * np.arange(x.shape[-1] // 4) / x.shape[-1])
    angles = np.concatenate([axis * frequencies for axis in place])
    complex_ = np.exp(1j * angles) * (x[..., : len(angles)] + 1j * x[..., len(angles) :])
    return np.concatenate([complex_.real, complex_.imag], -1)


def attended(x, read, weights, heads, places=None):
    query, key, value = (linear(y, weights[n]) for n, y in (("query", x), ("key", read), ("value", read)))
    found = []
    for q, k, v in zip(*(np.split(y, heads, -1) for y in (query, key, value)), strict=True):
        if places:
            q, k = (np.stack([turned(row, place) for row, place in zip(y, places, strict=True)]) for y in (q, k))
        scores = np.exp(q @ k.T / np.sqrt(q.shape[-1]))
        found.append(scores / scores.sum(-1, keepdims=True) @ v)
    return linear(np.concatenate(found, -1), weights["out"])


def reference(net, params, x, t, label, words):
    places = list(itertools.product(range(GRID[0]), range(GRID[1])))
    angles = t * 10_000 ** (-np.arange(128) / 127)
    time = linear(np.concatenate([np.sin(angles), np.cos(angles)]), params["time_1"])
    condition = silu(linear(silu(time), params["time_2"]) + params["label"]["embedding"][label])
    cut = [x[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].reshape(-1) for r, c in places]
    h = linear(np.stack(cut), params["in"])
    if net.positions == "sines":
        h += np.stack([np.concatenate([sines(c, 8), sines(r, 8)]) for r, c in places])
    if net.positions == "learned":
        h += params["positions"]
    if net.context_vocabulary:
        embedded = [params["text"]["embedding"]["embedding"][w] + sines(i, 16) for i, w in enumerate(words)]
        text = norm(np.stack([params["text"]["none"], *embedded]))
        text = text * params["text"]["norm"]["scale"] + params["text"]["norm"]["bias"]
    turns = places if net.positions == "rotary" else None
    for layer in range(net.layers):
        weights = params[f"blocks_{layer}"]
        shift, scale, gate, shift_2, scale_2, gate_2 = np.split(linear(condition, weights["modulation"]), 6)
        seen = norm(h) * (1 + scale) + shift
        h = h + gate * attended(seen, seen, weights["attention"], net.heads, turns)
        if net.context_vocabulary:
            h = h + attended(h, text, weights["text_attention"], net.heads)
        seen = linear(norm(h) * (1 + scale_2) + shift_2, weights["mlp_in"])
        h = h + gate_2 * linear(gelu(seen), weights["mlp_out"])
    shift, scale = np.split(linear(condition, params["modulation"]), 2)
    patches = linear(norm(h) * (1 + scale) + shift, params["out"])
    out = np.zeros(SHAPE)
    for patch, (r, c) in zip(patches, places, strict=True):
        out[2 * r : 2 * r + 2, 2 * c : 2 * c + 2] = patch.reshape(2, 2, -1)[..., : SHAPE[2]]
    return out


@pytest.mark.parametrize(
    "changes",
    [
        dict(learned_variance=True, layers=2),
        dict(positions="learned", context_vocabulary=WORDS, context_layers=0),
        dict(positions="rotary", mlp_ratio=1.5),
    ],
    ids=str,
)
def test_numpy_computes_the_same(changes):
    net = make(**changes)
    found, params = call(net, kept=KEPT), filled(net)["params"]
    labels, texts = [2, CLASSES, 1], [[1, 4, 2], [], [1, 5, 6, 3, 2]]
    for row, x, t, label, words in zip(found, X, TIMES, labels, texts, strict=True):
        expected = reference(net, params, x, float(t), label, words)
        np.testing.assert_allclose(row, expected, atol=2e-4 * np.abs(expected).max())


# Sizes and beginnings.


@pytest.mark.parametrize(
    ("width", "layers", "heads", "weights", "paper"),
    [
        (384, 12, 6, 32_865_056, 33e6),
        (768, 12, 12, 130_315_808, 130e6),
        (1024, 24, 16, 457_840_672, 458e6),
        (1152, 28, 16, 674_834_720, 675e6),
    ],
)
def test_the_papers_sizes(width, layers, heads, weights, paper):
    net = DiT((32, 32, 4), 2, width, layers, heads, "sines", 1000, learned_variance=True)
    assert size(shapes(net)) == weights
    assert weights == pytest.approx(paper, rel=0.01)


@functools.cache
def begun(net):
    """Compiled as a whole, since a dispatch of each operation takes seconds."""
    return jax.jit(lambda key: net.init_with_output(key, X, TIMES, GIVEN, train=False))(jax.random.key(0))


def test_before_training_output_is_zero_and_blocks_are_the_identity():
    net = make(positions="learned", **READING)
    output, variables = begun(net)
    assert output.shape == X.shape
    assert output.dtype == jnp.float32
    assert not output.any()
    h, text = jax.random.normal(jax.random.key(1), (3, 6, 16)), jax.random.normal(jax.random.key(2), (3, 5, 16))
    read = text, jnp.ones((3, 1, 1, 5), bool)
    block = Block(net.heads, 4 * net.width, 0.0, jnp.float32)
    weights = {"params": variables["params"]["blocks_0"]}
    same = jax.jit(lambda c: block.apply(weights, h, c, None, read, False))
    np.testing.assert_array_equal(same(jax.random.normal(jax.random.key(3), (3, 1, 16))), h)
    kernels = weights["params"]["attention"]["query"]["kernel"], weights["params"]["mlp_out"]["kernel"]
    assert all(kernel.any() for kernel in kernels)


def test_training_moves_every_weight():
    """All that begins at zero hides the rest from a first gradient: the gates open one after the other."""
    net, tx = make(positions="learned", **READING), optax.adam(1e-2)
    _, first = begun(net)
    target = jax.random.normal(jax.random.key(1), X.shape)

    @jax.jit
    def step(variables, state):
        def loss(variables):
            return jnp.mean((net.apply(variables, X, TIMES, GIVEN, KEPT, train=True) - target) ** 2)

        slopes = jax.grad(loss)(variables)
        updates, state = tx.update(slopes, state)
        return optax.apply_updates(variables, updates), state, slopes

    variables, state = first, tx.init(first)
    for _ in range(4):
        variables, state, slopes = step(variables, state)
    still = [jax.tree_util.keystr(path) for path, x in jax.tree.leaves_with_path(slopes) if not np.abs(x).max() > 0]
    assert not still
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(slopes))


# Patches.


def patches(images):
    """[B, H, W, C] -> [B, N, p, p, C]"""
    x = images.reshape(len(images), GRID[0], PATCH, GRID[1], PATCH, -1).swapaxes(2, 3)
    return x.reshape(len(images), -1, PATCH, PATCH, x.shape[-1])


def joined(found):
    x = found.reshape(len(found), *GRID, PATCH, PATCH, -1).swapaxes(2, 3)
    return x.reshape(len(found), *SHAPE)


def test_patches_in_another_order_with_their_positions_come_out_in_that_order():
    order = np.array([3, 0, 5, 1, 4, 2])
    net = make(positions="learned")
    params = filled(net)["params"]
    moved = {"params": {**params, "positions": params["positions"][order]}}
    other = compiled(net)(moved, joined(patches(X)[:, order]), TIMES, GIVEN, None)
    np.testing.assert_allclose(patches(other), patches(call(net))[:, order], atol=1e-4)
    assert np.abs(patches(call(net, joined(patches(X)[:, order]))) - patches(call(net))[:, order]).max() > 0.1


def test_rotary_positions_are_seen_in_differences_alone():
    """Equal patches stay equal, whatever the weights; others have an order."""
    equal = joined(np.repeat(patches(X)[:, :1], 6, axis=1))
    rotary, sines_ = (patches(call(make(positions=kind), equal)) for kind in ("rotary", "sines"))
    np.testing.assert_allclose(rotary, np.repeat(rotary[:, :1], 6, axis=1), atol=1e-4)
    assert np.ptp(sines_, axis=1).max() > 0.1
    turned_ = make(positions="rotary")
    assert np.abs(patches(call(turned_, joined(patches(X)[:, ::-1])))[:, ::-1] - patches(call(turned_))).max() > 1e-2


# What is given.


def test_what_is_not_kept_is_the_row_of_no_label():
    net = make()
    hidden = call(net, kept=KEPT)
    table = {**GIVEN, "label": jnp.array([2, CLASSES, 1])}  # the last row, by its number
    np.testing.assert_array_equal(hidden, call(net, given=table))
    np.testing.assert_array_equal(call(net, kept=jnp.ones(3, bool)), call(net))
    np.testing.assert_array_equal(call(net, kept=jnp.zeros(3, bool)), call(net, given=None))
    assert np.abs(hidden - call(net)).max(axis=(1, 2, 3))[1] > 1e-2


def test_a_text_is_read_without_its_padding_and_hidden_whole():
    net = make(label_classes=0, **READING)
    plain = call(net)
    other = {"caption": GIVEN["caption"].at[:2, 1].set(5)}
    longer = {"caption": jnp.pad(GIVEN["caption"], ((0, 0), (0, 3)))}
    np.testing.assert_allclose(call(net, given=longer), plain, atol=1e-5)
    apart = np.abs(call(net, given=other) - plain).max(axis=(1, 2, 3))
    assert (apart[:2] > 1e-3).all()
    assert apart[2] == 0
    hidden = call(net, kept=jnp.zeros(3, bool))
    np.testing.assert_array_equal(hidden, call(net, given=other, kept=jnp.zeros(3, bool)))
    np.testing.assert_allclose(hidden, call(net, given=None), atol=1e-5)
    assert np.abs(hidden - plain).max() > 1e-3


def test_what_is_read_is_said():
    assert make().reads == ("label",)
    assert make(label_classes=0).reads == ()
    assert make(context="name", context_vocabulary=WORDS).reads == ("label", "name")
    assert not {"label", "text"} & set(shapes(make(label_classes=0)))


def test_output_depends_on_time_and_rows_do_not_meet():
    net = make()
    base = call(net, t=jnp.array([10, 10, 10]))
    moved = call(net, X + np.array([0, 1, 0], np.float32)[:, None, None, None], t=jnp.array([10, 10, 700]))
    np.testing.assert_allclose(moved[0], base[0], atol=1e-5)
    assert (np.abs(moved - base).max(axis=(1, 2, 3))[1:] > 1e-2).all()


# How it is computed.


def test_computing_blocks_again_gives_the_same_gradients():
    slopes = []
    for remat in (False, True):
        net = make(remat=remat)
        loss = lambda v, net=net: jnp.mean(net.apply(v, X, TIMES, GIVEN, KEPT, train=True) ** 2)  # noqa: E731
        slopes.append(jax.jit(jax.grad(loss))(filled(make())))
    largest = max(np.abs(x).max() for x in jax.tree.leaves(slopes[0]))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * largest), *slopes)


def test_the_variance_comes_after_the_image():
    net = make(learned_variance=True)
    both = compiled(net, variance=True)(filled(net), X, TIMES, GIVEN, None)
    assert both.shape == (3, 4, 6, 4)
    np.testing.assert_array_equal(both[..., :2], call(net))
    assert np.abs(both[..., 2:] - both[..., :2]).max() > 0.1


def test_dropout_is_drawn_from_its_key():
    net = make(dropout=0.5)
    train = jax.jit(lambda key: net.apply(filled(net), X, TIMES, GIVEN, train=True, rngs={"dropout": key}))
    first, second, again = (train(jax.random.key(k)) for k in (0, 1, 0))
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(first, again)


def test_half_precision_keeps_parameters_and_output_in_float32():
    settings = dict(positions="rotary", label_classes=0, **READING)
    half, whole = make(dtype=jnp.bfloat16, **settings), make(**settings)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(shapes(half)))
    output, exact = call(half), call(whole)
    assert output.dtype == np.float32
    assert 0 < np.abs(output - exact).max() < 0.1 * np.abs(exact).max()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            dict(shape=(4, 6, 2), patch=3),
            r"patch is 3, and has to divide both sides of the images, 4 × 6: one of 1, 2",
        ),
        (dict(shape=(4, 4, 2)), r"shape is \(4, 4, 2\), and the inputs are of the shape \(4, 6, 2\)"),
        (dict(heads=3), "heads is 3, and has to divide the width, 16: one of 1, 2, 4, 8, 16"),
        (dict(width=18), "width is 18, and sines along two axes need a multiple of 4"),
        (dict(width=12, positions="rotary"), "width is 12, and rotary positions need .*: a multiple of 8"),
        (dict(width=9, heads=1, positions="learned", context_vocabulary=3), "width is 9, and a text needs an even one"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(changes, said):
    with pytest.raises(Unfit, match=said):
        make(**changes).init(jax.random.key(0), X, TIMES, GIVEN, train=False)
