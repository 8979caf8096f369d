"""What is measured: one row a kind of load."""

from collections import namedtuple

Row = namedtuple('Row', 'name about protocol threads buffer arguments')

# Rounds in which the peers take turns, timed by the client.
TIMED = [
    Row('echo64', '64 connections, 64 B', 'echo', 1, 4096, ['--connections', '64']),
    Row('echo1', '1 connection, 64 B', 'echo', 1, 4096, ['--connections', '1']),
    Row('echo1_spin', '1 connection, 64 B, the client spins', 'echo', 1, 4096,
        ['--connections', '1', '--spin']),
    Row('depth16', '64 connections, 16 messages of 64 B at once', 'echo', 1, 4096,
        ['--connections', '64', '--depth', '16']),
    Row('echo16k', '64 connections, 16 KiB', 'echo', 1, 16384,
        ['--connections', '64', '--size', '16384']),
    Row('churn', 'connect, echo, close; 64 under way', 'echo', 1, 4096,
        ['--mode', 'churn', '--connections', '64']),
    Row('http', 'plaintext, 64 connections', 'http', 1, 4096,
        ['--mode', 'http', '--connections', '64']),
    Row('echo64_2t', '64 connections, 64 B, two threads', 'echo', 2, 4096, ['--connections', '64']),
    Row('http_2t', 'plaintext, 64 connections, two threads', 'http', 2, 4096,
        ['--mode', 'http', '--connections', '64']),
]

# Counts, which repeat so well that they need no rounds.
COUNTED = {
    'syscalls': 'system calls a request, in a run apart from timing',
    'idle': 'user memory an idle connection',
}
SYSCALLS_OF = ('echo64', 'echo1', 'churn', 'http')

MICRO = {'micro': 'operations of the scheduler, and their goals'}


def names():
    return [row.name for row in TIMED] + list(COUNTED) + list(MICRO)


def about(name):
    known = {row.name: row.about for row in TIMED} | COUNTED | MICRO
    return known[name]
