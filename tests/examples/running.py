"""Runs example programs for tests: every wait has a limit, every process is ended by its own id."""

import contextlib
import fcntl
import os
import pty
import re
import selectors
import subprocess
import tempfile
import termios
import time

LIMIT_S = 60  # What no step of a test takes, even under a sanitizer on a busy machine.
STALL = re.compile(r'\[warning\] task \d+ .* has kept thread \d+ for ')
STALL_IN_TEXT = re.compile(r'(\[[^]\r\n]*\] )*' + STALL.pattern + r'[^\r\n]*\r\n')


class Program:
    """A program that runs. Its standard error is kept for `errors()`."""

    def __init__(self, *command, preexec=None):
        self.name = os.path.basename(command[0])
        self.errors_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors_file,
            preexec_fn=preexec)
        self.pending = b''

    def line(self, limit_s=LIMIT_S):
        """The next line of standard output, without its end."""
        end = time.monotonic() + limit_s
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            while b'\n' not in self.pending:
                if not ready.select(max(0, end - time.monotonic())):
                    raise AssertionError(f'{self.name} printed no line in {limit_s} s')
                more = os.read(self.process.stdout.fileno(), 4096)
                if not more:
                    raise AssertionError(f'{self.name} ended with {self.process.wait(LIMIT_S)} '
                                         f'instead of printing a line: {self.errors()}')
                self.pending += more
        line, self.pending = self.pending.split(b'\n', 1)
        return line.decode()

    def finish(self, limit_s=LIMIT_S):
        """Waits for the end: exit code and the rest of standard output."""
        rest, _ = self.process.communicate(timeout=limit_s)
        return self.process.returncode, (self.pending + rest).decode()

    def errors(self):
        """What came to standard error, without the reports of stalls: that a task took long says
        as much of the machine and of the sanitizer as of the program."""
        self.errors_file.seek(0)
        return ''.join(line for line in self.errors_file.read().decode().splitlines(keepends=True)
                       if not STALL.search(line))

    def end(self):
        """Ends it, politely if possible; for those that have ended, nothing."""
        try:
            if self.process.poll() is None:
                self.process.terminate()
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait(LIMIT_S)
        finally:
            self.process.stdout.close()
            self.errors_file.close()


class OnTerminal:
    """A program whose standard streams are a terminal of its own, as a user would see it. Standard
    output and error come mixed, and what is typed is shown."""

    def __init__(self, *command, preexec=None):
        def take_terminal():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # So that Ctrl-C is a signal.
            if preexec:
                preexec()

        self.name = os.path.basename(command[0])
        self.master, slave = pty.openpty()
        try:
            self.process = subprocess.Popen(
                command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                preexec_fn=take_terminal)
        except BaseException:
            os.close(self.master)
            raise
        finally:
            os.close(slave)
        self.shown = ''

    def read(self):
        """Adds to what is shown; false at the end."""
        try:
            more = os.read(self.master, 4096)
        except OSError:  # EIO: nobody has the other side any more.
            return False
        self.shown += more.decode(errors='replace')
        return bool(more)

    def show(self, pattern, limit_s=LIMIT_S):
        """Waits until something that fits the pattern is shown."""
        end = time.monotonic() + limit_s
        with selectors.DefaultSelector() as ready:
            ready.register(self.master, selectors.EVENT_READ)
            while not re.search(pattern, self.shown):
                if not ready.select(max(0, end - time.monotonic())) or not self.read():
                    raise AssertionError(f'{self.name} did not show {pattern}: {self.shown!r}')

    def type(self, text):
        os.write(self.master, text.encode())

    def finish(self, limit_s=LIMIT_S):
        """Waits for the end: exit code and all that was shown, without the reports of stalls."""
        end = time.monotonic() + limit_s
        with selectors.DefaultSelector() as ready:
            ready.register(self.master, selectors.EVENT_READ)
            while ready.select(max(0, end - time.monotonic())) and self.read():
                pass
        code = self.process.wait(max(0, end - time.monotonic()))
        return code, STALL_IN_TEXT.sub('', self.shown)

    def end(self):
        try:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(LIMIT_S)
        finally:
            os.close(self.master)


@contextlib.contextmanager
def on_terminal(*command, preexec=None):
    program = OnTerminal(*command, preexec=preexec)
    try:
        yield program
    finally:
        program.end()


@contextlib.contextmanager
def running(*command, preexec=None):
    program = Program(*command, preexec=preexec)
    try:
        yield program
    finally:
        program.end()


@contextlib.contextmanager
def serving(*command, address='127.0.0.1:0', preexec=None):
    """A server on a free port: gives the program, with its host and port."""
    with running(*command, '--address', address, preexec=preexec) as server:
        first = server.line()
        if not first.startswith('listening on '):
            raise AssertionError(f'{server.name} said "{first}" instead of where it listens')
        server.address = first.removeprefix('listening on ')
        host, port = server.address.rsplit(':', 1)
        server.host, server.port = host.strip('[]'), int(port)
        yield server


def run(*command, limit_s=LIMIT_S):
    """Runs to the end: exit code, standard output, standard error."""
    with running(*command) as program:
        code, output = program.finish(limit_s)
        return code, output, program.errors()
