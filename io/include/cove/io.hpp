#pragma once

/// The room `io`: buffers and the leases of borrowed ones; pipes and signals.

#include <cove/io/buffer.hpp>
#include <cove/io/fs.hpp>
#include <cove/io/fs_batch.hpp>
#include <cove/io/fs_directory.hpp>
#include <cove/io/lease.hpp>
#include <cove/io/pipe.hpp>
#include <cove/io/signal_set.hpp>
