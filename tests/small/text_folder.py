"""A folder of short texts."""

from support import write_texts


def section(data, folder):
    return {**data, "path": str(write_texts(folder))}
