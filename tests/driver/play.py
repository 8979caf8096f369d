#!/usr/bin/env python3
"""Rows of the conformance checklist, played from outside: the driver is one end, a raw socket of
this program the other. A case's name begins with the rows that it covers.

    play.py DRIVER               plays all cases
    play.py DRIVER PART...       plays those whose names contain one of these

Each case has a driver of its own, and ends only when the driver's own counts (tasks, operations,
timers, descriptors) are back where they were before it and it ends with 0. Cases wait for replies,
never for time to pass: where something has to be waiting first, the driver's task dump says when
it is.
Exits with 77 if the build has no such backend.
"""

import os
import socket
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '../support')]
from blocking import Blocking  # noqa: E402
from case import NO_CRC, Case, closed_port, crc, read_exactly, read_to_end, reset, row  # noqa: E402
from cases import run_cases  # noqa: E402
from deadlines import Deadlines  # noqa: E402
from driver import LIMIT_S, Skipped, driving, pattern  # noqa: E402
from files import Files  # noqa: E402
from pipes import Descriptors, Fifos, Pipes  # noqa: E402
from processes import Processes, Signals  # noqa: E402
from sharing import Sharing  # noqa: E402
from timers import Timers  # noqa: E402


class Connecting(Case):
    @row('C01 a dial to a listening port reports both addresses as they are')
    def test_dial(self):
        with socket.create_server(('127.0.0.1', 0)) as server:
            port = server.getsockname()[1]
            made = self.driver.ok('dial', net='tcp', addr=f'127.0.0.1:{port}', **{'as': 'c'})
            peer, address = server.accept()
            with peer:
                self.assertEqual(made['peer'], f'127.0.0.1:{port}')
                self.assertEqual(made['local'], f'{address[0]}:{address[1]}')
                self.driver.ok('drop', h='c')
                self.assertEqual(read_to_end(peer), b'')

    @row('C02 C03 a dial to a closed port is refused once, and makes no handle')
    def test_refused(self):
        holder, address = closed_port()
        with holder:
            reply = self.driver.ask('dial', net='tcp', addr=address, **{'as': 'c'})
            self.expect(reply, 'refused')
            self.assertIn(address, reply['detail'])
            self.expect(self.driver.ask('read', h='c', n=1), 'nohandle')
            # The name is free again.
            self.driver.ok('listen', net='tcp', addr='127.0.0.1:0', **{'as': 'c'})
            self.driver.ok('drop', h='c')

    @row('C02 a hundred dials to a closed port are refused one by one')
    def test_refused_often(self):
        holder, address = closed_port()
        with holder:
            reply = self.driver.ok('loop', count=100, par=10,
                                   op={'do': 'dial', 'net': 'tcp', 'addr': address})
            self.assertEqual(reply['outcomes'], {'refused': 100})


class Listening(Case):
    @row('L01 a port in use is reported as such')
    def test_in_use(self):
        host, port = self.listen()
        reply = self.driver.ask('listen', net='tcp', addr=f'{host}:{port}', **{'as': 'M'})
        self.expect(reply, 'inuse')
        self.driver.ok('drop', h='L')
        self.driver.ok('listen', net='tcp', addr=f'{host}:{port}', **{'as': 'M'})
        self.driver.ok('drop', h='M')

    @row('L09 connections that came before the first accept are all there')
    def test_backlog(self):
        address = self.listen()
        peers = [socket.create_connection(address, LIMIT_S) for _ in range(50)]
        named = {f'{host}:{port}' for host, port in (peer.getsockname() for peer in peers)}
        ids = [self.driver.send('accept', h='L') for _ in peers]
        self.assertEqual({self.driver.wait(number)['peer'] for number in ids}, named)
        self.driver.ok('drop', h='L')
        for peer in peers:
            peer.close()

    @row('L13 K01 closing a listener ends the accepts that wait, with closed')
    def test_close_ends_accepts(self):
        self.listen()
        ids = [self.driver.send('accept', h='L') for _ in range(3)]
        self.until_waiting('accept', 3)
        self.driver.ok('close', h='L')
        for number in ids:
            self.expect(self.driver.wait(number), 'closed')
        self.expect(self.driver.ask('accept', h='L'), 'closed')
        self.driver.ok('drop', h='L')

    @row('L18 an accepted descriptor does not block and is closed on exec')
    def test_flags(self):
        self.link().close()
        self.expect(self.driver.ask('info', h='c'), None, cloexec=True, nonblock=True,
                    state='open')
        self.driver.ok('drop', h='c')

    @row('L13 L14 serve ends with its listener, and the port refuses')
    def test_serve(self):
        address = self.listen()
        serving = self.driver.send('serve', h='L', mode='echo')
        for count in (1, 100_000):
            with socket.create_connection(address, LIMIT_S) as peer:
                sent = pattern(3, 0, count)
                peer.sendall(sent)
                peer.shutdown(socket.SHUT_WR)
                self.assertEqual(read_to_end(peer), sent)
        self.driver.ok('close', h='L')
        self.expect(self.driver.wait(serving), None, accepted=2, served=2, errors={})
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(address, LIMIT_S)
        self.driver.ok('drop', h='L')


