"""Counts: system calls a request, and bytes an idle connection."""

import re
import resource
import shutil
import signal
import subprocess
import tempfile
from statistics import median

from .processes import Server, Unavailable, read_line

EVENT = 'raw_syscalls:sys_enter'


def perf_works():
    if not shutil.which('perf'):
        return False
    tried = subprocess.run(['perf', 'stat', '-e', EVENT, 'true'], capture_output=True, check=False,
                           timeout=30)
    return tried.returncode == 0


def calls_by_perf(server, row, client):
    """perf counts the server's calls as long as its own child, the client, runs."""
    with tempfile.NamedTemporaryFile('r', suffix='.csv') as counted:
        found = client.run(server, row.arguments, [
            'perf', 'stat', '-x,', '-o', counted.name, '-e', EVENT, '-p', str(server.pid), '--'])
        match = re.search(rf'^(\d+),[^\n]*{EVENT}', counted.read(), re.MULTILINE)
    if not match:
        raise Unavailable(f'{server.peer.name}: perf counted nothing')
    return int(match[1]) / found['requests_all']


def calls_by_strace(server, row, client):
    """Slows the server several times, and so hides that it sometimes finds nothing to do."""
    with tempfile.NamedTemporaryFile('r', suffix='.txt') as counted:
        tracer = subprocess.Popen(
            ['strace', '-f', '-c', '-o', counted.name, '-p', str(server.pid)],
            stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True)
        try:
            if 'attached' not in read_line(tracer, 10):
                raise Unavailable('strace cannot attach')
            found = client.run(server, row.arguments)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()
        match = re.search(r'^100\.00\s+\S+\s+\S*\s*?(\d+)\s+\d*\s*total', counted.read(),
                          re.MULTILINE)
    if not match:
        raise Unavailable(f'{server.peer.name}: strace counted nothing')
    return int(match[1]) / found['requests_all']


def syscall_counter():
    """The way to count that works here, and its name; (None, why) if there is none."""
    if perf_works():
        return calls_by_perf, 'perf'
    if shutil.which('strace'):
        return calls_by_strace, 'strace, which slows the server: perf does not work here'
    return None, 'neither perf nor strace works here'


def syscalls(row, peer, client, count):
    with Server(peer, row.threads, row.protocol, row.buffer) as server:
        return count(server, row, client)


def idle_connections():
    """As many as 10 000, if the limit of descriptors allows."""
    return min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200)


def idle_bytes(peer, client, times=3):
    """Bytes of user memory a connection that has had one echo, against the server without any."""
    connections = idle_connections()
    results = []
    for _ in range(times):
        with Server(peer, 1, 'echo', 4096) as server:
            before = server.private_bytes()
            with client.hold_idle(server, connections):
                results.append((server.private_bytes() - before) / connections)
    return median(results)
