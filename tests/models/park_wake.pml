/*
Parking and waking workers
==========================

The problem.  M worker threads share P processors.  A worker without work must sleep, or an idle
program burns the machine; whoever submits work must wake a sleeper, but only if nobody is awake
to find the work, because a wake-up costs more than most tasks.  Submitter and sleeper decide at
the same time from words that the other is changing.  One wrong order and a task lies in a queue
while every thread sleeps; a subtler one and it lies there while one worker computes and the
others sleep.  Tests meet either once in a million wake-ups; this model walks every interleaving
of small configurations.

The protocol.

 Words read without the lock
   ring[p]          tasks in the ring of processor p; only its holder pushes, anybody takes
   global_length    length of the global queue, written under the lock
   idle_processors  length of the list of idle processors, written under the lock
   spinning         workers that search with a processor, sleepers already called included
   wake_word        NONE, BLOCKED (the poller is in the kernel or about to be), SIGNALED
 Under the lock
   global queue, idle processors, parked workers, poller (is anybody polling, or about to),
   need_search (work was submitted; who is on the way to sleep takes a processor and searches)

 any_work(): seq_cst fence; the global length; then every ring.  True at the first that has tasks.
   The order matters, because batches move from the global queue into rings: they are in the ring
   before the length is stored (release, and acquire here), both before the lock is released.

 wake_one(), after every push and where it is named below:
   1. seq_cst fence.
   2. Return if idle_processors == 0, or spinning != 0, or the CAS of spinning 0 -> 1 fails.
   3. Lock.  No idle processor: spinning--.  A parked worker: pop it, give it an idle processor
      and the count just made; it wakes up spinning.  A poller: spinning--.  Neither, so that
      somebody is on the way to sleep: spinning--, need_search = true.
   4. Unlock; unpark the worker, or wake the netpoll: if exchange(wake_word, SIGNALED) was
      BLOCKED, write to the eventfd.

 A worker with a processor looks for work:
   1. Own ring; global queue; network, without blocking.
   2. Become spinning unless enough are (2 * spinning < busy processors); steal.
   3. Lock.  Global queue not empty: take from it.  Otherwise release the processor
      (idle_processors++).  Unlock; if spinning, spinning--.
   4. any_work(), had it been spinning or not.  If so: lock, take an idle processor if there is
      one, unlock, become spinning, start again.
   5. Lock.  need_search: clear it; if a processor is idle take it, become spinning, start again.
      No poller: be the poller, unlock, block.  Otherwise go onto the list of parked workers,
      unlock, park.
 Found something: what is not run at once goes into the own ring first, and a worker that does not
   spin and was left more than one task by a poll calls wake_one().  If spinning, spinning--; if
   that made it 0, the last one who searches replaces itself: wake_one() if any_work().
 No worker holds a second task in hand, outside every queue, while others may look.

 The poller: poll without blocking for a while; CAS wake_word NONE -> BLOCKED; if that fails store
   NONE and leave; wait in the kernel; drain the eventfd if it was reported; store NONE; leave.
   Leaving: lock, poller = none.  An idle processor: take it and become spinning, whatever the
   poller came back for.  None idle: the tasks go to the global queue, on to step 5.
 A poll that does not block leaves eventfd and wake_word alone; the eventfd is level-triggered.

What is checked, in every reachable state where nothing can move any more but tasks that compute:
   - no queue holds a task while a processor is idle.  A task may compute until everything else
     stands still, so a submitter that leaves its work to a worker which is busy for good, or a
     worker that keeps two tasks for itself, is found out.  This is more than "not all asleep":
     if tasks always ended at once, most of the mutants below would pass;
   - nobody spins, the lock is free, idle_processors is the length of the list;
   - at the end all tasks that were submitted have run, and the network is watched.
 In every state: spinning never drops below zero, a processor is released with an empty ring.
 In a "cycles" configuration: nobody runs in circles for ever under a fair scheduler.
 With -DWATCHED also: no event stays unseen while a processor is idle.  The rules above do not
   give that: the poller may leave with an event and compute while the others stay parked, and
   the next event waits for the end of the task or for sysmon.  What gives it, at the price of a
   wake-up for most blocking polls, is that a poller who leaves says that the seat is wanted, as
   long as nobody has taken it, and that the last one who searches replaces itself for that reason
   too; the poller's own knowledge is not enough, for with three workers somebody else may be the
   last.  -DWATCHED turns both on.

Memory.  Promela is sequentially consistent, so the places where a store must be visible before a
   later load, the fences above, need a store that is late.  Each thread has a buffer for one
   store: a push to a ring, or an unlock together with the lengths written under it.  It drains
   at any moment of its own, and at the thread's next fence, unlock or read-modify-write.  The
   decrement of spinning in step 3 does not drain it: there the fence alone has to do.

Limits.
   - Critical sections are one step each.  That is sound where one thing in them is visible to
     those who do not lock; the batch, which changes two, is two steps.
   - Rings are counters without a next slot: that a ring hands out each task once and is not
     taken for empty when it is not, is for its own test.
   - Stores late beyond one entry and loads that are early are not modelled.  A worker's fence
     dropped on a machine where a read-modify-write is no fence is RECHECK_BEFORE_DECREMENT.
   - A thread not yet started is a parked one.  No timers, no sysmon, no hand-off of a processor;
     a configuration with more workers than processors has what the hand-off leaves behind.
   - Of equal processors and workers the one with the lowest number is taken.

What the model taught.  The first draft looked at the rings before the global queue, a poller came
back without spinning, and a worker that saw work in step 4 did not spin unless it had before.
Nothing was lost for good, but a task could wait for another one's end beside an idle processor:
   - a batch moves from the global queue, before the searcher looks there, into a ring it has
     looked at (GLOBAL_READ_LAST); or is in neither for a moment (BATCH_AFTER_UNLOCK,
     BATCH_COUNTED_FIRST);
   - two submitters, the second of which sees the count that the first holds while it wakes the
     poller: the poller takes one task and stays with it (POLLER_LEAVES_WITHOUT_SPINNING, and
     SEARCHER_DOES_NOT_SPIN for a worker on its way to sleep);
   - a poll that brings two tasks (SURPLUS_WITHOUT_WAKE).
And the worker of step 4, barred from stealing by somebody who counted as spinning but still waited
for the lock, took and released its processor in circles under that lock (SEEN_DOES_NOT_SPIN).

The lines for run.py.  A mutant without @ runs in the first configuration.
*/
// configuration: two        -DTASKS=2 -DSPAWNS=1 -DEVENTS=1
// configuration: one        -DWORKERS=1 -DTASKS=2 -DSPAWNS=1 -DEVENTS=2
// configuration: events     -DTASKS=1 -DSPAWNS=0 -DEVENTS=2
// configuration: submitters -DSUBMITTERS=2 -DTASKS=1 -DSPAWNS=1 -DEVENTS=0
// configuration: three      -DWORKERS=3 -DTASKS=1 -DSPAWNS=1 -DEVENTS=0
// configuration: extra      -DWORKERS=3 -DPROCESSORS=2 -DTASKS=0 -DSPAWNS=1 -DEVENTS=2
// configuration: watched    -DWATCHED -DTASKS=1 -DSPAWNS=0 -DEVENTS=2
// cycles:        endless    -DTASKS=1 -DSPAWNS=1 -DEVENTS=0
// larger:        all        -DSUBMITTERS=2 -DTASKS=1 -DSPAWNS=1 -DEVENTS=1
// larger:        extra_all  -DWORKERS=3 -DPROCESSORS=2 -DTASKS=1 -DSPAWNS=1 -DEVENTS=1
// larger:        watched_3  -DWATCHED -DWORKERS=3 -DTASKS=0 -DSPAWNS=0 -DEVENTS=3
// larger:        steal_two  -DWORKERS=3 -DTASKS=0 -DSPAWNS=0 -DEVENTS=4
// mutants: NO_FENCE NO_WORKER_FENCE NO_RECHECK RECHECK_BEFORE_DECREMENT RECHECK_ONLY_IF_SPINNING
// mutants: GLOBAL_READ_LAST BATCH_AFTER_UNLOCK BATCH_COUNTED_FIRST TWO_IN_HAND
// mutants: NO_NEED_SEARCH SEARCHER_DOES_NOT_SPIN POLLER_LEAVES_WITHOUT_SPINNING
// mutants: LAST_SPINNER_DOES_NOT_REPLACE SURPLUS_WITHOUT_WAKE@events STOLEN_PUSHED_LATE@steal_two
// mutants: CONSUME_WAKE BLIND_BLOCK SEAT_LEFT_EMPTY@watched
// mutants: SIGNAL_KEPT@endless SEEN_DOES_NOT_SPIN@endless

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef PROCESSORS
#define PROCESSORS WORKERS
#endif
#ifndef SUBMITTERS
#define SUBMITTERS 1
#endif
#define THREADS (WORKERS + SUBMITTERS)
#define NOBODY 15

