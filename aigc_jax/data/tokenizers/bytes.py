"""A token a byte of UTF-8 (Xue et al. 2022, ByT5, arXiv:2105.13626). Nothing is unknown, and there is no model."""

from collections.abc import Iterable, Sequence

import numpy as np

from aigc_jax.data.tokenizers.special import NAMES, Special

BYTES = 256
ERRORS = "surrogatepass"  # half a pair of UTF-16, which some files hold, is three bytes and comes back


class Bytes:
    """See `Tokenizer`."""

    special = Special()
    unit = "bytes"
    size = len(NAMES) + BYTES
    spells = (*[b""] * len(NAMES), *(bytes([i]) for i in range(BYTES)))
    names = (*NAMES, *(f"<0x{i:02X}>" for i in range(BYTES)))

    def __init__(self, model: str):
        assert not model

    def encode(self, text: str) -> np.ndarray:
        return np.frombuffer(text.encode("utf-8", ERRORS), np.uint8).astype(np.int32) + len(NAMES)

    def decode(self, tokens: Sequence[int]) -> str:
        written = bytes(token - len(NAMES) for token in tokens)
        try:
            return written.decode("utf-8", ERRORS)
        except UnicodeDecodeError:
            return written.decode("utf-8", "replace")

    def lacking(self, text: str) -> str:
        return ""


tokenizer = Bytes


def trained(texts: Iterable[str], size: int) -> str:
    """Nothing: there is nothing to learn."""
    return ""