class Streams(Case):
    @row('S03 X01 a large write arrives whole and in order, then the end')
    def test_large_write(self):
        peer = self.link(receive_buffer=4096)
        count = 5_000_000
        writing = self.driver.send('seq', ops=[
            {'do': 'write', 'h': 'c', 'count': count, 'seed': 5}, {'do': 'shutw', 'h': 'c'}])
        self.assertEqual(crc(read_to_end(peer)), crc(pattern(5, 0, count)))
        reply = self.driver.wait(writing)
        self.expect(reply, None)
        self.assertEqual(reply['results'][0]['n'], count)
        self.driver.ok('drop', h='c')

    @row('S06 buffers of a vectored read are filled in order')
    def test_readv(self):
        peer = self.link()
        peer.sendall(b'abcdef')
        self.driver.ok('ready', h='c', dir='r')
        self.expect(self.driver.ask('readv', h='c', lens=[1, 2, 3]), None, n=6,
                    data=b'abcdef'.hex(), crc=crc(b'abcdef'))
        self.driver.ok('drop', h='c')

    @row('S07 S11 try_read would block, peek takes nothing')
    def test_try_and_peek(self):
        peer = self.link()
        self.expect(self.driver.ask('try_read', h='c', n=10), 'wouldblock', n=0, crc=NO_CRC)
        peer.sendall(b'abc')
        for do in ('peek', 'peek', 'try_read'):
            self.driver.ok('ready', h='c', dir='r') if do == 'try_read' else None
            self.expect(self.driver.ask(do, h='c', n=10), None, n=3, data=b'abc'.hex())
        self.driver.ok('drop', h='c')

    @row('S17 urgent data is told to who asks for it, and leaves the rest as it is')
    def test_urgent(self):
        peer = self.link()
        waiting = self.driver.send('ready', h='c', dir='p')
        self.until_waiting('wait_urgent')
        peer.sendall(b'ab')
        self.expect(self.driver.ask('ready', h='c', dir='w'), None, w=True, p=False)
        peer.send(b'!', socket.MSG_OOB)
        self.expect(self.driver.wait(waiting), None, p=True, r=True, w=True, hup=False, err=False)
        peer.sendall(b'cd')
        self.expect(self.driver.ask('read_exact', h='c', n=4), None, data=b'abcd'.hex())
        waiting = self.driver.send('ready', h='c', dir='p')
        self.until_waiting('wait_urgent')
        self.driver.ok('deadline', h='c', dir='r', ms=-1)
        self.expect(self.driver.wait(waiting), 'timeout')
        self.driver.ok('deadline', h='c', dir='r', ms=None)
        self.expect(self.driver.ask('ready', h='c', dir='p', timeout_us=1), 'timeout')
        self.expect(self.driver.ask('ready', h='c', dir='p', cancel_us=0), 'cancelled')
        self.driver.ok('drop', h='c')

    @row('S08 X10 readiness tells of the end, and of a reset')
    def test_ready(self):
        peer = self.link()
        waiting = self.driver.send('ready', h='c', dir='r')
        self.until_waiting('wait_readable')
        peer.shutdown(socket.SHUT_WR)
        self.expect(self.driver.wait(waiting), None, r=True, w=True, p=False, hup=False, err=False)
        self.driver.ok('shutw', h='c')
        self.expect(self.driver.ask('ready', h='c', dir='r'), None, r=True, hup=True, err=False)
        self.driver.ok('drop', h='c')
        peer = self.link()
        waiting = self.driver.send('ready', h='c', dir='r')
        self.until_waiting('wait_readable')
        reset(peer)
        self.expect(self.driver.wait(waiting), None, r=True, w=True, hup=True, err=True)
        self.driver.ok('drop', h='c')

    @row('S12 S13 the end of the stream comes after all data, again and again, and is no end of '
         'writing')
    def test_end(self):
        peer = self.link()
        peer.sendall(b'abc')
        peer.shutdown(socket.SHUT_WR)
        self.expect(self.driver.ask('read_all', h='c'), None, n=3, end='eof', data=b'abc'.hex())
        for _ in range(3):
            self.expect(self.driver.ask('read', h='c', n=10), 'eof', n=0, crc=NO_CRC)
        self.driver.ok('write', h='c', text='still here')
        self.driver.ok('drop', h='c')
        self.assertEqual(read_to_end(peer), b'still here')

    @row('S23 an exact read that meets the end says so, with what it has')
    def test_unexpected_end(self):
        peer = self.link()
        peer.sendall(b'abc')
        peer.shutdown(socket.SHUT_WR)
        self.expect(self.driver.ask('read_exact', h='c', n=10), 'unexpected-eof', n=3,
                    data=b'abc'.hex())
        self.driver.ok('drop', h='c')


