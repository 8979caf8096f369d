#pragma once

#include <cstdint>

namespace cove::net {

/// What a listener is made with.
struct listen_options {
  /// Connections that may wait to be accepted. Larger than the system's limit means that limit.
  unsigned backlog = 4096;
  /// Several listeners, of any process of this user, share the address; each gets a part of the
  /// connections (SO_REUSEPORT).
  bool reuse_port = false;
  /// An IPv6 wildcard address takes IPv4 connections too, unless this is set.
  bool v6_only = false;
  /// Accepted streams send small messages at once (TCP_NODELAY).
  bool nodelay = true;
};

/// What a stream is connected with.
struct connect_options {
  /// Small messages are sent at once (TCP_NODELAY).
  bool nodelay = true;
  /// 0 leaves the system's choice. Bytes.
  unsigned receive_buffer = 0;
  /// 0 leaves the system's choice. Bytes.
  unsigned send_buffer = 0;
};

/// When the system asks an idle peer whether it is still there.
struct keepalive_options {
  bool enabled = true;
  /// Seconds without traffic before the first question; 0 leaves the system's choice.
  unsigned idle_s = 0;
  /// Seconds between questions; 0 leaves the system's choice.
  unsigned interval_s = 0;
  /// Questions without an answer before the connection is given up; 0 leaves the system's choice.
  unsigned probes = 0;
};

}  // namespace cove::net
