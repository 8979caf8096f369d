"""What the cases of play.py stand on: a driver each, raw sockets at the other end, and the check
that nothing is left behind."""

import os
import socket
import struct
import sys
import time
import unittest
import zlib

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
from driver import LIMIT_S, driving  # noqa: E402

COUNTED = ('tasks', 'ops', 'timers', 'fds')
NO_CRC = '00000000'


def crc(data):
    return f'{zlib.crc32(data):08x}'


def read_exactly(peer, count):
    data = b''
    while len(data) < count and (more := peer.recv(count - len(data))):
        data += more
    return data


def read_to_end(peer):
    data = b''
    while more := peer.recv(1 << 20):
        data += more
    return data


def reset(peer):
    """Ends the connection with a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    peer.close()


def closed_port():
    """An address where nobody listens: bound, so that nobody else gets it meanwhile."""
    holder = socket.socket()
    holder.bind(('127.0.0.1', 0))
    return holder, f'127.0.0.1:{holder.getsockname()[1]}'


class Case(unittest.TestCase):
    """What all cases share: a driver, and its counts before and after."""

    program = 'cove-driver'
    arguments = ()

    def setUp(self):
        self.driver = self.enterContext(driving(self.program, *self.arguments))
        self.before = self.counts()

    def enterContext(self, manager):  # unittest has it from Python 3.11 on.
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def counts(self):
        stats = self.driver.ok('stats')
        return {name: stats[name] for name in COUNTED if name in stats}

    def until(self, met, what):
        """Asks the driver again and again; each question is a rendezvous with it."""
        end = time.monotonic() + LIMIT_S
        while not met():
            if time.monotonic() > end:
                self.fail(f'never came: {what}')

    def until_waiting(self, operation, count=1):
        """Until so many tasks of the driver stand in this operation of the library."""
        self.until(lambda: self.driver.ok('dump')['text'].count(f'waits for {operation} ') >= count,
                   f'a task that waits for {operation}')

    def check_baseline(self):
        """Nothing of the case is left; what was told to go may still be on its way."""
        self.until(lambda: self.counts() == self.before,
                   f'{self.before}, but now {self.counts()}: {self.driver.ok("dump")["text"]}')

    def listen(self, name='L', **members):
        made = self.driver.ok('listen', net='tcp', addr='127.0.0.1:0', **{'as': name}, **members)
        host, port = made['local'].rsplit(':', 1)
        return host, int(port)

    def link(self, name='c', receive_buffer=None):
        """A stream of the driver's, accepted from a raw socket, which is returned."""
        address = self.listen()
        peer = socket.socket()
        self.addCleanup(peer.close)
        peer.settimeout(LIMIT_S)
        if receive_buffer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        peer.connect(address)
        self.driver.ok('accept', h='L', **{'as': name})
        self.driver.ok('drop', h='L')
        return peer

    def expect(self, reply, error, **members):
        """The reply has this error class (None: it is a success), and these members."""
        self.assertEqual(reply.get('error'), error, reply)
        self.assertEqual(reply.get('ok'), None if error else True, reply)
        self.assertEqual({name: reply.get(name) for name in members}, members, reply)


def row(name):
    """Gives a case its full name. After it nothing is left, and the driver ends as it should."""
    def decorate(function):
        def play(self):
            function(self)
            self.check_baseline()
            self.assertEqual(self.driver.close_input(), ([], 0), self.driver.errors())
        play.sentence = name
        return play
    return decorate
