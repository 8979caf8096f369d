#pragma once

#include <cove/io.hpp>
#include <cove/net.hpp>

#include "request.hpp"
#include "sync_objects.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>

namespace cove::driver {

/// A stream or a file, and the buffer through which it is read from its first `read_until` on: what
/// was received behind a delimiter is there.
template <class S>
struct with_reader : S {
  explicit with_reader(S made) noexcept : S(std::move(made)) {}
  std::optional<io::buffered_reader<S&>> reader;
};

using stream = with_reader<net::tcp_stream>;
using pipe_source = with_reader<io::pipe_reader>;
using pipe_sink = io::pipe_writer;
using open_file = with_reader<io::file>;

struct listener : net::tcp_listener {
  explicit listener(net::tcp_listener made) noexcept : tcp_listener(std::move(made)) {}
  std::atomic<int> serving{0};  ///< Accept loops that refer to it until it is closed.
};

/// A terminal that was inherited. The library reads and writes no terminal but its standard
/// streams; it waits for one, and sets it. The number stays the process's.
struct terminal : io::fd_watch {
  explicit terminal(int fd) : fd_watch(fd) {}
  std::optional<io::raw_terminal> raw;
};

class counted_timer;

using stream_ptr = std::shared_ptr<stream>;
using listener_ptr = std::shared_ptr<listener>;
using timer_ptr = std::shared_ptr<counted_timer>;

/// The objects of the client, by the names that it chose. An operation on a socket holds its object
/// only until it has started, as the library allows (see begun.hpp): whoever lets go last destroys
/// it, so `drop` is a real destructor under operations that wait. Locks, channels, subscriptions to
/// signals and the like must outlive those who wait for them, so these hold them to their end.
///
/// Threads: any.
class handle_table {
 public:
  using object = std::variant<
      stream_ptr, listener_ptr, std::shared_ptr<pipe_source>, std::shared_ptr<pipe_sink>,
      std::shared_ptr<open_file>, std::shared_ptr<io::fd_watch>, std::shared_ptr<terminal>,
      std::shared_ptr<io::process>, std::shared_ptr<io::signal_set>, std::shared_ptr<io::fs::watch>,
      timer_ptr, std::shared_ptr<lockable>, std::shared_ptr<semaphore>,
      std::shared_ptr<number_channel>, std::shared_ptr<event>>;

  /// A table inside of another sees the outer one's names, and keeps its own to itself.
  explicit handle_table(handle_table* outer = nullptr) : outer_(outer) {}

  /// The object of this name and kind. Refuses what is not there, or is of another kind.
  template <class Kind>
  std::shared_ptr<Kind> find(const std::string& name) {
    const object found = find_any(name);
    if (const auto* right = std::get_if<std::shared_ptr<Kind>>(&found)) return *right;
    throw refusal::bad_request("\"" + name + "\" is of another kind");
  }
  object find_any(const std::string& name);
  /// Frees the name, and gives up the table's share in the object.
  object take(const std::string& name);
  /// The same for everything that was made on this runtime.
  void drop_all_of(const std::string& runtime);

  /// A name that is taken, and gets its object later or is free again.
  class reservation {
   public:
    reservation() = default;
    reservation(reservation&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), name_(std::move(other.name_)) {}
    reservation& operator=(reservation&&) = delete;
    ~reservation();
    /// Without a name the object is dropped.
    void fill(object made);

   private:
    friend class handle_table;
    reservation(handle_table& table, std::string name) : table_(&table), name_(std::move(name)) {}

    handle_table* table_ = nullptr;
    std::string name_;
  };
  /// Refuses a name that is taken. `runtime`: where the object will belong.
  reservation reserve(const std::string& name, const std::string& runtime);

 private:
  struct entry {
    std::optional<object> what;  ///< Nothing yet while the name is only reserved.
    std::string runtime;
  };

  handle_table* const outer_;
  std::mutex lock_;
  std::map<std::string, entry> entries_;
};

}  // namespace cove::driver
