"""Rows of the checklist about what tasks share: locks, channels, events, and races."""

from case import Case, row


class Sharing(Case):
    @row('K19 the first step of a race to succeed wins; the others are cancelled and joined')
    def test_race(self):
        self.driver.ok('chan', cap=1, **{'as': 'C'})
        slow = {'do': 'sleep', 'ms': 3_600_000}
        racing = self.driver.send('race', ops=[slow, {'do': 'chan_recv', 'h': 'C'},
                                               {'do': 'throw', 'text': 'x'}])
        self.until_waiting('receive')
        self.driver.ok('chan_send', h='C', value=5)
        reply = self.driver.wait(racing)
        self.expect(reply, None, winner=1)
        self.assertEqual([step.get('error') for step in reply['results']],
                         ['cancelled', None, 'exception'])
        reply = self.driver.ask('race', ops=[{'do': 'throw', 'text': 'a'}])
        self.expect(reply, 'exception', winner=None)
        racing = self.driver.send('race', ops=[slow, slow])
        self.until_waiting('sleep', 2)
        self.driver.ok('cancel', op=racing)
        reply = self.driver.wait(racing)
        self.expect(reply, 'cancelled', winner=None)
        self.assertEqual([step.get('error') for step in reply['results']], ['cancelled'] * 2)
        self.driver.ok('drop', h='C')

    @row('M15 locks are handed on in order; who is cancelled takes nothing')
    def test_locks(self):
        for make, take, give in (('mutex', 'lock', 'unlock'), ('sem', 'acquire', 'release_sem')):
            self.driver.ok(make, **{'as': 'X'}, **({'permits': 1} if make == 'sem' else {}))
            self.driver.ok(take, h='X')
            waiting = []
            for count in range(1, 4):
                waiting.append(self.driver.send(take, h='X'))
                self.until_waiting(take, count)
            self.driver.ok('cancel', op=waiting[1])
            self.expect(self.driver.wait(waiting[1]), 'cancelled')
            for number in (waiting[0], waiting[2]):
                self.driver.ok(give, h='X')
                self.expect(self.driver.wait(number), None)
            self.expect(self.driver.ask(take, h='X', timeout_us=1), 'timeout')
            self.driver.ok(give, h='X')
            self.driver.ok('drop', h='X')
        for kind in ('mutex', 'sem'):
            for limits in ({}, {'cancel_us': 50}):
                self.expect(self.driver.ask('storm', kind=kind, count=2000, tasks=6, **limits),
                            None, count=2000, lost=0, duplicated=0, order_violations=0)

    @row('M16 a channel loses no value, and its end wakes those who wait')
    def test_channels(self):
        self.driver.ok('chan', cap=0, **{'as': 'C'})
        ids = [self.driver.send('chan_recv', h='C') for _ in range(3)]
        self.until_waiting('receive', 3)
        self.driver.ok('cancel', op=ids[0])
        self.expect(self.driver.wait(ids[0]), 'cancelled')
        self.driver.ok('chan_send', h='C', value=-7)
        self.driver.ok('chan_close', h='C')
        told = [self.driver.wait(number) for number in ids[1:]]
        self.assertEqual([reply.get('value') for reply in told].count(-7), 1, told)
        self.assertEqual([reply.get('error') for reply in told].count('closed'), 1, told)
        self.expect(self.driver.ask('chan_send', h='C', value=1), 'closed')
        self.expect(self.driver.ask('info', h='C'), 'unsupported', what='h')
        self.driver.ok('drop', h='C')
        for limits in ({}, {'cancel_us': 50}):
            self.expect(self.driver.ask('storm', kind='chan', count=2000, tasks=4, **limits), None,
                        count=2000, lost=0, duplicated=0, order_violations=0)

    @row('M16 an event wakes all who wait, and stays set')
    def test_events(self):
        self.driver.ok('event', **{'as': 'E'})
        ids = [self.driver.send('event_wait', h='E') for _ in range(3)]
        self.until_waiting('wait for an event', 3)
        self.driver.ok('event_set', h='E')
        for number in ids:
            self.expect(self.driver.wait(number), None)
        self.driver.ok('event_wait', h='E')
        self.driver.ok('drop', h='E')
