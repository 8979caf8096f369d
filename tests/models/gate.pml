/*
The end of a descriptor: gate, handle and closers
=================================================

The problem.  The system hands out the number of a closed descriptor again at once.  So nobody may
make a system call on a number that was given back, although operations, closers, aborts and the end
of the handle come from any thread at any moment; the number must be given back, once; who waits for
that must be told, once; and the poll descriptor must go back to its table when nobody names it any
more, neither earlier nor never.

The protocol (runtime/netpoll/gate.hpp, runtime/descriptor.cpp).

 handle     word: FRESH (no poll descriptor yet), OCCUPIED (somebody uses the number bare, or
            attaches), ATTACHED, CLOSED.  Whoever finds it occupied waits.
 gate       one word, each move a read-modify-write: inside, reading, closed, shut, held
 operation  attach; enter, refused once closed; system calls; arm, look whether the gate is closed,
            take itself back or park; leave: the last one out of a closed gate shuts
 call       bare on a fresh handle; else enter, system call, leave
 closer     1. registers, the first one alone   2. closes the gate   3. evicts   4. shuts if nobody
            was inside.  If an abort had closed before it: takes its registration back, or, if that
            is gone, waits to be told.
 abort      closes the gate; shuts if nobody was inside, else evicts
 drop       the end of the handle: word = CLOSED, as an abort, then not held; recycles if shut
 shutting   the poller forgets the number, at once or when the kernel has; the number goes back;
            whoever is registered is told; shut, which recycles if not held

What is checked.  A system call finds the number open, and it is not given back while one is made.
 It is given back once.  Nobody touches the poll descriptor after it was recycled, which happens
 once.  A closer that waits is told once, after the number went back.  When nothing can move any
 more all have come to their end: nobody is left in the slot, no closer waits.

Memory.  Each word is changed by read-modify-writes alone, so there is nothing to be late but what
 slot.pml walks: arming against closing.

Limits.  One direction, no queue in front of it, one life of the handle.  An operation that is
 refused because another one holds the direction just ends.  The handle is destroyed when nobody
 uses it any more, as its owner must see to; operations that are inside do not use it.

The lines for run.py.  A mutant without @ runs in the first configuration.
*/
// configuration: closers -DCLOSERS=2 -DCALLS=1 -DABORTS=0
// configuration: abort   -DCLOSERS=1 -DCALLS=0 -DABORTS=1
// configuration: dropped -DCLOSERS=0 -DCALLS=1 -DABORTS=0
// larger:        all     -DCLOSERS=2 -DCALLS=1 -DABORTS=1
// mutants: CHECK_THEN_ENTER CLOSE_SHUTS_AT_ONCE SECOND_SHUTS LAST_OUT_FORGETS
// mutants: EVICT_FIRST@abort NO_CHECK_AFTER_ARM CLOSED_THEN_REGISTERED NUMBER_BEFORE_KERNEL
// mutants: OCCUPIED_TAKEN_FOR_FRESH ATTACH_STORES_LATE WAITS_BEHIND_ABORT@abort
// mutants: REGISTRATION_LEFT@abort CLOSER_READ_NOT_TAKEN@abort
// mutants: SHUT_BEFORE_TOLD@abort LET_GO_RECYCLES SHUT_RECYCLES

#define NOBODY 15

mtype = { FRESH, OCCUPIED, ATTACHED, CLOSED };
mtype word = FRESH;

/* The gate. */
byte inside;
bool reading, closed, shut;
bool handle_held = true;

/* The poll descriptor. */
bool slot;                 /* the operation's task stands in it */
byte registered = NOBODY;  /* the closer */
bool forgetting;           /* the kernel is asked to forget the number, and will say so */

/* For the checks. */
bool number_open = true;
byte calls;                /* system calls that are being made */
bool recycled;
bool completed;            /* the operation's task */
bool told[CLOSERS + 1];
byte handle_users;
bool handle_gone;
byte ended;

#define VALID assert(!recycled)