class Ending(Case):
    @row('X02 S13 after an own half-close the data of the peer is read to its end')
    def test_half_close(self):
        peer = self.link()
        self.driver.ok('shutw', h='c')
        self.assertEqual(read_to_end(peer), b'')
        peer.sendall(pattern(1, 0, 100_000))
        peer.shutdown(socket.SHUT_WR)
        self.expect(self.driver.ask('read_all', h='c'), None, n=100_000, end='eof',
                    crc=crc(pattern(1, 0, 100_000)))
        self.driver.ok('drop', h='c')

    @row('X03 a write after the own half-close is a broken pipe')
    def test_write_after_half_close(self):
        self.link()
        self.driver.ok('shutw', h='c')
        self.expect(self.driver.ask('write', h='c', text='x'), 'pipe', n=0)
        self.driver.ok('drop', h='c')

    @row('X10 a reset by the peer is an error of the read that waits, and stays one')
    def test_reset(self):
        peer = self.link()
        reading = self.driver.send('read', h='c', n=10)
        self.until_waiting('read_some')
        reset(peer)
        self.expect(self.driver.wait(reading), 'reset', n=0)
        self.expect(self.driver.ask('read', h='c', n=10), 'reset')
        self.assertIn(self.driver.ask('write', h='c', text='x')['error'], ('reset', 'pipe'))
        self.driver.ok('drop', h='c')

    @row('X13 writing to a peer that is gone fails without a signal')
    def test_write_to_nobody(self):
        peer = self.link()
        reset(peer)
        reply = self.driver.ok('loop', count=1000, stop_on='pipe',
                               op={'do': 'write', 'h': 'c', 'count': 10_000})
        failures = set(reply['outcomes']) - {'ok'}
        self.assertTrue(failures and failures <= {'reset', 'pipe'}, reply)
        self.assertIsNone(self.driver.process.poll())
        self.driver.ok('drop', h='c')

    @row('X14 an abort resets the peer')
    def test_abort(self):
        peer = self.link()
        self.driver.ok('abort', h='c')
        with self.assertRaises(ConnectionResetError):
            peer.recv(1)
        self.driver.ok('drop', h='c')

    @row('K01 K04 K05 closing ends the read that waits; all later operations say closed')
    def test_close(self):
        self.link()
        reading = self.driver.send('read', h='c', n=10)
        self.until_waiting('read_some')
        self.driver.ok('close', h='c')
        self.expect(self.driver.wait(reading), 'closed', n=0)
        for do, members in (('close', {}), ('read', {'n': 1}), ('write', {'text': 'x'}),
                            ('peek', {'n': 1}), ('try_read', {'n': 1}), ('shutw', {}),
                            ('option', {'name': 'nodelay'})):
            self.expect(self.driver.ask(do, h='c', **members), 'closed')
        self.expect(self.driver.ask('info', h='c'), None, state='closed', fd=None)
        self.driver.ok('drop', h='c')

    @row('K01 K21 dropping a stream ends the read that waits on it, and closes it')
    def test_drop(self):
        peer = self.link()
        reading = self.driver.send('read', h='c', n=10)
        self.until_waiting('read_some')
        self.driver.ok('drop', h='c')
        self.expect(self.driver.wait(reading), 'closed', n=0)
        self.assertEqual(read_to_end(peer), b'')
        self.expect(self.driver.ask('read', h='c', n=1), 'nohandle')

    @row('K02 a buffer is not written to after its read was closed')
    def test_guard(self):
        peer = self.link()
        reading = self.driver.send('read', h='c', n=4096, guard_ms=50)
        self.until_waiting('read_some')
        self.driver.ok('close', h='c')
        try:
            peer.sendall(b'late')
        except (ConnectionResetError, BrokenPipeError):
            pass
        self.expect(self.driver.wait(reading), 'closed', n=0, dirty=0)
        self.driver.ok('drop', h='c')

    @row('K02 a step of a composite keeps its buffer, too, and its composite waits for that')
    def test_guarded_steps(self):
        peer = self.link()
        step = {'do': 'read', 'h': 'c', 'n': 8, 'guard_ms': 20}
        for do in ('seq', 'par', 'race'):
            reading = self.driver.send(do, ops=[step])
            self.until_waiting('read_some')
            self.driver.ok('cancel', op=reading)
            reply = self.driver.wait(reading)
            self.expect(reply, None if do == 'par' else 'cancelled')
            self.expect(reply['results'][0], 'cancelled', n=0, dirty=0)
            self.assertGreaterEqual(reply['us'], reply['results'][0]['us'] + 20_000)
            reading = self.driver.send(do, ops=[step])
            self.until_waiting('read_some')
            peer.sendall(b'abc')
            self.expect(self.driver.wait(reading)['results'][0], None, n=3, dirty=0)
        self.driver.ok('drop', h='c')

    @row('K03 closing ends the write that waits, which says how far it got')
    def test_close_ends_write(self):
        peer = self.link(receive_buffer=4096)
        writing = self.driver.send('write', h='c', count=50_000_000)
        self.until_waiting('write_all')
        self.driver.ok('close', h='c')
        reply = self.driver.wait(writing)
        self.expect(reply, 'closed')
        data = read_to_end(peer)
        self.assertEqual(data, pattern(1, 0, reply['n']))
        self.driver.ok('drop', h='c')


