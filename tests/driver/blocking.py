"""Calls that block, played from outside. The pool has one thread, and a named pipe says when the
call on it begins and lets it go on: opening it waits for the other end."""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
from case import Case, row  # noqa: E402


class Blocking(Case):

    arguments = ('--pool', '1')

    def until_pool(self, **counts):
        self.until(lambda: counts.items() <= self.driver.ok('stats').items(), f'{counts}')

    @row('F11 a call that is queued is taken back, one that runs is waited for')
    def test_cancel(self):
        with tempfile.TemporaryDirectory() as folder:
            gate, file = os.path.join(folder, 'gate'), os.path.join(folder, 'file')
            os.mkfifo(gate)
            runs = self.driver.send('blocking', touch=gate)
            self.until_pool(pool_max=1, pool_busy=1, pool_queued=0)
            waits = self.driver.send('blocking', touch=file)
            self.until_pool(pool_busy=1, pool_queued=1)
            self.driver.ok('sleep', us=1)
            for number in (waits, runs):
                self.driver.ok('cancel', op=number)
            self.expect(self.driver.wait(waits), 'cancelled')
            self.until_pool(pool_busy=1, pool_queued=0)
            with open(gate, 'rb'):
                self.expect(self.driver.wait(runs), None)
            self.assertFalse(os.path.exists(file))

    @row('F14 an exception of a call goes to who waits for it, and its thread goes on')
    def test_throw(self):
        self.expect(self.driver.ask('blocking', throw='on purpose'), 'exception',
                    detail='on purpose')
        self.driver.ok('blocking', ms=1)
        self.until_pool(pool_busy=0, pool_queued=0)
