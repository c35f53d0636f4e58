"""Tokens of small images."""

from support import small


def section(data, folder):
    return {**data, "images": small(data["images"])}
