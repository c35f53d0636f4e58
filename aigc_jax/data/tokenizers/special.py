"""Tokens that stand for no text."""

from typing import NamedTuple

NAMES = ("<pad>", "<bos>", "<eos>", "<unk>")  # the first tokens of a tokenizer that was learnt here
PAD, BOS, EOS, UNK = range(len(NAMES))
NONE = -1  # there is no such token; as padding, a mark that is no token
UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # what a decoded <unk> looks like


class Special(NamedTuple):
    """The numbers of special tokens."""

    pad: int = PAD
    bos: int = BOS
    eos: int = EOS
    unk: int = UNK
    mask: int = NONE
    others: tuple[int, ...] = ()  # which no text has

    @property
    def all(self) -> frozenset[int]:
        """Every one that there is."""
        return frozenset((self.pad, self.bos, self.eos, self.unk, self.mask, *self.others)) - {NONE}
