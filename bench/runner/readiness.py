"""What a notification costs, by descriptors watched: cove's backends and their floors, in turns."""

import json
import os
import resource
import subprocess
from collections import defaultdict, namedtuple
from statistics import median

from .processes import SERVER_CPUS, Unavailable, pinned
from .report import table

BACKENDS = ('select', 'poll', 'epoll-lt', 'epoll', 'io_uring')
WATCHED = (10, 30, 100, 300, 1000, 3000, 10_000)
SHARES = {'one': 'one is active', 'tenth': '10 % are active', 'all': 'all are active'}

# One line of a plot: `by` is cove, raw, or bare for the bytes alone.
Way = namedtuple('Way', 'by how')
WAYS = ([Way('bare', 'bare')] + [Way('raw', how) for how in BACKENDS]
        + [Way('cove', how) for how in BACKENDS])

# What was found: Way -> share -> watched -> the ns of each round; and (Way, watched) -> why not.
Found = namedtuple('Found', 'ns missing')


def share_of(active, watched):
    """A point of the program is of each share that it is the number of."""
    numbers = {'one': 1, 'tenth': max(watched // 10, 1), 'all': watched}
    return [share for share, number in numbers.items() if number == active]


def allowed(numbers):
    """The last ones are less where the limit of descriptors does not allow two for each."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = 10_000 if limit == resource.RLIM_INFINITY else max((limit - 100) // 200 * 100, 10)
    return sorted({min(number, most) for number in numbers})


def measure_once(program, way, watched, milliseconds):
    """The points of one run. Unavailable: this machine, or this way, cannot do it."""
    arguments = [program, 'cove' if way.by == 'cove' else way.how, str(watched), str(milliseconds)]
    environment = {**os.environ, **({'COVE_BACKEND': way.how} if way.by == 'cove' else {})}
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120,
                              stdin=subprocess.DEVNULL, env=environment,
                              preexec_fn=pinned(SERVER_CPUS))
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f'{way.by} {way.how} with {watched}: did not end') from error
    if done.returncode != 0:
        raise Unavailable((done.stdout + done.stderr).strip().split('\n')[0]
                          if done.returncode == 77 else
                          f'status {done.returncode}: {done.stderr.strip()}')
    return json.loads(done.stdout)['points']


def measure(program, numbers, rounds, milliseconds, say):
    """The ways take turns, and who begins rotates. Whoever cannot is asked once."""
    ns = {way: {share: defaultdict(list) for share in SHARES} for way in WAYS}
    missing = {}
    for number in range(rounds):
        for watched in numbers:
            say(f'round {number + 1} of {rounds}: {watched} watched')
            turn = number % len(WAYS)
            for way in WAYS[turn:] + WAYS[:turn]:
                if (way, watched) in missing:
                    continue
                try:
                    for point in measure_once(program, way, watched, milliseconds):
                        for share in share_of(point['active'], watched):
                            ns[way][share][watched].append(point['ns'])
                except Unavailable as reason:
                    missing[way, watched] = str(reason)
                    say(f'without {way.by} {way.how} with {watched}: {reason}', keep=True)
    return Found(ns, missing)


def curve(found, way, share):
    """[(watched, median ns)], without what could not be measured."""
    return [(watched, median(rounds)) for watched, rounds in sorted(found.ns[way][share].items())]


def as_json(setting, found):
    """The text of all figures, a point a line."""
    points = [{'by': way.by, 'how': way.how, 'share': share, 'watched': watched,
               'ns': median(rounds), 'rounds': rounds}
              for way in WAYS for share in SHARES
              for watched, rounds in sorted(found.ns[way][share].items())]
    missing = [{'by': way.by, 'how': way.how, 'watched': watched, 'why': why}
               for (way, watched), why in found.missing.items()]
    parts = [f'"setting": {json.dumps(setting)}']
    for name, items in (('points', points), ('missing', missing)):
        parts.append(f'"{name}": [\n' + ',\n'.join(map(json.dumps, items)) + '\n]')
    return '{\n' + ',\n'.join(parts) + '\n}\n'


def figure(value):
    return '–' if value is None else f'{value / 1e3:,.2f}' if value < 1e5 else f'{value / 1e3:,.0f}'


def tables(found, numbers):
    """One a share, in µs."""
    text = []
    for share, title in SHARES.items():
        curves = {way: dict(curve(found, way, share)) for way in WAYS}
        lines = [['bytes alone'] + [figure(curves[WAYS[0]].get(n)) for n in numbers]]
        for how in BACKENDS:
            lines.append([how] + [' / '.join(figure(curves[Way(by, how)].get(n))
                                             for by in ('cove', 'raw')) for n in numbers])
        heads = [f'{title}; watched:'] + [f'{number:,}' for number in numbers]
        text.append(table(heads, lines))
    text += sorted({f'Without {way.how}, {watched:,}: {why}.'
                    for (way, watched), why in found.missing.items() if way.by == 'raw'})
    return '\n\n'.join(text)
