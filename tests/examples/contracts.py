"""What every example owes its user: test cases to inherit, one class a kind of program."""

import contextlib
import os
import signal
import socket

from running import LIMIT_S, run, serving

FOLDER = '.'  # Where the examples are built; smoke.py sets it before it runs any case.
SHARED_OPTIONS = ('--help', '--workers', '--backend', '--no-spin')


def example(name):
    return os.path.join(FOLDER, name)


class CommandLine:
    """What every example with options owes its user."""

    program, own_options = None, ()
    needed = ()  # Arguments without which it would ask for these first.

    def complaint(self, *arguments):
        """The one line in which the program says why it does not start."""
        code, output, errors = run(example(self.program), *arguments, *self.needed)
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
