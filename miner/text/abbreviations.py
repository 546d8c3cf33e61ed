"""Which periods end no sentence? What a corpus always writes with one is an abbreviation.

A period stops a run, but not in `St. Petersburg`, `E. coli` and `z. B.`: there it belongs to the
atom, `st.`. Which words are so written is told by the corpus, with no list: a short word, hardly
seen without a period, behind which the sentence goes on far more often than behind other words: a
small letter or a digit follows, a name, or what follows no other word's period (after Kiss and
Strunk 2006, https://aclanthology.org/J06-4003).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from miner.text.pretokenization import CAPITAL, FOLLOWED, PERIOD, SPACED_BEHIND, STARTS

FEWEST = 3  # periods behind a word from which anything is told
LONGEST = 6  # letters; in a longer word a period is taken for the end of a sentence
# The numbers were chosen by reading what is found in seven texts in five languages, and hold in
# thirteen others. Of the places of an abbreviation at least so many have a period, of one of up to
# `SHORT` letters so many, of a single letter any; and so often does the sentence go on behind it.
ALWAYS, GOES_ON = 0.8, 0.5
OFTEN, SHORT, SURELY = 0.5, 4, 0.75
NAME = 3  # times as often with a capital inside sentences as with a small letter: a name
MOST_GOING_ON = 0.25  # behind long words; where sentences begin with small letters nothing is told
SURE = 10.83  # log-likelihood, chi-square with p = .001: it goes on more often than elsewhere


def find_abbreviations(
    ids: np.ndarray,
    flags: np.ndarray,
    groups: np.ndarray,
    begins_low: np.ndarray,
    lengths: np.ndarray,
) -> np.ndarray:
    """Say which canonical forms are abbreviations: bool (forms,).

    `ids`, `flags`: a stream of exact texts, `groups` int64 (texts,) their canonical forms,
    `begins_low` bool (texts,): whether they begin with a small letter or a digit, `lengths` int64
    (forms,): the letters of each form, 0 where it has more than letters and periods.
    """
    dots = list_dots(ids, flags)
    dotted = np.bincount(groups[(ids[dots - 1] >> 1) - 1], minlength=len(lengths))
    stops = dots[flags[dots] & FOLLOWED != 0]
    counts, capital, small = _count_cases(ids, flags, groups, len(lengths))
    before, behind = (groups[(ids[stops + side] >> 1) - 1] for side in (-1, 1))
    periods = np.bincount(before, minlength=len(lengths))
    is_low = begins_low[(ids[stops + 1] >> 1) - 1]
    is_name = (capital[behind] > 0) & (capital[behind] >= NAME * small[behind])
    is_name |= (small[behind] == 0) & _follows_only(before, behind, len(lengths))
    goes_on = is_low | is_name
    on = np.bincount(before, goes_on, len(lengths))
    low = np.bincount(before, is_low, len(lengths))
    long = lengths >= LONGEST
    share = dotted / np.maximum(counts, 1)
    known = on / np.maximum(periods, 1)
    able = (lengths > 0) & (periods >= FEWEST)
    always = able & (lengths <= LONGEST) & (share >= ALWAYS) & (known >= GOES_ON)
    often = (share >= OFTEN) & (lengths <= SHORT) | (lengths == 1)
    surely = able & often & (known >= SURELY)
    more = np.zeros(len(lengths), bool)
    for times in (on, low):
        usual = (times[long].sum() + 1) / (periods[long].sum() + 2)
        more |= (usual <= MOST_GOING_ON) & (_weigh(times, periods, usual) >= SURE)
    return (always | surely) & more


def _weigh(times: np.ndarray, tries: np.ndarray, rate: float) -> np.ndarray:
    """Return the log-likelihood that `times` of `tries` are more than `rate` has it, else 0."""
    parts = [
        found * np.log(np.maximum(found, 1e-9) / np.maximum(tries * expected, 1e-9))
        for found, expected in ((times, rate), (tries - times, 1 - rate))
    ]
    return np.where(times > tries * rate, 2 * (parts[0] + parts[1]), 0.0)


def _follows_only(before: np.ndarray, behind: np.ndarray, forms: int) -> np.ndarray:
    """Say of each period whether what is behind mostly stands there, behind that word's period."""
    pairs = before.astype(np.int64) * forms + behind
    _, inverse, together = np.unique(pairs, return_inverse=True, return_counts=True)
    here = together[inverse]
    return (here > 1) & (2 * here > np.bincount(behind, minlength=forms)[behind])


@njit(nogil=True, cache=True)
def list_dots(ids: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """Return the places of the stops that a period made, right behind an atom: int64 (stops,)."""
    size = 0
    for place in range(ids.shape[0]):
        size += ids[place] == 0 and flags[place] & PERIOD != 0
    found = np.empty(size, np.int64)
    for place in range(ids.shape[0] - 1, -1, -1):
        if ids[place] == 0 and flags[place] & PERIOD != 0:
            size -= 1
            found[size] = place
    return found


@njit(nogil=True, cache=True)
def _count_cases(
    ids: np.ndarray, flags: np.ndarray, groups: np.ndarray, forms: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how often each form stands at all, with a capital inside a sentence, and small."""
    counts, capital, small = np.zeros((3, forms), np.int64)
    for place in range(ids.shape[0]):
        if ids[place] == 0:
            continue
        form = groups[(ids[place] >> 1) - 1]
        counts[form] += 1
        small[form] += flags[place] & CAPITAL == 0
        capital[form] += flags[place] & CAPITAL != 0 and flags[place] & STARTS == 0
    return counts, capital, small


@njit(nogil=True, cache=True)
def join_periods(
    ids: np.ndarray, flags: np.ndarray, documents: np.ndarray, dotted: np.ndarray
) -> int:
    """Give the period behind an abbreviation to its atom, in place; return how many keys are left.

    `dotted` uint32 (texts + 1,): the number of each text with its period, 0 where it is none.
    `documents`: where each starts, which changes too.
    """
    written, document = 0, 0
    for place in range(ids.shape[0]):
        while document < documents.shape[0] and documents[document] == place:
            documents[document] = written
            document += 1
        mark = flags[place]
        if ids[place] == 0 and mark & PERIOD:
            other = dotted[ids[written - 1] >> 1]
            if other > 0:
                ids[written - 1] = (other << np.uint32(1)) | (ids[written - 1] & np.uint32(1))
                if mark & FOLLOWED:
                    ids[place + 1] |= np.uint32(mark & SPACED_BEHIND != 0)
                    flags[place + 1] &= ~np.uint8(STARTS)
                    continue
        ids[written] = ids[place]
        flags[written] = mark
        written += 1
    documents[document:] = written
    return written
