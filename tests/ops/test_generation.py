"""Beam search against all texts of a tiny vocabulary, and the penalty of repetition against its formula."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.ops.decoding import repetition_penalty
from aigc_jax.ops.generation import Reader, drawn, most_probable

PAD, BOS, EOS, V, L = 0, 1, 2, 6, 6
NEVER = jnp.zeros(V).at[jnp.array([PAD, BOS])].set(-jnp.inf)
LOGITS = np.random.RandomState(3).normal(size=(2, V, V, V)).astype(np.float32) * 2  # of a row: the last two tokens
ROWS = 2


def read(tokens, cache, index):
    """The cache holds the last token, and which row it is of."""
    last, row = cache
    return jnp.asarray(LOGITS)[row, last, tokens[:, 0]], (tokens[:, 0], row)


@functools.partial(jax.jit, static_argnums=1)
def search(known, beams, length_penalty, repetition=1.0):
    texts = jnp.full((ROWS, L), PAD, jnp.int32).at[:, : known.shape[1]].set(known)
    first = 1 + jnp.argmin(jnp.append(jnp.all(known[:, 1:] != PAD, axis=0), False))
    reader = Reader(read, lambda cache, room: cache, NEVER, PAD, EOS)
    last = jnp.where(first > 1, texts[:, first - 2], PAD)
    cache = (last, jnp.arange(ROWS))
    return most_probable(reader, texts, first, cache, [3, L - 1], beams, length_penalty, repetition)


def best(row, known, power):
    """The text of highest score among all that begin so."""
    found = []
    free = L - len(known)
    for size in range(1, free + 1):
        for tail in itertools.product([t for t in range(V) if t not in (PAD, BOS)], repeat=size):
            if EOS in tail[:-1] or (size < free and tail[-1] != EOS):
                continue
            text, total = [PAD, *known], 0.0
            for token in tail:
                logits = LOGITS[row, text[-2], text[-1]].astype(np.float64) + np.asarray(NEVER)
                total += logits[token] - np.log(np.exp(logits).sum())
                text.append(token)
            found.append((total / size**power, [*text[1:], *[PAD] * (L - len(text) + 1)]))
    return max(found)[1]


def log_p(row, text):
    """Of each next token, float64 [V]. text: from BOS on."""
    logits = LOGITS[row, [PAD, *text][-2], text[-1]].astype(np.float64) + np.asarray(NEVER)
    return logits - np.log(np.exp(logits).sum())


def by_hand(row, known, beams, power, repetition):
    """Beam search of lists, to the longest length: nothing stops it early."""
    live, done = [(0.0, known)], []
    for size in range(1, L - len(known) + 1):
        made = []
        for total, text in live:
            each = log_p(row, text)
            each[[t for t in set(text) if t != PAD]] *= repetition
            made += [(total + each[token], [*text, token]) for token in range(V) if np.isfinite(each[token])]
        made = sorted(made, reverse=True)[: 2 * beams]
        done += [(total / size**power, text) for total, text in made[:beams] if text[-1] == EOS]
        live = [each for each in made if each[1][-1] != EOS][:beams]
    found = max(done + [(total / size**power, text) for total, text in live])[1]
    return found + [PAD] * (L - len(found))


@pytest.mark.parametrize("beams", [2, 3, 5])
def test_it_is_beam_search_by_hand(beams):
    for known in ([[BOS], [BOS]], [[BOS, 3, 4], [BOS, 5, PAD]]):
        for power, repetition in itertools.product((-2.0, -0.5, 0.0, 0.6, 1.0, 3.0), (1.0, 1.3)):
            found = np.asarray(search(jnp.array(known, jnp.int32), beams, power, jnp.float32(repetition)))
            for row, told in enumerate(known):
                expected = by_hand(row, [t for t in told if t != PAD], beams, power, repetition)
                assert found[row].tolist() == expected, (known, row, power, repetition)


def test_what_ends_outside_the_best_beams_is_no_hypothesis():
    """The end is third of the first step, and would win by its length: the two before it are not done."""
    steps = jnp.log(jnp.array([[0.001, 0.001, 0.2, 0.4, 0.397, 0.001], [0.001, 0.001, 0.2, 0.266, 0.266, 0.266]]))

    def first_or_later(tokens, cache, index):
        return jnp.where(index == 0, steps[0], steps[1])[None].repeat(len(tokens), 0), cache

    texts = jnp.full((1, 4), PAD, jnp.int32).at[:, 0].set(BOS)
    reader = Reader(first_or_later, lambda cache, room: cache, NEVER, PAD, EOS)
    found = [most_probable(reader, texts, 1, jnp.zeros(1), [3], beams, 0.0, 1.0).tolist() for beams in (2, 3)]
    assert found == [[[BOS, 3, 3, 3]], [[BOS, EOS, PAD, PAD]]]


@pytest.mark.parametrize("power", [-1.0, 0.0, 1.0, 2.0])
def test_with_enough_beams_it_is_the_best_of_all_texts(power):
    for known in ([[BOS], [BOS]], [[BOS, 3], [BOS, 5]], [[BOS, 3, 4], [BOS, 5, PAD]]):
        found = np.asarray(search(jnp.array(known, jnp.int32), V**4, power))
        for row, told in enumerate(known):
            assert found[row].tolist() == best(row, [t for t in told if t != PAD], power), (known, row)


def test_the_exact_search_finds_no_worse_than_narrower_ones():
    def score(row, text):
        text = [PAD, *text]
        total, size = 0.0, 0
        for before, last, token in zip(text, text[1:], text[2:], strict=False):
            if token == PAD:
                break
            logits = LOGITS[row, before, last].astype(np.float64) + np.asarray(NEVER)
            total, size = total + logits[token] - np.log(np.exp(logits).sum()), size + 1
        return total

    known = jnp.full((ROWS, 1), BOS, jnp.int32)
    found = [np.asarray(search(known, beams, 0.0)) for beams in (1, 2, 4, V**4)]
    for row in range(ROWS):
        scores = [score(row, texts[row].tolist()) for texts in found]
        assert scores[-1] == max(scores)


def test_a_penalty_of_repetition_is_its_formula():
    scores = jnp.array([[2.0, -1.0, 0.5, -3.0, 1.0, 0.0]] * 2)
    texts = jnp.array([[1, 3, 3, 0], [1, 4, 0, 0]])
    found = np.asarray(repetition_penalty(scores, texts, PAD, 2.0))
    np.testing.assert_allclose(found, [[2.0, -2.0, 0.5, -6.0, 1.0, 0.0], [2.0, -2.0, 0.5, -3.0, 0.5, 0.0]])
    np.testing.assert_array_equal(repetition_penalty(scores, texts, PAD, 1.0), scores)
    without = repetition_penalty(scores, jnp.array([[1, -1], [1, -1]]), -1, 2.0)
    np.testing.assert_allclose(without[:, 5], scores[:, 5], err_msg="padding is no last token")


def test_with_a_heavy_penalty_no_token_comes_twice():
    found = np.asarray(search(jnp.full((ROWS, 1), BOS, jnp.int32), 4, 0.0, 1e6))
    for row in found.tolist():
        chosen = [token for token in row[1:] if token not in (PAD, EOS)]
        assert len(chosen) == len(set(chosen))


def test_drawing_ends_where_all_texts_have_ended():
    """Both at their second token, of 60 columns; what a row is told beyond it stays."""
    reads = []
    ends = jnp.full((V, V), -9.0).at[:, 3].set(9).at[3].set(-9).at[3, EOS].set(9)  # after any token 3, and then the end

    def read(tokens, cache, index):
        jax.debug.callback(lambda: reads.append(1))
        return ends[tokens[:, 0]], cache

    texts = jnp.full((2, 60), PAD, jnp.int32).at[:, 0].set(BOS).at[1, 3].set(4).at[1, 4].set(EOS)
    reader = Reader(read, lambda cache, room: cache, NEVER, PAD, EOS)
    settings = tuple(np.array(x) for x in (np.float32(0), np.int32(0), np.float32(1)))
    keys = jax.random.split(jax.random.key(0), 2)
    found = drawn(reader, keys, texts, jnp.int32(1), jnp.zeros(2, bool), jnp.zeros(2), [30, 59], settings, 1.0)
    jax.effects_barrier()
    rest = [PAD] * 55
    assert found.tolist() == [[BOS, 3, EOS, PAD, PAD, *rest], [BOS, 3, EOS, 4, EOS, *rest]]
    assert len(reads) == 2
