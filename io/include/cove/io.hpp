#pragma once

/// The room `io`: buffers and the leases of borrowed ones; signals.

#include <cove/io/buffer.hpp>
#include <cove/io/lease.hpp>
#include <cove/io/signal_set.hpp>
