"""Timed rows: a fresh server for each peer and round, in an order that rotates."""

from collections import namedtuple
from statistics import median

from .processes import Server, Unavailable

# One peer in one round.
Round = namedtuple('Round', 'per_second p50_us p99_us requests usage')


def measure_once(row, peer, client):
    with Server(peer, row.threads, row.protocol, row.buffer) as server:
        found = client.run(server, row.arguments)
    return Round(found['per_second'], found['p50_us'], found['p99_us'], found['requests_all'],
                 server.usage)


def measure_row(row, peers, client, rounds, say):
    """name -> the rounds of a peer. Whoever fails is left out of the whole row, so that all
    others have the same rounds."""
    results = {peer.name: [] for peer in peers}
    left = list(peers)
    for number in range(rounds):
        say(f'{row.name}: round {number + 1} of {rounds}')
        turn = number % len(left) if left else 0
        for peer in left[turn:] + left[:turn]:
            try:
                results[peer.name].append(measure_once(row, peer, client))
            except Unavailable as reason:
                say(f'{row.name}: without {peer.name}: {reason}', keep=True)
                left.remove(peer)
                del results[peer.name]
    return results


def cpu_us(rounds):
    """CPU microseconds a request, over all rounds."""
    return 1e6 * sum(r.usage.cpu for r in rounds) / sum(r.requests for r in rounds)


def user_us(rounds):
    """The kernel tells user from system time by what a tick finds, every few milliseconds, so only
    the sum over all rounds says something: about 100 ticks in user mode for 15 s of echo."""
    total = sum(r.usage.total for r in rounds)
    return cpu_us(rounds) * sum(r.usage.user for r in rounds) / total


def wakes(rounds):
    """How often the server was woken, a request. One that is told of 64 at once was woken once."""
    return sum(r.usage.wakes for r in rounds) / sum(r.requests for r in rounds)


def middle(rounds, field):
    return median(getattr(r, field) for r in rounds)
