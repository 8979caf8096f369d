#pragma once

/// The room `runtime`: tasks, groups of tasks, time, and the runtime that runs them.

#include <cove/runtime/barrier.hpp>
#include <cove/runtime/broadcast.hpp>
#include <cove/runtime/channel.hpp>
#include <cove/runtime/condition_variable.hpp>
#include <cove/runtime/error.hpp>
#include <cove/runtime/event.hpp>
#include <cove/runtime/for_each_concurrent.hpp>
#include <cove/runtime/generator.hpp>
#include <cove/runtime/interval.hpp>
#include <cove/runtime/latch.hpp>
#include <cove/runtime/lazy.hpp>
#include <cove/runtime/mutex.hpp>
#include <cove/runtime/once.hpp>
#include <cove/runtime/oneshot.hpp>
#include <cove/runtime/race.hpp>
#include <cove/runtime/result.hpp>
#include <cove/runtime/retry.hpp>
#include <cove/runtime/runtime.hpp>
#include <cove/runtime/scope.hpp>
#include <cove/runtime/semaphore.hpp>
#include <cove/runtime/settled.hpp>
#include <cove/runtime/shared_mutex.hpp>
#include <cove/runtime/shield.hpp>
#include <cove/runtime/spawn.hpp>
#include <cove/runtime/supervisor.hpp>
#include <cove/runtime/task.hpp>
#include <cove/runtime/this_task.hpp>
#include <cove/runtime/time.hpp>
#include <cove/runtime/timer.hpp>
#include <cove/runtime/watch.hpp>
#include <cove/runtime/when_all.hpp>
