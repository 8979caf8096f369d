/*
Losing the processor, and coming back without it
================================================

The problem.  User code blocks its thread without saying so.  sysmon takes the processor away, with
all that is queued there, and gives it to another thread; the blocked one may come back in any
moment, and at once writes to what it takes for its own.  It finds out at its next entry into the
runtime, which must cost next to nothing: no fence, no read-modify-write.  So the worker's store
`inside = true` may still lie in its store buffer while it reads `asked`, and only the heavy fence
of sysmon (membarrier) makes up for that.  One wrong order and two threads hold one processor, which
a test meets once in a million hand-offs; a subtler one and the processor lies idle with its queue
full, because everybody took somebody else for the one to be woken.

The protocol (runtime/sched/tenure.hpp, oversee.cpp, sleep.cpp).

 worker   enter: inside = true; read asked.  0: p is ours.  1: lock and unlock, which waits for
          sysmon; clear asked; p tells.  leave: inside = false
 sysmon   for each processor, its holder m, if there is anybody for it (who is parked, the poller, a
          thread to be started), under the lock of m's tenure: asked = 1; heavy fence;
          inside is true, or m has another processor by now: asked = 0, m keeps it.  Else p = null,
          and hand off.  Unlock, wake_one().
 hand off under the scheduler's lock: m is lost, lost++; the next slot is shared; the processor has
          no holder and is idle, its queue as it was
 late     a worker that comes back without its processor goes on: what it spawns or wakes goes
          through the global queue.  Back in its loop, under the scheduler's lock: no longer lost,
          lost--.  Then it looks into all queues and takes an idle processor if there is work; else
          it goes to sleep.
 scope    a worker that is about to block and says so hands its processor off itself, inside of an
          entry, by the same steps
 sleep    a worker takes the poller's seat only if some processor is idle, else it parks
 wake_one if a processor is idle and nobody spins, under the scheduler's lock: a parked worker gets
          it; else the poller is woken; else, if machines - lost < processors, and there are not yet
          as many as there may be, a thread is started; else need_search

What is checked.  In every state: nobody holds a processor that another one is at work on, and it is
 not taken from somebody at work; who gets it sees all that was written to it; an entry that reads
 asked = 0 has been told of each loss before, by the lock.
 When nothing can move any more but what blocks: each processor is idle or held by somebody, once;
 lost counts those who are lost, and they hold nothing; nobody spins; no work is queued beside an
 idle processor.  After a look of sysmon also: no worker that blocks has kept its processor, and the
 network is watched.  Both with one way out: all the threads that there may be block.
 At the end all tasks have run, lost is 0, and the seat is taken.
 In a "cycles" configuration: nobody runs in circles for ever under a fair scheduler.

Memory.  Each worker has a buffer of DELAY stores, first in first out: inside, one bit of what the
 holder alone writes to its processor, pushes to the ring.  It drains at any moment of its own, and
 at the worker's next fence, lock or read-modify-write; sysmon's heavy fence drains it at some
 moment within the call.  With -DFALLBACK there is no heavy fence: each entry has a full one.

Limits.
   - Stores that are late in order, as on x86.  Other machines, where loads are early too, have the
     release of leave() and the lock for what is here the order of the buffer; that p is read
     behind the lock, and not only after it in time, is what the check of asked = 0 stands for.
   - How workers find and share work is taken in coarse steps: park_wake.pml walks them in fine
     ones.  Here the search is one step for each kind of queue, a critical section is one, and a
     task that is taken from the global queue comes alone.
   - A wake-up of the poller is one bit.
   - sysmon takes from whoever is in user code, at any moment; when it should is no matter of
     correctness.  A task that blocks does so until everything else stands still.
   - At most two processors, and as many threads as MACHINES says.  No timers.

What the model taught. The worker that takes the seat though no processor is idle breaks nothing
that is checked here: it would come back for each event without being able to run it, which is a
cost and no error. The next slot must be shared with the hand-off itself: wake_one() wakes nobody
while somebody spins, and who spins does not look there; or the one who is woken gets another
processor (NEXT_NOT_SHARED). To look whether there is anybody for a processor, before it is taken,
breaks nothing and is not needed. And the holder must be cleared with the hand-off, under the
lock: else a second look at the same processor takes asked back before the worker has seen it
(HOLDER_KEPT).

The lines for run.py.  A mutant without @ runs in the first configuration.
*/
// configuration: one      -DDELAY=3 -DBLOCKS=1 -DENTRIES=1 -DSPAWNS=1 -DLOOKS=1
// configuration: fallback -DFALLBACK -DBLOCKS=1 -DENTRIES=1 -DSPAWNS=1 -DLOOKS=1
// configuration: cap      -DTASKS=3 -DBLOCKS=3
// configuration: surplus  -DMACHINES=3 -DTASKS=2 -DEVENTS=1 -DBLOCKS=2 -DSCOPES=1
// configuration: two      -DPROCESSORS=2 -DMACHINES=3 -DTASKS=2 -DBLOCKS=2 -DSCOPES=1
// configuration: events   -DPROCESSORS=2 -DMACHINES=3 -DEVENTS=1 -DBLOCKS=2
// configuration: next     -DPROCESSORS=2 -DBLOCKS=1 -DSPAWNS=1
// cycles:        endless  -DTASKS=3 -DBLOCKS=2
// larger:        entries  -DDELAY=3 -DBLOCKS=1 -DENTRIES=2 -DSPAWNS=1 -DLOOKS=1
// larger:        two_all  -DPROCESSORS=2 -DMACHINES=3 -DTASKS=2 -DEVENTS=1 -DBLOCKS=2 -DSCOPES=1
// larger:        spawns   -DPROCESSORS=2 -DMACHINES=3 -DBLOCKS=1 -DSPAWNS=1
// larger:        two_deep -DPROCESSORS=2 -DMACHINES=3 -DBLOCKS=1 -DENTRIES=1 -DSPAWNS=1
// mutants: NO_HEAVY_FENCE FENCE_BEFORE_ASKED ASKED_IGNORED LOOK_DOES_NOT_WAIT LEAVE_EARLY
// mutants: RESTORED_LATE WRONG_PROCESSOR@two HOLDER_KEPT@events NO_FENCE_IN_LOOK@fallback
// mutants: NOBODY_WOKEN SCOPE_WAKES_NOBODY@surplus NEXT_NOT_SHARED@next
// mutants: LOST_NOT_COUNTED LOST_COUNTED_LATE LOST_UNTIL_ASLEEP
// mutants: SURPLUS_WAITS_AWAKE@endless

