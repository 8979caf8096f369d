"""Tables in Markdown, and the setting in which the figures came about."""

import datetime
import json
import os
import platform
import re
import subprocess

from . import ratios, rows, timed
from .processes import BOTH_CPUS, CLIENT_CPUS, SERVER_CPUS

FLOOR = 'raw_epoll'


def table(heads, lines):
    cells = [heads, ['---'] * len(heads), *lines]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in cells)


def rate(value):
    if value >= 1e6:
        return f'{value / 1e6:.2f}M'
    return f'{value / 1e3:.1f}k' if value >= 1e4 else f'{value:.0f}'


# ---- the setting -----------------------------------------------------------------------------

def cpu_model():
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        match = re.search(r'^model name\s*: (.*)$', file.read(), re.MULTILINE)
    return match[1] if match else platform.machine()


def kernel():
    """Its version, without what the maker of the system appends."""
    return f'{platform.system()} {re.match(r"[0-9.]*", platform.release())[0]}'


def compiler(build):
    """Its first line about itself, and the optimisation, as the build folder knows them."""
    def read(name):
        with open(os.path.join(build, 'meson-info', name), encoding='utf-8') as file:
            return json.load(file)
    try:
        client = next(t for t in read('intro-targets.json') if t['name'] == 'cove_load')
        command = client['target_sources'][0]['compiler'][-1]
        level = next(o['value'] for o in read('intro-buildoptions.json')
                     if o['name'] == 'optimization')
        said = subprocess.run([command, '--version'], capture_output=True, text=True, check=True)
    except (OSError, LookupError, StopIteration, subprocess.CalledProcessError):
        return 'unknown compiler'
    return f'{said.stdout.splitlines()[0]}, -O{level}'


def commit():
    def git(*arguments):
        done = subprocess.run(['git', '-C', os.path.dirname(__file__), *arguments],
                              capture_output=True, text=True, check=False)
        return done.stdout.strip()
    changed = ' with changes' if git('status', '--porcelain', '--untracked-files=no') else ''
    return (git('rev-parse', '--short', 'HEAD') or 'unknown') + changed


def machine(build):
    """Taken before anything runs, for the sake of the load average."""
    now = datetime.datetime.now().strftime('%Y-%m-%d %H:%M')
    load = ' '.join(f'{value:.2f}' for value in os.getloadavg())
    return (f'{now}, commit {commit()}, {cpu_model()}, {os.cpu_count()} CPUs, '
            f'{kernel()}, {compiler(build)}; load average before {load}')


def setting(build, options):
    return (f'{machine(build)}; '
            f'{options.rounds} rounds of {options.seconds:g} s; servers on CPU '
            f'{SERVER_CPUS[0]} (two threads: {", ".join(map(str, BOTH_CPUS))}), '
            f'client on CPU {CLIENT_CPUS[0]}.')


# ---- the tables ------------------------------------------------------------------------------

def timed_table(results, ours):
    """results: row name -> peer name -> rounds."""
    lines = []
    for row, peers in results.items():
        rates = {name: [r.per_second for r in rounds] for name, rounds in peers.items()}
        for name, rounds in peers.items():
            to_floor = against = '–'
            if FLOOR in rates and name != FLOOR:
                to_floor = ratios.text(ratios.paired(rates[name], rates[FLOOR]))
            if ours in rates and name != ours:
                ratio = ratios.paired(rates[ours], rates[name])
                against = f'{ratios.text(ratio)} {ratios.verdict(ratio)}'.rstrip()
            lines.append([row, name, rate(timed.middle(rounds, 'per_second')), to_floor, against,
                          f'{timed.cpu_us(rounds):.3g}', f'{timed.user_us(rounds):.2g}',
                          f'{timed.middle(rounds, "p50_us"):.0f}',
                          f'{timed.middle(rounds, "p99_us"):.0f}',
                          f'{timed.wakes(rounds):.2g}'])
    heads = ['row', 'server', 'requests/s', f'to {FLOOR}', f'{ours} to it', 'CPU µs a request',
             'user µs', 'p50 µs', 'p99 µs', 'wake-ups']
    return table(heads, lines)


def counts_table(calls, idle):
    """calls: row name -> peer name -> figure; idle: peer name -> figure."""
    heads = ['server'] + [f'system calls, {row}' for row in calls]
    heads += ['user memory an idle connection'] if idle else []
    names = list(dict.fromkeys([name for row in calls.values() for name in row] + list(idle)))
    lines = []
    for name in names:
        line = [name] + [f'{row[name]:.2f}' if name in row else '–' for row in calls.values()]
        if idle:
            line.append(f'{idle[name]:,.0f} B' if name in idle else '–')
        lines.append(line)
    return table(heads, lines)


def micro_table(lines):
    def figure(value):
        return '–' if value is None else f'{value:,.1f}' if value < 1000 else f'{value:,.0f}'

    def judged(line):
        if line.limit is None or line.ours is None:
            return ['–', '–']
        ratio = line.ours / line.limit
        return [f'{ratio:.2f}', 'met' if ratio <= 1 else 'missed']
    return table(['operation', 'ours', 'raw', 'goal today', 'ours to goal', 'verdict'],
                 [[line.name, figure(line.ours), figure(line.raw), figure(line.limit),
                   *judged(line)] for line in lines])


def list_rows():
    return '\n'.join(f'{name:12} {rows.about(name)}' for name in rows.names())
