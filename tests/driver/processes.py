"""Cases of play.py: processes that the driver starts, and signals that it waits for."""

import os
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
from case import Case, crc, row  # noqa: E402
from driver import pattern  # noqa: E402


class Processes(Case):
    def spawn(self, *argv, **members):
        return self.driver.ok('spawn', argv=argv, **{'as': 'p'}, **members)

    @row('R01 a program that is not there fails at its start, and leaves nothing')
    def test_missing(self):
        for argv, error in ((['/no/such/program'], 'noent'), (['no-such-program-here'], 'noent'),
                            (['/'], 'perm')):
            self.expect(self.driver.ask('spawn', argv=argv, stdout='pipe', **{'as': 'p'}), error)
        self.expect(self.driver.ask('wait', h='p'), 'nohandle')
        self.expect(self.driver.ask('read', h='p.out', n=1), 'nohandle')
        self.expect(self.driver.ask('spawn', argv=['true'], cwd='/no/such', **{'as': 'p'}), 'noent')

    @row('R02 R07 how it ended is told again and again; a kill after that says so')
    def test_end(self):
        self.spawn('sh', '-c', 'exit 7')
        for _ in range(2):
            self.expect(self.driver.ask('wait', h='p'), None, code=7)
        self.expect(self.driver.ask('kill', h='p', sig='TERM'), 'done')
        self.driver.ok('drop', h='p')
        self.spawn('sleep', '1000')
        ids = [self.driver.send('wait', h='p') for _ in range(3)]
        self.expect(self.driver.ask('wait', h='p', cancel_us=0), 'cancelled')
        self.driver.ok('kill', h='p', sig='TERM')
        for number in ids:
            self.expect(self.driver.wait(number), None, signal=signal.SIGTERM)
        self.driver.ok('drop', h='p')

    @row('R03 R05 what a child reads and writes goes through pipes')
    def test_pipes(self):
        self.spawn('cat', stdin='pipe', stdout='pipe')
        writing = self.driver.send('seq', ops=[
            {'do': 'write', 'h': 'p.in', 'count': 1_000_000}, {'do': 'close', 'h': 'p.in'}])
        self.expect(self.driver.ask('read_all', h='p.out'), None, n=1_000_000, end='eof',
                    crc=crc(pattern(1, 0, 1_000_000)))
        self.expect(self.driver.wait(writing), None)
        self.expect(self.driver.ask('wait', h='p'), None, code=0)
        self.driver.ok('drop', h=['p', 'p.in', 'p.out'])
        self.spawn('sh', '-c', 'exec <&-; echo out; echo err >&2; exec >&- 2>&-; exec sleep 1000',
                   stdin='pipe', stdout='pipe', stderr='stdout')
        self.expect(self.driver.ask('read_all', h='p.out'), None, data=b'out\nerr\n'.hex())
        self.expect(self.driver.ask('write', h='p.in', count=1_000_000), 'pipe')
        self.driver.ok('drop', h=['p', 'p.in', 'p.out'])

    @row('R03 R08 files, further descriptors, environment, directory and name')
    def test_surroundings(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'out')
            self.spawn('sh', '-c', 'echo "$0 $X $HOME $PWD"', stdout='file:' + path, cwd=folder,
                       argv0='named', env={'X': 'a b'})
            self.expect(self.driver.ask('wait', h='p'), None, code=0)
            with open(path, encoding='utf-8') as out:
                self.assertEqual(out.read(), f'named a b  {os.path.realpath(folder)}\n')
            self.driver.ok('drop', h='p')
        self.driver.ok('pipe', **{'as': ['r', 'w']})
        self.spawn('sh', '-c', 'echo three >&3', extra=['w'])
        self.expect(self.driver.ask('read_all', h='r'), None, data=b'three\n'.hex(), end='eof')
        self.driver.ok('wait', h='p')
        self.driver.ok('drop', h=['p', 'r', 'w'])
        self.expect(self.driver.ask('spawn', argv=['true'], env={'X': 'a\0b'}, **{'as': 'p'}),
                    'invalid')

    @row('R04 R06 many children at once: each has its own status, and no descriptor but its own')
    def test_many(self):
        for index in range(12):
            self.driver.ok('spawn', argv=['sh', '-c', f'exit {index}'], **{'as': f'p{index}'})
        foreign = self.driver.ok('host_fork', ms=1, code=77)['pid']
        ids = [self.driver.send('wait', h=f'p{index}') for index in range(12)]
        for index, number in enumerate(ids):
            self.expect(self.driver.wait(number), None, code=index)
        self.expect(self.driver.ask('host_wait', pid=foreign), None, code=77)
        self.driver.ok('drop', h=[f'p{index}' for index in range(12)])
        self.driver.ok('pipe', **{'as': ['r', 'w']})
        self.spawn('sh', '-c', 'ls /proc/$$/fd; true', stdout='pipe')
        reply = self.driver.ok('read_all', h='p.out')
        self.assertEqual(bytes.fromhex(reply['data']).split(), [b'0', b'1', b'2'])
        self.driver.ok('wait', h='p')
        self.driver.ok('drop', h=['p', 'p.out', 'r', 'w'])

    @row('R07 R09 a child whose handle is dropped is killed and leaves no zombie')
    def test_drop(self):
        pid = self.spawn('sleep', '1000')['pid']
        waiting = self.driver.send('wait', h='p')
        self.until_waiting('process')
        self.driver.ok('drop', h='p')
        self.expect(self.driver.wait(waiting), None, signal=signal.SIGKILL)
        self.until(lambda: not os.path.exists(f'/proc/{pid}'), 'the child is gone')


