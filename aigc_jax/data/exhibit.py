"""What there is to look at or to listen to, as a file has it."""

import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from aigc_jax.errors import naming


class Exhibit(NamedTuple):
    """A picture, a text, a sound: one file's content."""

    suffix: str  # of its file's name: ".png"
    mime: str  # the media type of RFC 6838: "image/png"
    content: bytes

    @classmethod
    def picture(cls, image: Image.Image) -> "Exhibit":
        """As PNG."""
        file = io.BytesIO()
        image.save(file, "png")
        return cls(".png", "image/png", file.getvalue())

    @classmethod
    def text(cls, text: str) -> "Exhibit":
        """As UTF-8."""
        return cls(".txt", "text/plain", text.encode("utf-8"))

    def write(self, stem: Path) -> Path:
        """Writes `<stem><suffix>` and returns its path. Raises UserError where it cannot be written."""
        path = stem.with_name(stem.name + self.suffix)
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.content)
        return path