/* Read without the lock.  The last two are copies, written by the unlock. */
byte ring[PROCESSORS];
byte spinning;
byte idle_processors;
byte global_length;

/* Under the lock. */
bool locked;
byte global;
bool p_idle[PROCESSORS];
byte p_idle_count;
bool m_parked[WORKERS];
bool poller;
bool need_search;
#ifdef WATCHED
bool seat_wanted;
#endif

/* The parker: a processor for the worker that sleeps, or NOBODY. */
byte handed[WORKERS];

/* The netpoll: eventfd is "readable", events are tasks that the kernel would report. */
mtype = { NONE, BLOCKED, SIGNALED };
mtype wake_word = NONE;
bool eventfd;
byte events;

/* For the checks. */
byte submitted, ran;
byte spawns_left = SPAWNS;
byte computing;
bool may_end;

/* The store buffers. */
#define EMPTY 0
#define PUSH 1
#define UNLOCK 2
byte late[THREADS];
byte late_ring[THREADS];
byte late_count[THREADS];

inline drain(t) {
  if
  :: late[t] == PUSH ->
     ring[late_ring[t]] = ring[late_ring[t]] + late_count[t];
     late[t] = EMPTY; late_ring[t] = 0; late_count[t] = 0
  :: late[t] == UNLOCK -> publish(); locked = false; late[t] = EMPTY
  :: else
  fi
}

