"""The programs around files and processes: file_copy, gzip_pool, run_many, static_files."""

import gzip
import os
import random
import resource
import shutil
import signal
import socket
import tempfile
import unittest

from contracts import CommandLine, Server, example
from running import LIMIT_S, on_terminal, run, running, serving


def some_bytes(count, seed=1):
    return random.Random(seed).randbytes(count)


class InFolder(CommandLine):
    """Each case has a folder of its own."""

    def setUp(self):
        self.made = tempfile.TemporaryDirectory()
        self.addCleanup(self.made.cleanup)
        self.folder = self.made.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), 'wb') as file:
            file.write(content)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), 'rb') as file:
            return file.read()


class TestFileCopy(InFolder, unittest.TestCase):
    program, own_options = 'file_copy', ('--piece', '--force', '--sync')
    needed = ('from', 'to')

    def copy(self, *arguments):
        return run(example('file_copy'), *arguments)

    def test_every_size_arrives_whole_on_every_backend(self):
        for backend in ('epoll', 'io_uring', 'poll'):
            for size in (0, 1, 4095, 4096, 100_000, 3_000_001):
                content = some_bytes(size)
                source = self.write('from', content)
                outcome = self.copy(source, self.path('to'), '--force', '--piece', '65536',
                                    '--backend', backend)
                self.assertEqual(outcome, (0, '', ''))
                self.assertEqual(self.read('to'), content)

    def test_the_mode_is_kept(self):
        source = self.write('from', b'x')
        os.chmod(source, 0o640)
        self.assertEqual(self.copy(source, self.path('to'), '--sync'), (0, '', ''))
        self.assertEqual(os.stat(self.path('to')).st_mode & 0o777, 0o640)

    def test_what_is_there_stays(self):
        source, target = self.write('from', b'new'), self.write('to', b'old')
        code, _, errors = self.copy(source, target)
        self.assertEqual(code, 1)
        self.assertIn(f'"{target}"', errors)
        self.assertIn('EEXIST', errors)
        self.assertEqual(self.read('to'), b'old')

    def test_a_missing_file_is_named(self):
        code, _, errors = self.copy(self.path('none'), self.path('to'))
        self.assertEqual(code, 1)
        self.assertIn(f'open "{self.path("none")}": no such file or directory (ENOENT)', errors)
        self.assertFalse(os.path.exists(self.path('to')))

    def test_a_full_disk_leaves_what_it_did_not_make(self):
        if not os.path.exists('/dev/full'):
            self.skipTest('there is no /dev/full')
        source = self.write('from', b'x' * 10)
        os.symlink('/dev/full', self.path('to'))
        code, _, errors = self.copy(source, self.path('to'), '--force')
        self.assertEqual(code, 1)
        self.assertIn('ENOSPC', errors)
        self.assertIn(f'"{self.path("to")}" has lost what it held', errors)
        self.assertTrue(os.path.islink(self.path('to')))

    def test_a_file_and_itself_are_told_apart_by_no_name(self):
        source = self.write('from', b'precious')
        os.link(source, self.path('hard'))
        os.symlink(source, self.path('soft'))
        for target in ('from', 'hard', 'soft'):
            code, _, errors = self.copy(source, self.path(target), '--force')
            self.assertEqual(code, 1, target)
            self.assertIn(f'copy "{source}" to "{self.path(target)}"', errors)
            self.assertIn('they are the same file', errors)
            self.assertEqual(self.read('from'), b'precious', target)
        self.assertTrue(os.path.islink(self.path('soft')))
        self.assertEqual(os.stat(source).st_nlink, 2)

    def test_what_cannot_be_read_costs_the_target_nothing(self):
        target = self.write('to', b'old')
        for source in (self.folder, self.path('none')):
            code, _, errors = self.copy(source, target, '--force')
            self.assertEqual(code, 1)
            self.assertIn(f'"{source}"', errors)
            self.assertEqual(self.read('to'), b'old')
        code, _, errors = self.copy(self.folder, self.path('new'))
        self.assertEqual(code, 1)
        self.assertIn('EISDIR', errors)
        self.assertFalse(os.path.exists(self.path('new')))

    def test_force_writes_over_what_is_there_in_its_place(self):
        source, target = self.write('from', b'new'), self.write('to', b'longer and old')
        os.chmod(target, 0o600)
        os.link(target, self.path('other'))
        os.symlink(self.path('free'), self.path('soft'))
        for name in ('to', 'soft', 'fresh'):
            self.assertEqual(self.copy(source, self.path(name), '--force'), (0, '', ''))
        for name in ('to', 'other', 'soft', 'free', 'fresh'):
            self.assertEqual(self.read(name), b'new', name)
        self.assertEqual(os.stat(target).st_mode & 0o777, 0o600)
        self.assertTrue(os.path.islink(self.path('soft')))


    def test_a_bar_on_a_terminal_shows_how_far_it_is(self):
        source = self.write('from', some_bytes(3 << 20))
        with on_terminal(example('file_copy'), '--piece', '4096', source,
                         self.path('to')) as program:
            code, shown = program.finish()
        self.assertEqual(code, 0, shown)
        # Each state is drawn over the one before; the last one says all.
        states = shown.split('\r\x1b[K')
        self.assertEqual(states[0], '')
        self.assertGreater(len(states), 2, shown)
        for state in states[1:]:
            self.assertRegex(state, r'^\[#* *\] +\d+ %  \d+\.\d MiB')
        self.assertTrue(states[1].startswith('[' + ' ' * 40 + ']   0 %  0.0 MiB'), shown)
        self.assertEqual(states[-1], '[' + '#' * 40 + '] 100 %  3.0 MiB\r\n')

    def interrupted(self, *arguments):
        """What is shown of an endless copy that a Ctrl-C ends in the middle."""
        def limit_size():  # Of a copy that would not end.
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 32, 1 << 32))
        with on_terminal(example('file_copy'), '--piece', '65536', '/dev/zero', *arguments,
                         preexec=limit_size) as program:
            program.show(r'\d MiB')
            program.type('\x03')
            code, shown = program.finish()
        self.assertEqual(code, 128 + signal.SIGINT, shown)
        return shown

    def test_an_interrupted_copy_is_removed(self):
        target = self.path('to')
        shown = self.interrupted(target)
        self.assertTrue(shown.endswith(f'file_copy: stopped; "{target}" was removed\r\n'), shown)
        self.assertFalse(os.path.lexists(target))

    def test_an_interrupted_copy_leaves_what_it_did_not_make(self):
        target = self.write('to', b'old')
        shown = self.interrupted('--force', target)
        self.assertIn(f'file_copy: stopped; "{target}" has lost what it held', shown)
        self.assertTrue(os.path.exists(target))


