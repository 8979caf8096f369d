"""Cases of play.py: pipes, FIFOs, descriptors of others, terminals."""

import fcntl
import os
import pty
import socket
import struct
import sys
import tempfile
import termios

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
from case import Case, crc, read_exactly, row  # noqa: E402
from driver import LIMIT_S, driving, pattern  # noqa: E402


class Pipes(Case):
    def pipe(self):
        return self.driver.ok('pipe', **{'as': ['r', 'w']})

    @row('P01 a pipe carries what is written, then the end; without a reader it is broken')
    def test_pipe(self):
        self.pipe()
        writing = self.driver.send('write', h='w', count=1_000_000)
        self.expect(self.driver.ask('read_exact', h='r', n=999_000), None,
                    crc=crc(pattern(1, 0, 999_000)))
        self.expect(self.driver.wait(writing), None, n=1_000_000)
        self.driver.ok('close', h='w')
        self.expect(self.driver.ask('read_all', h='r'), None, n=1000, end='eof')
        self.expect(self.driver.ask('read', h='r', n=1), 'eof')
        self.driver.ok('drop', h=['r', 'w'])
        self.pipe()
        writing = self.driver.send('write', h='w', count=1_000_000)
        self.until_waiting('write_all')
        self.driver.ok('drop', h='r')
        self.expect(self.driver.wait(writing), 'pipe')
        self.driver.ok('drop', h='w')

    @row('P01 a pipe is read and written in every way that it has')
    def test_ways(self):
        self.pipe()
        self.expect(self.driver.ask('try_read', h='r', n=9), 'wouldblock', n=0)
        self.driver.ok('ready', h='w', dir='w')
        self.driver.ok('writev', h='w', lens=[1, 2, 3], seed=2)
        self.driver.ok('write_some', h='w', text='ab')
        self.driver.ok('try_write', h='w', text='cd')
        self.expect(self.driver.ask('ready', h='r', dir='r'), None, r=True)
        self.expect(self.driver.ask('readv', h='r', lens=[2, 4]), None, crc=crc(pattern(2, 0, 6)))
        self.expect(self.driver.ask('try_read', h='r', n=9), None, data=b'abcd'.hex())
        for do, h, members in (('write', 'r', {'text': 'x'}), ('read', 'w', {'n': 1}),
                               ('peek', 'r', {'n': 1}), ('shutw', 'w', {}), ('echo', 'r', {})):
            self.assertIn(self.driver.ask(do, h=h, **members)['error'], ('unsupported', 'badreq'))
        self.expect(self.driver.ask('ready', h='r', dir='w'), 'unsupported', what='w')
        self.driver.ok('drop', h=['r', 'w'])

    @row('P01 readiness tells of the other end, too')
    def test_ready(self):
        self.pipe()
        self.expect(self.driver.ask('ready', h='w', dir='w'), None, r=False, w=True, p=False,
                    hup=False, err=False)
        waiting = self.driver.send('ready', h='r', dir='r')
        self.until_waiting('wait_readable')
        self.driver.ok('write', h='w', text='ab')
        self.expect(self.driver.wait(waiting), None, r=True, w=False, p=False, hup=False, err=False)
        self.driver.ok('close', h='w')
        self.expect(self.driver.ask('ready', h='r', dir='r'), None, r=True, hup=True, err=False)
        self.expect(self.driver.ask('read_all', h='r'), None, n=2, end='eof')
        self.expect(self.driver.ask('ready', h='r', dir='r'), None, r=True, hup=True)
        self.driver.ok('drop', h=['r', 'w'])
        self.pipe()
        self.driver.ok('close', h='r')
        self.expect(self.driver.ask('ready', h='w', dir='w'), None, w=True, err=True)
        self.expect(self.driver.ask('ready', h='r', dir='r'), 'closed')
        for do in ('r', 'p'):
            self.expect(self.driver.ask('ready', h='w', dir=do), 'unsupported', what=do)
        self.driver.ok('drop', h=['r', 'w'])

    @row('P05 K01 a close, a cancel and a deadline end the read that waits')
    def test_ends(self):
        self.pipe()
        for end, error in (({'do': 'cancel'}, 'cancelled'),
                           ({'do': 'deadline', 'h': 'r', 'dir': 'r', 'ms': -1}, 'timeout'),
                           ({'do': 'close', 'h': 'r'}, 'closed')):
            self.driver.ok('deadline', h='r', dir='r', ms=None)
            reading = self.driver.send('read', h='r', n=1)
            self.until_waiting('read_some')
            self.driver.ok(**(end if end['do'] != 'cancel' else {**end, 'op': reading}))
            self.expect(self.driver.wait(reading), error, n=0)
        self.expect(self.driver.ask('read', h='r', n=1), 'closed')
        self.driver.ok('drop', h=['r', 'w'])

    @row('S23 read_until gives piece by piece, and leaves the rest for other reads')
    def test_read_until(self):
        self.pipe()
        reading = self.driver.send('read_until', h='r', delim=b'\r\n'.hex(), max=100)
        self.driver.ok('write', h='w', text='one\r')
        self.driver.ok('write', h='w', text='\ntwo\r\nrest')
        self.expect(self.driver.wait(reading), None, data=b'one\r\n'.hex())
        self.expect(self.driver.ask('read_until', h='r', delim='0d0a', max=100), None, n=5)
        self.expect(self.driver.ask('read_until', h='r', delim='0d0a', max=2), 'msgsize')
        self.expect(self.driver.ask('try_read', h='r', n=1), 'badreq')
        self.expect(self.driver.ask('read', h='r', n=2), None, data=b're'.hex())
        self.driver.ok('close', h='w')
        self.expect(self.driver.ask('read_until', h='r', delim='0d0a', max=100), 'unexpected-eof')
        self.expect(self.driver.ask('read_all', h='r'), None, data=b'st'.hex(), end='eof')
        self.driver.ok('drop', h=['r', 'w'])

    @row('S21 S24 copies and relays carry all, and end with their streams')
    def test_copies(self):
        first, second = self.link('a'), self.link('b')
        relaying = self.driver.send('relay', a='a', b='b')
        first.sendall(b'question')
        first.shutdown(socket.SHUT_WR)
        self.assertEqual(read_exactly(second, 9), b'question')
        second.sendall(b'answer')
        second.shutdown(socket.SHUT_WR)
        self.assertEqual(read_exactly(first, 7), b'answer')
        self.expect(self.driver.wait(relaying), None, n_ab=8, n_ba=6)
        self.driver.ok('drop', h=['a', 'b'])
        peer = self.link()
        self.pipe()
        copying = self.driver.send('copy', src='c', dst='w')
        data = pattern(6, 0, 500_000)
        sending = self.driver.send('read_exact', h='r', n=len(data))
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        self.expect(self.driver.wait(sending), None, crc=crc(data))
        self.expect(self.driver.wait(copying), None, n=len(data))
        self.driver.ok('drop', h=['c', 'r', 'w'])


