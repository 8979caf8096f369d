#!/usr/bin/env python3
"""The examples do what their first comment says, and say clearly what is wrong.

    smoke.py FOLDER              tests the examples that are built in FOLDER
    smoke.py FOLDER NAME...      tests these; one that is not built is a failure

Exits with 77 if a tool is missing (curl for http_hello, socat for echo_server).
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '../support')]
from cases import run_cases  # noqa: E402
from running import LIMIT_S, run, running, serving  # noqa: E402

FOLDER = '.'
SHARED_OPTIONS = ('--help', '--workers', '--backend', '--no-spin')


def example(name):
    return os.path.join(FOLDER, name)


class CommandLine:
    """What every example with options owes its user."""

    program, own_options = None, ()

    def complaint(self, *arguments):
        """The one line in which the program says why it does not start."""
        code, output, errors = run(example(self.program), *arguments)
        self.assertNotEqual(code, 0, f'{arguments}: {output}')
        self.assertGreater(code, 0, f'{arguments}: ended by a signal')
        self.assertEqual(output, '')
        return code, errors

    def test_help_mentions_every_option(self):
        code, output, errors = run(example(self.program), '--help')
        self.assertEqual((code, errors), (0, ''))
        for option in SHARED_OPTIONS + self.own_options:
            self.assertRegex(output, rf'(?m)^ +(-h,)?{option}\b.*(\n {{20,}}.*)?', option)

    def test_bad_numbers_are_named(self):
        for number in ('x', '0', '-1', '1.5', '99999', '', '18446744073709551617'):
            _, errors = self.complaint('--workers', number)
            self.assertIn('--workers', errors)
            self.assertIn(f'"{number}" is no whole number from 1 to 1024', errors)

    def test_unknown_options_are_named(self):
        _, errors = self.complaint('--nonsense')
        self.assertIn('--nonsense', errors)

    def test_an_unknown_backend_is_named(self):
        _, errors = self.complaint('--backend', 'nonsense')
        self.assertIn('nonsense', errors)
        self.assertIn('epoll', errors)


class Listening(CommandLine):
    def test_bad_addresses_are_named_with_a_remedy(self):
        for address, remedy in (('127.0.0.1', '127.0.0.1:80'), ('::1:80', '[::1]:80'),
                                ('127.0.0.1:99999', '65535'), ('', ''), ('localhost:80', '')):
            code, errors = self.complaint('--address', address)
            self.assertEqual(code, 1)
            self.assertIn(f'"{address}"', errors)
            self.assertIn(remedy, errors)


class Server(Listening):
    own_options = ('--address', '--for', '--grace')
    request, answer = b'', b''  # What any client may send, and how what comes back ends.

    def test_for_ends_by_itself_with_statistics(self):
        with serving(example(self.program), '--for', '300ms') as server:
            code, output = server.finish()
            self.assertEqual((code, server.errors()), (0, ''))
            for word in ('backend', 'epoll', 'workers', 'tasks', 'steals', 'parks', 'polls'):
                self.assertIn(word, output)

    def test_for_takes_durations_only(self):
        for text in ('5parsecs', 'x', '0', '-1s', ''):
            _, errors = self.complaint('--for', text)
            self.assertIn(f'--for: "{text}" is no duration; write 10s', errors)

    def ask(self, peer):
        peer.sendall(self.request)
        came = b''
        while not came.endswith(self.answer):
            more = peer.recv(1 << 16)
            self.assertTrue(more, f'the session ended after {came}')
            came += more

    @contextlib.contextmanager
    def asked_to_end(self, *arguments):
        """A server that was asked to end while a client talks to it."""
        with serving(example(self.program), *arguments) as server, \
                socket.create_connection((server.host, server.port), LIMIT_S) as peer:
            self.ask(peer)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.line(), 'SIGTERM: accepting no more')
            yield server, peer

    def test_signals_end_it_at_once_when_there_are_no_sessions(self):
        for number, name in ((signal.SIGTERM, 'SIGTERM'), (signal.SIGINT, 'SIGINT')):
            with serving(example(self.program), '--grace', '1h') as server:
                server.process.send_signal(number)
                code, output = server.finish()
                self.assertEqual((code, server.errors()), (0, ''))
                self.assertIn(f'{name}: accepting no more\nall sessions have ended\n', output)

    def test_sessions_may_go_on_for_a_while(self):
        with self.asked_to_end('--grace', '1h') as (server, peer):
            with self.assertRaises(ConnectionRefusedError):
                while True:  # The listener is closed after the line was printed.
                    with contextlib.suppress(ConnectionResetError):
                        socket.create_connection((server.host, server.port), LIMIT_S).close()
            self.ask(peer)
            peer.close()
            code, output = server.finish()
            self.assertEqual((code, server.errors()), (0, ''))
            self.assertTrue(output.startswith('all sessions have ended\n'), output)

    def test_sessions_that_take_too_long_are_told_of(self):
        with self.asked_to_end('--grace', '200ms') as (server, peer):
            code, output = server.finish()
            self.assertEqual((code, server.errors()), (0, ''))
            self.assertTrue(output.startswith('cancelled, as they took too long:\n'), output)
            self.assertRegex(output, rf'\n  1 x "session" \({self.program}.cpp:\d+\), waits for ')
            self.assertEqual(peer.recv(1), b'')

    def test_a_second_signal_ends_it_at_once(self):
        with self.asked_to_end('--grace', '1h') as (server, _):
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.finish()[0], -signal.SIGTERM)
    def test_a_port_in_use_is_named_with_a_remedy(self):
        with serving(example(self.program)) as server:
            for more in ((), ('--for', '10s')):
                code, errors = self.complaint('--address', server.address, *more)
                self.assertEqual(code, 1)
                self.assertIn(f'bind "{server.address}"', errors)
                self.assertIn('EADDRINUSE', errors)
                self.assertIn('choose another port', errors)

    def test_it_listens_on_ipv6(self):
        try:
            socket.create_server(('::1', 0), family=socket.AF_INET6).close()
        except OSError as why:
            self.skipTest(f'no IPv6 here: {why}')
        with serving(example(self.program), address='[::1]:0') as server:
            self.assertEqual(server.host, '::1')
            socket.create_connection((server.host, server.port), LIMIT_S).close()


class TestHello(unittest.TestCase):
    program = 'hello'

    def test_it_prints_what_its_tasks_did(self):
        self.assertEqual(run(example('hello')), (0, '3 squared is 9\nhello, world\nhello, moon\n'
                                                    '5 squared is 25\n', ''))


class TestEchoServer(Server, unittest.TestCase):
    program, needs = 'echo_server', 'socat'
    request, answer = b'hello', b'hello'

    def test_socat_gets_back_what_it_sends(self):
        sent = bytes(range(256)) * 4000
        with serving(example('echo_server')) as server:
            # socat half-closes when it has sent all, and ends when the server has closed, too.
            came = subprocess.run(['socat', '-t', str(LIMIT_S), '-', 'TCP:' + server.address],
                                  input=sent, stdout=subprocess.PIPE, timeout=LIMIT_S, check=True)
            self.assertEqual(came.stdout, sent)

    def test_a_client_that_resets_disturbs_nobody(self):
        with serving(example('echo_server')) as server:
            with socket.create_connection((server.host, server.port), LIMIT_S) as other:
                rude = socket.create_connection((server.host, server.port), LIMIT_S)
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
                rude.sendall(b'x')
                rude.close()
                other.sendall(b'still there?')
                self.assertEqual(other.recv(12, socket.MSG_WAITALL), b'still there?')
            self.assertIsNone(server.process.poll())


class TestEchoClient(Listening, unittest.TestCase):
    program = 'echo_client'
    own_options = ('--address', '--connections', '--connecting', '--size', '--depth',
                   '--duration', '--messages', '--patience', '--json')

    def load(self, address, *arguments):
        """Exit code and report of a run with --json."""
        code, output, errors = run(example('echo_client'), '--address', address, '--json',
                                   *arguments)
        self.assertEqual(errors, '')
        return code, json.loads(output)

    def test_it_prints_text(self):
        with serving(example('echo_server')) as server:
            code, output, errors = run(example('echo_client'), '--address', server.address,
                                       '--duration', '300ms', '--connections', '10')
        self.assertEqual((code, errors), (0, ''))
        self.assertRegex(output, r'connections +10 of 10\n')
        self.assertRegex(output, r'requests +[1-9]\d* in 0\.[34]\d* s: [1-9]\d*/s\n')
        self.assertRegex(output, r'latency +p50 \d+ µs, p90 \d+ µs, p99 \d+ µs, max [1-9]\d* µs\n')
        self.assertRegex(output, r'lost +0\ncorrupted +0\n')

    def test_it_prints_json(self):
        with serving(example('echo_server')) as server:
            code, report = self.load(server.address, '--duration', '300ms', '--depth', '4')
        self.assertEqual(code, 0)
        self.assertGreater(report['requests'], 0)
        self.assertAlmostEqual(report['requests_per_second'],
                               report['requests'] / report['seconds'], delta=1)
        latency = report['latency_us']
        self.assertTrue(0 < latency['p50'] <= latency['p90'] <= latency['p99'] <= latency['max'])
        self.assertEqual((report['connections'], report['lost'], report['errors']), (64, 0, {}))

    def test_every_size_and_depth_comes_back_whole(self):
        with serving(example('echo_server')) as server:
            for size, depth, connections, messages in (
                    (1, 1, 3, 50), (1, 1000, 2, 5000), (7, 3, 20, 100), (4096, 2, 5, 50),
                    (70_001, 5, 2, 20), (5_000_000, 2, 2, 3)):
                code, report = self.load(
                    server.address, '--size', str(size), '--depth', str(depth),
                    '--connections', str(connections), '--messages', str(messages))
                self.assertEqual((code, report['requests']), (0, connections * messages), report)

    def test_nobody_listening_is_an_error(self):
        with socket.create_server(('127.0.0.1', 0)) as gone:
            address = '127.0.0.1:%d' % gone.getsockname()[1]
        code, report = self.load(address, '--connections', '3')
        self.assertEqual((code, report['connections'], report['requests']), (1, 0, 0))
        (why, count), = report['errors'].items()
        self.assertEqual(count, 3)
        self.assertIn(f'connect "{address}"', why)
        self.assertIn('ECONNREFUSED', why)

    def test_changed_bytes_are_noticed(self):
        with wrong_server(lambda data: data[:-1] + bytes([data[-1] ^ 1])) as address:
            code, report = self.load(address, '--connections', '2', '--messages', '5')
        self.assertEqual((code, report['corrupted']), (1, 2), report)

    def test_swapped_messages_are_noticed(self):
        def swap(data):
            return data[8:16] + data[:8] + data[16:]
        with wrong_server(swap) as address:
            code, report = self.load(address, '--connections', '1', '--messages', '16', '--size',
                                     '8', '--depth', '16')
        self.assertEqual((code, report['corrupted'], report['requests']), (1, 1, 0), report)

    def test_bytes_too_many_are_noticed(self):
        with wrong_server(lambda data: data + b'x' * 64) as address:
            code, report = self.load(address, '--connections', '1', '--messages', '1')
        self.assertEqual((code, report['corrupted']), (1, 1), report)

    def test_a_connection_that_ends_early_is_a_loss(self):
        with wrong_server(lambda data: None) as address:
            code, report = self.load(address, '--connections', '3', '--messages', '5')
        self.assertEqual((code, report['lost'], sum(report['errors'].values())), (1, 3, 3), report)

    def test_silence_is_a_loss(self):
        with wrong_server(lambda data: b'') as address:
            code, report = self.load(address, '--connections', '3', '--messages', '5', '--depth',
                                     '2', '--patience', '300ms')
        self.assertEqual((code, report['lost'], len(report['errors'])), (1, 6, 1), report)

    def test_a_signal_ends_it_with_a_report(self):
        asked = threading.Event()
        with wrong_server(lambda data: asked.set() or b'') as address, \
                running(example('echo_client'), '--address', address, '--json') as client:
            self.assertTrue(asked.wait(LIMIT_S))
            client.process.send_signal(signal.SIGINT)
            code, output = client.finish()
        self.assertEqual((code, json.loads(output)['errors']), (1, {'ended by a signal': 1}))

    def test_messages_and_duration_exclude_each_other(self):
        _, errors = self.complaint('--messages', '1', '--duration', '1s')
        self.assertIn('--messages', errors)
        self.assertIn('--duration', errors)


@contextlib.contextmanager
def wrong_server(answer):
    """Sends answer(what came) instead of an echo; closes when that is None."""
    def serve(peer):
        with peer, contextlib.suppress(OSError):
            while data := peer.recv(1 << 16):
                if (reply := answer(data)) is None:
                    break
                peer.sendall(reply)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                threading.Thread(target=serve, args=(peer,), daemon=True).start()

    with socket.create_server(('127.0.0.1', 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield '127.0.0.1:%d' % listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(LIMIT_S)


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


class TestTimeout(CommandLine, unittest.TestCase):
    program, own_options = 'timeout', ('--limit',)

    def test_every_form_does_what_it_says(self):
        code, output, errors = run(example('timeout'), '--limit', '10ms')
        self.assertEqual((code, errors), (0, ''))
        for line in ('1. a long sleep: deadline exceeded', '1. a short one: in time',
                     '2. steps before the deadline: [012]',
                     '3. the earlier limit counts: the outer one',
                     '4. 6 bytes came in time, all of them in the end: hello world',
                     '5. cleaned up although the limit has passed',
                     '5. and then: deadline exceeded',
                     '6. computed until the limit: some rounds'):
            self.assertRegex(output, f'(?m)^{line}$')


class TestWorkerPool(CommandLine, unittest.TestCase):
    program, own_options = 'worker_pool', ('--jobs', '--pool', '--queue', '--fail-every')

    def test_every_job_is_done_or_has_failed(self):
        for jobs, pool, queue, fail_every in ((200, 4, 8, 0), (300, 7, 0, 10), (50, 1, 1, 7),
                                              (1, 100, 100, 1)):
            code, output, errors = run(
                example('worker_pool'), '--jobs', str(jobs), '--pool', str(pool), '--queue',
                str(queue), '--fail-every', str(fail_every))
            self.assertEqual((code, errors), (0, ''))
            failed = jobs // fail_every if fail_every else 0
            found = re.search(r'^pool: (\d+) done, (\d+) failed; at most (\d+) ran at once, '
                              r'(\d+) had to wait for room$', output, re.M)
            done, wrong, most, held_back = map(int, found.groups())
            self.assertEqual((done, wrong), (jobs - failed, failed))
            self.assertTrue(1 <= most <= pool and held_back <= jobs, output)
            self.assertRegex(output, r'(?m)^each: some were done.* job \d+ has failed$' if failed
                             else r'(?m)^each: all were done.*: none$')


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
            self.assertEqual(read_all(peer), b'')
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


def read_all(peer):
    raw = b''
    while more := peer.recv(1 << 16):
        raw += more
    return raw


def main():
    global FOLDER
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    FOLDER, names = sys.argv[1], sys.argv[2:]
    cases = {case.program: case
             for case in (TestHello, TestEchoServer, TestEchoClient, TestHttpHello, TestTimeout,
                          TestWorkerPool, TestChatServer, TestGracefulShutdown)}
    if unknown := set(names) - set(cases):
        print(f'there is no example called {" or ".join(unknown)}', file=sys.stderr)
        return 2
    suite, missing = unittest.TestSuite(), set()
    for name in names or (name for name in cases if os.path.exists(example(name))):
        tool = getattr(cases[name], 'needs', None)
        if tool and not shutil.which(tool):
            missing.add(tool)
        else:
            suite.addTest(unittest.defaultTestLoader.loadTestsFromTestCase(cases[name]))
    failed = suite.countTestCases() and not run_cases(suite)
    if missing:
        print('left out for want of:', ', '.join(sorted(missing)))
    return 1 if failed else 77 if missing or not suite.countTestCases() else 0


if __name__ == '__main__':
    sys.exit(main())
