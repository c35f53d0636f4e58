"""IDX files of random pixels."""

from support import write_idx


def section(data, folder):
    return {**data, "path": str(write_idx(folder))}