class Fifos(Case):
    @row('P01 P02 P03 FIFOs: the end, a reader that outlives its writers, and what is none')
    def test_fifo(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'fifo')
            os.mkfifo(path)
            self.expect(self.driver.ask('open_pipe', path=path, mode='w', **{'as': 'w'}), 'nodev')
            self.driver.ok('open_pipe', path=path, mode='r', **{'as': 'r'})
            self.driver.ok('open_pipe', path=path, mode='w', **{'as': 'w'})
            self.driver.ok('write', h='w', text='abc')
            self.driver.ok('drop', h='w')
            self.expect(self.driver.ask('read_all', h='r'), None, data=b'abc'.hex(), end='eof')
            self.driver.ok('drop', h='r')
            self.driver.ok('open_pipe', path=path, mode='rw', **{'as': 'r'})
            for text in (b'one', b'two'):
                with open(path, 'wb') as writer:
                    writer.write(text)
                self.expect(self.driver.ask('read', h='r', n=10), None, data=text.hex())
            reading = self.driver.send('read', h='r', n=1)
            self.until_waiting('read_some')
            self.driver.ok('drop', h='r')
            self.expect(self.driver.wait(reading), 'closed')
            self.expect(self.driver.ask('open_pipe', path=folder, mode='r', **{'as': 'r'}),
                        'invalid')
            self.expect(self.driver.ask('open_pipe', path=path + 'x', mode='r', **{'as': 'r'}),
                        'noent')
            self.expect(self.driver.ask('open_pipe', path=path, mode='r'), 'badreq')


