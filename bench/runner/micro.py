"""The scheduler's operations, raw and ours in turns, and what the goals make of them today."""

import os
import re
import subprocess
import tempfile
from collections import namedtuple
from statistics import median

from .processes import Unavailable

# What raw_micro gave on the machine where the goals were set. A goal is scaled by how today's
# figure compares to it; `cas` serves operations that have no raw counterpart of their own.
REFERENCE = {'spawn_join_each': 19, 'spawn_join_1m': 52, 'yield_1000': 10, 'chan0_pingpong': 4,
             'timer_create_cancel_1m': 73, 'cas': 10.3}

# ns: at most so many on the reference machine, scaled by this raw figure. `rmw` are the atomic
# read-modify-writes that the meaning of the operation needs: where even these cost more than the
# goal, it counts as met at 1.3 times their price.
Goal = namedtuple('Goal', 'ns scale rmw', defaults=('cas', 0))
GOALS = {
    # The end of a task meets who joins it, the wait of that one meets who cancels it: two each.
    'spawn_join_each_1t': Goal(40, 'spawn_join_each', rmw=4),
    'spawn_join_1m_1t': Goal(70, 'spawn_join_1m'),
    'spawn_join_1m_2t': Goal(90, 'spawn_join_1m'),
    'yield_1000_1t': Goal(15, 'yield_1000'),
    'yield_1000_2t': Goal(20, 'yield_1000'),
    'chan0_pingpong_1t': Goal(40, 'chan0_pingpong'),
    'chan0_pingpong_2t': Goal(120, 'chan0_pingpong'),
    'chan100_stream_1t': Goal(15),
    'chan100_stream_2t': Goal(40),
    'mutex_100_1t': Goal(8, rmw=2),   # Taking it and giving it back.
    'mutex_100_2t': Goal(18, rmw=2),
    'mutex_100_yield_1t': Goal(45, rmw=2),
    'mutex_100_yield_2t': Goal(100, rmw=2),
    'child_await_1t': Goal(7),
    'timer_create_cancel_1m_1t': Goal(100, 'timer_create_cancel_1m'),
    'sleep_tasks_1m_cpu_1t': Goal(600),
}

# At most so many times the raw figure of the same run.
TIMES_RAW = {'chan0_pingpong_x': 1.0, 'wake_idle_p50': 1.1, 'file_read_4k_d64': 1.15}

# At most so much, whatever the machine.
FIXED = {'sleep_tasks_1m_rss_bytes': 450}

Line = namedtuple('Line', 'name ours raw limit')


def without_workers(name):
    return re.sub(r'_(1t|2t|x)(?=$|_)', '', name, count=1)


def lookup(table, name):
    """By its full name, else as an operation of which there is only one kind."""
    if name in table:
        return table[name]
    bare = without_workers(name)
    return table.get(bare, table.get(f'{bare}_1t') if bare == name else None)


def limit(name, raw):
    """Today's goal in ns, or None."""
    if (times := lookup(TIMES_RAW, name)) is not None:
        base = raw.get(name, raw.get(without_workers(name)))
        return base and times * base
    if (fixed := lookup(FIXED, name)) is not None:
        return fixed
    if (goal := lookup(GOALS, name)) is None:
        return None
    scaled = goal.ns * raw[goal.scale] / REFERENCE[goal.scale]
    least = goal.rmw * raw['cas']
    return 1.3 * least if scaled < least else scaled


def run_program(command, environment=None):
    """What it writes to the file that is its last argument: name -> value."""
    with tempfile.NamedTemporaryFile('r', suffix='.txt') as results:
        try:
            subprocess.run([*command, results.name], check=True, timeout=600,
                           env={**os.environ, **(environment or {})},
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError) as error:
            raise Unavailable(f'{command[0]}: {error}') from error
        with open(results.name, encoding='ascii') as file:  # It may have been replaced.
            pairs = [line.split() for line in file if line.strip()]
    return {name: float(value) for name, value in pairs}


def medians(runs):
    return {name: median(run[name] for run in runs if name in run) for name in runs[0]}


def compare(ours, raw):
    """A line for each figure of ours. Alone, the raw ones."""
    if not ours:
        return [Line(name, None, value, None) for name, value in raw.items()]
    return [Line(name, value, raw.get(name, raw.get(without_workers(name))), limit(name, raw))
            for name, value in ours.items()]


def measure(raw_program, our_program, rounds, say):
    raw_runs, our_runs = [], []
    for number in range(rounds):
        say(f'micro: round {number + 1} of {rounds}')
        raw_runs.append(run_program([raw_program]))
        try:
            our_runs.append(run_program([our_program]))
        except Unavailable as reason:
            if number == 0:
                say(f'micro: without ours: {reason}', keep=True)
    return compare(medians(our_runs) if our_runs else None, medians(raw_runs))
