"""Any set of images for families that read tokens: a token for each pixel's level (`data.pixels`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aigc_jax.data import catalogue
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.images import ImageMedium
from aigc_jax.data.pixels import PixelTokens
from aigc_jax.errors import ConfigError


def load(*, data_dir: Path, images: Mapping[str, Any]) -> DataSet:
    """The tokens of a set of images.

    images: that set, as a section `data` configures one: its name and its keys.
    """
    data = catalogue.load(images, data_dir)
    if not isinstance(data.medium, ImageMedium):
        raise ConfigError(f'"data.images.name" has to name a set of images, and {data.name} is none.')
    medium = PixelTokens(data.medium, data.facts["image_shape"])
    return DataSet(data.name, data.splits, medium, medium.facts, data.folder, data.notes)
