"""The poems of one poet, of the Tang or the Song, in traditional characters.

`aigc_jax/data/poems.py` says how to fetch the poems, which are left out, and how they are split: a poem is on the side
where `tang_poems` has it. A text is the title and the verses, a line each.
"""

from collections import Counter
from pathlib import Path

from aigc_jax.data import poems
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.store import local_builder
from aigc_jax.data.text_sets import Coding, Length, TextConfig, Texts, text_dataset
from aigc_jax.errors import UserError
from aigc_jax.ranges import Count

NAMED = 8  # poets that a message names


class Poet(Texts):
    """Poems of a poet."""


def read_splits(path: str, poet: str, dynasty: poems.Dynasty) -> tuple[dict[str, list[str]], dict[str, int]]:
    """(split -> texts, counts of what was read and left out).

    Raises UserError where a split has no poem of the poet.
    """
    splits, counts = poems.read(poems.needed(path, dynasty))
    own = {split: [poem.titled for poem in members if poem.poet == poet] for split, members in splits.items()}
    if not all(own.values()):
        names = Counter(poem.poet for poem in splits["train"] if poem.poet)
        most = ", ".join(sorted(names, key=lambda name: (-names[name], name))[:NAMED])
        raise UserError(
            f'data.poet: "{poet}" has too few poems in {path} ({sum(map(len, own.values()))}). Those with the most: '
            f"{most}.",
            code=2,
        )
    total = sum(map(len, splits.values()))
    return own, {**counts, "others": total - sum(map(len, own.values()))}


def load(
    *,
    data_dir: Path,
    path: str,
    poet: str,
    dynasty: poems.Dynasty,
    length: Length,
    vocabulary_size: Count,
    tokenizer: str = "characters",
    extra_tokens: Count = 0,
    pack: bool = False,
) -> DataSet:
    """The windows of the texts, in memory.

    path: the folder. poet: the name, as the files have it. dynasty: "tang" or "song". length: tokens of a window.
    vocabulary_size: tokens at most, of characters the most frequent of the training split; 0 = all. tokenizer:
    "characters", "bytes", "bpe", "wordpiece" or "unigram", learnt from the training split; file:FOLDER, a published
    one, or run:FOLDER, that of a run. extra_tokens: further ones, of which the first is the mask. pack: whether texts
    follow each other in a window.
    """
    files = poems.needed(path, dynasty)
    config = TextConfig(
        name=poems.state(files, poet),
        version="1.0.0",
        description=f"Poems of {poet}.",
        homepage=poems.HOMEPAGE,
        licence=poems.LICENCE,
        citation=poems.CITATION[dynasty],
        read=lambda: read_splits(path, poet, dynasty),
    )
    builder = local_builder(Poet, config, data_dir)
    counts = builder.info.metadata
    notes = [
        poems.said(len(files), counts["found"], counts["left_out"]),
        f"Left out: {counts['others']:,} poems of others than {poet}.",
    ]
    coding = Coding(vocabulary_size, tokenizer, extra_tokens)
    return text_dataset("poet", builder, coding, length=length, pack=pack, notes=notes)
