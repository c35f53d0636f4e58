"""Two folders of random images with equal names."""

from support import write_images


def section(data, folder):
    for kind in data["kinds"]:
        write_images(folder / kind)
    return {**data, "path": str(folder)}
