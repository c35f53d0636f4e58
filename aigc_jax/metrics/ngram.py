"""The n-gram baseline of a language model: interpolated modified Kneser-Ney smoothing.

Chen & Goodman 1999, An empirical study of smoothing techniques for language modeling, section 3:

    p_k(w | c) = (a(c w) - D(a(c w))) / a(c) + gamma(c) p_{k-1}(w | c without its first token)

c has k - 1 tokens, a(c) = sum_w a(c w), and gamma(c) is the mass that the discounts D remove. For the highest order a
is the count; for lower ones it is the number of different tokens before c w, or the count where c begins a text. p_0 is
uniform.
"""

from collections.abc import Sequence

import numpy as np

Texts = Sequence[np.ndarray]  # each one int [T]: its first token is given (BOS), the others are predicted

FALLBACK = (0.0, 0.5, 1.0, 1.5)  # discounts where those of the counts of counts are invalid (as in KenLM)


def ngram_bits(train: Texts, heldout: Texts, order: int, vocabulary: int) -> float:
    """Bits a predicted token on `heldout`: the mean of -log2 p."""
    return float(-np.mean(np.log2(ngram_probabilities(train, heldout, order, vocabulary))))


def ngram_probabilities(train: Texts, heldout: Texts, order: int, vocabulary: int) -> np.ndarray:
    """p(token | up to order - 1 tokens before it in its text) of all predicted tokens, float64, text after text.

    order: 1 or more. vocabulary: how many tokens there are, ids 0 .. vocabulary - 1, those of `heldout` among them.
    """
    texts = [*train, *heldout]
    tokens = np.concatenate(texts).astype(np.int64)
    place = np.concatenate([np.arange(len(text)) for text in texts])  # within its text
    trained = np.arange(len(tokens)) < sum(map(len, train))
    asked = ~trained & (place > 0)

    grams = [np.zeros(len(tokens), np.int64), tokens]  # grams[k][t]: a number for the k tokens that end at t
    for _ in range(order - 1):
        context = np.concatenate([[0], grams[-1][:-1]])
        grams.append(np.unique(context * vocabulary + tokens, return_inverse=True)[1])

    probability = np.full(len(tokens), 1 / vocabulary)
    for k in range(1, order + 1):
        whole = place >= max(k - 1, 1)  # the k tokens that end here lie in this text
        counted = trained & whole
        if k < order:
            longer = np.flatnonzero(trained & (place >= k))
            counted &= place == k - 1
            counted[longer[np.unique(grams[k + 1][longer], return_index=True)[1]]] = True
        context = np.concatenate([[0], grams[k - 1][:-1]])
        counts = np.bincount(grams[k][counted], minlength=grams[k].max() + 1)
        discounts = _discounts(counts)[np.minimum(counts, 3)]

        seen, first = np.unique(grams[k][counted], return_index=True)
        owner = context[counted][first]  # the context of each n-gram seen
        size = grams[k - 1].max() + 1
        totals = np.bincount(owner, counts[seen], size)
        taken = np.bincount(owner, discounts[seen], size)

        at = whole & (totals[context] > 0)  # elsewhere p_k = p_{k-1}
        gram, c = grams[k][at], context[at]
        probability[at] = (counts[gram] - discounts[gram] + taken[c] * probability[at]) / totals[c]
    return probability[asked]


def _discounts(counts: np.ndarray) -> np.ndarray:
    """D for the counts 0, 1, 2 and 3 or more (Chen & Goodman 1999, equation 17), or FALLBACK.

    A discount has to be positive, or an unseen token could have no probability, and at most its count.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)  # n[j]: n-grams counted j times
    if not n[1:5].all():
        return np.array(FALLBACK)
    j, y = np.arange(1, 4), n[1] / (n[1] + 2 * n[2])
    found = j - (j + 1) * y * n[2:5] / n[1:4]
    return np.array([0.0, *found]) if ((found > 0) & (found <= j)).all() else np.array(FALLBACK)