class TestGzipPool(InFolder, unittest.TestCase):
    program, own_options = 'gzip_pool', ('--threads', '--piece', '--level', '--force')
    needed = ('file',)

    def test_gunzip_gives_back_what_was_packed(self):
        contents = {'empty': b'', 'text': b'all work and no play\n' * 50_000,
                    'noise': some_bytes(300_001)}
        paths = [self.write(name, content) for name, content in contents.items()]
        code, output, errors = run(example('gzip_pool'), '--piece', '65536', *paths)
        self.assertEqual((code, errors), (0, ''))
        for name, content in contents.items():
            self.assertEqual(gzip.decompress(self.read(name + '.gz')), content)
            size = os.path.getsize(self.path(name + '.gz'))
            self.assertIn(f'{self.path(name)}.gz: {size} of {len(content)} bytes\n', output)

    def test_one_that_fails_does_not_keep_others(self):
        path = self.write('there', b'x')
        code, _, errors = run(example('gzip_pool'), self.path('none'), path)
        self.assertEqual(code, 1)
        self.assertIn('ENOENT', errors)
        self.assertEqual(gzip.decompress(self.read('there.gz')), b'x')

    def test_what_is_there_stays(self):
        path = self.write('a', b'x')
        self.write('a.gz', b'old')
        code, _, errors = run(example('gzip_pool'), path)
        self.assertEqual(code, 1)
        self.assertIn('EEXIST', errors)
        self.assertEqual(self.read('a.gz'), b'old')