class Signals(Case):
    @row('G01 G03 every subscription gets a signal, one after the other')
    def test_subscriptions(self):
        pid = self.driver.ready['pid']
        for name in ('one', 'two'):
            self.driver.ok('signal', sig='USR1', **{'as': name})
        for _ in range(2):
            ids = [self.driver.send('signal_next', h=name) for name in ('one', 'two')]
            os.kill(pid, signal.SIGUSR1)
            for number in ids:
                self.expect(self.driver.wait(number), None, count=1)
        self.driver.ok('drop', h='one')
        waiting = self.driver.send('signal_next', h='two')
        self.until_waiting('signal')
        self.driver.ok('cancel', op=waiting)
        self.expect(self.driver.wait(waiting), 'cancelled')
        os.kill(pid, signal.SIGUSR1)
        self.expect(self.driver.ask('signal_next', h='two'), None, count=1)
        self.driver.ok('drop', h='two')

    @row('G04 G08 the last subscription restores what was before; some signals are refused')
    def test_restored(self):
        seen = self.driver.ok('host_handler', sig='USR2', restart=True)['seen']
        self.driver.ok('signal', sig='USR2', **{'as': 's'})
        os.kill(self.driver.ready['pid'], signal.SIGUSR2)
        self.driver.ok('signal_next', h='s')
        self.driver.ok('drop', h='s')
        os.kill(self.driver.ready['pid'], signal.SIGUSR2)
        self.until(lambda: self.driver.ok('host_handler', sig='USR2', restart=True)['seen'] ==
                   seen + 1, 'the handler of before')
        for name in ('KILL', 'STOP', 'SEGV', 'BUS', 'FPE', 'ILL'):
            self.expect(self.driver.ask('signal', sig=name, **{'as': 's'}), 'invalid')
        for name in ('NONE', 'RTMIN-1', 'RTMAX+1', 'RTMIN3', 'RTMAX-'):
            self.expect(self.driver.ask('signal', sig=name, **{'as': 's'}), 'unsupported',
                        what=name)

    @row('G01 G08 real-time signals, and those of terminals and limits, are waited for as others')
    def test_further(self):
        for name, number in (('RTMIN', signal.SIGRTMIN), ('RTMIN+3', signal.SIGRTMIN + 3),
                             ('RTMAX-1', signal.SIGRTMAX - 1), ('RTMAX', signal.SIGRTMAX),
                             ('TSTP', signal.SIGTSTP), ('XCPU', signal.SIGXCPU)):
            self.driver.ok('signal', sig=name, **{'as': 's'})
            os.kill(self.driver.ready['pid'], number)
            self.expect(self.driver.ask('signal_next', h='s'), None, count=1)
            self.driver.ok('drop', h='s')
