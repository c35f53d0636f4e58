"""What is derived of small images."""

from support import small


def section(data, folder):
    return {**data, "of": small(data["of"])}
