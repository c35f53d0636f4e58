"""What noise takes from a text is what its paper says, and put back it gives the text."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops import token_noise as noise

PAD, BOS, EOS, MASK, FIRST = 0, 1, 2, 40, 41
SENTINELS = np.arange(FIRST, FIRST + 8)
LETTERS = np.arange(3, 40)
T, B = 32, 2000


@pytest.fixture(scope="module")
def texts():
    """Rows of 1 … 30 letters, BOS before and EOS after them, and which are letters."""
    random, rows = np.random.default_rng(0), np.full((B, T), PAD, np.int32)
    for i, row in enumerate(rows):
        n = 1 + i % 30
        row[: n + 2] = [BOS, *random.choice(LETTERS, n), EOS]
    return jnp.asarray(rows), jnp.isin(rows, LETTERS)


KEYS = jax.random.split(jax.random.key(7), B)


def of_rows(function):
    return jax.jit(jax.vmap(function))


def expected(n, density=0.15):
    return np.minimum(np.maximum(np.round(np.float32(density) * np.float32(n)), 1), n)


def kept(rows, also=()):
    """The tokens of each row that are no padding, masks or sentinels."""
    return [[t for t in row if t != PAD and (t < MASK or t in also)] for row in np.asarray(rows).tolist()]


@pytest.fixture(scope="module")
def long_spans(texts):
    find = partial(noise.few_long, density=0.3, mean=3.0, most=len(SENTINELS) - 1)
    return jax.tree.map(np.asarray, of_rows(find)(KEYS, texts[1]))


@pytest.fixture(scope="module")
def poisson_spans(texts):
    return jax.tree.map(np.asarray, of_rows(partial(noise.poisson, density=0.3, mean=3.0))(KEYS, texts[1]))


def runs(spans, row):
    """(start, length) of each span of a row."""
    found = []
    for start in np.flatnonzero(spans.begins[row]):
        length = 0
        while start + length < T and spans.hidden[row, start + length]:
            length += 1
        found.append((start, length))
    return found


def test_bert_chooses_fifteen_of_a_hundred_and_replaces_them_8_1_1(texts):
    tokens, may = texts
    function = of_rows(partial(noise.bert, mask=MASK, others=LETTERS, density=0.15))
    read, chosen = map(np.asarray, function(KEYS, tokens, may))
    tokens, n = np.asarray(tokens), np.asarray(may).sum(1)
    np.testing.assert_array_equal(chosen.sum(1), expected(n))
    assert not (chosen & ~np.asarray(may)).any()
    np.testing.assert_array_equal(read[~chosen], tokens[~chosen])
    there, was = read[chosen], tokens[chosen]
    error = 4 * np.sqrt(0.25 / len(there))
    assert np.mean(there == MASK) == pytest.approx(0.8, abs=error)
    # One of ten letters that are drawn is the token itself by chance, one of as many as there are letters.
    assert np.mean(there == was) == pytest.approx(0.1 + 0.1 / len(LETTERS), abs=error)
    others = there[(there != MASK) & (there != was)]
    assert set(others) == set(LETTERS)
    places = chosen[n == 30].mean(0)[1:31]
    np.testing.assert_allclose(places, expected(30) / 30, atol=5 * np.sqrt(0.25 / (n == 30).sum()))


def test_masks_and_deletions(texts):
    tokens, may = texts
    n = np.asarray(may).sum(1)
    masks = np.asarray(of_rows(partial(noise.masked, mask=MASK, density=0.3))(KEYS, tokens, may))
    np.testing.assert_array_equal((masks == MASK).sum(1), expected(n, 0.3))
    assert (np.asarray(may) | (masks == np.asarray(tokens))).all()
    shorter = np.asarray(of_rows(partial(noise.deleted, pad=PAD, density=0.3))(KEYS, tokens, may))
    assert kept(shorter) == kept(masks)  # the keys hide the same tokens
    np.testing.assert_array_equal((shorter != PAD).sum(1), n + 2 - expected(n, 0.3))
    assert all(row[len(text) :].max(initial=PAD) == PAD for row, text in zip(shorter, kept(shorter), strict=True))


def test_long_spans_have_the_density_and_the_mean_length(texts, long_spans):
    n, rows = np.asarray(texts[1]).sum(1), range(B)
    hidden = np.minimum(expected(n, 0.3), n - 1)
    np.testing.assert_array_equal(long_spans.hidden.sum(1), hidden)
    assert not (long_spans.hidden & ~np.asarray(texts[1])).any()
    count = np.where(hidden > 0, np.maximum(np.round(hidden / 3), 1), 0)
    np.testing.assert_array_equal(long_spans.begins.sum(1), count)
    found = [runs(long_spans, row) for row in rows]
    assert all(length > 0 for row in found for _, length in row)
    np.testing.assert_array_equal([sum(length for _, length in row) for row in found], hidden)  # separate, all of them


def test_long_spans_are_placed_and_parted_evenly(texts):
    """Of 6 letters 4 are hidden in 2 spans: 3 ways to part them, times 3 pairs of the gaps between what is seen."""
    may = jnp.tile((jnp.arange(T) > 0) & (jnp.arange(T) < 7), (B, 1))
    spans = of_rows(partial(noise.few_long, density=0.65, mean=2.0, most=4))(KEYS, may)
    ways, counts = np.unique(np.asarray(spans.hidden)[:, :8], axis=0, return_counts=True)
    assert len(ways) == 9
    np.testing.assert_allclose(counts / B, 1 / 9, atol=5 * np.sqrt(1 / 9 * 8 / 9 / B))


def test_spans_put_back_give_the_text(texts, long_spans):
    tokens, _ = texts
    split = of_rows(partial(noise.sentinelled, sentinels=SENTINELS, pad=PAD, eos=EOS, sizes=(T, 24)))
    read, given = split(tokens, jax.tree.map(jnp.asarray, long_spans))
    back = partial(noise.put_back, sentinels=SENTINELS, pad=PAD, eos=EOS, size=T)
    np.testing.assert_array_equal(of_rows(back)(read, given), tokens)
    counts = long_spans.begins.sum(1)
    for row, target, count in zip(np.asarray(read).tolist(), np.asarray(given).tolist(), counts, strict=True):
        assert [t for t in row if t >= FIRST] == list(range(FIRST, FIRST + count))
        target = target[: target.index(EOS)] + [t for t in target[target.index(EOS) + 1 :] if t != PAD]
        assert [t for t in target if t >= FIRST] == list(range(FIRST, FIRST + count + 1))  # one sentinel more
        assert target[0] == FIRST and target[-1] == FIRST + count
        assert row[0] == BOS and EOS in row


def test_a_text_of_a_model_is_put_back_as_far_as_it_goes():
    read = jnp.array([BOS, FIRST, 5, FIRST + 1, EOS, PAD])
    back = jax.jit(partial(noise.put_back, read, sentinels=SENTINELS, pad=PAD, eos=EOS, size=8))
    cases = {
        (FIRST + 1, 9, 8, FIRST, 7, EOS, 6): [BOS, 7, 5, 9, 8, EOS, PAD, PAD],  # in another order, and after its end
        (4, FIRST + 5, 6, FIRST, 7, 7, 7): [BOS, 7, 7, 7, 5, EOS, PAD, PAD],  # of no span, of one that is not there
        (EOS, FIRST, 7, 7, 7, 7, 7): [BOS, 5, EOS, PAD, PAD, PAD, PAD, PAD],
    }
    for given, text in cases.items():
        np.testing.assert_array_equal(back(jnp.array(given)), text)


def test_poisson_spans(texts, poisson_spans):
    n = np.asarray(texts[1]).sum(1)
    found = [runs(poisson_spans, row) for row in range(B)]
    hidden = poisson_spans.hidden.sum(1)
    np.testing.assert_array_equal([sum(length for _, length in row) for row in found], hidden)
    assert not (poisson_spans.hidden & ~np.asarray(texts[1])).any() and (hidden <= expected(n, 0.3)).all()
    assert np.mean(hidden[n > 10] == expected(n, 0.3)[n > 10]) > 0.99
    first = np.array([row[0][1] for row in found if row])
    assert np.mean(first == 0) > 0.02  # e^-3 of all spans, in any place
    last = np.array([row[-1][0] - count for row, count in zip(found, n, strict=True) if row])
    assert max(last) == 1  # after the last letter, where EOS stands


def test_poisson_lengths_have_their_law():
    """In a text so long that no span is cut but the last."""
    may = jnp.ones((200, 400), bool)
    spans = jax.tree.map(np.asarray, of_rows(partial(noise.poisson, density=0.1, mean=3.0))(KEYS[:200], may))
    lengths = []
    for begins, hidden in zip(spans.begins, spans.hidden, strict=True):
        number = np.cumsum(begins)[:-1]
        lengths += np.bincount(number[hidden], minlength=begins.sum() + 1)[1:].tolist()
    assert np.mean(lengths) == pytest.approx(3 * 0.95, abs=0.2)  # about fourteen a row, one of them cut
    assert np.mean(np.array(lengths) == 0) == pytest.approx(np.exp(-3), abs=0.02)


def test_infilling_has_a_mask_for_each_span(texts, poisson_spans):
    tokens, _ = texts
    fill = partial(noise.infilled, mask=MASK, pad=PAD, size=T)
    read = np.asarray(of_rows(fill)(tokens, jax.tree.map(jnp.asarray, poisson_spans)))
    for row, text, spans in zip(range(B), np.asarray(tokens), read, strict=True):
        expected = []
        for place in range(T):
            if poisson_spans.begins[row, place]:
                expected.append(MASK)
            if not poisson_spans.hidden[row, place] and text[place] != PAD:
                expected.append(text[place])
        assert spans.tolist() == expected + [PAD] * (T - len(expected))


def test_gaps_of_what_is_known():
    spans = noise.gaps(jnp.array([BOS, PAD, PAD, 5, PAD, 6, PAD, PAD]), PAD)
    np.testing.assert_array_equal(np.flatnonzero(spans.begins), [1, 4, 6])
    np.testing.assert_array_equal(np.flatnonzero(spans.hidden), [1, 2, 4, 6, 7])
    np.testing.assert_array_equal(np.flatnonzero(noise.gaps(jnp.array([PAD, 3]), PAD).begins), [0])


def test_empty_texts_and_keys(texts):
    nothing = jnp.zeros(T, bool)
    for find in (partial(noise.few_long, most=3), noise.poisson):
        spans = jax.jit(partial(find, density=0.3, mean=3.0))(KEYS[0], nothing)
        assert not spans.begins.any() and not spans.hidden.any()
    assert not noise.exactly(KEYS[0], nothing, 3).any() and noise.share(nothing, 0.5) == 0
    own = jax.random.key_data(noise.own_keys(texts[0]))
    assert len(np.unique(np.asarray(own)[:, -1])) > 0.98 * B  # one letter alone is often twice there
    np.testing.assert_array_equal(own[3:5], jax.random.key_data(noise.own_keys(texts[0][3:5])))


def test_keys_are_rows_of_one_draw():
    """Devices that see a half each have the keys that one has which sees all."""
    data = lambda key, rows: jax.random.key_data(noise.keys(key, rows))  # noqa: E731
    key, count = jax.random.key(1), len(jax.devices())
    whole = data(key, 3 * count)
    parts = jax.pmap(lambda key: data(key, 3), axis_name="batch")(jnp.stack([key] * count))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