#ifndef PROCESSORS
#define PROCESSORS 1
#endif
#ifndef MACHINES
#define MACHINES 2
#endif
#ifndef DELAY
#define DELAY 2
#endif
#ifndef TASKS
#define TASKS 1
#endif
#ifndef EVENTS
#define EVENTS 0
#endif
#ifndef BLOCKS
#define BLOCKS 0
#endif
#ifndef ENTRIES
#define ENTRIES 0
#endif
#ifndef SPAWNS
#define SPAWNS 0
#endif
#ifndef SCOPES
#define SCOPES 0
#endif
#ifndef LOOKS
#define LOOKS 0
#endif
#define NOBODY 15

/* The tenure of each machine; what stands in memory, see the buffers below. */
bool inside[MACHINES] = true;
bool asked[MACHINES];
bool tenure_locked[MACHINES];
byte held[MACHINES] = NOBODY;          /* machine::p */

/* The processors.  data: what the holder alone writes there, one bit of it. */
byte ring[PROCESSORS];
bool next[PROCESSORS];                 /* a task that only the holder takes */
byte holder[PROCESSORS] = NOBODY;
bool data[PROCESSORS];

/* Read without the lock as well. */
byte spinning;
byte global = TASKS;
byte p_idle_count = PROCESSORS;

