"""Cases of play.py: timers and intervals."""

import os
import sys

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
from case import Case, row  # noqa: E402


class Timers(Case):
    HOUR_MS = 3_600_000

    @row('T05 T06 a timer is moved while it is waited for, fires once, and is stopped')
    def test_timer(self):
        self.driver.ok('timer', ms=self.HOUR_MS, **{'as': 't'})
        waiting = [self.driver.send('timer_wait', h='t') for _ in range(2)]
        self.until_waiting('timer', 2)
        self.expect(self.driver.ask('timer_reset', h='t', us=500), None, active=True)
        for each in waiting:
            self.expect(self.driver.wait(each), None, fired=1)
        self.expect(self.driver.ask('timer_stop', h='t'), None, stopped=False)
        self.expect(self.driver.ask('timer_reset', h='t', ms=self.HOUR_MS), None, active=False)
        waiting = self.driver.send('timer_wait', h='t')
        self.until_waiting('timer')
        self.expect(self.driver.ask('timer_stop', h='t'), None, stopped=True)
        self.expect(self.driver.wait(waiting), None, fired=1)
        self.expect(self.driver.ask('timer_reset', h='t', us=-1), None, active=False)
        self.expect(self.driver.ask('timer_wait', h='t'), None, fired=2)
        self.expect(self.driver.ask('close', h='t'), 'badreq')
        self.driver.ok('drop', h='t')

    @row('T05 K20 a wait for a timer that is cancelled leaves the timer')
    def test_cancelled_wait(self):
        self.driver.ok('timer', ms=self.HOUR_MS, **{'as': 't'})
        self.expect(self.driver.ask('timer_wait', h='t', cancel_us=0), 'cancelled')
        self.expect(self.driver.ask('timer_wait', h='t', timeout_us=500), 'timeout')
        self.expect(self.driver.ask('timer_stop', h='t'), None, stopped=True)
        self.driver.ok('drop', h='t')

    def ticks(self, policy):
        """The moments of six ticks, 20 ms apart, of which the first is held up for 110 ms."""
        return self.driver.ok('interval', ms=20, count=6, policy=policy, stall_ms=110)['at_us']

    @row('T09 an interval makes up for missed ticks, leaves them out, or begins anew')
    def test_interval(self):
        burst, skip, delay = (self.ticks(policy) for policy in ('burst', 'skip', 'delay'))
        for at in (burst, skip, delay):
            self.assertEqual(len(at), 6)
            self.assertGreaterEqual(at[1], 110_000)
        # Where the schedule has its ticks at the earliest; none of them moves forward.
        for tick, at in enumerate(burst):
            self.assertGreaterEqual(at, tick * 20_000)
        for tick in range(2, 6):
            self.assertGreaterEqual(skip[tick], (4 + tick) * 20_000)
            self.assertGreaterEqual(delay[tick], 109_000 + (tick - 1) * 20_000)
        self.expect(self.driver.ask('interval', ms=0, count=1, policy='burst'), 'invalid')
