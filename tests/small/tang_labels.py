"""Poems of two couplets, most of them by one poet."""

from small.couplets import write_poems


def section(data, folder):
    return {**data, "path": str(write_poems(folder))}
