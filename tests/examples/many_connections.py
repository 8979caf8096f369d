#!/usr/bin/env python3
"""Very many connections at once between echo_server and echo_client; nothing may get lost.

    many_connections.py FOLDER [--connections 10000] [--messages 100] [--depth 1] [--workers N]

FOLDER holds the two examples. All connections are open before the first message is sent. Each
process may have as many descriptors as it needs and no more, so one that leaks them fails. Prints
the rate, the latency and what the server's runtime did. Exits with 77 if the machine does not allow
so many descriptors.
"""

import argparse
import json
import os
import re
import resource
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from running import Program, serving  # noqa: E402

SPARE_DESCRIPTORS = 100
LIMIT_S = 600


def main():
    options = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    options.add_argument('folder')
    options.add_argument('--connections', type=int, default=10_000)
    options.add_argument('--messages', type=int, default=100)
    options.add_argument('--depth', type=int, default=1)
    options.add_argument('--workers', type=int, help='of each process; default: one a CPU')
    given = options.parse_args()

    wanted = given.connections + SPARE_DESCRIPTORS
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        print(f'left out: a process may have {allowed} descriptors here, {wanted} are needed')
        return 77

    def limit_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))

    workers = ['--workers', str(given.workers)] if given.workers else []
    example = os.path.join(given.folder, 'echo_')
    with serving(example + 'server', *workers, '--for', f'{LIMIT_S}s',
                 preexec=limit_descriptors) as server:
        client = Program(
            example + 'client', *workers, '--address', server.address, '--json',
            '--connections', str(given.connections), '--messages', str(given.messages),
            '--depth', str(given.depth), '--patience', '60s', preexec=limit_descriptors)
        try:
            code, output = client.finish(LIMIT_S)
            complaints = client.errors() + server.errors()
        finally:
            client.end()
        status = server.process.poll()
        peak_kib = peak_memory(server.process.pid)

    if complaints or not output:
        print(complaints)
        return 1
    report = json.loads(output)
    print(f'{report["connections"]} connections, {report["requests"]} messages in '
          f'{report["seconds"]:.2f} s: {report["requests_per_second"]:.0f}/s; '
          f'p50 {us(report, "p50")}, p90 {us(report, "p90")}, p99 {us(report, "p99")}, '
          f'max {us(report, "max")}; lost {report["lost"]}, corrupted {report["corrupted"]}; '
          f'server\'s memory at most {peak_kib} KiB')
    for why, count in report['errors'].items():
        print(f'{count} x {why}')
    right = (code == 0 and status is None and report['lost'] == 0 and report['corrupted'] == 0
             and report['connections'] == given.connections
             and report['requests'] == given.connections * given.messages)
    return 0 if right else 1


def us(report, which):
    return f'{report["latency_us"][which]:.0f} µs'


def peak_memory(pid):
    try:
        with open(f'/proc/{pid}/status', encoding='ascii') as status:
            return re.search(r'VmHWM:\s+(\d+)', status.read())[1]
    except (OSError, TypeError):
        return '?'


if __name__ == '__main__':
    sys.exit(main())