class TestRunMany(CommandLine, unittest.TestCase):
    program, own_options = 'run_many', ('--jobs', '--most', '--limit')
    needed = ('true',)

    def test_outputs_are_whole_and_failures_are_told(self):
        code, output, errors = run(
            example('run_many'), '--jobs', '3', 'echo a; echo b', 'echo c >&2; exit 3',
            'kill -9 $$', 'cat')
        self.assertEqual(code, 123)
        self.assertEqual(output, 'a\nb\n')
        self.assertIn('c\n', errors)
        self.assertIn('run_many: "echo c >&2; exit 3": exit code 3\n', errors)
        self.assertIn('run_many: "kill -9 $$": signal 9 (SIGKILL)\n', errors)

    def test_all_that_succeed_are_a_success(self):
        code, output, errors = run(example('run_many'), '--jobs', '2', *['echo x'] * 20)
        self.assertEqual((code, output, errors), (0, 'x\n' * 20, ''))

    def test_who_takes_too_long_is_killed(self):
        code, _, errors = run(example('run_many'), '--limit', '100ms', 'sleep 1000')
        self.assertEqual(code, 123)
        self.assertIn('run_many: "sleep 1000": output of "/bin/sh": deadline exceeded; it was '
                      'killed\n', errors)

    def test_who_writes_too_much_is_killed_and_told_of_the_bound(self):
        code, _, errors = run(example('run_many'), '--most', '10', 'yes')
        self.assertEqual(code, 123)
        self.assertIn('it wrote more than 10 bytes, which is the limit that was given', errors)

    def test_a_signal_ends_those_that_run(self):
        with tempfile.TemporaryDirectory() as folder:
            begun = os.path.join(folder, 'begun')
            os.mkfifo(begun)
            with running(example('run_many'), '--jobs', '1',
                         f'echo $$ > {begun}; exec sleep 1000', 'echo never') as program:
                with open(begun, encoding='ascii') as file:
                    child = int(file.read())
                program.process.send_signal(signal.SIGINT)
                code, output = program.finish()
                self.assertEqual((code, output), (130, ''))
                self.assertIn('stopped; 2 of 2 were not run to their end', program.errors())
                with self.assertRaises(ProcessLookupError):
                    os.kill(child, 0)


