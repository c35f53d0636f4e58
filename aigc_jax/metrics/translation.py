"""Generated texts held against what they should be, pair by pair: BLEU, chrF, exact matches.

BLEU: Papineni et al. 2002 (P02-1040), of n-grams up to 4, as sacrebleu has it (Post 2018, arXiv:1804.08771). chrF:
Popović 2015 (W15-3049), equation 1 with beta = 2, of n-grams of up to 6 characters, blanks left out. Both are of the
whole corpus, 0 … 100: functions of sums over the pairs, so that the influence of a pair is the jackknife's, of the sums
without it.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from aigc_jax.errors import UserError, optional
from aigc_jax.metrics.bootstrap import Estimate, mean

BETA, ORDER = 2, 6  # of chrF: the weight of recall; characters of the longest n-grams
SMOOTH = "exp"  # of BLEU: an order without a match counts half a match, the next one a quarter, …


def tokenizer(truth: Sequence[str]) -> str:
    """What sacrebleu calls the words of a language: "zh" where most characters of the references are Chinese."""
    letters = [character for text in truth for character in text if character.isalpha()]
    chinese = sum(unicodedata.name(character, "").startswith("CJK UNIFIED") for character in letters)
    return "zh" if 2 * chinese > len(letters) else "13a"


def bleu(made: Sequence[str], truth: Sequence[str]) -> Estimate:
    """BLEU-4 of the corpus, 0 … 100. Raises UserError for no pairs, and where sacrebleu is not installed."""
    _check(made, truth)
    scorer = _metrics("BLEU").BLEU(tokenize=tokenizer(truth), effective_order=True)  # which leaves the counts alone
    found = [scorer.sentence_score(one, [other]) for one, other in zip(made, truth, strict=True)]
    sums = np.array([[*each.counts, *each.totals, each.sys_len, each.ref_len] for each in found])

    def score(row: np.ndarray) -> float:
        counts, totals, (made_length, true_length) = np.split(row, [4, 8])
        return float(
            scorer.compute_bleu(counts.tolist(), totals.tolist(), made_length, true_length, smooth_method=SMOOTH).score
        )

    total = sums.sum(0)
    return _jackknife(score(total), np.array([score(total - row) for row in sums]))


def bleu_signature(truth: Sequence[str]) -> str:
    """What `bleu` depends on, as sacrebleu writes it."""
    return _signature(_metrics("BLEU").BLEU(tokenize=tokenizer(truth), smooth_method=SMOOTH))


def chrf(made: Sequence[str], truth: Sequence[str]) -> Estimate:
    """chrF2 of the corpus, 0 … 100. Raises UserError for no pairs."""
    _check(made, truth)
    sums = np.array([_overlaps(one, other) for one, other in zip(made, truth, strict=True)], np.float64)
    total = sums.sum(0)
    return _jackknife(float(_f_score(total)), _f_score(total - sums))


def chrf_signature() -> str:
    """What `chrf` depends on, as sacrebleu writes it. Raises UserError where that is not installed."""
    return _signature(_metrics("chrF").CHRF(char_order=ORDER, beta=BETA))


def exact(made: Sequence[str], truth: Sequence[str]) -> Estimate:
    """The share of texts that are the true one, 0 … 1. Raises UserError for no pairs."""
    _check(made, truth)
    return mean(np.array([one == other for one, other in zip(made, truth, strict=True)]))._replace(least=0, most=1)


def _overlaps(made: str, truth: str) -> np.ndarray:
    """n-grams of the one, of the other, and of both, [ORDER, 3]. An order that the true one lacks does not count."""
    one, other = ("".join(text.split()) for text in (made, truth))
    found = np.zeros((ORDER, 3))
    for n in range(1, ORDER + 1):
        grams, wanted = (Counter(text[i : i + n] for i in range(len(text) - n + 1)) for text in (one, other))
        if wanted:
            found[n - 1] = grams.total(), wanted.total(), (grams & wanted).total()
    return found


def _f_score(sums: np.ndarray) -> np.ndarray:
    """[..., ORDER, 3] -> [...]: F of the mean precision and recall over the orders that both sides have, × 100."""
    made, truth, both = np.moveaxis(sums, -1, 0)
    there = (made > 0) & (truth > 0)
    orders = np.maximum(there.sum(-1), 1)
    precision = (np.where(there, both, 0) / np.maximum(made, 1)).sum(-1) / orders
    recall = (np.where(there, both, 0) / np.maximum(truth, 1)).sum(-1) / orders
    below = BETA**2 * precision + recall
    return 100 * (1 + BETA**2) * precision * recall / np.where(below > 0, below, 1)


def _jackknife(value: float, without: np.ndarray) -> Estimate:
    """The estimate of a value, and of what it is without each of the pairs."""
    influence = (len(without) - 1) * (value - without)
    return Estimate(value, influence - influence.mean(), least=0, most=100)


def _check(made: Sequence[str], truth: Sequence[str]) -> None:
    if not made or len(made) != len(truth):
        raise UserError(f"Pairs have to be one text of each side, and there are {len(made)} and {len(truth)}.")


def _metrics(purpose: str) -> Any:
    return optional("sacrebleu.metrics", "evaluate", purpose)


def _signature(scorer: Any) -> str:
    scorer.corpus_score(["a"], [["a"]])  # before which a scorer does not know its number of references
    return str(scorer.get_signature())
