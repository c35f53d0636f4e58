"""A folder of random colour images."""

from support import write_images


def section(data, folder):
    return {**data, "path": str(write_images(folder))}
