#pragma once

namespace cove::io {

/// What was so of a descriptor when a wait for it completed: of what was waited for, and of the
/// rest as well.
/// Source: poll(2).
struct readiness {
  bool readable = false;  ///< A read would not have to wait: there is something, the end, an error.
  bool writable = false;  ///< A write would not have to wait: there is room, or an error.
  bool urgent = false;    ///< There is something urgent: of TCP, a byte out of band.
  bool hung_up = false;   ///< Nothing can go either way any more; what came before can be read.
  bool failed = false;    ///< An error is pending. Of a pipe that is written: nobody reads it.
};

}  // namespace cove::io