class TestStaticFiles(Server, unittest.TestCase):
    program, needs = 'static_files', 'curl'
    own_options = Server.own_options + ('--root',)
    request, answer = b'GET /none HTTP/1.1\r\nHost: a\r\n\r\n', b'404 Not Found\n'

    def setUp(self):
        self.made = tempfile.TemporaryDirectory()
        self.addCleanup(self.made.cleanup)
        self.root = os.path.join(self.made.name, 'root')
        os.makedirs(os.path.join(self.root, 'sub dir'))
        self.content = some_bytes(1_500_000)
        for name, content in (('data.bin', self.content), ('index.html', b'<p>top</p>'),
                              ('sub dir/a.txt', b'text'), ('../secret', b'secret'),
                              ('empty', b'')):
            with open(os.path.join(self.root, name), 'wb') as file:
                file.write(content)
        os.symlink('../secret', os.path.join(self.root, 'leak'))
        os.symlink('data.bin', os.path.join(self.root, 'inside'))
        os.mkfifo(os.path.join(self.root, 'fifo'))

    def serve(self, *arguments):
        return serving(example('static_files'), '--root', self.root, *arguments)

    def curl(self, server, path, *arguments):
        """Status and body."""
        body = os.path.join(self.made.name, 'body')
        code, output, errors = run(
            shutil.which('curl'), '-sS', '--noproxy', '*', '--max-time', str(LIMIT_S), '-o', body,
            '-w', '%{http_code} %header{content-range}', '--path-as-is', *arguments,
            f'http://{server.address}{path}')
        self.assertEqual((code, errors), (0, ''), output)
        with open(body, 'rb') as file:
            return output.strip(), file.read()

    def test_files_arrive_whole_on_every_backend(self):
        for backend in ('epoll', 'io_uring', 'epoll-lt', 'poll', 'select'):
            with self.serve('--backend', backend) as server:
                self.assertEqual(self.curl(server, '/data.bin'), ('200', self.content))
                self.assertEqual(self.curl(server, '/inside'), ('200', self.content))
                self.assertEqual(self.curl(server, '/sub%20dir/a.txt?x=1'), ('200', b'text'))
                self.assertEqual(self.curl(server, '/'), ('200', b'<p>top</p>'))
                self.assertEqual(self.curl(server, '/empty'), ('200', b''))

    def test_ranges(self):
        size = len(self.content)
        with self.serve() as server:
            for asked, first, count in (('0-0', 0, 1), ('10-19', 10, 10), ('-7', size - 7, 7),
                                        (f'{size - 5}-', size - 5, 5), ('1-99999999', 1, size - 1)):
                status, body = self.curl(server, '/data.bin', '-r', asked)
                self.assertEqual(status, f'206 bytes {first}-{first + count - 1}/{size}')
                self.assertEqual(body, self.content[first:first + count])
            status, _ = self.curl(server, '/data.bin', '-r', f'{size}-')
            self.assertEqual(status, f'416 bytes */{size}')
            for whole in ('0-1,3-4', '5-2', 'x'):
                status, body = self.curl(server, '/data.bin', '-H', f'Range: bytes={whole}')
                self.assertEqual((status, body), ('200', self.content))

    def test_nothing_outside_of_the_root_is_given(self):
        with self.serve() as server:
            for path in ('/leak', '/none', '/sub%20dir/', '/fifo', '/data.bin/x'):
                self.assertEqual(self.curl(server, path)[0], '404', path)
            for path in ('/../secret', '/sub%20dir/../../secret', '/%2e%2e/secret', '/a%00b', '/%2',
                         '/..'):
                self.assertEqual(self.curl(server, path)[0], '400', path)

    def test_head_methods_and_connections(self):
        with self.serve() as server:
            self.assertEqual(self.curl(server, '/data.bin', '-I')[0], '200')
            self.assertEqual(self.curl(server, '/data.bin', '-X', 'DELETE')[0], '405')
            self.assertEqual(self.curl(server, '/data.bin', '-d', 'x')[0], '400')
            self.assertEqual(self.curl(server, '/', '-H', 'X: ' + 'x' * 20_000)[0], '431')
            with socket.create_connection((server.host, server.port), LIMIT_S) as peer:
                peer.sendall(b'GET /sub%20dir/a.txt HTTP/1.1\r\nHost: a\r\n\r\n' * 2 +
                             b'GET / HTTP/1.0\r\n\r\n')
                came = b''
                while more := peer.recv(1 << 16):
                    came += more
            self.assertEqual(came.count(b'\r\n\r\ntext'), 2)
            self.assertTrue(came.endswith(b'<p>top</p>'), came)

    def test_a_client_that_leaves_in_the_middle_harms_nobody(self):
        with self.serve() as server:
            for _ in range(10):
                with socket.create_connection((server.host, server.port), LIMIT_S) as peer:
                    peer.sendall(b'GET /data.bin HTTP/1.1\r\nHost: a\r\n\r\n')
                    peer.recv(1000)
            self.assertEqual(self.curl(server, '/data.bin'), ('200', self.content))

    def test_a_root_that_is_not_there_is_named(self):
        code, _, errors = run(example('static_files'), '--root', self.root + '/none')
        self.assertEqual(code, 1)
        self.assertIn(f'"{self.root}/none"', errors)
