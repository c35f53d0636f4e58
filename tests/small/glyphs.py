"""The letters of a font that Pillow brings, in place of fonts of Chinese characters."""

from support import LETTERS, write_fonts


def section(data, folder):
    return {**data, "fonts": tuple(map(str, write_fonts(folder, data["fonts"]))), "characters": LETTERS}