/* Under the scheduler's lock. */
bool p_idle[PROCESSORS] = true;
bool m_parked[MACHINES];
bool m_lost[MACHINES];
byte lost;
byte started = 1;
bool poller;
bool need_search;

/* The parker of each machine, also the start of its thread; the poller's bell, and the network. */
byte handed[MACHINES] = NOBODY;
bool bell;
byte events;

/* How much is to happen. */
byte blocks_left = BLOCKS;
byte entries_left = ENTRIES;
byte scopes_left = SCOPES;
byte spawns_left = SPAWNS;
byte looks_left = LOOKS;

/* For the checks. */
byte submitted = TASKS;
byte ran;
byte blocked;
bool may_end;
bool look;                             /* sysmon is to */
byte looked;                           /* so often, and nobody has blocked since */
byte touches[PROCESSORS] = NOBODY;     /* the worker that is at work on it */
bool written[PROCESSORS];              /* what data will be when all stores have arrived */
bool untold[MACHINES];                 /* taken, and the lock has not told it yet */

/* The store buffers. */
#define IN 0
#define OUT 1
#define DATA(p) (2 + 2 * (p))
#define PUSH(p) (3 + 2 * (p))
chan buffer[MACHINES] = [DELAY] of { byte };

inline arrive(m) {
  buffer[m] ? e;
  if
  :: e == IN -> inside[m] = true
  :: e == OUT -> inside[m] = false
  :: e > OUT && e % 2 == 0 -> data[(e - 2) / 2] = !data[(e - 2) / 2]
  :: e > OUT && e % 2 == 1 -> ring[(e - 3) / 2]++
  fi;
  e = 0
}

inline drain(m) {
  do
  :: nempty(buffer[m]) -> arrive(m)
  :: empty(buffer[m]) -> break
  od
}

inline release_idle(p) {
  p_idle[p] = true; p_idle_count++;
#ifndef MUTANT_HOLDER_KEPT
  holder[p] = NOBODY
#endif
}

/* Under the lock: the processor goes from a worker that blocks to anybody.  The task in the next
   slot goes along. */
inline hand_off(from, p) {
#if !defined(MUTANT_LOST_NOT_COUNTED) && !defined(MUTANT_LOST_COUNTED_LATE)
  m_lost[from] = true; lost++;
#endif
#ifndef MUTANT_NEXT_NOT_SHARED
  ring[p] = ring[p] + next[p]; next[p] = false;
#endif
  release_idle(p)
}

inline come_back() {
  if
  :: m_lost[me] -> m_lost[me] = false; lost--
  :: else
  fi
}

/* Any of the idle ones: which it is, the list decides. */
inline take_idle(to) {
  if
  :: p_idle[0] -> to = 0
#if PROCESSORS > 1
  :: p_idle[1] -> to = 1
#endif
  fi;
  p_idle[to] = false;
  p_idle_count--
}

inline touch(p) {
  assert(touches[p] == NOBODY);
  touches[p] = me
}

/* It has it from the lock, or by the parker. */
inline hold(p) {
  touch(p);
  assert(data[p] == written[p]);
  held[me] = p;
  holder[p] = me
}

inline stop_spinning() { assert(spinning > 0); spinning-- }
inline spin() { spinning++; spins = true }

/* Uses the caller's locals call, x and q, and leaves them zero. */
inline wake_one() {
  atomic {
    if
    :: p_idle_count > 0 && spinning == 0 -> spinning = 1; call = true
    :: else
    fi
  };
  if
  :: call ->
     atomic {
       call = false;
       do
       :: x < MACHINES && !m_parked[x] -> x++
       :: else -> break
       od;
       if
       :: p_idle_count == 0 -> stop_spinning()
       :: p_idle_count > 0 && x < MACHINES ->
          m_parked[x] = false; take_idle(q); handed[x] = q
       :: p_idle_count > 0 && x == MACHINES && poller -> stop_spinning(); bell = true
       :: p_idle_count > 0 && x == MACHINES && !poller ->
          if
          :: started - lost < PROCESSORS && started < MACHINES ->
             take_idle(q); handed[started] = q; started++
          :: else -> stop_spinning(); need_search = true
          fi
       fi;
       x = 0; q = 0
     }
  :: else
  fi
}

