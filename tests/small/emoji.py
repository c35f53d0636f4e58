"""Packages of emoji with a few dozen drawings each, of random discs."""

from support import write_emoji


def section(data, folder):
    return {**data, "path": str(write_emoji(folder))}
