"""Diversity of texts, and what they copy from the training texts.

distinct-n: Li et al. 2016 (arXiv:1510.03055), section 5: different n-grams over all n-grams.
self-BLEU: Zhu et al. 2018 (arXiv:1802.01886), section 2.2: each text's BLEU against the others; high = all alike.
"""

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from aigc_jax.errors import UserError, optional
from aigc_jax.metrics.bootstrap import Estimate, mean, ratio

WORD = re.compile(r"\w+(?:['\u2019]\w+)*")  # "isn't" is one


def words(text: str) -> tuple[str, ...]:
    """The words of a text whose language writes blanks between them, in small letters and without punctuation."""
    return tuple(WORD.findall(text.lower()))


def distinct(texts: Sequence[Sequence[Hashable]], n: int) -> Estimate:
    """The share of n-grams that differ, 0 ... 1: of characters where texts are strings, of words where they are tuples.

    Raises UserError where all texts are shorter than n.
    """
    grams = _grams(texts, n)
    held = Counter(gram for each in grams for gram in set(each))  # by how many texts
    total, different = sum(map(len, grams)), len(held)
    alone = np.array([sum(held[gram] == 1 for gram in set(each)) for each in grams])
    lengths = np.array(list(map(len, grams)))
    without = (different - alone) / np.maximum(total - lengths, 1)
    influence = (len(texts) - 1) * (different / total - without)  # the jackknife's
    return Estimate(different / total, influence - influence.mean(), least=0, most=1)


def copy_rate(texts: Sequence[str], training: Sequence[str], n: int) -> Estimate:
    """The share of n-grams of characters that stand somewhere in the training texts, 0 ... 1."""
    grams = _grams(texts, n)
    known = {gram for text in training for gram in _cut(text, n)}
    copied = np.array([sum(gram in known for gram in each) for each in grams], np.float64)
    lengths = np.array(list(map(len, grams)))
    return ratio(copied, lengths)._replace(least=0, most=1)


def self_bleu(texts: Sequence[str], tokenize: str) -> Estimate:
    """The mean over texts of their BLEU-4 against all others, 0 ... 1. tokenize: sacrebleu's name: "char", "13a", "zh".

    Raises UserError for fewer than two texts, and where sacrebleu is not installed.
    """
    if len(texts) < 2:
        raise UserError("Self-BLEU needs two texts at least.")
    metrics = optional("sacrebleu.metrics", "evaluate", "Self-BLEU")
    scorer = metrics.BLEU(tokenize=tokenize, effective_order=True)
    return mean(
        np.array(
            [
                min(scorer.sentence_score(text, [*texts[:number], *texts[number + 1 :]]).score / 100, 1.0)
                for number, text in enumerate(texts)
            ]
        )
    )


def _grams(texts: Sequence[Sequence[Hashable]], n: int) -> list[list[Hashable]]:
    grams = [_cut(text, n) for text in texts]
    if not any(grams):
        unit = "characters" if all(isinstance(text, str) for text in texts) else "words"
        raise UserError(f"None of the {len(texts)} texts has {n} {unit}.")
    return grams


def _cut(text: Sequence[Hashable], n: int) -> list[Any]:
    return [text[i : i + n] for i in range(len(text) - n + 1)]
