"""Ratios paired by round: what drifts within minutes is the same for both sides of a pair."""

import math
from collections import namedtuple
from statistics import median

ROUNDS_FOR_A_VERDICT = 15

Ratio = namedtuple('Ratio', 'median low high rounds')


def interval_of_median(values, confidence=0.95):
    """Two of the sorted values that have the true median between them with that confidence, or
    more; None where there are too few. It holds for any distribution: how many of n values are
    below the median is a matter of n coins."""
    count = len(values)
    outside, rank = 0.0, 0
    while True:
        outside += math.comb(count, rank) / 2 ** count
        if 2 * outside > 1 - confidence:
            break
        rank += 1
    if rank == 0:
        return None
    ordered = sorted(values)
    return ordered[rank - 1], ordered[count - rank]


def paired(ours, theirs):
    """The ratio of two lists of figures, one a round."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    low, high = interval_of_median(ratios) or (None, None)
    return Ratio(median(ratios), low, high, len(ratios))


def verdict(ratio):
    """For a figure of which more is better; nothing after too few rounds."""
    if ratio.rounds < ROUNDS_FOR_A_VERDICT:
        return ''
    if ratio.low > 1:
        return 'won'
    return 'lost' if ratio.high < 1 else 'tied'


def text(ratio):
    if ratio.low is None:
        return f'{ratio.median:.2f}'
    return f'{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]'
