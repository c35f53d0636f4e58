"""What raters answered on a page of pairs, and what it comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Interval
from aigc_jax.preference.bradley_terry import Preference, Tally, preference, unbeaten
from aigc_jax.preference.page import PageKey, load_json

OUTCOME = {"A": 1, "tie": 0, "B": -1}  # a vote, as the page writes it -> the tally's


class Ballot(NamedTuple):
    """The votes of one rater."""

    session: str  # what the page drew to tell raters apart
    votes: dict[int, int]  # number of the pair -> 1 = A, 0 = a tie, -1 = B


@dataclass(frozen=True)
class Score:
    """How strongly each folder is preferred, and what that was taken from."""

    key: PageKey
    raters: int
    tally: Tally
    preference: Preference
    first: float  # the share of A among votes that are no ties: far from 1/2, it says that raters prefer a side

    @property
    def votes(self) -> int:
        return int(self.tally.points.sum())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        names, (strengths, chances) = self.key.folders, self.preference
        return {
            "page": self.key.page,
            "question": self.key.question,
            "raters": self.raters,
            "votes": self.votes,
            "first": self.first,
            "folders": [
                {"folder": name, "strength": strengths[i]._asdict(), **_counts(self.tally, i)}
                for i, name in enumerate(names)
            ],
            "chances": [
                {"folder": name, "over": other, **chances[i][j]._asdict()}
                for i, name in enumerate(names)
                for j, other in enumerate(names)
                if i != j
            ],
        }


def score(key: PageKey, paths: Sequence[Path], seed: int) -> Score:
    """Of all answers together. seed: of the intervals. Raises UserError for answers that do not fit the key."""
    given: dict[str, Path] = {}
    met = []
    for path in paths:
        session, votes = _ballot(path, key)
        if session in given:
            raise UserError(f"{given[session]} and {path} are answers of one rater to one page: give the newer alone.")
        given[session] = path
        met += [(*(sample.folder for sample in key.pairs[pair]), outcome) for pair, outcome in votes.items()]
    first, second, outcome = np.array(met).T
    tally = Tally.of(first, second, outcome, len(key.folders))
    decided = outcome[outcome != 0]
    first_share = float(np.mean(decided > 0)) if len(decided) else 0.5
    return Score(key, len(given), tally, preference(tally, key.folders, seed), first_share)


def _ballot(path: Path, key: PageKey) -> Ballot:
    try:
        found = load_json(path)
        page, session, votes = str(found["page"]), str(found["session"]), found["votes"]
        pairs = [vote["pair"] for vote in votes]
        choices = [vote["choice"] for vote in votes]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} holds no answers ({error}): download them from the page again.") from error
    if page != key.page:
        raise UserError(
            f'{path} answers page "{page}" and the key is of page "{key.page}": give the key that was written with it.'
        )
    for number, choice in zip(pairs, choices, strict=True):
        if type(number) is not int or not 0 <= number < len(key.pairs) or choice not in tuple(OUTCOME):
            raise UserError(
                f'{path} holds the vote "{choice}" on pair {number}, and pairs are 0 to {len(key.pairs) - 1} and votes '
                f"{', '.join(OUTCOME)}: download the answers again."
            )
    if not pairs or len(set(pairs)) < len(pairs):
        wrong = "two votes on one pair" if pairs else "no votes"
        raise UserError(f"{path} holds {wrong}: leave it out, or download the answers again.")
    return Ballot(session, {number: OUTCOME[choice] for number, choice in zip(pairs, choices, strict=True)})


def told(score: Score) -> str:
    """A table of strengths, strongest first, and who is preferred over whom."""
    names, (strengths, chances) = score.key.folders, score.preference
    order = sorted(range(len(names)), key=lambda i: -strengths[i].value)
    width = max(map(len, names))
    lines = [f"{'folder':{width}}  strength  95 % interval      won  tied  lost"]
    for i in order:
        value, low, high = strengths[i]
        won, tied, lost = _counts(score.tally, i).values()
        lines.append(f"{names[i]:{width}}  {value:+8.2f}  {low:+6.2f} to {high:+6.2f} {won:6d}{tied:6d}{lost:6d}")
    lines.append("")
    for place, i in enumerate(order):
        lines += [f"{names[i]} over {names[j]}: {_percent(chances[i][j])}" for j in order[place + 1 :]]
    lines += [
        f"{' and '.join(names[i] for i in group)} never lost to the others: votes do not say how far ahead, "
        "so trust the low ends alone."
        for group in unbeaten(score.tally)
    ]
    lines.append(f"votes: {score.votes}, raters: {score.raters}; of votes that are no ties, A has {score.first:.0%}")
    return "\n".join(lines)


def _counts(tally: Tally, i: int) -> dict[str, int]:
    return {"won": int(tally.wins[i].sum()), "tied": int(tally.ties[i].sum()), "lost": int(tally.wins[:, i].sum())}


def _percent(interval: Interval) -> str:
    value, low, high = interval
    return f"{value:.1%} ({low:.1%} to {high:.1%})"
