"""The echo server, and the client that measures it and notices what is wrong with an echo."""

import contextlib
import json
import signal
import socket
import subprocess
import threading
import unittest

from contracts import Listening, Server, example
from running import LIMIT_S, run, running, serving


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
