"""A client of the conformance driver: starts the program, sends requests, and waits for replies.

Every wait has a limit, which no right answer comes near, and the process is ended by its own id.
"""

import contextlib
import json
import queue
import subprocess
import tempfile
import threading

LIMIT_S = 60  # What nothing takes, even under a sanitizer on a busy machine.


class DriverError(AssertionError):
    """The driver, or the conversation with it, went wrong."""


class Skipped(Exception):
    """The driver says that this build has no such backend."""


class Driver:
    """A running driver. `ready` is its first line."""

    def __init__(self, program, *arguments, close_fds=True):
        self.errors_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors_file, close_fds=close_fds)
        self.last_id = 0
        self.replies = {}  # id -> what has come and was not asked for yet
        self.answered = set()
        self.arrived = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.ready = self._next_line()

    def _read(self):
        for line in self.process.stdout:
            self.arrived.put(line)
        self.arrived.put(None)

    def _next_line(self):
        try:
            line = self.arrived.get(timeout=LIMIT_S)
        except queue.Empty:
            raise DriverError(f'no line in {LIMIT_S} s; {self.errors()}') from None
        if line is None:
            raise DriverError(f'ended with {self.process.wait(LIMIT_S)}: {self.errors()}')
        return json.loads(line)

    def line(self, text):
        """Sends a line as it is."""
        self.process.stdin.write(text.encode() + b'\n')
        self.process.stdin.flush()

    def send(self, do, **members):
        """Sends a request and gives its id."""
        self.last_id += 1
        self.line(json.dumps({'id': self.last_id, 'do': do, **members}))
        return self.last_id

    def wait(self, number):
        """The reply to a request that was sent."""
        while number not in self.replies:
            reply = self._next_line()
            if reply['id'] in self.answered:
                raise DriverError(f'answered twice: {reply}')
            self.answered.add(reply['id'])
            self.replies[reply['id']] = reply
        return self.replies.pop(number)

    def ask(self, do, **members):
        return self.wait(self.send(do, **members))

    def ok(self, do, **members):
        """Asks, and insists on success."""
        reply = self.ask(do, **members)
        if not reply.get('ok'):
            raise DriverError(f'{do} {members}: {reply}')
        return reply

    def close_input(self):
        """Ends the input; gives the replies that were still to come, and the exit code."""
        self.process.stdin.close()
        rest = list(self.replies.values())
        while (line := self.arrived.get(timeout=LIMIT_S)) is not None:
            rest.append(json.loads(line))
        return rest, self.process.wait(LIMIT_S)

    def errors(self):
        self.errors_file.seek(0)
        return self.errors_file.read().decode(errors='replace')

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT_S)
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.reader.join(LIMIT_S)
        self.process.stdout.close()
        self.errors_file.close()


@contextlib.contextmanager
def driving(program, *arguments, close_fds=True):
    """A driver for the length of a block. Without `close_fds` it inherits what is inheritable."""
    driver = Driver(program, *arguments, close_fds=close_fds)
    try:
        if not driver.ready['ready']:
            if driver.process.wait(LIMIT_S) == 77:
                raise Skipped(driver.ready['detail'])
            raise DriverError(str(driver.ready))
        yield driver
    finally:
        driver.end()


# ---- the pattern of payloads ------------------------------------------------------------------

PERIOD = 65521


def pattern(seed, offset, count):
    """The bytes `offset` to `offset + count - 1` of the endless pattern `seed`."""
    state, table = seed, bytearray(PERIOD)
    for at in range(PERIOD):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        table[at] = state >> 56
    start = offset % PERIOD
    return bytes(table * ((start + count) // PERIOD + 1))[start:start + count]