/* From user code into the runtime; afterwards held[me] tells whether the processor is there. */
inline enter() {
  buffer[me] ! IN;
#if defined(FALLBACK) && !defined(MUTANT_NO_FENCE_IN_LOOK)
  atomic { drain(me) };
#endif
#ifndef MUTANT_ASKED_IGNORED
  if
  :: atomic { !asked[me] -> assert(!untold[me]) }
  :: asked[me] ->
#ifdef MUTANT_LOOK_DOES_NOT_WAIT
     atomic { drain(me); asked[me] = false; untold[me] = false }
#else
     atomic { !tenure_locked[me] -> drain(me); asked[me] = false; untold[me] = false }
#endif
  fi;
#endif
  atomic {
    if
    :: held[me] != NOBODY -> touch(held[me])
    :: else
    fi
  }
}

/* What an entry does to the processor. */
inline change(p) {
  assert(touches[p] == me);
  written[p] = !written[p];
  buffer[me] ! DATA(p)
}

inline leave() {
#ifdef MUTANT_LEAVE_EARLY
  atomic { buffer[me] ! OUT };
  atomic {
    if
    :: held[me] != NOBODY -> change(held[me]); touches[held[me]] = NOBODY
    :: else
    fi
  }
#else
  atomic {
    if
    :: held[me] != NOBODY -> touches[held[me]] = NOBODY
    :: else
    fi;
    buffer[me] ! OUT
  }
#endif
}

inline inject() {
  atomic { drain(me); global++; submitted++ };
  wake_one()
}