/* Waits while it is occupied; then takes it if it is fresh.  Gives what it found. */
inline occupy() {
  atomic {
#ifdef MUTANT_OCCUPIED_TAKEN_FOR_FRESH
    found = (word == OCCUPIED -> FRESH : word);
#else
    word != OCCUPIED; found = word;
#endif
    if
    :: found == FRESH -> word = OCCUPIED
    :: else
    fi
  }
}

inline system_call() {
  atomic { assert(number_open); calls++ };
  calls--
}

inline close_number() {
  atomic { assert(number_open && calls == 0); number_open = false }
}

/* Gives whether it may enter. */
inline enter(taken) {
#ifdef MUTANT_CHECK_THEN_ENTER
  VALID; may = !closed && !(taken && reading);
  atomic {
    if
    :: may -> inside++; reading = reading || taken
    :: else
    fi
  }
#else
  atomic {
    VALID;
    may = !closed && !(taken && reading);
    if
    :: may -> inside++; reading = reading || taken
    :: else
    fi
  }
#endif
}

inline leave(taken) {
  atomic {
    VALID;
    assert(inside > 0);
    inside--; reading = reading && !taken;
#ifndef MUTANT_LAST_OUT_FORGETS
    must_shut = closed && inside == 0
#endif
  };
  if
  :: must_shut -> must_shut = false; shut_descriptor()
  :: else
  fi
}

inline close_gate() {
  atomic {
    VALID;
    first = !closed; closed = true;
#if defined(MUTANT_CLOSE_SHUTS_AT_ONCE)
    must_shut = first
#elif defined(MUTANT_SECOND_SHUTS)
    must_shut = inside == 0
#else
    must_shut = first && inside == 0
#endif
  }
}

inline evict() {
  atomic {
    VALID;
    if
    :: slot -> slot = false; completed = true
    :: else
    fi
  }
}

inline recycle() { atomic { VALID; recycled = true } }

/* Uses the caller's locals who and goes, and leaves them as they were. */
inline give_back() {
  close_number();
#ifdef MUTANT_SHUT_BEFORE_TOLD
  shut_done();
#endif
#ifdef MUTANT_CLOSER_READ_NOT_TAKEN
  atomic { VALID; who = registered };
#else
  atomic { VALID; who = registered; registered = NOBODY };
#endif
  if
  :: who != NOBODY -> atomic { assert(!told[who]); told[who] = true; who = NOBODY }
  :: else
  fi;
#ifndef MUTANT_SHUT_BEFORE_TOLD
  shut_done()
#endif
}

inline shut_done() {
  atomic { VALID; assert(!shut); shut = true; goes = !handle_held };
#ifdef MUTANT_SHUT_RECYCLES
  goes = true;
#endif
  if
  :: goes -> goes = false; recycle()
  :: else
  fi
}

/* The poller forgets the number at once, or when the kernel has. */
inline shut_descriptor() {
  if
  :: give_back()
  :: atomic { VALID; forgetting = true };
#ifdef MUTANT_NUMBER_BEFORE_KERNEL
     give_back()
#endif
  fi
}

inline close_attached() {
  close_gate();
  if
#ifdef MUTANT_SECOND_SHUTS
  :: !first && must_shut -> must_shut = false; shut_descriptor()
#endif
  :: first && must_shut -> must_shut = false; shut_descriptor()
  :: first && !must_shut -> evict()
  :: !first && !must_shut
  fi
}

proctype kernel() {
  byte who = NOBODY;
  bool goes;
end_kernel:
  do
  :: atomic { forgetting -> forgetting = false }; give_back()
  od
}

proctype operation() {
  byte who = NOBODY;
  mtype found;
  bool goes, may, must_shut, waited;

  occupy();
  if
  :: found == FRESH ->
#ifdef MUTANT_ATTACH_STORES_LATE
     word = FRESH;
#endif
     /* The poller watches it from here on. */
     system_call();
     word = ATTACHED
  :: found == CLOSED -> goto done
  :: found == ATTACHED
  fi;
  enter(true);
  handle_users--;
  if
  :: !may -> goto over
  :: else
  fi;
try_again:
  if
  :: atomic { closed -> VALID; goto out }
  :: atomic { !closed -> VALID }
  fi;
  system_call();
  if
  :: goto out                     /* the result */
  :: !waited -> waited = true     /* would block */
  fi;
  atomic { VALID; slot = true };
#ifndef MUTANT_NO_CHECK_AFTER_ARM
  if
  :: atomic {
       closed -> VALID;
       if
       :: slot -> slot = false; goto out
       :: else
       fi
     }
  :: atomic { !closed -> VALID }
  fi;
#endif
  /* Parked, until it is evicted or readiness comes. */
  if
  :: atomic { completed -> completed = false }
  :: atomic { slot && !closed -> slot = false }
  fi;
  goto try_again;
out:
  leave(true);
  goto over;
done:
  handle_users--;
over:
  ended++
}

