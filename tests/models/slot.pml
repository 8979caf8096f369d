/*
Waiting for a descriptor: slot, latch and gate
==============================================

The problem.  The holder of a direction makes its system call, is told that it would block, and
waits in the slot.  The kernel reports edges to a poller, on another thread: one for each arrival,
never again for the same.  A closer takes everybody out of a descriptor that goes.  Each of the
three stores one word and then reads another one's; where a store is still in its processor's
buffer when the read is made, each misses the other, and a task waits for ever beside its data.
x86 delays stores in this way, but the kernel's own locks drain the buffer before a system call
looks for data, and the other places are read-modify-writes there; so no test of ours can fail
when an order is weakened.  This model can.

The protocol (runtime/netpoll/slot.hpp, poll_desc.hpp, gate.hpp, runtime/io_op.cpp).

 holder   1. gate closed: end.  prepare: slot = NIL.  System call: takes data if there is some.
          2. A short read with nothing latched: drained, so the next try arms first.
          3. arm: CAS slot NIL -> TASK; READY: consume it, back to 1.
          4. gate closed: CAS slot TASK -> NIL, end; lost: the completion is on its way.
          5. park until completed; back to 1.
 poller   for each edge: latch what it says; slot NIL -> READY, TASK -> NIL and complete,
          READY: leave it, by a load alone
 closer   close the gate, then evict: slot TASK -> NIL and complete

What is checked, when nothing can move any more: the holder has ended, by the end of the stream or
closed; so it never sleeps beside data, an end, or a closed gate.  The peer sends once, then ends
the stream; both are edges.  A read that found data is short, and drained unless the end had been
latched by then; the end is seen by a call alone.

Memory.  The holder has a buffer for one store, which drains at any moment of its own, and at its
next read-modify-write or full fence.  A system call is none here: what the kernel's locks do is
not ours to rely on.  In PREPARE_RELAXED step 1 uses it, in ARM_RELAXED step 3 (a successful CAS
whose store is seen late, as other machines than x86 may have it), in CLOSE_RELAXED the closer's.
LATCH_LATE is a poller whose latch is seen after its look at the slot (poll_desc::latch, latched).

Limits.  One holder, one poller, one closer; no generations, which a late event would need a second
life of the descriptor for.
*/
// configuration: stream -DEDGES=2
// configuration: closed -DEDGES=1 -DCLOSER
// mutants: PREPARE_RELAXED PREPARE_AFTER_CALL EVENT_IGNORES_TASK ARM_RELAXED@closed
// mutants: NO_CHECK_AFTER_ARM@closed CLOSE_RELAXED@closed EVICT_FIRST@closed
// mutants: DRAINED_THOUGH_LATCHED LATCH_LATE

#define NIL 0
#define READY 1
#define TASK 2

byte slot = NIL;
byte data = 0;           /* arrivals not yet taken */
bool finished = false;   /* the peer has ended the stream */
bool latched = false;
bool gate_closed = false;
bool completed = false;
bool ended = false;
byte edges = 0;          /* reported by the kernel, not yet handled */

/* The holder's late store to the slot: 255 for none. */
byte late = 255;
bool late_gate = false;

#define DRAIN if :: late != 255 -> slot = late; late = 255 :: else fi

active proctype drains() {
end:
  do
  :: atomic { late != 255 -> slot = late; late = 255 }
  :: atomic { late_gate -> gate_closed = true; late_gate = false }
  od
}

active proctype kernel() {
  atomic { data++; edges++ }
#if EDGES > 1
  atomic { finished = true; edges++ }
#endif
}

active proctype poller() {
  byte seen;
end:
  do
  :: atomic { edges > 0 -> edges-- };
#ifndef MUTANT_LATCH_LATE
     if :: finished -> latched = true :: else fi;
#endif
     seen = slot;
     do
     :: seen == READY -> break
     :: seen != READY ->
        atomic {
          if
          :: slot == seen && seen == NIL -> slot = READY; break
          :: slot == seen && seen == TASK ->
             slot = NIL;
#ifndef MUTANT_EVENT_IGNORES_TASK
             completed = true;
#endif
             break
          :: else -> seen = slot
          fi
        }
     od;
#ifdef MUTANT_LATCH_LATE
     if :: finished -> latched = true :: else fi
#endif
  od
}

#ifdef CLOSER
active proctype closer() {
#ifdef MUTANT_EVICT_FIRST
  atomic { if :: slot == TASK -> slot = NIL; completed = true :: else fi };
  gate_closed = true;
#else
#ifdef MUTANT_CLOSE_RELAXED
  late_gate = true;
#else
  gate_closed = true;
#endif
  /* evict: a load, and a CAS where it finds a task */
  atomic { if :: slot == TASK -> slot = NIL; completed = true :: else fi };
#endif
}
#endif

active proctype holder() {
  bool found, drained = false;
again:
  if :: gate_closed -> goto done :: else fi;
  if
  :: drained -> drained = false; goto arming
  :: else
  fi;
#ifdef MUTANT_PREPARE_RELAXED
  atomic { DRAIN; if :: slot != NIL -> late = NIL :: else fi };
#elif !defined(MUTANT_PREPARE_AFTER_CALL)
  atomic { DRAIN; slot = NIL };
#endif
  /* the system call */
  atomic {
    found = false;
    if
    :: data > 0 -> data = 0; found = true
    :: data == 0 && finished -> goto done
    :: else
    fi
  };
#ifdef MUTANT_PREPARE_AFTER_CALL
  slot = NIL;
#endif
  if
  :: found ->
     /* A short read means that there is no more, unless an end was latched. */
#ifdef MUTANT_DRAINED_THOUGH_LATCHED
     drained = true;
#else
     if :: !latched -> drained = true :: else fi;
#endif
     goto again
  :: else
  fi;
arming:
  atomic {
#ifdef MUTANT_ARM_RELAXED
    if
    :: slot == NIL && late == 255 -> late = TASK
    :: else -> DRAIN; slot = NIL; goto again
    fi
#else
    DRAIN;
    if
    :: slot == NIL -> slot = TASK
    :: else -> slot = NIL; goto again
    fi
#endif
  };
#ifndef MUTANT_NO_CHECK_AFTER_ARM
  if
  :: gate_closed ->
     atomic {
       DRAIN;
       if :: slot == TASK -> slot = NIL; goto done :: else fi
     }
  :: else
  fi;
#endif
  atomic { completed -> completed = false };
  goto again;
done:
  ended = true
}

/* When all stands still, nobody sleeps beside what he waits for. */
active proctype judge() {
  timeout;
  assert(ended)
}