proctype worker(byte me) {
  bool spins, call, work;
  byte e, x, q, got;

  if
  :: me == 0 -> goto without
  :: else -> goto end_parked
  fi;

top:
  atomic {
    drain(me);
    if
    :: next[held[me]] -> next[held[me]] = false; goto found
    :: !next[held[me]] && ring[held[me]] > 0 -> ring[held[me]]--; goto found
    :: !next[held[me]] && ring[held[me]] == 0 && global > 0 -> global--; goto found
    :: else -> got = events; events = 0;
       if
       :: got > 0 -> ring[held[me]] = got - 1; got = 0; goto found
       :: else
       fi
    fi
  };
#if PROCESSORS > 1
  atomic {
    if
    :: !spins && 2 * spinning < PROCESSORS - p_idle_count -> spin()
    :: else
    fi
  };
  atomic {
    if
    :: spins && ring[1 - held[me]] > 0 -> ring[1 - held[me]]--; goto found
    :: else
    fi
  };
#endif

  /* Nothing: release the processor. */
  atomic {
    if
    :: global > 0 -> goto top
    :: else ->
       assert(ring[held[me]] == 0 && !next[held[me]]);
       touches[held[me]] = NOBODY;
       release_idle(held[me]);
       held[me] = NOBODY
    fi
  };
  atomic {
    if
    :: spins -> stop_spinning(); spins = false
    :: else
    fi
  };
  goto again;

  /* Without a processor: it was taken, or the poller found none idle. */
without:
  atomic {
    drain(me);
#ifndef MUTANT_LOST_UNTIL_ASLEEP
    come_back()
#endif
  };

again:
  atomic {
    work = (global > 0 || ring[0] > 0);
#if PROCESSORS > 1
    work = work || ring[1] > 0
#endif
  };
  atomic {
    if
    :: work && p_idle_count > 0 ->
       take_idle(q); hold(q); q = 0;
       spin(); work = false;
       goto top
#ifdef MUTANT_SURPLUS_WAITS_AWAKE
    :: work && p_idle_count == 0 -> goto again
#endif
    :: else -> work = false
    fi
  };

  /* The last step into sleep. */
commit:
  atomic {
#ifdef MUTANT_LOST_UNTIL_ASLEEP
    come_back();
#endif
    if
    :: need_search && p_idle_count > 0 ->
       need_search = false;
       take_idle(q); hold(q); q = 0;
       spin();
       goto top
    :: else -> need_search = false
    fi;
    if
    :: !poller && p_idle_count > 0 -> poller = true
    :: else -> m_parked[me] = true; goto end_parked
    fi
  };
end_seat:
  atomic { bell || events > 0 -> bell = false; got = events; events = 0 };
  atomic {
    poller = false;
    if
    :: p_idle_count > 0 ->
       take_idle(q); hold(q); q = 0;
       spin();
       ring[held[me]] = ring[held[me]] + got; got = 0;
       goto top
    :: else -> global = global + got; got = 0; goto without
    fi
  };

end_parked:
  atomic {
    handed[me] != NOBODY ->
    hold(handed[me]); handed[me] = NOBODY; spins = true;
    goto top
  };

found:
  if
  :: spins ->
     atomic {
       stop_spinning(); spins = false;
       call = (spinning == 0 && (global > 0 || ring[0] > 0
#if PROCESSORS > 1
         || ring[1] > 0
#endif
         ))
     };
     if
     :: call -> call = false; wake_one()
     :: else
     fi
  :: else
  fi;

  /* Run it. */
  leave();
  do
  :: true -> break
  :: atomic { blocks_left > 0 -> blocks_left--; blocked++; looked = 0 };
     atomic { may_end -> may_end = false; blocked-- }
  :: atomic { entries_left > 0 -> entries_left-- };
     enter();
     if
     :: held[me] != NOBODY -> atomic { change(held[me]) }
     :: else
     fi;
     leave()
  :: atomic { spawns_left > 0 -> spawns_left-- };
     enter();
     if
     :: held[me] == NOBODY -> inject()
     :: else ->
        atomic {
          submitted++;
          change(held[me]);
          if
          :: !next[held[me]] -> drain(me); next[held[me]] = true; goto pushed
          :: buffer[me] ! PUSH(held[me])
          fi
        };
#if PROCESSORS > 1
        atomic { drain(me) };
        wake_one();
#endif
pushed:
        skip
     fi;
     leave()
  :: atomic { scopes_left > 0 -> scopes_left-- };
     enter();
     if
     :: held[me] == NOBODY
     :: else ->
        atomic {
          drain(me);
          touches[held[me]] = NOBODY;
          hand_off(me, held[me])
        };
        held[me] = NOBODY;  /* Nobody looks: it is inside. */
#ifndef MUTANT_SCOPE_WAKES_NOBODY
        wake_one()
#endif
     fi;
     leave();
     atomic { blocked++; looked = 0 };
     atomic { may_end -> may_end = false; blocked-- }
  od;
  enter();
  ran++;
  if
  :: held[me] == NOBODY -> goto without
  :: else -> goto top
  fi
}

