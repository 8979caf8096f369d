"""Cases of play.py: sticky deadlines of streams and listeners."""

import os
import socket
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
from case import Case, read_exactly, row  # noqa: E402
from driver import LIMIT_S, pattern  # noqa: E402


class Deadlines(Case):
    @row('K09 K12 a read behind its deadline fails and takes nothing, until the deadline is moved')
    def test_read_deadline(self):
        peer = self.link()
        peer.sendall(b'abc')
        self.driver.ok('ready', h='c', dir='r')
        self.driver.ok('deadline', h='c', dir='r', ms=-1000)
        for do in ('read', 'read', 'peek', 'try_read', 'read_exact'):
            self.expect(self.driver.ask(do, h='c', n=3), 'timeout', n=0)
        self.driver.ok('write', h='c', text='out')
        self.assertEqual(read_exactly(peer, 3), b'out')
        for ms in (3_600_000, None, 2**62):
            self.driver.ok('deadline', h='c', dir='rw', ms=ms)
            self.expect(self.driver.ask('peek', h='c', n=3), None, n=3, data=b'abc'.hex())
        self.driver.ok('deadline', h='c', dir='r', ms=1)
        self.expect(self.driver.ask('seq', keep=True, ops=[
            {'do': 'sleep', 'ms': 2}, {'do': 'read', 'h': 'c', 'n': 3}]), 'timeout')
        self.driver.ok('close', h='c')
        self.expect(self.driver.ask('deadline', h='c', dir='r', ms=1), 'closed')
        self.driver.ok('drop', h='c')

    @row('K10 K11 a deadline reaches the read that waits, wherever it is moved')
    def test_moved_deadline(self):
        peer = self.link()
        reading = self.driver.send('read', h='c', n=10)
        self.until_waiting('read_some')
        for ms in (3_600_000, 60_000, None):
            self.driver.ok('deadline', h='c', dir='r', ms=ms)
        self.driver.ok('deadline', h='c', dir='r', ms=20)
        reply = self.driver.wait(reading)
        self.expect(reply, 'timeout', n=0)
        self.assertGreaterEqual(reply['us'], 20_000)
        self.driver.ok('deadline', h='c', dir='r', ms=None)
        reading = self.driver.send('read', h='c', n=10)
        self.until_waiting('read_some')
        self.driver.ok('deadline', h='c', dir='rw', ms=-1)
        self.expect(self.driver.wait(reading), 'timeout', n=0)
        self.driver.ok('deadline', h='c', dir='rw', ms=None)
        peer.sendall(b'abc')
        self.expect(self.driver.ask('read', h='c', n=10), None, data=b'abc'.hex())
        self.driver.ok('drop', h='c')

    @row('K13 K14 a write under a deadline says how much was written')
    def test_write_deadline(self):
        peer = self.link(receive_buffer=4096)
        self.driver.ok('deadline', h='c', dir='rw', ms=50)
        reply = self.driver.ask('write', h='c', count=20_000_000)
        self.expect(reply, 'timeout')
        self.expect(self.driver.ask('write', h='c', text='no'), 'timeout', n=0)
        self.driver.ok('deadline', h='c', dir='w', ms=None)
        self.assertEqual(read_exactly(peer, reply['n']), pattern(1, 0, reply['n']))
        self.driver.ok('write', h='c', text='next')
        self.assertEqual(read_exactly(peer, 4), b'next')
        self.driver.ok('drop', h='c')

    @row('L12 an accept behind its deadline fails although a client is there, until it is cleared')
    def test_accept_deadline(self):
        address = self.listen()
        ids = [self.driver.send('accept', h='L') for _ in range(3)]
        self.until_waiting('accept', 3)
        self.driver.ok('deadline', h='L', dir='r', ms=-1)
        for number in ids:
            self.expect(self.driver.wait(number), 'timeout')
        with socket.create_connection(address, LIMIT_S) as peer:
            self.expect(self.driver.ask('accept', h='L'), 'timeout')
            self.driver.ok('deadline', h='L', dir='r', ms=None)
            host, port = peer.getsockname()
            self.expect(self.driver.ask('accept', h='L'), None, peer=f'{host}:{port}')
        self.expect(self.driver.ask('deadline', h='L', dir='w', ms=1), 'unsupported', what='w')
        self.driver.ok('drop', h='L')

    @row('K10 K11 K18 a deadline that a thread moves is neither missed nor met early')
    def test_storm_of_deadlines(self):
        self.expect(self.driver.ask('storm', kind='deadline', count=1000), None,
                    count=1000, early=0, missed=0)
        self.link()
        self.expect(self.driver.ask('storm', kind='deadline', h='c', count=100), None,
                    early=0, missed=0)
        self.driver.ok('drop', h='c')
