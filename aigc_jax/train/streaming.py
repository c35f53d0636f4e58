"""A text as it is written: what a server sends while a model of tokens still draws."""

from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.data.fields.texts import Text
from aigc_jax.data.tokenizers.special import UNKNOWN
from aigc_jax.errors import UserError
from aigc_jax.method import KNOWN, State
from aigc_jax.train.run import SAMPLING, Run


def streamed(run: Run, state: State, seed: int, stops: Sequence[str]) -> Iterator[str]:
    """The pieces of the first sample that `run.samples` draws, each as soon as it is known, to the first of `stops`.

    What may be the beginning of a stop, or a character of which bytes lack, waits for what follows it. Raises UserError
    for a model that does not write token by token.
    """
    parts, field = run.programs.method.parts, run.data.made
    if "begin" not in parts or not isinstance(field, Text):
        raise UserError("This model does not write token by token: take its whole samples.")
    asked = run.asked(1, seed)
    (key,) = run.programs.keys(SAMPLING, seed, np.zeros(1, np.uint32))
    given = run.data.conditions(key, {name: jnp.asarray(rows) for name, rows in asked.rows.items()})
    told = int(np.count_nonzero(asked.rows[KNOWN][0] != field.special.pad)) if KNOWN in asked.rows else 1
    with jax.set_mesh(run.programs.layout.mesh):
        whole = state.replace(frozen=run.programs.frozen)
        begin, following = jax.jit(parts["begin"]), jax.jit(parts["following"])
        session, sent = begin(whole, given), 0
        tokens: list[int] = []
        for _ in range(field.length + 1 - told):
            token, session = following(key, whole, session, run.plan)
            token = int(token)
            if token in (field.special.eos, field.special.pad):
                break
            tokens.append(token)
            text = field.decode([field.special.bos, *tokens])
            if (end := min((text.index(stop) for stop in stops if stop in text), default=None)) is not None:
                yield text[sent:end]
                return
            ready = _settled(text, stops)
            if ready > sent:
                yield text[sent:ready]
                sent = ready
        if rest := field.decode([field.special.bos, *tokens])[sent:]:
            yield rest


def _settled(text: str, stops: Sequence[str]) -> int:
    """How many characters of a text will stay, whatever follows."""
    held = max(
        (size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size])),
        default=0,
    )
    whole = len(text.rstrip(UNKNOWN))
    return min(len(text) - held, whole)