class Cancelling(Case):
    @row('K16 a cancelled read takes nothing: the bytes come with the next')
    def test_cancel_read(self):
        peer = self.link()
        for number_of in (lambda: self.driver.send('read', h='c', n=10),
                          lambda: self.driver.send('read', h='c', n=10, by='task')):
            reading = number_of()
            self.until_waiting('read_some')
            self.expect(self.driver.ask('cancel', op=reading), None, found=True)
            self.expect(self.driver.wait(reading), 'cancelled', n=0)
            self.expect(self.driver.ask('cancel', op=reading), None, found=False)
        peer.sendall(b'abc')
        self.expect(self.driver.ask('read', h='c', n=10), None, data=b'abc'.hex())
        self.driver.ok('drop', h='c')

    @row('K13 K17 a write that runs into its limit says how much was written')
    def test_partial_write(self):
        peer = self.link(receive_buffer=4096)
        for limit in ({'timeout_ms': 50}, {'cancel_us': 50_000},
                      {'cancel_us': 50_000, 'cancel_from': 'thread'}):
            reply = self.driver.ask('write', h='c', count=20_000_000, **limit)
            self.expect(reply, 'timeout' if 'timeout_ms' in limit else 'cancelled')
            self.assertEqual(read_exactly(peer, reply['n']), pattern(1, 0, reply['n']))
        self.driver.ok('write', h='c', text='next')
        self.assertEqual(read_exactly(peer, 4), b'next')
        self.driver.ok('drop', h='c')

    @row('K20 what is cancelled on the next line, or at once, reports it')
    def test_cancel_at_once(self):
        self.link()
        for _ in range(20):
            reading = self.driver.send('read', h='c', n=10)
            cancelling = self.driver.send('cancel', op=reading)
            self.assertTrue(self.driver.wait(cancelling)['found'])
            self.expect(self.driver.wait(reading), 'cancelled')
        for source in ('task', 'thread'):
            self.expect(self.driver.ask('read', h='c', n=10, cancel_us=0, cancel_from=source),
                        'cancelled', n=0)
        self.driver.ok('drop', h='c')

    @row('K16 reads that are interrupted at any moment lose no byte and see none twice')
    def test_interrupted_reads(self):
        peer = self.link()
        count = 200_000
        reading = self.driver.send('read_all', h='c', max=count, size=[1, 3000],
                                   interrupt_us=[0, 200], interrupt='mix')
        sent = pattern(9, 0, count)
        for start in range(0, count, 1000):
            peer.sendall(sent[start:start + 1000])
        reply = self.driver.wait(reading)
        self.expect(reply, None, n=count, crc=crc(sent), end='max')
        self.driver.ok('drop', h='c')

    @row('C09 K21 an accept and a sleep are cancelled, within a sequence and beside others')
    def test_cancel_composites(self):
        self.listen()
        sequence = self.driver.send('seq', ops=[{'do': 'accept', 'h': 'L', 'as': 'x'},
                                                {'do': 'clock'}])
        self.until_waiting('accept')
        self.driver.ok('cancel', op=sequence)
        reply = self.driver.wait(sequence)
        self.expect(reply, 'cancelled')
        self.assertEqual([step.get('error') for step in reply['results']], ['cancelled'])
        reply = self.driver.ok('par', ops=[
            {'do': 'sleep', 'ms': 3_600_000, 'cancel_us': 0}, {'do': 'sleep', 'ms': 1},
            {'do': 'accept', 'h': 'L', 'timeout_us': 1}])
        self.assertEqual([step.get('error') for step in reply['results']],
                         ['cancelled', None, 'timeout'])
        self.driver.ok('drop', h='L')