inline push(t, to, count) {
  drain(t); late[t] = PUSH; late_ring[t] = to; late_count[t] = count
}

inline lock(t) { !locked; drain(t) }

inline publish() { idle_processors = p_idle_count; global_length = global }

/* The unlock that some mutant lets be late; elsewhere publish() ends the critical section. */
inline unlock_late(t) { locked = true; late[t] = UNLOCK }

inline take_processor(p) {
  p = 0;
  do
  :: p_idle[p] -> break
  :: else -> p++
  od;
  p_idle[p] = false;
  p_idle_count--
}

inline stop_spinning() { assert(spinning > 0); spinning-- }

/* Uses the caller's locals call, x and q and leaves them zero. */
inline wake_one(t) {
  atomic {
#ifndef MUTANT_NO_FENCE
    drain(t);
#endif
    call = (idle_processors != 0)
  };
  if
  :: call ->
     atomic {
       if
       :: spinning == 0 -> drain(t); spinning = 1
       :: else -> call = false
       fi
     };
     if
     :: call ->
        atomic {
          lock(t);
          call = false;
          if
          :: p_idle_count == 0 -> stop_spinning()
          :: else ->
             do
             :: x < WORKERS && !m_parked[x] -> x++
             :: else -> break
             od;
             if
             :: x < WORKERS -> m_parked[x] = false; take_processor(q); handed[x] = q; q = 0
             :: else ->
                stop_spinning();
                call = poller;
#ifndef MUTANT_NO_NEED_SEARCH
                need_search = need_search || !poller
#endif
             fi;
             x = 0
          fi;
          publish()
        };
        if
        :: call ->
           atomic { call = (wake_word == BLOCKED); wake_word = SIGNALED };
           if
           :: call -> atomic { eventfd = true; call = false }
           :: else
           fi
        :: else
        fi
     :: else
     fi
  :: else
  fi
}

/* Under the lock, the queue not empty: one to run and got for the ring, see batch. */
inline take_global() {
  got = (global / PROCESSORS) + 1;
  if
  :: got > global -> got = global
  :: else
  fi;
  global = global - got;
  got--;
#if defined(MUTANT_BATCH_AFTER_UNLOCK)
  publish()
#elif defined(MUTANT_BATCH_COUNTED_FIRST)
  publish(); locked = (got > 0)
#else
  ring[p] = ring[p] + got;
  if
  :: got > 0 -> locked = true
  :: else -> publish()
  fi
#endif
}

/* Is there a task in any queue?  Uses i and leaves it zero. */
inline any_work() {
#ifdef MUTANT_GLOBAL_READ_LAST
  work = false;
#else
  atomic {
#ifndef MUTANT_NO_WORKER_FENCE
    drain(me);
#endif
    work = (global_length > 0)
  };
#endif
  do
  :: i < PROCESSORS && !work ->
     atomic {
#ifndef MUTANT_NO_WORKER_FENCE
       drain(me);
#endif
       work = (ring[i] > 0);
       i++
     }
  :: else -> i = 0; break
  od;
#ifdef MUTANT_GLOBAL_READ_LAST
  work = work || (global_length > 0)
#endif
}

