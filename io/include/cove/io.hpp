#pragma once

/// The room `io`: streams, whatever they are made of, and what is built on them; pipes, terminals,
/// files, processes, signals; descriptors that belong to others.

#include <cove/io/aligned_buffer.hpp>
#include <cove/io/any_stream.hpp>
#include <cove/io/buffer.hpp>
#include <cove/io/buffered_reader.hpp>
#include <cove/io/buffered_writer.hpp>
#include <cove/io/command.hpp>
#include <cove/io/copy.hpp>
#include <cove/io/copy_bidirectional.hpp>
#include <cove/io/duplex.hpp>
#include <cove/io/fd_watch.hpp>
#include <cove/io/file.hpp>
#include <cove/io/file_status.hpp>
#include <cove/io/framing.hpp>
#include <cove/io/fs.hpp>
#include <cove/io/fs_batch.hpp>
#include <cove/io/fs_directory.hpp>
#include <cove/io/fs_watch.hpp>
#include <cove/io/lease.hpp>
#include <cove/io/open_options.hpp>
#include <cove/io/pipe.hpp>
#include <cove/io/process.hpp>
#include <cove/io/read_to_end.hpp>
#include <cove/io/readiness.hpp>
#include <cove/io/signal_set.hpp>
#include <cove/io/split.hpp>
#include <cove/io/standard_streams.hpp>
#include <cove/io/stream.hpp>
#include <cove/io/terminal.hpp>
#include <cove/io/transfer.hpp>
#include <cove/io/whole_file.hpp>
