"""The mutants of tools/mutants: which files, which changes, and why some survive."""

STEPPING = ('arrivals', 'gate', 'parker', 'parking_word', 'run_queue', 'slot', 'spin_lock',
            'tenure', 'waker')

# name -> program, arguments, environment
TESTS = {name: (f'tests/stepping/stepping-{name}', [], {}) for name in STEPPING}
TESTS['lane'] = ('tests/cove-unit-tests', ['--source-file=*uring_lane_test*'], {})

PARKING_WORD = 'runtime/include/cove/runtime/detail/parking_word.hpp'
SPIN_LOCK = 'runtime/include/cove/runtime/detail/spin_lock.hpp'
CANCEL = 'runtime/cancel.cpp'
SLOT = 'runtime/netpoll/slot.hpp'
GATE = 'runtime/netpoll/gate.hpp'
POLL_DESC = 'runtime/netpoll/poll_desc.hpp'
WAKER = 'runtime/netpoll/waker.hpp'
PARKER = 'runtime/sched/parker_linux.cpp'
ARRIVALS = 'runtime/sched/arrivals.hpp'
RUN_QUEUE = 'runtime/sched/run_queue.hpp'
TENURE = 'runtime/sched/tenure.hpp'
LANE_COLLECT = 'runtime/netpoll/uring_lane_collect.cpp'
ACCEPTS = 'runtime/netpoll/uring_accepts.cpp'

# Files of which every order is weakened, and the tests that should notice, the quickest first.
ORDERS = {
    PARKING_WORD: ['parking_word', 'slot'],
    CANCEL: ['parking_word'],
    SPIN_LOCK: ['spin_lock'],
    SLOT: ['slot'],
    GATE: ['gate', 'slot'],
    POLL_DESC: ['slot'],
    WAKER: ['waker'],
    PARKER: ['parker'],
    ARRIVALS: ['arrivals'],
    RUN_QUEUE: ['run_queue'],
    TENURE: ['tenure'],
}