proctype worker(byte me) {
  byte p = me;
  bool spins, call, reported, work, last;
  byte i, got, x, q;
#ifdef MUTANT_STOLEN_PUSHED_LATE
  byte rest;
#endif

#if WORKERS > PROCESSORS
  if
  :: p >= PROCESSORS -> p = NOBODY; goto commit
  :: else
  fi;
#endif
top:
  atomic {
    drain(me);
    if
#ifdef MUTANT_TWO_IN_HAND
    :: ring[p] > 1 -> ring[p] = ring[p] - 2; goto two_in_hand
#endif
    :: ring[p] > 0 -> ring[p]--; goto found
    :: ring[p] == 0 && global_length > 0 ->
       lock(me);
       if
       :: global > 0 -> take_global(); goto batch
       :: else
       fi
    :: else
    fi
  };
  if
  :: atomic { events > 0 -> got = events; events = 0; goto polled }
  :: true
#ifdef MUTANT_CONSUME_WAKE
  :: atomic { eventfd -> eventfd = false }
#endif
  fi;
  if
  :: !spins && 2 * spinning < PROCESSORS - idle_processors -> atomic { spinning++; spins = true }
  :: else
  fi;
  if
  :: spins ->
     do
     :: i < PROCESSORS ->
        atomic {
          if
          :: i != p && ring[i] > 0 ->
             got = ring[i] - ring[i] / 2;
             ring[i] = ring[i] - got;
#ifdef MUTANT_STOLEN_PUSHED_LATE
             rest = got - 1;
#else
             if
             :: got > 1 -> push(me, p, got - 1)
             :: else
             fi;
#endif
             got = 0; i = 0;
             goto found
          :: else -> i++
          fi
        }
     :: else -> i = 0; break
     od
  :: else
  fi;

  /* Step 3: release the processor. */
  atomic {
    lock(me);
    if
    :: global > 0 -> take_global(); goto batch
    :: else ->
       assert(ring[p] == 0);
       p_idle[p] = true; p_idle_count++; p = NOBODY;
       unlock_late(me)
    fi
  };

  /* Step 4: look again. */
#ifdef MUTANT_RECHECK_BEFORE_DECREMENT
  any_work();
  if
  :: spins -> atomic { stop_spinning(); spins = false }
  :: else
  fi;
#else
  if
  :: spins -> atomic { stop_spinning(); spins = false }
#ifdef MUTANT_RECHECK_ONLY_IF_SPINNING
  :: else -> goto commit
#else
  :: else
#endif
  fi;
#ifndef MUTANT_NO_RECHECK
  any_work();
#endif
#endif
  if
  :: !work -> goto commit
  :: else -> work = false
  fi;
  atomic {
    lock(me);
    if
    :: p_idle_count > 0 -> take_processor(p); publish()
    :: else -> goto commit
    fi
  };
#ifndef MUTANT_SEEN_DOES_NOT_SPIN
  atomic { spinning++; spins = true };
#endif
  goto top;

  /* Step 5: commit to sleep. */
commit:
  atomic {
    lock(me);
    if
    :: need_search ->
       need_search = false;
       if
       :: p_idle_count > 0 ->
          take_processor(p); publish();
#ifndef MUTANT_SEARCHER_DOES_NOT_SPIN
          spinning++; spins = true;
#endif
          goto top
       :: else
       fi
    :: else
    fi;
    if
    :: !poller ->
       poller = true;
#ifdef WATCHED
       seat_wanted = false
#endif
    :: else -> m_parked[me] = true; goto end_parked
    fi
  };

  /* The poller. */
  if
  :: atomic { events > 0 -> got = events; events = 0; goto leave }
  :: true
  fi;
  atomic {
    if
    :: wake_word == NONE -> wake_word = BLOCKED
#ifdef MUTANT_BLIND_BLOCK
    :: else -> wake_word = BLOCKED
#elif defined(MUTANT_SIGNAL_KEPT)
    :: else -> goto leave
#else
    :: else -> wake_word = NONE; goto leave
#endif
    fi
  };
end_blocked:
  atomic { (eventfd || events > 0) -> got = events; events = 0; reported = eventfd };
  if
  :: reported -> atomic { eventfd = false; reported = false }
  :: else
  fi;
  wake_word = NONE;
leave:
  atomic {
    lock(me);
    poller = false;
    if
    :: p_idle_count > 0 ->
       take_processor(p);
#ifndef MUTANT_POLLER_LEAVES_WITHOUT_SPINNING
       spinning++; spins = true;
#endif
#if defined(WATCHED) && !defined(MUTANT_SEAT_LEFT_EMPTY)
       seat_wanted = true;
#endif
       publish()
    :: else -> global = global + got; got = 0; publish(); goto commit
    fi;
    if
    :: got > 0 -> goto polled
    :: else -> goto top
    fi
  };

end_parked:
  atomic {
    handed[me] != NOBODY -> p = handed[me]; handed[me] = NOBODY; spins = true; goto top
  };

  /* Something was found: a batch (one in hand, got more, the lock held), or got from a poll. */
batch:
  atomic {
    if
    :: got > 0 ->
#if defined(MUTANT_BATCH_AFTER_UNLOCK)
       ring[p] = ring[p] + got;
#elif defined(MUTANT_BATCH_COUNTED_FIRST)
       ring[p] = ring[p] + got; locked = false;
#else
       publish(); locked = false;
#endif
       got = 0
    :: else
    fi;
    goto found
  };
#ifdef MUTANT_TWO_IN_HAND
two_in_hand:
  atomic { push(me, p, 1); goto found };
#endif
polled:
  atomic {
    if
    :: got > 1 -> push(me, p, got - 1);
#ifndef MUTANT_SURPLUS_WITHOUT_WAKE
       call = !spins
#endif
    :: else
    fi;
    got = 0
  };
found:
  if
  :: spins ->
     atomic {
       drain(me); stop_spinning(); spins = false;
       last = (spinning == 0)
     };
#ifndef MUTANT_LAST_SPINNER_DOES_NOT_REPLACE
     if
     :: last ->
        any_work();
        atomic { call = work; work = false };
#ifdef WATCHED
        call = call || seat_wanted
#endif
     :: else
     fi;
#endif
     last = false
  :: else
  fi;
#ifdef MUTANT_STOLEN_PUSHED_LATE
  if
  :: rest > 0 -> atomic { push(me, p, rest); rest = 0 }
  :: else
  fi;
#endif
  if
  :: call -> wake_one(me)
  :: else
  fi;

  /* Run it. */
  if
  :: true
  :: atomic { spawns_left > 0 -> spawns_left--; submitted++; push(me, p, 1) };
     wake_one(me)
  fi;
  if
  :: atomic { true -> ran++; goto top }
  :: computing++; atomic { may_end -> may_end = false; computing--; ran++; goto top }
  fi
}