class Runtimes(Case):
    @row('M01 M02 threads wake and spawn tasks, and none is lost')
    def test_storms_of_tasks(self):
        self.expect(self.driver.ask('storm', kind='post', count=2000, threads=2, tasks=3), None,
                    count=2000, counted=4000)
        self.expect(self.driver.ask('storm', kind='spawn', count=20_000, threads=3), None,
                    ran=20_000)
        self.expect(self.driver.ask('spawn_many', count=1000, depth=5), None, ran=5000)

    @row('T04 a timer that is stopped by a thread either fires or is stopped')
    def test_storm_of_timers(self):
        reply = self.driver.ask('storm', kind='timer', count=1000, us=[0, 200], threads=2)
        self.expect(reply, None, both=0, neither=0)
        self.assertEqual(reply['fired'] + reply['stopped'], 1000)
        self.driver.ok('storm', kind='timers', count=20_000)

    @row('K04 K06 closing twice and under use never hits a stranger')
    def test_storms_of_closing(self):
        self.expect(self.driver.ask('storm', kind='handle_reuse', count=300, tasks=4), None,
                    wrong=0)
        reply = self.driver.ok('storm', kind='close', count=100, tasks=2)
        self.assertEqual(reply['outcomes'], {'closed': 200})
        reply = self.driver.ok('storm', kind='churn', kinds=['tcp', 'accept'], count=100, tasks=4)
        self.assertEqual((reply['opened'], reply['closed']), (300, 300))

    @row('M07 runtimes that are made and destroyed leave no descriptor behind')
    def test_storm_of_runtimes(self):
        reply = self.driver.ok('storm', kind='runtimes', count=50, workers=2)
        self.assertEqual(reply['fds_before'], reply['fds_after'])

    @row('M04 M05 a runtime that stops ends every request on it once; later ones are refused')
    def test_rt_stop(self):
        descriptors = len(os.listdir(f'/proc/{self.driver.process.pid}/fd'))
        for _ in range(3):
            self.driver.ok('rt_new', workers=2, **{'as': 'second'})
            self.driver.ok('listen', net='tcp', addr='127.0.0.1:0', rt='second', **{'as': 'L'})
            ids = [self.driver.send('accept', h='L', rt='second'),
                   self.driver.send('sleep', ms=3_600_000, rt='second'),
                   self.driver.send('yield', count=-1, rt='second', by='task')]
            self.until(lambda: self.driver.ok('stats', rt='second')['tasks'] == 3,
                       'three tasks')
            self.expect(self.driver.ask('rt_stop', h='second', limit_ms=60_000), None, left=0)
            for number in ids:
                self.assertIn(self.driver.wait(number)['error'], ('stopped', 'cancelled', 'closed'))
            self.expect(self.driver.ask('clock', rt='second'), 'stopped')
            self.expect(self.driver.ask('accept', h='L'), 'nohandle')
        self.assertEqual(len(os.listdir(f'/proc/{self.driver.process.pid}/fd')), descriptors)

    @row('M04 the end of input ends every request once, and the program with 0')
    def test_end_of_input(self):
        def play(driver):
            self.driver = driver
            self.listen()
            waiting = [driver.send('accept', h='L'), driver.send('sleep', ms=3_600_000),
                       driver.send('loop', op={'do': 'sleep', 'ms': 1}, count=1_000_000)]
            self.until_waiting('accept')
            return waiting

        before = self.driver
        with driving(self.program, *self.arguments) as driver:
            waiting = play(driver)
            rest, code = driver.close_input()
        self.driver = before
        self.assertEqual((sorted(reply['id'] for reply in rest), code), (sorted(waiting), 0))
        self.assertTrue(all(reply['error'] in ('stopped', 'cancelled') for reply in rest), rest)

    @row('M08 an exception of a task goes to who joins it, and to nobody else')
    def test_throw(self):
        self.expect(self.driver.ask('throw', text='on purpose'), 'exception',
                    detail='on purpose')
        self.driver.ok('clock')

    @row('M10 M11 tasks that never wait leave timers and others their turn')
    def test_yielders(self):
        ids = [self.driver.send('yield', count=-1) for _ in range(8)]
        reply = self.driver.ok('sleep', us=1000)
        self.assertGreaterEqual(reply['late_us'], 0)
        self.driver.ok('storm', kind='pingpong', count=200, tasks=2, bystanders=4)
        for number in ids:
            self.driver.ok('cancel', op=number)
            self.expect(self.driver.wait(number), 'cancelled')


