#pragma once

/// The room `net`: addresses, TCP streams and listeners, serving.

#include <cove/net/address.hpp>
#include <cove/net/options.hpp>
#include <cove/net/serve.hpp>
#include <cove/net/tcp.hpp>
