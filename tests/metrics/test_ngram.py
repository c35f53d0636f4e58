"""The n-gram baseline against a recursion over dictionaries, and against sources of known entropy."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from aigc_jax.metrics.ngram import ngram_bits, ngram_probabilities

BOS, EOS = 0, 1


def sentences(seed, count, vocabulary, longest=12):
    """Texts with a skewed distribution, so that counts of counts exist."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, vocabulary - 1)
    body = lambda: 2 + random.choice(vocabulary - 2, random.integers(0, longest), p=weights / weights.sum())  # noqa: E731
    return [np.concatenate([[BOS], body(), [EOS]]) for _ in range(count)]


class Plain:
    """Chen & Goodman's formulas, one n-gram at a time."""

    def __init__(self, texts, order, vocabulary):
        self.order, self.vocabulary = order, vocabulary

        def windows(k):
            return [tuple(t[i : i + k].tolist()) for t in texts for i in range(len(t) - k + 1) if (k > 1 or i > 0)]

        self.counts = {order: Counter(windows(order))}
        for k in range(1, order):
            count = Counter(gram[1:] for gram in set(windows(k + 1)))
            if k > 1:
                count.update(tuple(t[:k].tolist()) for t in texts if len(t) >= k)
            self.counts[k] = count
        self.followers = {k: defaultdict(dict) for k in self.counts}
        for k, count in self.counts.items():
            for gram, n in count.items():
                self.followers[k][gram[:-1]][gram[-1]] = n
        self.discounts = {k: self.discount(count) for k, count in self.counts.items()}

    @staticmethod
    def discount(count):
        n = Counter(count.values())
        fallback = {1: 0.5, 2: 1.0, 3: 1.5}
        if not all(n[j] for j in (1, 2, 3, 4)):
            return fallback
        y = n[1] / (n[1] + 2 * n[2])
        found = {j: j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3)}
        return found if all(0 < d <= j for j, d in found.items()) else fallback

    def probability(self, context, word):
        context = context[max(len(context) - self.order + 1, 0) :]
        return self._probability(len(context) + 1, context, word)

    def _probability(self, k, context, word):
        if k == 0:
            return 1 / self.vocabulary
        lower = self._probability(k - 1, context[1:], word)
        followers = self.followers[k].get(context)
        if not followers:
            return lower
        d = lambda n: self.discounts[k][min(n, 3)] if n else 0.0  # noqa: E731
        total, n = sum(followers.values()), followers.get(word, 0)
        return (n - d(n) + sum(map(d, followers.values())) * lower) / total


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_the_plain_recursion(order):
    train, heldout = sentences(0, 150, 12), sentences(1, 20, 14)  # with tokens never seen in training
    model = Plain(train, order, 14)
    expected = [model.probability(tuple(t[:i].tolist()), int(t[i])) for t in heldout for i in range(1, len(t))]
    np.testing.assert_allclose(ngram_probabilities(train, heldout, order, 14), expected, rtol=1e-10)
    assert ngram_bits(train, heldout, order, 14) == pytest.approx(-np.mean(np.log2(expected)))


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("context", [[], [2], [3, 2], [2, 2, 5, 3], [8, 8, 8], [13, 2], [2, 13]])
def test_probabilities_sum_to_one(order, context):
    """After contexts often seen, seen once, never seen, and with a token unknown in training."""
    train, vocabulary = sentences(0, 200, 12), 14
    asked = [np.array([BOS, *context, word]) for word in range(vocabulary)]
    probabilities = ngram_probabilities(train, asked, order, vocabulary).reshape(vocabulary, -1)[:, -1]
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(), 1, rtol=1e-12)


def test_nothing_is_learned_from_heldout_texts():
    train, heldout = sentences(0, 50, 10), sentences(1, 10, 10)
    alone = ngram_probabilities(train, heldout[:1], 3, 10)
    np.testing.assert_allclose(ngram_probabilities(train, heldout, 3, 10)[: len(alone)], alone, rtol=1e-12)


def test_contexts_end_where_a_text_begins():
    """The order of the texts, and so what stands before each, has no influence."""
    train, heldout = sentences(0, 50, 10), sentences(1, 10, 10)
    forward = ngram_probabilities(train, heldout, 4, 10)
    backward = ngram_probabilities(train[::-1], heldout[::-1], 4, 10)
    np.testing.assert_allclose(np.sort(forward), np.sort(backward), rtol=1e-12)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_markov_source_approaches_its_entropy_rate(order):
    """A chain of first order: the bigram reaches its entropy rate, the unigram only its marginal's entropy."""
    random, size, steps = np.random.default_rng(3), 4, 60_000
    transition = random.dirichlet(np.full(size, 0.5), size)
    stationary = np.linalg.matrix_power(transition, 200)[0]
    rate = -(stationary[:, None] * transition * np.log2(transition)).sum()
    marginal = -(stationary * np.log2(stationary)).sum()
    cumulative, state, chain = transition.cumsum(1), 0, []
    for u in random.random(steps):
        state = min(int(np.searchsorted(cumulative[state], u)), size - 1)
        chain.append(state)
    train, heldout = [np.array(chain[: steps // 2])], [np.array(chain[steps // 2 :])]
    assert marginal - rate > 0.1
    assert ngram_bits(train, heldout, order, size) == pytest.approx(rate, abs=0.03)
    assert ngram_bits(train, heldout, 1, size) == pytest.approx(marginal, abs=0.05)


@pytest.mark.parametrize("seed", range(8))
def test_no_token_is_impossible(seed):
    """Whatever the counts of counts of a small corpus are."""
    train, heldout = sentences(seed, 3 + 9 * seed, 6), sentences(seed + 50, 20, 9)
    assert np.isfinite(ngram_bits(train, heldout, 4, 9))


def test_uniform_source_costs_the_logarithm_of_the_vocabulary():
    random = np.random.default_rng(0)
    train, heldout = [random.integers(0, 8, 40_000)], [random.integers(0, 8, 4_000)]
    assert ngram_bits(train, heldout, 2, 8) == pytest.approx(3, abs=0.01)
