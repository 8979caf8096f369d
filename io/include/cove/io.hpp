#pragma once

/// The room `io`: buffers and the leases of borrowed ones; pipes and signals.
/// The room `io`: buffers and the leases of borrowed ones; files; signals.

#include <cove/io/aligned_buffer.hpp>
#include <cove/io/buffer.hpp>
#include <cove/io/fs.hpp>
#include <cove/io/fs_batch.hpp>
#include <cove/io/fs_directory.hpp>
#include <cove/io/lease.hpp>
#include <cove/io/pipe.hpp>
#include <cove/io/file.hpp>
#include <cove/io/file_status.hpp>
#include <cove/io/lease.hpp>
#include <cove/io/open_options.hpp>
#include <cove/io/signal_set.hpp>
#include <cove/io/whole_file.hpp>
