"""How many words of what was said are heard otherwise: the word error rate.

The fewest words to replace, leave out or add that make one text of the other (Levenshtein 1966), over the words that
were said. Compared are words in small letters without punctuation; hyphens part them. Whole numbers in digits are spelt
in English: "162" is "one hundred sixty two", and "12th" is "twelfth". Titles and signs stay as they are written.
"""

import re
from collections.abc import Sequence

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics import texts
from aigc_jax.metrics.bootstrap import Estimate, ratio

ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
GROUPS = ("", "thousand", "million", "billion")
NTH = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
NTH |= {"twelve": "twelfth"}
DIGITS = re.compile(r"(\d+(?:,\d{3})*)(st|nd|rd|th)?(?![a-z\d])", re.IGNORECASE)


def words(text: str) -> tuple[str, ...]:
    """What is compared of an English text."""
    spelt = DIGITS.sub(lambda found: f" {spelled(found[1].replace(',', ''), bool(found[2]))} ", text)
    return texts.words(spelt.replace("\u2019", "'"))


def spelled(digits: str, ordinal: bool = False) -> str:
    """The words of a whole number, "162" or "162nd"."""
    *most, last = _cardinal(digits).split(" ")
    if ordinal:
        last = NTH.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return " ".join([*most, last])


def _cardinal(digits: str) -> str:
    """Those of its digits one by one where it begins with 0 or is beyond the billions."""
    number = int(digits)
    if len(digits) > 1 and (digits[0] == "0" or number >= 1000 ** len(GROUPS)):
        return " ".join(ONES[int(digit)] for digit in digits)
    if number < 1000:
        return " ".join(_hundreds(number)) or ONES[0]
    parts: list[str] = []
    for power in reversed(range(len(GROUPS))):
        group = number // 1000**power % 1000
        parts += [*_hundreds(group), GROUPS[power]] if group else []
    return " ".join(parts).strip()


def _hundreds(number: int) -> list[str]:
    """Of 0 … 999; nothing of 0."""
    hundreds, rest = divmod(number, 100)
    found = [ONES[hundreds], "hundred"] if hundreds else []
    if rest < len(ONES):
        return found + ([ONES[rest]] if rest else [])
    tens, ones = divmod(rest, 10)
    return [*found, TENS[tens], *([ONES[ones]] if ones else [])]


def edits(one: Sequence[str], other: Sequence[str]) -> int:
    """The fewest replacements, omissions and additions that make one sequence of the other."""
    row = np.arange(len(other) + 1)
    places = np.arange(len(other) + 1)
    for number, word in enumerate(one, 1):
        new = row + 1
        new[1:] = np.minimum(new[1:], row[:-1] + np.array([word != each for each in other], int))
        new[0] = number
        row = np.minimum.accumulate(new - places) + places  # additions, one after the other
    return int(row[-1])


def word_error(heard: Sequence[str], said: Sequence[str]) -> Estimate:
    """The word error rate of the corpus, 0 for none and above 1 where much is added. Texts in pairs.

    Raises UserError for what are no pairs, and where nothing is said.
    """
    if not said or len(heard) != len(said):
        raise UserError(f"Pairs have to be one text of each side, and there are {len(heard)} and {len(said)}.")
    pairs = [(words(one), words(other)) for one, other in zip(heard, said, strict=True)]
    lengths = np.array([len(other) for _, other in pairs])
    if not lengths.any():
        raise UserError("word_error needs words that are said, and there are none.")
    return ratio(np.array([edits(*pair) for pair in pairs]), lengths)._replace(least=0)
