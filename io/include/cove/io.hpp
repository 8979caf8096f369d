#pragma once

/// The room `io`: buffers and the leases of borrowed ones.

#include <cove/io/buffer.hpp>
#include <cove/io/lease.hpp>
