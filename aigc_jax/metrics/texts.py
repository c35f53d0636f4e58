"""What texts are like among themselves and against those that were trained on.

distinct-n: Li et al. 2016 (arXiv:1510.03055), section 5: different n-grams over all n-grams.
self-BLEU: Zhu et al. 2018 (arXiv:1802.01886), section 2.2: each text's BLEU against the others; high = all alike.
"""

from collections.abc import Sequence

from aigc_jax.errors import UserError


def _grams(text: str, n: int) -> list[str]:
    return [text[i : i + n] for i in range(len(text) - n + 1)]


def distinct(texts: Sequence[str], n: int) -> float:
    """The share of n-grams of characters that differ, 0 ... 1.

    Raises UserError where no text is that long.
    """
    grams = [gram for text in texts for gram in _grams(text, n)]
    if not grams:
        raise UserError(f"None of the {len(texts)} texts has {n} characters.")
    return len(set(grams)) / len(grams)


def copy_rate(texts: Sequence[str], training: Sequence[str], n: int) -> float:
    """The share of n-grams of characters that stand somewhere in the training texts, 0 ... 1."""
    grams = [gram for text in texts for gram in _grams(text, n)]
    if not grams:
        raise UserError(f"None of the {len(texts)} texts has {n} characters.")
    known = {gram for text in training for gram in _grams(text, n)}
    return sum(gram in known for gram in grams) / len(grams)


def self_bleu(texts: Sequence[str], tokenize: str) -> float:
    """The mean over texts of their BLEU-4 against all others, 0 ... 1. tokenize: sacrebleu's name: "char", "13a", "zh".

    Raises UserError for fewer than two texts.
    """
    from sacrebleu.metrics import BLEU

    if len(texts) < 2:
        raise UserError("Self-BLEU needs two texts at least.")
    scorer = BLEU(tokenize=tokenize, effective_order=True)
    found = [
        scorer.sentence_score(text, [*texts[:number], *texts[number + 1 :]]).score for number, text in enumerate(texts)
    ]
    return sum(found) / len(found) / 100
