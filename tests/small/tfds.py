"""A folder of random colour images, since what TFDS names would be fetched."""

from support import write_images


def section(data, folder):
    kept = {key: data[key] for key in ("augment", "batch_size", "target") if key in data}
    return {"name": "image_folder", "path": str(write_images(folder)), "image_size": 32, "colour": True, **kept}
