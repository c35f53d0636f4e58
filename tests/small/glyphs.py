"""The letters of a font that Pillow brings, in place of fonts of Chinese characters, under their names."""

from support import LETTERS, write_fonts


def section(data, folder):
    named = zip(write_fonts(folder), data["fonts"], strict=True)
    files = [str(file.replace(file.with_stem(name))) for file, name in named]
    return {**data, "fonts": tuple(files), "characters": LETTERS}