proctype call() {
  byte who = NOBODY;
  mtype found;
  bool goes, may, must_shut;

  occupy();
  if
  :: found == FRESH -> system_call(); word = FRESH; handle_users--
  :: found == CLOSED -> handle_users--
  :: found == ATTACHED ->
     enter(false);
     handle_users--;
     if
     :: may -> system_call(); leave(false)
     :: else
     fi
  fi;
  ended++
}

proctype closer(byte me) {
  byte who = NOBODY;
  mtype found;
  bool goes, first, must_shut;

  occupy();
  if
  :: found == FRESH -> word = CLOSED; close_number(); goto refused
  :: found == CLOSED -> goto refused
  :: found == ATTACHED
  fi;
#ifdef MUTANT_CLOSED_THEN_REGISTERED
  close_gate();
#endif
  atomic {
    VALID;
    if
    :: registered == NOBODY -> registered = me
    :: else -> goto refused
    fi
  };
#ifndef MUTANT_CLOSED_THEN_REGISTERED
#ifdef MUTANT_EVICT_FIRST
  evict();
#endif
  close_gate();
#endif
#ifndef MUTANT_WAITS_BEHIND_ABORT
  if
  :: !first ->
#ifdef MUTANT_REGISTRATION_LEFT
     goto refused
#else
     atomic {
       VALID;
       if
       :: registered == me -> registered = NOBODY; goto refused
       :: else -> goto waits
       fi
     }
#endif
  :: else
  fi;
#endif
#ifndef MUTANT_EVICT_FIRST
  evict();
#endif
  if
  :: must_shut -> must_shut = false; shut_descriptor()
  :: else
  fi;
waits:
  handle_users--;
  atomic { told[me] -> assert(!number_open); ended++; goto gone };
refused:
  handle_users--;
  /* It has its answer; its operation is gone, and must not be written to. */
  atomic { assert(!told[me]); told[me] = true; ended++ };
gone:
  skip
}

proctype abort() {
  byte who = NOBODY;
  mtype found;
  bool goes, first, must_shut;

  occupy();
  if
  :: found == FRESH -> word = CLOSED; close_number()
  :: found == CLOSED
  :: found == ATTACHED -> close_attached()
  fi;
  handle_users--;
  ended++
}

proctype drop() {
  byte who = NOBODY;
  mtype found;
  bool goes, first, must_shut, last;

  atomic { handle_users == 0 -> assert(word != OCCUPIED); found = word; word = CLOSED };
  if
  :: found == FRESH -> close_number()
  :: found == CLOSED
  :: found == ATTACHED ->
     close_attached();
     atomic { VALID; handle_held = false; last = shut };
#ifdef MUTANT_LET_GO_RECYCLES
     last = true;
#endif
     if
     :: last -> recycle()
     :: else
     fi
  fi;
  handle_gone = true
}

/* When all stands still, all have come to their end. */
proctype judge() {
  timeout;
  assert(ended == handle_users + 1 + CALLS + CLOSERS + ABORTS && handle_gone);
  assert(!number_open && calls == 0 && inside == 0 && !slot && registered == NOBODY);
  assert(recycled == !handle_held && shut == recycled)
}

init {
  byte i;
  atomic {
    handle_users = 1 + CALLS + CLOSERS + ABORTS;
    run kernel(); run operation(); run drop(); run judge();
#if CALLS > 0
    run call();
#endif
    do
    :: i < CLOSERS -> run closer(i); i++
    :: else -> break
    od;
#if ABORTS > 0
    run abort()
#endif
  }
}
