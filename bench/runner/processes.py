"""Servers and clients as processes: pinned, bounded in time, and ended by their pid in any case."""

import glob
import json
import os
import resource
import select
import signal
import subprocess
import time
from collections import namedtuple

STARTUP_LIMIT = 10  # Seconds until a server says that it is ready, or why it cannot be.

CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPUS, CLIENT_CPUS = CPUS[:1], CPUS[1:2] or CPUS[:1]
BOTH_CPUS = CPUS[:2]

# How to start a server: its name in tables, its program with leading arguments, what to add to the
# environment, and its buffer's size where it has another one than the row wants.
Peer = namedtuple('Peer', 'name command environment buffer', defaults=(None,))

# What the server has used: seconds of CPU between ready and end, and of all its life the seconds in
# user mode and in both; and how often one of its threads slept and was woken.
Usage = namedtuple('Usage', 'cpu user total wakes')


class Unavailable(Exception):
    """This peer cannot be measured; the text says why."""


def pinned(cpus):
    """What a child does before it becomes the program."""
    def prepare():
        os.sched_setaffinity(0, cpus)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return prepare


def read_line(process, seconds):
    """The next line of its output, or '' if there is none in time. Programs flush whole lines."""
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    return process.stdout.readline() if ready else ''


class Server:
    """A context manager around a peer's process; its port is known from the ready line on."""

    def __init__(self, peer, threads, protocol, buffer_bytes):
        self.peer = peer
        size = buffer_bytes if peer.buffer is None else peer.buffer
        self.arguments = [*peer.command, '0', str(threads), protocol, str(size)]
        self.cpus = SERVER_CPUS if threads == 1 else BOTH_CPUS
        self.cpu_before = 0.0
        self.usage = None

    def __enter__(self):
        try:
            self.process = subprocess.Popen(
                self.arguments, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                env={**os.environ, **self.peer.environment}, preexec_fn=pinned(self.cpus))
        except OSError as error:
            raise Unavailable(f'{self.peer.name}: {error}') from error
        self.pid = self.process.pid
        try:
            line = read_line(self.process, STARTUP_LIMIT)
            if not line.startswith('ready port='):
                raise Unavailable(line.strip() or f'{self.peer.name}: not ready')
            self.port = int(line.split('=')[1])
            self.cpu_before = self.cpu_seconds()
        except BaseException as failure:
            self.__exit__(type(failure))
            raise
        return self

    def __exit__(self, failure=None, *_):
        """Asks it to end, and makes it end after five seconds. wait4() tells what it has used, with
        the threads that ended before it. The signals pass by Popen, whose own would wait for a
        process that is dead already; until we do so, nobody else can have its pid."""
        os.kill(self.pid, signal.SIGTERM)
        limit = time.monotonic() + 5
        pid = 0
        while pid == 0:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid == 0 and time.monotonic() > limit:
                os.kill(self.pid, signal.SIGKILL)
            if pid == 0:
                time.sleep(0.002)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stdout.close()
        total = used.ru_utime + used.ru_stime
        self.usage = Usage(total - self.cpu_before, used.ru_utime, total, used.ru_nvcsw)
        if failure is None and self.process.returncode != 0:
            raise Unavailable(f'{self.peer.name}: ended with status {self.process.returncode}')

    def cpu_seconds(self):
        """What its threads have used by now, to the nanosecond."""
        total = 0
        for path in glob.glob(f'/proc/{self.pid}/task/*/schedstat'):
            with open(path, encoding='ascii') as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def private_bytes(self):
        """User memory that is its own."""
        with open(f'/proc/{self.pid}/smaps_rollup', encoding='ascii') as file:
            for line in file:
                if line.startswith('Private_Dirty:'):
                    return int(line.split()[1]) * 1024
        raise Unavailable('/proc has no Private_Dirty')


class Client:
    """cove_load, with the time that it takes."""

    def __init__(self, program, seconds):
        self.program, self.seconds = program, seconds

    def command(self, server, arguments):
        warm_up = min(0.25, self.seconds / 4)
        return [self.program, '--port', str(server.port), '--seconds', str(self.seconds),
                '--warm-up', str(warm_up), *arguments]

    def run(self, server, arguments, before=()):
        """What it found. `before` is a program that runs the client as its child."""
        command = [*before, *self.command(server, arguments)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  stdin=subprocess.DEVNULL, timeout=self.seconds * 2 + 20,
                                  preexec_fn=pinned(CLIENT_CPUS))
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f'{server.peer.name}: the client did not end') from error
        if done.returncode != 0:
            said = (done.stderr + done.stdout).strip()
            raise Unavailable(f'{server.peer.name}: the client failed: {said}')
        return json.loads(done.stdout)

    def hold_idle(self, server, connections):
        """A context manager: so many idle connections are open inside."""
        return IdleClient([*self.command(server, ['--mode', 'idle', '--connections',
                                                  str(connections)])], server.peer.name)


class IdleClient:
    def __init__(self, command, peer_name):
        self.command, self.peer_name = command, peer_name

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        preexec_fn=pinned(CLIENT_CPUS))
        try:
            if not read_line(self.process, 120).startswith('idle '):
                self.process.kill()
                raise Unavailable(f'{self.peer_name}: {self.process.stderr.read().strip()}')
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
