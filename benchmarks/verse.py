"""What the rules of Chinese verse say of real poems, and of the same ones with verses or characters in another order.

    python benchmarks/verse.py --path=FOLDER [--split=test] [--seed=0]

--path: of the Tang poems, as configs/gpt_tang.py has them. Whole poems, not windows.
"""

import argparse
import random

from aigc_jax.data import poems
from aigc_jax.data.sets.tang_poems import read_splits
from aigc_jax.errors import UserError
from aigc_jax.metrics import verse
from aigc_jax.metrics.bootstrap import interval

RATES = (verse.form_rate, verse.rhyme_rate, verse.tone_rate, verse.regulated_rate, verse.unknown_rate)


def verses_shuffled(text: str, dice: random.Random) -> str:
    """The same with its verses in another order."""
    lines = verse.verses(text)
    dice.shuffle(lines)
    return "".join(f"{line}。" for line in lines)


def characters_shuffled(text: str, dice: random.Random) -> str:
    """The same with all its characters in another order, in verses of the lengths that it has."""
    lines = verse.verses(text)
    characters = list("".join(lines))
    dice.shuffle(characters)
    rest = iter(characters)
    return "".join(f"{''.join(next(rest) for _ in line)}。" for line in lines)


def main() -> None:
    """Reads the arguments and prints a line for each order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    try:
        splits, _ = read_splits(poems.needed(arguments.path, "tang"))
    except UserError as error:
        parser.error(str(error))
    texts, dice = splits[arguments.split], random.Random(arguments.seed)
    orders = {
        "as they are": texts,
        "verses shuffled": [verses_shuffled(text, dice) for text in texts],
        "characters shuffled": [characters_shuffled(text, dice) for text in texts],
    }
    for order, some in orders.items():
        found = {rate.__name__: interval(rate(some), arguments.seed) for rate in RATES}
        told = (f"{name} {value:.3f} [{low:.3f}, {high:.3f}]" for name, (value, low, high) in found.items())
        print(f"{order:<20} {len(some):,} poems  {'  '.join(told)}")


if __name__ == "__main__":
    main()