# name, file, text that stands there once, what comes in its place, tests if others than above
CHANGES = [
    # The parking word.
    ('parking_word/park ignores a completion', PARKING_WORD,
     '''      if ((word & done) != 0) {
        word_.fetch_and''',
     '''      if (false) {
        word_.fetch_and'''),
    ('parking_word/park ignores who asks', PARKING_WORD,
     'if (!mask && (word & asks) != 0) return', 'if (false) return'),
    ('parking_word/park asks although masked', PARKING_WORD,
     'if (!mask && (word & asks) != 0) return', 'if ((word & asks) != 0) return'),
    ('parking_word/park forgets the mask', PARKING_WORD,
     'word | parked | (mask ? masked : 0)', 'word | parked'),
    ('parking_word/complete schedules a claimed task', PARKING_WORD,
     '(word & parked) != 0 && (word & cancelling) == 0;', '(word & parked) != 0;'),
    ('parking_word/complete leaves no trace', PARKING_WORD,
     ': word | done) | bits', ': word) | bits'),
    ('parking_word/complete leaves the task parked', PARKING_WORD,
     '(free ? word & ~(parked | masked) : word', '(free ? word & ~masked : word'),
    ('parking_word/complete drops its bits', PARKING_WORD,
     ': word | done) | bits;', ': word | done);'),
    ('parking_word/complete drops the wake-up', PARKING_WORD,
     '''                                      std::memory_order_relaxed))
        return free;
    }
  }

  /// Canceller''',
     '''                                      std::memory_order_relaxed))
        return false;
    }
  }

  /// Canceller'''),
    ('parking_word/ask claims nothing', PARKING_WORD, '(free ? cancelling : 0)', '0'),
    ('parking_word/ask claims what is masked', PARKING_WORD,
     '(word & (masked | cancelling)) == 0', '(word & cancelling) == 0'),
    ('parking_word/ask claims twice', PARKING_WORD,
     '(word & (masked | cancelling)) == 0', '(word & masked) == 0'),
    ('parking_word/ask leaves no bit', PARKING_WORD, 'word | bit | (free', 'word | (free'),
    ('parking_word/take leaves the claim', PARKING_WORD,
     '~(parked | masked | cancelling | done), std', '~(parked | masked | done), std'),
    ('parking_word/take leaves the completion', PARKING_WORD,
     '~(parked | masked | cancelling | done), std', '~(parked | masked | cancelling), std'),
    ('parking_word/unclaim ignores a completion', PARKING_WORD,
     'if ((word & done) != 0) return take(), outcome::completed;', ''),
    ('parking_word/unclaim ignores who asks', PARKING_WORD,
     'if ((word & asks) != 0) return outcome::requested;', ''),
    ('parking_word/unclaim leaves the claim', PARKING_WORD,
     'word_.compare_exchange_weak(word, word & ~cancelling,',
     'word_.compare_exchange_weak(word, word,'),
    ('parking_word/remask ignores a completion', PARKING_WORD,
     'if ((word & done) != 0) return take(), false;', ''),
    ('parking_word/remask does not mask', PARKING_WORD,
     '(word & ~cancelling) | masked,', 'word & ~cancelling,'),
    ('parking_word/remask leaves the claim', PARKING_WORD,
     '(word & ~cancelling) | masked,', 'word | masked,'),
    ('parking_word/forget_request forgets nothing', PARKING_WORD,
     'word_.fetch_and(~request, std', 'word_.fetch_and(~0U, std'),

    # The scopes that the request bit sends its owner to.
    ('cancel/trigger asks nobody', CANCEL,
     'if (owner->word.ask(parking_word::request)) woken.push(*owner);', ''),
    ('cancel/trigger drops the wake-up', CANCEL,
     'if (owner->word.ask(parking_word::request)) woken.push(*owner);',
     'owner->word.ask(parking_word::request);'),
    ('cancel/trigger asks before it says why', CANCEL,
     '''\
  if (!scope.triggered.compare_exchange_strong(none, why, std::memory_order_seq_cst)) return;
  task_ctl* owner = scope.owner;
  if (owner == nullptr) return;
  if (owner->word.ask(parking_word::request)) woken.push(*owner);''',
     '''  task_ctl* owner = scope.owner;
  if (owner == nullptr) return;
  if (owner->word.ask(parking_word::request)) woken.push(*owner);
  scope.triggered.compare_exchange_strong(none, why, std::memory_order_seq_cst);'''),
    ('cancel/look does not look again', CANCEL,
     '''    why = chain_reason(task);
    if (why != stop_reason::none) task.word.ask''',
     '''    if (why != stop_reason::none) task.word.ask'''),

    # The slot.
    ('slot/prepare keeps an old event', SLOT, 'if (word_.load(std::memory_order_relaxed) != nil)\n'
     '      word_.exchange(nil, std::memory_order_seq_cst);', ''),
    ('slot/arm keeps the event', SLOT,
     'word_.exchange(nil, std::memory_order_seq_cst);  // seq_cst: as prepare().', ''),
    ('slot/event is not kept', SLOT, 'word == nil ? ready : nil', 'word == nil ? nil : nil'),
    ('slot/event leaves the task', SLOT,
     'word == nil ? ready : nil', 'word == nil ? ready : word'),
    ('slot/event forgets the task', SLOT,
     '''                                      std::memory_order_acquire))
        return unpack(word);''',
     '''                                      std::memory_order_acquire))
        return nullptr;'''),
    ('slot/evict leaves the task', SLOT,
     'word_.compare_exchange_weak(word, nil, std::memory_order_seq_cst)) return unpack(word);',
     'word_.compare_exchange_weak(word, word, std::memory_order_seq_cst)) return unpack(word);'),
    ('slot/borrow does not hold the task', SLOT, 'word, word | busy, std', 'word, word, std'),
    ('slot/release does not wait', SLOT,
     'if (word == nil || word == ready) return;\n      word = pack(task);', 'return;'),

    # The gate.
    ('gate/enter ignores that it is closed', GATE,
     'if ((word & closed) != 0) return entry::closed;\n      if ((word & taken)',
     'if ((word & taken)'),
    ('gate/enter ignores that it is closed, without a direction', GATE,
     'if ((word & closed) != 0) return entry::closed;\n      if (word_.', 'if (word_.'),
    ('gate/enter ignores who holds the direction', GATE,
     'if ((word & taken) != 0) return entry::busy;', ''),
    ('gate/enter does not count', GATE, '(word | taken) + 1', '(word | taken)'),
    ('gate/leave forgets the direction', GATE,
     'word_.fetch_sub((reading << static_cast<unsigned>(d)) + 1', 'word_.fetch_sub(1'),
    ('gate/close lets everybody shut', GATE, 'return {first, first && (old', 'return {first, (old'),
    ('gate/close shuts while somebody is inside', GATE,
     'first && (old & inside) == 0}', 'first}'),
    ('gate/close leaves the shutting to who is inside', GATE,
     'first && (old & inside) == 0}', 'false}'),
    ('gate/last_out shuts an open gate', GATE,
     'return (old & closed) != 0 && (old & inside) == 1;', 'return (old & inside) == 1;'),
    ('gate/last_out is everybody', GATE,
     'return (old & closed) != 0 && (old & inside) == 1;', 'return (old & closed) != 0;'),
    ('gate/shut_done always recycles', GATE,
     'return (word_.fetch_or(shut, std::memory_order_acq_rel) & held) == 0;',
     'return word_.fetch_or(shut, std::memory_order_acq_rel) != 0;'),
    ('gate/let_go never recycles', GATE,
     'return (word_.fetch_and(~held, std::memory_order_acq_rel) & shut) != 0;',
     'return word_.fetch_and(~held, std::memory_order_acq_rel) == 0;'),

    # What is latched.
    ('poll_desc/report drops the wake-up', POLL_DESC,
     'task != nullptr && task->word.complete())', 'task != nullptr && !task->word.complete())'),
    ('poll_desc/latch ignores the generation', POLL_DESC,
     'if (static_cast<std::uint32_t>(word >> 32) != generation) return false;', ''),

    # The waker and the parker.
    ('waker/wake does not ring', WAKER, '== blocked) ring();', '== blocked) return;'),
    ('waker/block overlooks a wake-up', WAKER,
     '(word_.compare_exchange_strong(expected, blocked, std::memory_order_acq_rel)) return true;',
     '(word_.exchange(blocked, std::memory_order_acq_rel) != expected || true) return true;'),
    ('waker/block keeps a wake-up', WAKER,
     'word_.exchange(idle, std::memory_order_seq_cst);  // seq_cst: see wake().\n    return false;',
     'return false;'),
    ('waker/unblock stays blocked', WAKER,
     '    if (rung) drain();\n    word_.exchange(idle, std::memory_order_seq_cst);',
     '    if (rung) drain();'),
    ('waker/unblock goes idle before it drains', WAKER,
     '    if (rung) drain();\n    word_.exchange(idle, std::memory_order_seq_cst);',
     '    word_.exchange(idle, std::memory_order_seq_cst);\n    if (rung) drain();'),
    ('parker/unpark wakes nobody', PARKER,
     '== waiting)\n    ::syscall', '== token)\n    ::syscall'),
    ('parker/park leaves the token', PARKER,
     'return state_.exchange(empty, std::memory_order_acquire) == token;\n}\n\nvoid parker::unpark',
     'return state_.load(std::memory_order_acquire) == token;\n}\n\nvoid parker::unpark'),
    ('parker/park forgets a token that comes first', PARKER,
     'return state_.exchange(empty, std::memory_order_acquire) == token;\n  }\n',
     'return state_.exchange(empty, std::memory_order_acquire) != token;\n  }\n'),
    ('parker/park sleeps on a token', PARKER,
     'futex_wait(state_, waiting, limit_ns', 'futex_wait(state_, token, limit_ns'),

    # The run queue.
    ('run_queue/push publishes before it writes', RUN_QUEUE,
     '''        slot(tail).store(task, std::memory_order_relaxed);
        // Release pairs with the thief's acquire of tail: it sees the slot and the task behind it.
        tail_.store(tail + 1, std::memory_order_release);''',
     '''        tail_.store(tail + 1, std::memory_order_release);
        slot(tail).store(task, std::memory_order_relaxed);'''),
    ('run_queue/push overwrites a slot', RUN_QUEUE,
     'if (tail - head < limit_) {', 'if (tail - head <= limit_) {'),
    ('run_queue/push_next stores over a task', RUN_QUEUE,
     'if (displaced == nullptr || solo_) {', 'if (displaced != nullptr || solo_) {'),
    ('run_queue/claim without a comparison', RUN_QUEUE, '    if (solo_) {\n      head_.store',
     '    if (true) {\n      head_.store'),
    ('run_queue/take_next without an exchange', RUN_QUEUE,
     '    if (solo_) {\n      next_.store(nullptr', '    if (true) {\n      next_.store(nullptr'),
    ('run_queue/take_next_if without an exchange', RUN_QUEUE,
     '    if (!solo_)\n      return next_.compare', '    if (false)\n      return next_.compare'),
    ('run_queue/steal_into publishes before the claim', RUN_QUEUE,
     '''      if (!claim(head, take)) continue;
      // Release as in push.
      if (take > 1) mine.tail_''',
     '''      if (take > 1) mine.tail_.store(my_tail + take - 1, std::memory_order_release);
      if (!claim(head, take)) continue;
      if (take > 1) mine.tail_'''),
    ('run_queue/steal_into takes more than it has room for', RUN_QUEUE,
     'if (take > room + 1) take = room + 1;', ''),
    ('run_queue/steal_into believes an old head', RUN_QUEUE,
     'if (take > Capacity - Capacity / 2) continue;', ''),
    ('run_queue/empty does not look twice', RUN_QUEUE,
     'if (tail == tail_.load(std::memory_order_relaxed)) return head', 'return head'),
    ('run_queue/empty overlooks the next slot', RUN_QUEUE,
     'return head == tail && no_next;', 'return head == tail;'),

    # What arrives from outside.
    ('arrivals/push tells nobody', ARRIVALS, 'return last == nullptr;', 'return false;'),
    ('arrivals/push tells of the second', ARRIVALS, 'return last == nullptr;',
     'return last != nullptr;'),
    ('arrivals/take leaves the order', ARRIVALS,
     '''      each->next = first;
      first = each;
      each = before;''',
     '''      if (first == nullptr) first = each;
      each = before;'''),

    # The tenure of a processor.
    ('tenure/enter without its fence', TENURE, '    Fence::light();\n', ''),
    ('tenure/enter looks before it is inside', TENURE,
     '''    inside_.store(1, std::memory_order_relaxed);
    Fence::light();
    if (asked_.load(std::memory_order_acquire) != 0) [[unlikely]]
      look();''',
     '''    if (asked_.load(std::memory_order_acquire) != 0) [[unlikely]]
      look();
    Fence::light();
    inside_.store(1, std::memory_order_relaxed);'''),
    ('tenure/take without its fence', TENURE, 'fenced = Fence::heavy();', ';'),
    ('tenure/look does not wait', TENURE,
     '& taking) == 0) return;\n    const detail::spin_guard guard(lock_);',
     '& taking) == 0) return;'),

    # A lane of io_uring, where the kernel was quicker.
    ('uring_lane/absorb sends no second cancel', LANE_COLLECT,
     'list(record);  // Not found, and yet not ended: once more.', '', 'lane'),
    ('uring_lane/collect keeps the bell of one who waits', LANE_COLLECT,
     'found.bell && !waiter && chosen_.bell.in_use();', 'false;', 'lane'),
    ('uring_accepts/absorb_accept forgets who began to wait', ACCEPTS,
     'if (again && !record.listed)', 'if (again && record.op == nullptr && !record.listed)',
     'lane'),
    ('uring_accepts/absorb_stop sends no second cancel', ACCEPTS,
     'all->stopping = false;\n  if (!record.listed) list(record);', 'all->stopping = false;',
     'lane'),
]