/* A thread outside.  They are all alike, so they may as well begin in turn. */
proctype submitter(byte me) {
  byte n, x, q;
  bool call;
  do
  :: n < TASKS ->
     atomic {
       submitted >= me - WORKERS; lock(me);
       global++; submitted++; n++;
       unlock_late(me)
     };
     wake_one(me)
  :: else -> break
  od
}

proctype network() {
  byte n;
  do
  :: n < EVENTS -> atomic { events++; submitted++; n++ }
  :: else -> break
  od
}

/* The store buffers drain when they like. */
proctype memory() {
end_memory:
  do
  :: atomic { late[0] != EMPTY -> drain(0) }
  :: atomic { late[1] != EMPTY -> drain(1) }
#if WORKERS + SUBMITTERS > 2
  :: atomic { late[2] != EMPTY -> drain(2) }
#endif
#if WORKERS + SUBMITTERS > 3
  :: atomic { late[3] != EMPTY -> drain(3) }
#endif
#if WORKERS + SUBMITTERS > 4
  :: atomic { late[4] != EMPTY -> drain(4) }
#endif
  od
}

/* Whenever all stands still: check, then let one of the tasks that compute come to its end. */
proctype monitor() {
  byte i, queued, idle;
  do
  :: atomic {
       timeout ->
       queued = global;
       do
       :: i < PROCESSORS -> queued = queued + ring[i]; idle = idle + p_idle[i]; i++
       :: else -> break
       od;
       assert(!locked && spinning == 0);
       assert(idle == p_idle_count && idle_processors == idle && global_length == global);
       assert(idle == 0 || queued == 0);
#ifdef WATCHED
       assert(idle == 0 || events == 0);
#endif
       i = 0; queued = 0; idle = 0;
       if
       :: computing > 0 -> may_end = true
       :: else -> break
       fi
     }
  od;
  assert(ran == submitted && events == 0);
  assert(p_idle_count == PROCESSORS && poller && wake_word == BLOCKED)
}

init {
  byte i;
  atomic {
    do
    :: i < WORKERS -> handed[i] = NOBODY; run worker(i); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < SUBMITTERS -> run submitter(WORKERS + i); i++
    :: else -> break
    od;
    i = 0;
    run network(); run memory(); run monitor()
  }
}
