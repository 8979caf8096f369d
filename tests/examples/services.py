"""The servers with a protocol of their own: http_hello, chat_server, graceful_shutdown."""

import contextlib
import re
import shutil
import signal
import socket
import unittest

from contracts import Listening, Server, example
from running import LIMIT_S, run, serving


def read_all(peer):
    raw = b''
    while more := peer.recv(1 << 16):
        raw += more
    return raw


class TestHttpHello(Server, unittest.TestCase):
    program, needs = 'http_hello', 'curl'
    request, answer = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n', b'Hello, World!\n'

    @classmethod
    def setUpClass(cls):
        cls.ending = contextlib.ExitStack()
        cls.server = cls.ending.enter_context(serving(example('http_hello')))
        cls.url = f'http://{cls.server.address}'

    @classmethod
    def tearDownClass(cls):
        with cls.ending:
            if (code := cls.server.process.poll()) is not None:
                raise AssertionError(f'the server ended with {code}: {cls.server.errors()}')

    def curl(self, *arguments):
        code, output, errors = run(shutil.which('curl'), '-sS', '--noproxy', '*', '--max-time',
                                   str(LIMIT_S), *arguments)
        self.assertEqual((code, errors), (0, ''), output)
        return output

    def talk(self, *parts):
        """Sends the parts as packets of their own, and reads to the end."""
        with socket.create_connection((self.server.host, self.server.port), LIMIT_S) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in parts:
                peer.sendall(part)
            peer.shutdown(socket.SHUT_WR)
            return read_all(peer)

    def test_get_says_hello(self):
        answer = self.curl('-i', self.url + '/')
        self.assertRegex(answer, r'^HTTP/1.1 200 OK\r\n')
        self.assertRegex(answer, r'(?i)\r\nContent-Type: text/plain\r\n')
        self.assertTrue(answer.endswith('\r\n\r\nHello, World!\n'), answer)
        self.assertIn('Hello', self.curl(self.url + '/?x=1'))

    def test_other_paths_and_methods_are_not_found(self):
        for arguments in ((self.url + '/x',), ('-d', 'body', self.url + '/'),
                          ('-X', 'DELETE', self.url + '/')):
            self.assertRegex(self.curl('-i', *arguments), r'^HTTP/1.1 404 Not Found\r\n')

    def test_head_has_no_body(self):
        answer = self.curl('-I', self.url + '/')
        self.assertRegex(answer, r'^HTTP/1.1 200 OK\r\n')
        self.assertRegex(answer, r'(?i)\r\nContent-Length: 14\r\n')
        raw = self.talk(b'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n' * 2)
        self.assertEqual((raw.count(b'200 OK'), raw.count(b'Hello')), (2, 0))

    def test_the_connection_is_kept(self):
        connects = self.curl('-o', '/dev/null', '-o', '/dev/null', '-o', '/dev/null', '-w',
                             '%{num_connects}', self.url + '/', self.url + '/x', self.url + '/')
        self.assertEqual(connects, '100')
        connects = self.curl('-d', 'body', '-o', '/dev/null', '-o', '/dev/null', '-w',
                             '%{num_connects}', self.url + '/', self.url + '/')
        self.assertEqual(connects, '10')

    def test_the_connection_is_closed_on_request(self):
        answer = self.curl('-i', '-H', 'Connection: close', self.url + '/')
        self.assertRegex(answer, r'(?i)\r\nConnection: close\r\n')
        # After the last request nothing is answered.
        raw = self.talk(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
                        b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        self.assertEqual(raw.count(b'200 OK'), 1)

    def test_http_1_0_closes_unless_it_asks_not_to(self):
        self.assertRegex(self.curl('-0', '-i', self.url + '/'), r'(?i)\r\nConnection: close\r\n')
        raw = self.talk(b'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
                        b'GET / HTTP/1.0\r\n\r\n')
        self.assertEqual(raw.lower().count(b'connection: keep-alive'), 1)
        self.assertEqual((raw.count(b'Hello'), raw.lower().count(b'connection: close')), (2, 1))

    def test_pipelined_requests_are_answered_in_order(self):
        one, other = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n', b'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'
        raw = self.talk(one + other + one + other * 500)
        self.assertEqual(re.findall(rb'HTTP/1.1 (\d+) ', raw),
                         [b'200', b'404', b'200'] + [b'404'] * 500)

    def test_requests_may_be_cut_anywhere(self):
        request = b'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n' \
                  b'3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'
        raw = self.talk(*(request[i:i + 1] for i in range(len(request))))
        self.assertEqual((raw.count(b'404'), raw.count(b'Hello, World!')), (1, 1))

    def test_an_upgrade_is_passed_over(self):
        raw = self.talk(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
                        b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        self.assertEqual(raw.count(b'200 OK'), 2)

    def test_bad_requests_are_refused_and_end_the_connection(self):
        good = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
        for bad in (b'nonsense\r\n\r\n', b'GET / HTTP/x\r\n\r\n',
                    b'GET / HTTP/1.1\r\nBad\0Header: a\r\n\r\n',
                    b'POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n', b'\x16\x03\x01\x02\x00'):
            raw = self.talk(good + bad + good)
            self.assertEqual((raw.count(b'200 OK'), raw.count(b'400 Bad Request')), (1, 1), bad)
            self.assertIn(b'Connection: close', raw)

    def test_the_server_closes_after_a_bad_request(self):
        with socket.create_connection((self.server.host, self.server.port), LIMIT_S) as peer:
            peer.sendall(b'nonsense\r\n\r\n')
            self.assertTrue(read_all(peer).startswith(b'HTTP/1.1 400 '))

    def test_endless_headers_are_refused(self):
        raw = self.talk(b'GET / HTTP/1.1\r\n' + b'X: ' + b'x' * 1_000_000)
        self.assertTrue(raw.startswith(b'HTTP/1.1 431 '), raw)

    def test_an_unfinished_request_gets_no_answer(self):
        self.assertEqual(self.talk(b'GET / HTTP/1.1\r\nHost'), b'')


class Guest:
    """A client of the chat, by its name."""

    def __init__(self, server, name, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(LIMIT_S)
        self.socket.connect((server.host, server.port))
        self.lines = self.socket.makefile('rb')
        self.say(name)

    def say(self, line):
        self.socket.sendall(line.encode() + b'\n')

    def hear(self):
        return self.lines.readline().decode().rstrip('\n')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()


class TestChatServer(Server, unittest.TestCase):
    program = 'chat_server'
    own_options = Server.own_options + ('--backlog', '--patience')

    def ask(self, peer):
        with peer.makefile('rb', 0) as lines:
            self.assertEqual(lines.readline(), b'* your name?\n')

    def enter(self, server, name, **options):
        guest = Guest(server, name, **options)
        self.assertEqual([guest.hear(), guest.hear()], ['* your name?', f'* {name} has come'])
        return guest

    def test_sessions_may_go_on_for_a_while(self):
        with self.asked_to_end('--grace', '1h') as (server, peer):
            peer.sendall(b'late\n')
            # The room closes a moment after the line was printed: who is quick is still let in.
            self.assertIn(read_all(peer), (b'', b'* the server ends\n',
                                           b'* late has come\n* the server ends\n'))
            self.assertEqual(server.finish()[0], 0)

    def test_who_is_there_is_told_of_the_end(self):
        with serving(example('chat_server'), '--grace', '1h') as server, \
                self.enter(server, 'ann') as ann:
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual([ann.hear(), ann.hear()], ['* the server ends', ''])
            code, output = server.finish()
            self.assertEqual((code, server.errors()), (0, ''))
            self.assertIn('all sessions have ended\n', output)

    def test_what_one_says_the_others_hear(self):
        with serving(example('chat_server')) as server, self.enter(server, 'ann') as ann:
            with self.enter(server, 'bob') as bob:
                self.assertEqual(ann.hear(), '* bob has come')
                ann.say('hello \x1b[2J')
                bob.say('hi')
                self.assertEqual(bob.hear(), 'ann: hello ?[2J')
                self.assertEqual(ann.hear(), 'bob: hi')
                with Guest(server, 'bob') as other:
                    self.assertEqual([other.hear(), other.hear(), other.hear()],
                                     ['* your name?', '* that name is not free', ''])
            self.assertEqual(ann.hear(), '* bob has gone')
            self.enter(server, 'bob').__exit__()

    @contextlib.contextmanager
    def flooded(self, *arguments):
        """A server, and a guest who has taken little of the megabytes that another one said."""
        with serving(example('chat_server'), *arguments) as server, \
                self.enter(server, 'slow', receive_buffer=4096) as slow:
            with self.enter(server, 'fast') as fast:
                for i in range(12_000):
                    fast.say(f'{i} ' + 'x' * 900)
                fast.socket.shutdown(socket.SHUT_WR)
                while fast.hear():  # What it has missed of its own; then the end.
                    pass
            yield server, slow

    def test_a_slow_reader_holds_up_nobody_and_is_told_what_it_missed(self):
        with self.flooded('--backlog', '4') as (_, slow):
            line = next(line for line in iter(slow.hear, '') if line.startswith('* you have'))
            self.assertRegex(line, r'^\* you have missed [1-9]\d*$')

    def test_who_takes_nothing_is_dropped(self):
        with self.flooded('--backlog', '12000', '--patience', '100ms') as (server, slow):
            answer = ''
            while answer != '* slow has come':  # The name is free again.
                with Guest(server, 'slow') as again:
                    self.assertEqual(again.hear(), '* your name?')
                    answer = again.hear()
            with contextlib.suppress(ConnectionResetError):
                while slow.hear():
                    pass


class TestGracefulShutdown(Listening, unittest.TestCase):
    program, own_options = 'graceful_shutdown', ('--address', '--grace')

    @contextlib.contextmanager
    def asked_to_end(self, grace, order):
        """The service after SIGTERM, while it does a job."""
        with serving(example('graceful_shutdown'), '--grace', grace) as server, \
                socket.create_connection((server.host, server.port), LIMIT_S) as peer:
            lines = peer.makefile('rb')
            peer.sendall(b'first 0\n' + order + b'\n')
            name = order.split()[0]
            self.assertEqual([lines.readline() for _ in range(3)],
                             [b'first has begun\n', b'first is done\n', name + b' has begun\n'])
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.line(), 'ending: 1 jobs run')
            with lines:
                yield server, lines

    def test_who_orders_nothing_is_sent_away(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with serving(example('graceful_shutdown'), '--grace', '1h') as server, \
                    socket.create_connection((server.host, server.port), LIMIT_S) as peer:
                peer.sendall(b'x 0\n')
                with peer.makefile('rb') as lines:
                    self.assertEqual(lines.readline() + lines.readline(),
                                     b'x has begun\nx is done\n')
                    server.process.send_signal(number)
                    self.assertEqual(lines.read(), b'the service ends\n')
                self.assertEqual(server.finish(), (0, 'ending: 0 jobs run\nended\n'))
                self.assertEqual(server.errors(), '')

    def test_jobs_that_run_may_end(self):
        with self.asked_to_end('1h', b'backup 300') as (server, lines):
            self.assertEqual(list(lines), [b'backup is done\n', b'the service ends\n'])
            self.assertEqual((server.finish(), server.errors()), ((0, 'ended\n'), ''))

    def test_jobs_that_take_too_long_are_named_and_cut_off(self):
        with self.asked_to_end('200ms', b'backup 3600000') as (server, lines):
            self.assertEqual(list(lines), [b'backup was cut off\n'])
            self.assertEqual((server.finish(), server.errors()),
                             ((1, 'cut off: backup\nended\n'), ''))

    def test_a_second_signal_ends_it_at_once(self):
        with self.asked_to_end('1h', b'backup 3600000') as (server, _):
            server.process.send_signal(signal.SIGINT)
            self.assertEqual(server.finish()[0], -signal.SIGINT)
