"""A folder of short texts. A published tokenizer is fetched: bytes stand in for it."""

from support import write_texts


def section(data, folder):
    published = {"tokenizer": "bytes"} if data.get("tokenizer", "").startswith("file:") else {}
    return {**data, **published, "path": str(write_texts(folder))}