/* sysmon.  Here it takes from whoever it finds in user code; in truth it has reasons. */
proctype sysmon() {
  byte p, m, e, x, q;
  bool call, out;
#ifdef MUTANT_RESTORED_LATE
  bool mine;
#endif
end_asleep:
  do
  :: atomic { looks_left > 0 || look -> m = NOBODY }
     do
     :: p < PROCESSORS ->
        m = holder[p];
        /* Is there anybody for it? */
        if
        :: atomic { m != NOBODY ->
             do
             :: x < MACHINES && !m_parked[x] -> x++
             :: else -> break
             od;
             call = x < MACHINES || poller ||
                    (started - lost - 1 < PROCESSORS && started < MACHINES);
             x = 0
           }
        :: m == NOBODY
        fi;
        if
        :: !call
        :: call ->
           call = false;
           atomic { !tenure_locked[m] -> tenure_locked[m] = true };
#ifndef MUTANT_FENCE_BEFORE_ASKED
           asked[m] = true;
#endif
#if !defined(FALLBACK) && !defined(MUTANT_NO_HEAVY_FENCE)
           atomic { drain(m) };
#endif
#ifdef MUTANT_FENCE_BEFORE_ASKED
           asked[m] = true;
#endif
#ifdef MUTANT_RESTORED_LATE
           mine = (held[m] == p && !inside[m]);
           if
           :: mine -> held[m] = NOBODY
           :: else
           fi;
#endif
           out = !inside[m];
           if
#ifdef MUTANT_WRONG_PROCESSOR
           :: out ->
#elif defined(MUTANT_RESTORED_LATE)
           :: out && mine ->
#else
           :: out && held[m] == p ->
#endif
              atomic { assert(touches[p] == NOBODY); held[m] = NOBODY; untold[m] = true };
              atomic { hand_off(m, p) };
              tenure_locked[m] = false;
#ifndef MUTANT_NOBODY_WOKEN
              wake_one();
#endif
#ifdef MUTANT_LOST_COUNTED_LATE
              atomic { m_lost[m] = true; lost++ }
#endif
           :: else ->
              asked[m] = false;
              tenure_locked[m] = false;
#ifdef MUTANT_RESTORED_LATE
              if
              :: mine -> held[m] = p
              :: else
              fi
#endif
           fi;
           out = false
        fi;
        m = 0;
        p++
     :: else -> break
     od;
     atomic {
       p = 0;
       if
       :: look -> look = false
       :: else -> looks_left--
       fi
     }
  od
}

proctype network() {
  byte n;
  do
  :: n < EVENTS -> atomic { events++; submitted++; n++ }
  :: else -> break
  od
}

/* The stores arrive when they like. */
proctype memory() {
  byte e;
end_memory:
  do
  :: atomic { nempty(buffer[0]) -> arrive(0) }
#if MACHINES > 1
  :: atomic { nempty(buffer[1]) -> arrive(1) }
#endif
#if MACHINES > 2
  :: atomic { nempty(buffer[2]) -> arrive(2) }
#endif
#if MACHINES > 3
  :: atomic { nempty(buffer[3]) -> arrive(3) }
#endif
  od
}

/* Whenever all stands still: check, and then sysmon looks, or a task that blocks comes back, or
   both at once. */
proctype monitor() {
  byte i, queued, count;
  bool all_block;
  do
  :: atomic {
       timeout ->
       all_block = (blocked == MACHINES && started == MACHINES);
       assert(spinning == 0);
       queued = global;
       do
       :: i < PROCESSORS ->
          queued = queued + ring[i] + (p_idle[i] && next[i]); count = count + p_idle[i];
          assert(data[i] == written[i]);
          assert(p_idle[i] || held[holder[i]] == i);
          assert(p_idle[i] || looked < PROCESSORS || all_block);
          i++
       :: else -> break
       od;
       assert(count == p_idle_count);
       i = 0; count = 0;
       do
       :: i < MACHINES ->
          count = count + m_lost[i];
          assert(!m_lost[i] || held[i] == NOBODY);
          assert(!m_parked[i] || p_idle_count == 0 || queued == 0);
          i++
       :: else -> break
       od;
       assert(count == lost);
       i = 0; count = 0;
       /* Work beside an idle processor: then there is nobody to do it, and nobody to be had. */
       assert(p_idle_count == 0 || queued == 0 || all_block);
       /* Once sysmon has looked, as often as there may be somebody new, the network is watched. */
       assert(looked < PROCESSORS || poller || all_block);
       queued = 0; all_block = false;
       if
       :: blocked > 0 && looked < PROCESSORS -> look = true; looked++
       :: blocked > 0 -> may_end = true; looked = 0
       :: blocked > 0 -> look = true; looked = 0; may_end = true
       :: blocked == 0 -> break
       fi
     }
  od;
  assert(ran == submitted && lost == 0 && events == 0);
  assert(p_idle_count == PROCESSORS && poller)
}

init {
  byte i;
  atomic {
    do
    :: i < MACHINES -> run worker(i); i++
    :: else -> break
    od;
    run sysmon(); run network(); run memory(); run monitor()
  }
}
