"""What is read and given back, the loss against numpy, and gaps that a network fills in."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner
from aigc_jax.method import KNOWN, Batch
from aigc_jax.methods.denoising import denoising
from aigc_jax.ops import token_noise
from aigc_jax.ops.bits import Unit

PAD, BOS, EOS, MASK = 0, 1, 2, 10
SENTINELS = (11, 12, 13, 14)
V, T = 15, 12
LETTERS = range(3, 10)
KEY = jax.random.key(3)
COUNTS = tuple(int(token in (EOS, *LETTERS)) for token in range(V))
FACTS = dict(length=T, pad=PAD, bos=BOS, eos=EOS, mask=MASK, sentinels=SENTINELS, packed=False)
FACTS |= dict(units=(Unit("char", COUNTS),), density=0.3, mean_span=2.0)
GOAL = 4 + 2 + 2  # tokens of the spans: round(0.3 T), of 2 sentinels, of the last one and EOS
NOISES = ("spans", "infill", "mask", "delete")


class Bag(nn.Module):
    """Tells the next token from the last one and from which tokens the source has."""

    vocabulary: int = V
    reads: tuple[str, ...] = ("source",)

    def setup(self):
        self.after = self.param("after", nn.initializers.normal(), (V, V))
        self.beside = self.param("beside", nn.initializers.normal(), (V, V))

    def __call__(self, tokens, *, causal, train, given):
        assert causal
        return self.decode(tokens, None, 0, self.read(given))[0]

    def read(self, given):
        return jnp.mean(self.beside[given["source"]], axis=1)

    def decode(self, tokens, cache, index, read):
        return self.after[tokens] + read[:, None], cache

    def empty_cache(self, batch, room):
        return ()

    def longer(self, cache, room):
        return cache


class Script(Bag):
    """Gives the tokens of a script, whatever it reads."""

    script: tuple[int, ...] = ()

    def decode(self, tokens, cache, index, read):
        said = jnp.array((*self.script, *[EOS] * (T - len(self.script))))[index + jnp.arange(tokens.shape[1])]
        return jnp.tile(100 * jnp.eye(V)[said], (len(tokens), 1, 1)) + 0 * self.after[0, 0], cache


def family(noise, net=None, accumulate=1, rate=1.0, **facts):
    learner = Learner("net", net or Bag(), optax.sgd(rate), {}, accumulate)
    return denoising({"net": learner}, noise=noise, **{**FACTS, **facts})


def batch(lengths=(5, 11, 1, 8), seed=0):
    random, tokens = np.random.default_rng(seed), np.full((len(lengths), T + 1), PAD, np.int32)
    for row, n in zip(tokens, lengths, strict=True):
        row[: n + 2] = [BOS, *random.choice(LETTERS, n), EOS]
    return Batch(jnp.asarray(tokens), {})


@functools.cache
def start():
    state = family("infill").init(KEY, {}, {})
    return state.replace(params=jax.tree.map(lambda x: x * 100, state.params))


def pairs(noise, rows, key=KEY):
    return tuple(map(np.asarray, jax.jit(family(noise).parts["pairs"])(key, rows.target)))


def letters(row):
    return [token for token in np.asarray(row).tolist() if token in LETTERS]


def test_what_is_read_and_what_is_given_back():
    rows = batch([n for n in range(1, 12)] * 20)
    found = {noise: pairs(noise, rows) for noise in NOISES}
    for noise, (source, given_back) in found.items():
        assert source.shape == (len(rows.target), T) and (source[:, 0] != BOS).all()
        assert given_back.shape == (len(rows.target), (GOAL if noise == "spans" else T) + 1)
        if noise != "spans":
            np.testing.assert_array_equal(given_back, rows.target)
    for i, row in enumerate(np.asarray(rows.target)):
        n = len(letters(row))
        hidden = max(1, round(0.3 * n))
        assert (found["mask"][0][i] == MASK).sum() == hidden == n - len(letters(found["delete"][0][i]))
        assert len(letters(found["infill"][0][i])) >= n - hidden and MASK in found["infill"][0][i]
        read, given_back = (each[i] for each in found["spans"])
        assert len(letters(read)) + len(letters(given_back)) == n and given_back[0] == BOS
    back = functools.partial(token_noise.put_back, sentinels=np.array(SENTINELS), pad=PAD, eos=EOS, size=T)
    read, given_back = found["spans"]
    np.testing.assert_array_equal(jax.jit(jax.vmap(back))(read, given_back[:, 1:]), rows.target[:, 1:])
    assert (pairs("mask", rows, jax.random.key(4))[0] != found["mask"][0]).any()


@pytest.mark.parametrize("noise", ["spans", "infill"])
def test_bits_are_those_of_what_is_given_back(noise):
    rows, state = batch(), start()
    source, given_back = pairs(noise, rows)
    tables = jax.tree.map(lambda x: np.asarray(x, np.float64), state.params["net"])
    logits = tables["after"][given_back[:, :-1]] + tables["beside"][source].mean(1)[:, None]
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    targets = given_back[:, 1:]
    nats = -np.take_along_axis(log_p, targets[..., None], -1)[..., 0] * (targets != PAD)
    measure = jax.jit(family(noise).evaluate)(KEY, state, rows)["bits_per_restored_char"]
    np.testing.assert_allclose(measure.total, nats.sum(1) / np.log(2), rtol=1e-5)
    np.testing.assert_array_equal(measure.weight, np.array(COUNTS)[targets].sum(1))


def test_a_step_is_of_the_mean_over_tokens_whatever_the_parts():
    rows = batch()
    (one, metrics), (two, same) = (
        jax.jit(family("infill", accumulate=parts).step)(KEY, start(), rows) for parts in (1, 2)
    )
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=2e-6), one.params, two.params)
    assert float(metrics["loss"]) == pytest.approx(float(same["loss"]), rel=1e-5)
    even = jax.tree.map(jnp.zeros_like, start())
    assert float(jax.jit(family("spans").step)(KEY, even, rows)[1]["loss"]) == pytest.approx(np.log(V), rel=1e-5)


def test_it_learns_to_tell_by_what_is_left():
    """Two texts without a letter in common, of which noise leaves some."""
    texts = [[BOS, 3, 4, 5, 6, EOS], [BOS, 7, 8, 9, EOS]]
    rows = Batch(jnp.array([[*text, *[PAD] * (T + 1 - len(text))] for text in texts] * 4), {})
    method = family("infill", rate=8.0)
    state, step = method.init(KEY, {}, {}), jax.jit(method.step)
    for i in range(300):
        state, _ = step(jax.random.fold_in(KEY, i), state, rows)
    measure = jax.jit(method.evaluate)(KEY, state, rows)["bits_per_restored_char"]
    assert float(measure.total.sum() / 8) < 0.2  # which of the two it is would be a bit
    source = jnp.array([[7, MASK, 9, EOS, PAD], [3, 4, MASK, 6, EOS]])
    source = jnp.pad(source, ((0, 0), (0, T - 5)))
    begun, keys = jnp.full((2, 1), BOS), jax.random.split(KEY, 2)
    found = method.parts["restore"](keys, state, source, begun, method.plan(temperature=0.0))
    np.testing.assert_array_equal(found, rows.target[1::-1])


def test_gaps_are_filled_with_spans():
    """Two gaps, of which each gets its own span, and what is known stays; a text that nobody knows is one gap."""
    one, two, last = SENTINELS[:3]
    method = family("spans", Script(script=(one, 7, 7, two, 8, last, EOS)))
    state, keys = method.init(KEY, {}, {}), jax.random.split(KEY, 2)
    draw = functools.partial(jax.jit(method.sample), keys, state)
    known = jnp.array([[BOS, 3, PAD, 4], [BOS, 3, 5, EOS]])
    found = np.asarray(draw({KNOWN: known}, method.plan()))
    assert found.shape == (2, T + 1)
    np.testing.assert_array_equal(found[0], [BOS, 3, 7, 7, 4, 8, EOS, *[PAD] * 6])
    np.testing.assert_array_equal(found[1], [BOS, 3, 5, EOS, *[PAD] * 9])
    np.testing.assert_array_equal(draw({}, method.plan())[0], [BOS, 7, 7, EOS, *[PAD] * 9])


def test_what_is_known_is_read_and_begins_the_text():
    seen = {}

    class Spy(Script):
        def read(self, given):
            jax.debug.callback(lambda x: seen.update(source=np.asarray(x)), given["source"])
            return super().read(given)

    known = jnp.array([[BOS, 3, PAD, 4]])
    reads = {
        "infill": [3, MASK, 4, MASK, EOS],
        "mask": [3, MASK, 4, *[MASK] * 8, EOS],
        "delete": [3, 4, EOS],
    }
    for noise, expected in reads.items():
        method = family(noise, Spy(script=(9, 9, 5, 6)))
        state = method.init(KEY, {}, {})
        found = method.sample(jax.random.split(KEY, 1), state, {KNOWN: known}, method.plan())
        jax.effects_barrier()
        assert seen["source"][0].tolist() == expected + [PAD] * (T - len(expected))
        np.testing.assert_array_equal(found[0], [BOS, 3, 9, 5, 6, EOS, *[PAD] * 7])


def test_special_tokens_are_not_drawn():
    """Whatever a network says: with masks no sentinel, with spans those that are in use."""
    keys = jax.random.split(KEY, 400)
    even = family("infill").init(KEY, {}, {})
    even = even.replace(params=jax.tree.map(jnp.zeros_like, even.params))
    for noise in ("infill", "spans"):
        method = family(noise)
        found = np.asarray(jax.jit(method.sample)(keys, even, {}, method.plan()))[:, 1:]
        assert set(np.unique(found)) <= {PAD, EOS, *LETTERS}
    read = jnp.tile(jnp.array([[SENTINELS[0], EOS, *[PAD] * (T - 2)]]), (400, 1))
    found = jax.jit(family("spans").parts["restore"])(keys, even, read, jnp.full((400, 1), BOS), method.plan())
    assert len(np.unique(np.asarray(found))) > 5


def test_a_text_depends_on_its_key_alone():
    method = family("infill")
    draw, keys = jax.jit(method.sample), jax.random.split(KEY, 4)
    together = draw(keys, start(), {}, method.plan())
    np.testing.assert_array_equal(draw(keys[2:3], start(), {}, method.plan())[0], together[2])


def test_what_it_needs():
    class Alone(Bag):
        reads: tuple[str, ...] = ()

    for message, noise, changes in [
        ("encoder and decoder", "mask", dict(net=Alone())),
        ("pack=False", "mask", dict(packed=True)),
        ("extra_tokens=1", "infill", dict(mask=-1)),
        ("extra_tokens=4", "spans", dict(sentinels=SENTINELS[:2])),
        ("density", "spans", dict(density=0.9, sentinels=tuple(range(20)))),
    ]:
        with pytest.raises(ConfigError, match=message):
            family(noise, **changes)
