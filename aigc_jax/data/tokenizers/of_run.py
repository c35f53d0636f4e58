"""The tokenizer of another run: a run keeps what its tokenizer has learnt in the data.json of its folder.

Tokens that `data.extra_tokens` put behind it are not part of it: give that key the same number again.
"""

from pathlib import Path

from aigc_jax.data.meaning import Meaning
from aigc_jax.errors import UserError

KEPT = "data.json"  # in a run's folder
TEXT = "texts.Text"  # the field, as `Meaning` names its class


def read(folder: Path) -> tuple[str, str]:
    """(kind, model). Raises UserError where there is no run in the folder, or one of no texts.

    Of several fields of texts it is that of the target, else the first.
    """
    try:
        kept = Meaning.read((folder / KEPT).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"data.tokenizer: there is no run in {folder} ({KEPT} is missing): train it first.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"data.tokenizer: {folder / KEPT} cannot be read ({error!r}).") from error
    fields = [kept.fields.get(kept.target, {}), *kept.fields.values()]
    texts = [field for field in fields if field.get("name") == TEXT]
    if not texts:
        raise UserError(f"data.tokenizer: the run in {folder} was trained on {kept.name}, which has no texts.")
    return texts[0]["tokenizer"], texts[0]["model"]
