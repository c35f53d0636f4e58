"""Chinese verse judged by its rules: form, rhyme, tones (Wang Li 王力, 詩詞格律, 1962, chapter 2).

A text is lines. A first line without punctuation is the title where others have some. Verses end at a comma, a full
stop, a question or exclamation mark, a semicolon or the end of a line; quotation marks and blanks do not count.

    form        all verses have 5 characters, or all have 7, and their number is even
    rhyme       the last characters of the even verses, two different ones at least, stand in one rhyme group
    tones       in verse i = 0, 1, 2, … characters 2, 4 (and 6) alternate between level 平 and oblique 仄. The second
                is opposite within a couplet 對 and the same across two couplets 粘: of tone t where (i + 1) // 2 is
                even, else of the other. Even verses end level, odd ones oblique; the first one may rhyme instead.
    regulated   all of that, in four verses or more

t is the tone that fits more. The usual exchanges of tones 拗救 count as breaches, so that real regulated verse does not
reach 1. Of several readings any may fit. Characters that the rhyme book lacks are left out. Rhymes of oblique tones are
rhymes too, as old-style verse 古體 has them; `tones` asks for level ones.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Estimate, mean, ratio
from aigc_jax.metrics.rhymes import fits, known, shared

LENGTHS = (5, 7)  # characters of a verse
FEWEST = 4  # verses of a regulated poem
PAUSE = re.compile(r"[，。？！；,.?!;]")
IGNORED = re.compile(r"[\s「」『』《》〈〉“”‘’、：:]")


class Tones(NamedTuple):
    """Of one text: positions that are tested, and those that keep the rule."""

    kept: int
    tested: int


def verses(text: str) -> list[str]:
    """The verses of a text, without title and punctuation."""
    lines = text.split("\n")
    if not PAUSE.search(lines[0]) and any(map(PAUSE.search, lines)):
        lines = lines[1:]
    cut = (IGNORED.sub("", verse) for line in lines for verse in PAUSE.split(line))
    return [verse for verse in cut if verse]


def has_form(lines: Sequence[str]) -> bool:
    """Whether they are verses of one right length, and an even number of them."""
    lengths = {len(line) for line in lines}
    return bool(lines) and len(lines) % 2 == 0 and len(lengths) == 1 and lengths <= set(LENGTHS)


def rhyming(lines: Sequence[str]) -> bool:
    """Whether the even ones rhyme."""
    ends = _ends(lines)
    return len(set(ends)) > 1 and bool(shared(ends))


def tones(lines: Sequence[str]) -> Tones:
    """How well lines of the right form keep the tones."""
    ends, kept = _ends(lines), dict.fromkeys((True, False), 0)  # by t: whether it is level
    tested = 0
    for i, line in enumerate(lines):
        for place in range(1, len(line) - 1, 2):
            if known(line[place]):
                tested += 1
                other = ((i + 1) // 2 + place // 2) % 2 == 1
                for t in kept:
                    kept[t] += fits(line[place], t != other)
        if known(line[-1]):
            tested += 1
            joins = i == 0 and bool(ends) and bool(shared(ends + line[-1]))
            right = joins or fits(line[-1], i % 2 == 1)
            for t in kept:
                kept[t] += right
    return Tones(max(kept.values()), tested)


def regulated(lines: Sequence[str]) -> bool:
    """Whether they keep all rules."""
    if len(lines) < FEWEST or not (has_form(lines) and rhyming(lines)):
        return False
    kept, tested = tones(lines)
    return kept == tested


def form_rate(texts: Sequence[str]) -> Estimate:
    """The share of texts of the right form, 0 … 1."""
    return _share(texts, has_form)


def rhyme_rate(texts: Sequence[str]) -> Estimate:
    """The share of texts that rhyme, 0 … 1."""
    return _share(texts, rhyming)


def regulated_rate(texts: Sequence[str]) -> Estimate:
    """The share of texts that are regulated verse, 0 … 1."""
    return _share(texts, regulated)


def tone_rate(texts: Sequence[str]) -> Estimate:
    """The share of positions of right tone in the texts of the right form and four verses or more, 0 … 1.

    Chance reaches more than one half, since t is chosen to fit. Raises UserError where no text has the form.
    """
    cut = [verses(text) for text in texts]
    found = np.array([tones(each) if len(each) >= FEWEST and has_form(each) else Tones(0, 0) for each in cut])
    if not found[:, 1:].any():
        raise UserError(
            f"none of the {len(texts)} texts has four verses or more, an even number, of 5 or of 7 known characters."
        )
    return ratio(found[:, 0], found[:, 1])._replace(least=0, most=1)


def unknown_rate(texts: Sequence[str]) -> Estimate:
    """The share of the verses' characters that the rhyme book lacks, 0 … 1. Raises UserError where there are none."""
    cut = ["".join(verses(text)) for text in texts]
    if not any(cut):
        raise UserError(f"none of the {len(texts)} texts has a verse.")
    lacking = [sum(not known(character) for character in each) for each in cut]
    return ratio(np.array(lacking), np.array(list(map(len, cut))))._replace(least=0, most=1)


def _ends(lines: Sequence[str]) -> str:
    """The last characters of the even verses that are known."""
    return "".join(line[-1] for line in lines[1::2] if known(line[-1]))


def _share(texts: Sequence[str], judge: Callable[[Sequence[str]], bool]) -> Estimate:
    if not texts:
        raise UserError("there is no text that begins as one.")
    return mean(np.array([judge(verses(text)) for text in texts]))._replace(least=0, most=1)
