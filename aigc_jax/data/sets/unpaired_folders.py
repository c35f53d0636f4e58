"""Two folders of images of one's own that do not belong together, such as photographs and paintings.

images/horses/1.jpg               fields `horses` and `zebras`: a row has an image of each
images/zebras/train/7.jpg         each folder is read as `image_folder` reads one, with or without splits in it
"""

from pathlib import Path

from aigc_jax.data.dataset import DataSet, Field, Source
from aigc_jax.data.fields.pixels import Augment, Pixels
from aigc_jax.data.images import beside, kinds_of
from aigc_jax.data.sets import image_folder
from aigc_jax.data.sets.image_folder import Side
from aigc_jax.data.splits import SPLITS
from aigc_jax.data.unpaired import Unpaired
from aigc_jax.ranges import Size


def load(
    *,
    data_dir: Path,
    path: str,
    kinds: tuple[str, str],
    image_size: Side,
    colour: bool,
    rounds: Size,
    augment: tuple[Augment, ...],
) -> DataSet:
    """The images: a field for each of the two folders, of which the second is made from the first.

    path: the folder that holds both; kinds: their names; image_size: side of the squares; colour: RGB, else grey;
    rounds: partners that a training image meets before the first one comes again; augment: what is done to training
    images.
    """
    folders = kinds_of(path, kinds)
    found = {
        kind: image_folder.load(
            data_dir=data_dir, path=str(folder), image_size=image_size, colour=colour, augment=augment
        )
        for kind, folder in folders.items()
    }
    one, other = (data.splits for data in found.values())
    splits: dict[str, Source] = {}
    for split in SPLITS:
        if split in one and split in other:
            sources = {kind: beside({kind: data.splits[split]}) for kind, data in found.items()}
            splits[split] = Unpaired(sources, rounds if split == "train" else 1)
    notes = [f"{kind}: {note}" for kind, data in found.items() for note in data.notes]
    fields: dict[str, Field] = {kind: Pixels((image_size, image_size, 3 if colour else 1)) for kind in kinds}
    return DataSet("unpaired_folders", splits, fields, kinds[1], augment, notes=tuple(notes), unpaired=tuple(splits))
