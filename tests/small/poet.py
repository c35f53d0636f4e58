"""Poems of two couplets, most of them by one poet of the Tang."""

from small.couplets import write_poems


def section(data, folder):
    return {**data, "path": str(write_poems(folder)), "poet": "李白", "dynasty": "tang"}
