"""The target as it is."""

from collections.abc import Mapping
from typing import Any

from aigc_jax.method import Codec


def identity(facts: Mapping[str, Any], /) -> Codec:
    """facts: of the target."""
    return Codec(facts, lambda key, frozen, target: target, lambda frozen, encoded: encoded)
