#include "floors.hpp"

namespace notify {

std::unique_ptr<floor_loop> make_uring_floor(const crowd&) {
  throw unavailable("io_uring: built without liburing");
}

}  // namespace notify