class Protocol(Case):
    """The protocol itself: what the other cases stand on."""

    @row('protocol: payloads are those of the check values')
    def test_payloads(self):
        checks = (({'count': 16}, '7e0a173b'), ({'count': 1_000_000}, '36514fb1'),
                  ({'count': 100, 'seed': 7, 'off': 65500}, 'c58ea038'))
        peer = self.link()
        for payload, expected in checks:
            writing = self.driver.send('write', h='c', **payload)
            sent = read_exactly(peer, payload['count'])
            self.assertEqual(crc(sent), expected)
            self.assertEqual(crc(pattern(payload.get('seed', 1), payload.get('off', 0),
                                         payload['count'])), expected)
            self.expect(self.driver.wait(writing), None, n=payload['count'])
            peer.sendall(sent)
            self.expect(self.driver.ask('read_exact', h='c', n=payload['count']), None,
                        crc=expected)
        self.driver.ok('drop', h='c')

    @row('protocol: unknown verbs, members and values are named, faulty requests refused')
    def test_strictness(self):
        for do, members, what in (
                ('nonsense', {}, 'nonsense'), ('clock', {'x': 1}, 'x'),
                ('listen', {'net': 'unix', 'addr': '/x', 'as': 'L'}, 'unix'),
                ('dial', {'net': 'tcp', 'addr': '127.0.0.1:1', 'fallback_ms': 1}, 'fallback_ms'),
                ('storm', {'kind': 'sea', 'count': 1}, 'sea'),
                ('storm', {'kind': 'spawn', 'count': 1, 'us': [1, 2]}, 'us'),
                ('clock', {'by': 'nobody'}, 'nobody'),
                ('sleep', {'us': 1, 'cancel_us': 1, 'cancel_from': 'x'}, 'x')):
            self.expect(self.driver.ask(do, **members), 'unsupported', what=what)
        for do, members in (('sleep', {}), ('sleep', {'us': 'soon'}), ('sleep', {'us': 1.5}),
                            ('sleep', {'us': 2**63}), ('sleep', {'us': 1, 'ms': 1}),
                            ('seq', {'ops': [1]}), ('cancel', {'op': 0})):
            self.expect(self.driver.ask(do, **members), 'badreq')
        self.expect(self.driver.ask('read', h='nobody', n=1), 'nohandle')
        self.expect(self.driver.ask('clock', rt='nobody'), 'nohandle')
        for line in ('{', '[]', '{"do":"clock"}', '{"id":0,"do":"clock"}', ''):
            self.driver.line(line)
            self.expect(self.driver.wait(None), 'badreq')
            self.driver.answered.clear()

    @row('protocol: a sequence stops at its first error, unless it keeps on')
    def test_sequences(self):
        steps = [{'do': 'clock'}, {'do': 'throw', 'text': 'x'}, {'do': 'clock'}]
        for keep, told in ((False, [None, 'exception']), (True, [None, 'exception', None])):
            reply = self.driver.ask('seq', ops=steps, keep=keep)
            self.expect(reply, 'exception')
            self.assertEqual([step.get('error') for step in reply['results']], told)

    @row('protocol: host calls go beside the library')
    def test_host_calls(self):
        for how, said in (({'code': 7}, {'code': 7}), ({'sig': 'TERM'}, {'signal': 15})):
            child = self.driver.ok('host_fork', ms=1, **how)['pid']
            self.expect(self.driver.ask('host_wait', pid=child), None, **said)
        self.expect(self.driver.ask('host_wait', pid=os.getpid()), 'nochild')

    @row('protocol: quit is answered last and ends the program with 0')
    def test_quit(self):
        with driving(self.program, *self.arguments) as driver:
            sleeping, quitting = driver.send('sleep', ms=3_600_000), driver.send('quit')
            self.expect(driver.wait(quitting), None)
            self.assertIn(driver.wait(sleeping)['error'], ('stopped', 'cancelled'))
            self.assertEqual(driver.close_input(), ([], 0))


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    Case.program, wanted = sys.argv[1], sys.argv[2:]
    try:
        with driving(Case.program):
            pass
    except Skipped as why:
        print(f'left out: {why}')
        return 77
    suite = unittest.TestSuite()
    for case in (Connecting, Listening, Streams, Ending, Cancelling, Deadlines, Timers, Sharing,
                 Blocking, Files, Pipes, Fifos, Descriptors, Processes, Signals, Runtimes,
                 Protocol):
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(case):
            name = getattr(test, test._testMethodName).sentence
            if not wanted or any(part in name for part in wanted):
                suite.addTest(test)
    return 0 if run_cases(suite) else 1


if __name__ == '__main__':
    sys.exit(main())
