"""The tokenizer of another run: a run keeps what its tokenizer has learnt in the data.json of its folder.

Tokens that `data.extra_tokens` put behind it are not part of it: give that key the same number again.
"""

from pathlib import Path

from aigc_jax.data.meaning import Meaning
from aigc_jax.data.tokenizers import Learnt
from aigc_jax.errors import UserError

KEPT = "data.json"  # in a run's folder
TEXT = "texts.Text"  # the field, as `Meaning` names its class


def read(folder: Path) -> Learnt:
    """The tokenizer of a run. Raises UserError where there is no run in the folder, or one of no texts."""
    try:
        kept = Meaning.read((folder / KEPT).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"data.tokenizer: there is no run in {folder} ({KEPT} is missing): train it first.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"data.tokenizer: {folder / KEPT} cannot be read ({error!r}).") from error
    if found := of(kept):
        return found
    raise UserError(f"data.tokenizer: the run in {folder} was trained on {kept.name}, which has no texts.")


def of(kept: Meaning) -> Learnt | None:
    """The tokenizer of data's target, else of the first field of texts; None where there are none."""
    fields = [kept.fields.get(kept.target, {}), *kept.fields.values()]
    texts = (field for field in fields if field.get("name") == TEXT)
    return next((Learnt(field["tokenizer"], field["model"]) for field in texts), None)
