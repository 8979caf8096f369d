"""Cases of play.py: files, paths and watches on them."""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
from case import NO_CRC, Case, crc, read_exactly, row  # noqa: E402
from driver import pattern  # noqa: E402


class Files(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, data=b''):
        with open(self.path(name), 'wb') as file:
            file.write(data)
        return self.path(name)

    def open(self, name, *flags, **members):
        return self.driver.ok('open', path=self.path(name), flags=flags, **{'as': 'f'}, **members)

    @row('F01 a file is made, written, synced, cut, asked about and closed')
    def test_whole_life(self):
        self.open('new', 'r', 'w', 'creat', 'excl', mode='640')
        self.driver.ok('write', h='f', count=100_000, seed=3)
        self.driver.ok('fsync', h='f')
        with open(self.path('new'), 'rb') as file:
            self.assertEqual(file.read(), pattern(3, 0, 100_000))
        self.driver.ok('truncate', h='f', size=1000)
        self.driver.ok('truncate', path=self.path('new'), size=500)
        for of in ({'h': 'f'}, {'path': self.path('new')}):
            self.expect(self.driver.ask('stat', **of), None, size=500, kind='file', mode='640',
                        mtime_ns=os.stat(self.path('new')).st_mtime_ns)
        self.expect(self.driver.ask('info', h='f'), None, state='open', cloexec=True)
        self.driver.ok('close', h='f')
        for do, members in (('pread', {'off': 0, 'n': 1}), ('read', {'n': 1}), ('fsync', {}),
                            ('write', {'text': 'x'}), ('stat', {}), ('close', {})):
            self.expect(self.driver.ask(do, h='f', **members), 'closed')
        self.driver.ok('drop', h='f')
        self.expect(self.driver.ask('deadline', h='f', dir='r', ms=1), 'nohandle')

    @row('F01 what the system says of a path is told')
    def test_errors(self):
        self.make('file')
        os.symlink('loop', self.path('loop'))
        os.mkdir(self.path('dir'))
        for path, flags, error in (
                ('nothing', ['r'], 'noent'), ('file', ['w', 'creat', 'excl'], 'exists'),
                ('file/x', ['r'], 'notdir'), ('loop', ['r'], 'loop'), ('dir', ['w'], 'isdir'),
                ('file', ['r', 'dir'], 'notdir'), ('file', [], 'invalid'),
                ('x' * 300, ['r'], 'toolong'), ('a\0b', ['r'], 'invalid')):
            reply = self.driver.ask('open', path=self.path(path), flags=flags)
            self.expect(reply, error)
        self.expect(self.driver.ask('open', path='x', flags=['nofollow']), 'unsupported',
                    what='nofollow')
        self.expect(self.driver.ask('fs', op='rmdir', path=self.folder), 'notempty')
        self.expect(self.driver.ask('fs', op='rmdir', path=self.path('file')), 'notdir')
        self.expect(self.driver.ask('fs', op='unlink', path=self.path('dir')), 'isdir')
        for name, error in (('nothing', 'noent'), ('file', 'notdir')):
            self.expect(self.driver.ask('readdir', path=self.path(name)), error, n=0, names=[])
        self.expect(self.driver.ask('fs', op='mkdir', path=self.path('dir')), 'exists')

    @row('F02 F03 reads and writes at an offset leave the cursor alone, and meet the end')
    def test_offsets(self):
        self.make('file', pattern(1, 0, 1000))
        self.open('file', 'r', 'w')
        self.expect(self.driver.ask('read', h='f', n=10), None, crc=crc(pattern(1, 0, 10)))
        self.expect(self.driver.ask('pread', h='f', off=500, n=100), None, n=100,
                    crc=crc(pattern(1, 500, 100)))
        self.driver.ok('pwrite', h='f', off=990, count=20, seed=2, poff=7)
        self.expect(self.driver.ask('preadv', h='f', off=988, lens=[1, 1, 100]), None, n=22,
                    crc=crc(pattern(1, 988, 2) + pattern(2, 7, 20)))
        self.driver.ok('pwritev', h='f', off=0, lens=[5, 0, 15], seed=9)
        self.expect(self.driver.ask('seek', h='f', off=0, whence='cur'), None, pos=10)
        self.expect(self.driver.ask('read', h='f', n=10), None, crc=crc(pattern(9, 10, 10)))
        self.expect(self.driver.ask('seek', h='f', off=-5, whence='end'), None, pos=1005)
        self.expect(self.driver.ask('read_exact', h='f', n=10), 'unexpected-eof', n=5)
        for do, members in (('pread', {'off': 1010}), ('pread', {'off': 2**40}), ('read', {})):
            self.expect(self.driver.ask(do, h='f', n=10, **members), 'eof', n=0, crc=NO_CRC)
        self.expect(self.driver.ask('pread', h='f', off=-1, n=1), 'invalid')
        self.expect(self.driver.ask('pwrite', h='f', off=-1, text='x'), 'invalid')
        self.driver.ok('drop', h='f')

    @row('F02 what is appended goes to the end')
    def test_append(self):
        self.make('file', b'abc')
        self.open('file', 'append')
        self.driver.ok('write', h='f', text='def')
        self.expect(self.driver.ask('pwrite', h='f', off=0, text='x'), 'invalid')
        self.driver.ok('drop', h='f')
        with open(self.path('file'), 'rb') as file:
            self.assertEqual(file.read(), b'abcdef')

    @row('F04 F05 offsets beyond 4 GiB, and more buffers than the system takes at once')
    def test_large(self):
        self.open('file', 'r', 'w', 'creat')
        lens = [3] * 2500
        self.driver.ok('pwritev', h='f', off=5 * 2**30, lens=lens)
        reply = self.driver.ask('preadv', h='f', off=5 * 2**30, lens=lens)
        self.expect(reply, None, crc=crc(pattern(1, 0, reply['n'])))
        self.expect(self.driver.ask('pread', h='f', off=5 * 2**30, n=7500), None, n=7500,
                    crc=crc(pattern(1, 0, 7500)))
        self.driver.ok('drop', h='f')

    @row('F06 a file that says it is empty is read to its end')
    def test_proc(self):
        self.driver.ok('open', path='/proc/self/status', flags=['r'], **{'as': 'f'})
        self.assertGreater(self.driver.ok('read_all', h='f')['n'], 100)
        self.driver.ok('drop', h='f')

    @row('F01 F07 F08 names are made, changed, listed, copied and removed')
    def test_paths(self):
        self.make('a', b'abc')
        ask = self.driver.ok
        ask('fs', op='rename', path=self.path('a'), to=self.path('b'))
        ask('fs', op='symlink', path=self.path('link'), to='b')
        self.expect(self.driver.ask('fs', op='readlink', path=self.path('link')), None, target='b')
        ask('fs', op='chmod', path=self.path('b'), mode='600')
        ask('fs', op='utime', path=self.path('b'), mtime_ns=1_500_000_000_000_000_000)
        self.expect(self.driver.ask('stat', path=self.path('link')), None, size=3, kind='file',
                    mode='600', mtime_ns=1_500_000_000_000_000_000)
        self.expect(self.driver.ask('stat', path=self.path('link'), follow=False), None,
                    kind='symlink')
        ask('fs', op='mkdir', path=self.path('d'), mode='700')
        ask('fs', op='copy', path=self.path('b'), to=self.path('d/c'))
        self.expect(self.driver.ask('fs', op='copy', path=self.path('b'), to=self.path('d/c'),
                                    excl=True), 'exists')
        reply = ask('readdir', path=self.folder)
        self.assertEqual((sorted(reply['names']), reply['n']), (['b', 'd', 'link'], 3))
        ask('fs', op='unlink', path=self.path('link'))
        ask('fs', op='mkdir', path=self.path('e'))
        ask('fs', op='rmdir', path=self.path('e'))
        ask('fs', op='remove_all', path=self.path('d'))
        self.assertEqual(os.listdir(self.folder), ['b'])
        self.expect(self.driver.ask('fs', op='readlink', path=self.path('b')), 'invalid')
        self.expect(self.driver.ask('fs', op='link', path=self.path('b')), 'unsupported',
                    what='link')
        self.expect(self.driver.ask('fs', op='unlink', path='x', to='y'), 'unsupported', what='to')

    @row('F16 a watched directory tells what is made, changed, renamed and removed in it')
    def test_watch(self):
        self.driver.ok('watch_path', path=self.folder, **{'as': 'W'})
        waiting = self.driver.send('watch_next', h='W')
        self.make('a', b'x')
        os.rename(self.path('a'), self.path('b'))
        os.remove(self.path('b'))
        seen = [self.driver.wait(waiting)]
        while seen[-1]['kind'] != 'delete':
            seen.append(self.driver.ok('watch_next', h='W'))
        self.assertEqual([(each['kind'], each['name']) for each in seen if
                          each['kind'] != 'modify'],
                         [('create', 'a'), ('rename', 'b'), ('delete', 'b')])
        waiting = self.driver.send('watch_next', h='W')
        self.driver.ok('close', h='W')
        self.expect(self.driver.wait(waiting), 'closed')
        self.driver.ok('drop', h='W')
        self.expect(self.driver.ask('watch_path', path=self.path('no'), **{'as': 'W'}), 'noent')

    @row('S21 a file is sent to a stream: all of it, a part, from its cursor, to a pipe')
    def test_sendfile(self):
        data = pattern(4, 0, 300_000)
        name = self.make('file', data)
        peer = self.link()
        self.expect(self.driver.ask('sendfile', h='c', path=name), None, n=len(data))
        self.assertEqual(read_exactly(peer, len(data)), data)
        self.expect(self.driver.ask('sendfile', h='c', path=name, off=1000, n=50), None, n=50)
        self.assertEqual(read_exactly(peer, 50), data[1000:1050])
        self.open('file', 'r')
        self.driver.ok('seek', h='f', off=299_000)
        self.expect(self.driver.ask('copy', src='f', dst='c', max=400), None, n=400)
        self.driver.ok('pipe', **{'as': ['r', 'w']})
        self.expect(self.driver.ask('copy', src='f', dst='w'), None, n=600)
        self.assertEqual(read_exactly(peer, 400), data[299_000:299_400])
        self.expect(self.driver.ask('read_exact', h='r', n=600), None,
                    crc=crc(data[299_400:]))
        self.driver.ok('drop', h=['c', 'f', 'r', 'w'])

    @row('F12 opens that are cancelled leave no descriptor')
    def test_cancelled_open(self):
        name = self.make('file')
        fds = f'/proc/{self.driver.ready["pid"]}/fd'
        self.driver.ok('open', path=name, flags=['r'])
        reply = self.driver.ok('loop', count=300, par=10, op={
            'do': 'open', 'path': name, 'flags': ['r'], 'cancel_us': 20})
        self.assertEqual(sum(reply['outcomes'].values()), 300)
        self.assertLessEqual(set(reply['outcomes']), {'ok', 'cancelled'})
        here = os.path.realpath(name)
        self.until(lambda: here not in {os.path.realpath(os.path.join(fds, fd))
                                        for fd in os.listdir(fds)}, 'the files closed')

    @row('F01 P01 files and pipes come and go')
    def test_churn(self):
        self.expect(self.driver.ask('storm', kind='churn', kinds=['file', 'pipe'], count=200,
                                    tasks=4), None, count=200, opened=600, closed=600)
