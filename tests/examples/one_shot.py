"""The examples that do one thing and end: hello, timeout, worker_pool."""

import re
import unittest

from contracts import CommandLine, example
from running import run


class TestHello(unittest.TestCase):
    program = 'hello'

    def test_it_prints_what_its_tasks_did(self):
        self.assertEqual(run(example('hello')), (0, '3 squared is 9\nhello, world\nhello, moon\n'
                                                    '5 squared is 25\n', ''))


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
