"""Conversations of seven turns."""

import json
from pathlib import Path

CHATS = 100


def write_chats(base: Path) -> Path:
    """100 conversations: a greeting that all have, two turns of their own, of which one has two messages, a number."""
    chats = {}
    for i in range(CHATS):
        turns = [
            ["Hi"],
            ["Hello"],
            [f"I am  number {i}.", "And you?"],
            [" "],
            [f"Not {i}."],
            ["call 801-555-0199"],
            ["ok"],
        ]
        chats[f"c{i}"] = {"messages": [[{"text": text, "sender": "x"} for text in turn] for turn in turns]}
    (base / "chitchat_dataset").mkdir(parents=True, exist_ok=True)
    (base / "chitchat_dataset/dataset.json").write_text(json.dumps(chats), "utf-8")
    return base


def section(data, folder):
    return {**data, "path": str(write_chats(folder))}