# Those that survive, and why. A name may end in *.
EXPLAINED = {
    # The parking word: all that decides is an update of one word, which sees the newest value, so
    # release and acquire travel with it. The total order adds nothing.
    'parking_word/park.1:acquire->relaxed': 'the update behind it acquires the result as well',
    'parking_word/park.2:acquire->relaxed': 'the load before it has acquired the result',
    'parking_word/park.3:seq_cst->acq_rel': 'an update sees an ask that came before it',
    'parking_word/park.4:acquire->relaxed': 'the update behind it acquires the result',
    'parking_word/ask.1:seq_cst->acq_rel': 'an update sees the park that came before it',
    'parking_word/claimed.1:acquire->relaxed': 'the run queue orders who pushed and who popped',
    'parking_word/take.1:acq_rel->relaxed': 'its callers have acquired what they ask of the word',
    'parking_word/unclaim.1:acquire->relaxed': 'take() behind it acquires the result',
    'parking_word/unclaim.2:seq_cst->relaxed': 'forget_request(), always before it, releases',
    'parking_word/unclaim.3:acquire->relaxed': 'take() behind it acquires the result',
    'parking_word/remask.1:acquire->relaxed': 'take() behind it acquires the result',
    'parking_word/remask.2:acq_rel->release': 'nobody gives it anything to acquire',
    'parking_word/remask.3:acquire->relaxed': 'take() behind it acquires the result',
    'parking_word/asked.1:acquire->relaxed': 'a hint; look() reads the scopes behind an update',
    'parking_word/asked.2:acquire->relaxed': 'a hint; look() reads the scopes behind an update',
    'parking_word/forget_request.1:seq_cst->acq_rel':
        'it acquires the ask, which has released what was triggered',
    'cancel/trigger.1:seq_cst->relaxed': 'the ask behind it releases what it has triggered',
    'cancel/chain_reason.1:seq_cst->relaxed': 'forget_request() before it has acquired the ask',

    # The slot and what is latched.
    'slot/withdraw.1:acq_rel->relaxed': 'it reads its own store and hands nothing on',
    'slot/event.2:acq_rel->acquire': 'what was latched before is in the total order by itself',
    'slot/event.3:acquire->relaxed': 'the exchange that succeeds acquires the task',
    'slot/evict.2:seq_cst->acq_rel': 'the load before it stands in the total order',
    'slot/borrow.2:seq_cst->acq_rel': 'the load before it stands in the total order',
    'poll_desc/next_generation.1:release->relaxed':
        'only the number is asked of it; whoever opens hands on the rest',

    # The gate.
    'gate/enter.1:acq_rel->acquire': 'what came before entering is released by leaving',
    'gate/enter.2:acq_rel->relaxed':
        'who holds no direction reads what is constant while the descriptor is open',

    # The waker and the parker.
    'waker/wake.1:seq_cst->acq_rel': 'updates of one word see each other; as in the parking word',
    'waker/in_use.1:seq_cst->relaxed':
        'the completion of the bell came behind wake(), by locks of the kernel',
    'waker/block.1:acq_rel->relaxed': 'it reads its own store and hands nothing on',
    'waker/block.2:seq_cst->acq_rel': 'as wake.1',
    'waker/unblock.1:seq_cst->acq_rel': 'as wake.1',
    'waker/unblock goes idle before it drains': 'nobody rings for who is not blocked',
    'parker_linux/park_for.1:acquire->relaxed': 'the exchange behind it acquires',

    # The run queue.
    'run_queue/push.1:acquire->relaxed':
        "a store before another thread's earlier load: load buffering, which is not modelled",
    'run_queue/steal_into.1:acquire->relaxed': 'as push.1',
    'run_queue/steal_into.2:acquire->relaxed': 'a tail older than the head is recognised behind it',
    'run_queue/steal_into believes an old head':
        'its claim fails, and the room that is left bounds what is copied until then',
    'run_queue/size.2:acquire->relaxed': 'only the number is asked of it',
    'run_queue/empty.1:acquire->relaxed': 'a tail older than the head is no empty queue',
    'run_queue/empty.2:acquire->relaxed': 'the acquire of next and the second look decide',

    # The tenure of a processor.
    'tenure/ask_no_more.1:release->relaxed':
        "machine::p is no tracked data here; TSan sees the race in the stress test of tenure",
    'tenure/enter.1:acquire->relaxed': 'as ask_no_more.1',
    'tenure/look.2:acquire->relaxed': 'as ask_no_more.1',
}