class Descriptors(Case):
    """Descriptors that the driver inherits, or has otherwise not from the library."""

    def inherit(self, *fds):
        """Another driver in place of the first, which has these descriptors, too."""
        for fd in fds:
            os.set_inheritable(fd, True)
        self.driver = self.enterContext(driving(self.program, *self.arguments, close_fds=False))
        self.before = self.counts()

    @row('P08 P07 a watch leaves the descriptor alone; two watches are both told')
    def test_watch(self):
        made = self.driver.ok('pipe', **{'as': ['r', 'w']})
        fd = made['fd'][0]
        for name in ('one', 'two'):
            self.driver.ok('watch_fd', fd=fd, **{'as': name})
        ids = [self.driver.send('ready', h=name, dir='r') for name in ('one', 'two')]
        self.until_waiting('wait_readable', 2)
        self.driver.ok('write', h='w', text='x')
        for number in ids:
            self.expect(self.driver.wait(number), None, r=True)
        self.expect(self.driver.ask('read', h='r', n=9), None, n=1)
        waiting = self.driver.send('ready', h='one', dir='r')
        self.until_waiting('wait_readable')
        self.driver.ok('unwatch_fd', h='one')
        self.expect(self.driver.wait(waiting), 'closed')
        self.driver.ok('drop', h=['one', 'two'])
        self.driver.ok('watch_fd', fd=fd, **{'as': 'one'})
        self.driver.ok('write', h='w', text='x')
        self.driver.ok('ready', h='one', dir='r')
        self.driver.ok('drop', h=['one', 'r', 'w'])

    @row('P08 S17 a watch tells of what is urgent, beside who waits for bytes')
    def test_urgent(self):
        peer = self.link()
        fd = self.driver.ok('info', h='c')['fd']
        self.driver.ok('watch_fd', fd=fd, **{'as': 'x'})
        reading = self.driver.send('ready', h='c', dir='r')
        waiting = self.driver.send('ready', h='x', dir='p')
        self.until_waiting('wait_readable')
        self.until_waiting('wait_urgent')
        peer.send(b'!', socket.MSG_OOB)
        self.expect(self.driver.wait(waiting), None, p=True, r=False, w=True, hup=False, err=False)
        peer.sendall(b'abc')
        self.expect(self.driver.wait(reading), None, r=True)
        self.expect(self.driver.ask('read', h='c', n=9), None, data=b'abc'.hex())
        self.driver.ok('unwatch_fd', h='x')
        self.expect(self.driver.ask('ready', h='x', dir='p'), 'closed')
        self.driver.ok('drop', h=['x', 'c'])

    @row('P06 a file cannot be watched, and neither can what is not open')
    def test_no_watch(self):
        fd = self.driver.ok('open', path=__file__, flags=['r'], **{'as': 'f'})['fd']
        self.expect(self.driver.ask('watch_fd', fd=fd, **{'as': 'w'}), 'perm')
        self.driver.ok('close', h='f')
        self.driver.ok('drop', h='f')
        self.expect(self.driver.ask('watch_fd', fd=9999, **{'as': 'w'}), 'badfd')

    @row('L23 P04 inherited descriptors are adopted by their kind, and given out again')
    def test_adopt(self):
        server = socket.create_server(('127.0.0.1', 0))
        here, there = socket.create_connection(server.getsockname()), server.accept()[0]
        reads, writes = os.pipe()
        self.addCleanup(lambda: [each.close() for each in (server, here, there)])
        self.addCleanup(lambda: [os.close(fd) for fd in (reads, writes)])
        here.settimeout(LIMIT_S)
        self.inherit(server.fileno(), there.fileno(), reads)
        fd = there.fileno()
        for kind in ('listener', 'pipe', 'file'):
            self.expect(self.driver.ask('adopt', fd=fd, kind=kind, **{'as': 'x'}), 'invalid')
        host, port = here.getsockname()
        self.expect(self.driver.ask('adopt', fd=fd, kind='stream'), 'badreq')
        self.expect(self.driver.ask('adopt', fd=fd, kind='dgram', **{'as': 'x'}), 'unsupported',
                    what='dgram')
        self.expect(self.driver.ask('adopt', fd=fd, kind='stream', **{'as': 'c'}), None,
                    peer=f'{host}:{port}', fd=fd)
        here.sendall(b'abc')
        self.expect(self.driver.ask('read', h='c', n=9), None, data=b'abc'.hex())
        self.expect(self.driver.ask('release', h='c'), None, fd=fd)
        self.expect(self.driver.ask('read', h='c', n=1), 'nohandle')
        self.assertTrue(os.get_blocking(fd))
        self.driver.ok('adopt', fd=server.fileno(), kind='listener', **{'as': 'L'})
        accepting = self.driver.send('accept', h='L', **{'as': 'c'})
        with socket.create_connection(server.getsockname(), LIMIT_S):
            self.expect(self.driver.wait(accepting), None)
        self.driver.ok('adopt', fd=reads, kind='pipe', **{'as': 'r'})
        os.write(writes, b'xyz')
        self.expect(self.driver.ask('read', h='r', n=9), None, data=b'xyz'.hex())
        self.expect(self.driver.ask('release', h='r'), None, fd=reads)
        self.driver.ok('drop', h=['L', 'c'])

    @row('P11 a terminal is raw for a while, and is what it was afterwards')
    def test_terminal(self):
        keys, screen = pty.openpty()
        self.addCleanup(lambda: [os.close(fd) for fd in (keys, screen)])
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
        self.inherit(screen)
        before = termios.tcgetattr(screen)
        self.driver.ok('adopt', fd=screen, kind='tty', **{'as': 't'})
        self.expect(self.driver.ask('tty', h='t', op='size'), None, rows=24, cols=80)
        self.driver.ok('tty', h='t', op='raw')
        self.assertEqual(termios.tcgetattr(screen)[3] & termios.ICANON, 0)
        waiting = self.driver.send('ready', h='t', dir='r')
        os.write(keys, b'q')
        self.expect(self.driver.wait(waiting), None, r=True)
        self.driver.ok('tty', h='t', op='cooked')
        self.assertEqual(termios.tcgetattr(screen), before)
        self.driver.ok('tty', h='t', op='raw')
        self.driver.ok('drop', h='t')
        self.assertEqual(termios.tcgetattr(screen), before)
