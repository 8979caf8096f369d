#include "support/process_test.hpp"
#include "support/system_call_filter.hpp"

#include <cove/runtime/virtual_time.hpp>

#include <sys/stat.h>
#include <sys/syscall.h>

// How children begin and end. What they read and write stands in process_streams_test.cpp.

using namespace std::chrono_literals;

namespace {

using namespace cove::test;
using cove::task;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

task<exit_status> status_of(command what) {
  process child = co_await process::spawn(std::move(what));
  co_return co_await child.wait();
}

task<exit_status> wait_for(process* child) { co_return co_await child->wait(); }

/// A child of this process that cove knows nothing of, with what it ends with.
class foreign_child {
 public:
  explicit foreign_child(int code) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(code);
    REQUIRE(pid_ > 0);
  }
  /// Its status, which must still be there.
  int code() const {
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    return WEXITSTATUS(status);
  }

 private:
  pid_t pid_;
};

class ignored_child_signal {
 public:
  ignored_child_signal() : before_(std::signal(SIGCHLD, SIG_IGN)) {}
  ignored_child_signal(const ignored_child_signal&) = delete;
  ignored_child_signal& operator=(const ignored_child_signal&) = delete;
  ~ignored_child_signal() { static_cast<void>(std::signal(SIGCHLD, before_)); }

 private:
  void (*before_)(int);
};

}  // namespace

// ----- R01 -----

TEST_CASE("R01 a program that cannot be started fails in spawn, by name, and leaves nothing") {
  const temporary_folder folder;
  const std::string text = folder.file("text", "no program\n");
  const std::string orphan = folder.file("orphan", "#!/no/such/interpreter\n");
  REQUIRE(::chmod(orphan.c_str(), 0755) == 0);
  const std::string garbage = folder.file("garbage", "neither one nor the other");
  REQUIRE(::chmod(garbage.c_str(), 0755) == 0);
  run_children([&]() -> task<> {
    const std::string unknown = co_await refusal_of(command("no-such-program"));
    CHECK(contains(unknown, "spawn \"no-such-program\": "));
    CHECK(contains(unknown, "ENOENT"));
    CHECK(contains(unknown, "directories of PATH"));
    const std::string missing = co_await refusal_of(command("/no/such/file"));
    CHECK(contains(missing, "spawn \"/no/such/file\": "));
    CHECK(contains(missing, "there is no such file"));
    const std::string plain = co_await refusal_of(command(text));
    CHECK(contains(plain, "EACCES"));
    const std::string without = co_await refusal_of(command(orphan));
    CHECK(contains(without, "interpreter"));
    const std::string nothing = co_await refusal_of(command(garbage));
    CHECK(contains(nothing, "ENOEXEC"));
    command nowhere("true");
    nowhere.directory = folder / "none";
    const std::string lost = co_await refusal_of(std::move(nowhere));
    CHECK(contains(lost, "directory \"" + folder / "none" + "\": "));
    command unread("true");
    unread.input = stdio::file(folder / "none");
    const std::string empty = co_await refusal_of(std::move(unread));
    CHECK(contains(empty, "input \"" + folder / "none" + "\": "));
    const auto code = co_await code_of(process::spawn(command("no-such-program")));
    CHECK(code == std::errc::no_such_file_or_directory);
    const auto reported = co_await process::spawn(command("no-such-program")).as_result();
    CHECK(reported.error() == std::errc::no_such_file_or_directory);
  });
}

TEST_CASE("R01 many failed starts leave no zombie and no descriptor") {
  run_children([]() -> task<> {
    for (int i = 0; i < 50; ++i) {
      command what("no-such-program");
      what.input = stdio::pipe();
      what.output = stdio::pipe();
      what.errors = stdio::pipe();
      const auto code = co_await code_of(process::spawn(std::move(what)));
      CHECK(code == std::errc::no_such_file_or_directory);
      CHECK_FALSE(has_children());
    }
  });
}

TEST_CASE("R01 R08 what no program can be given is refused by name, before anything starts") {
  using namespace std::string_literals;
  run_children([]() -> task<> {
    const std::string nameless = co_await refusal_of(command(""));
    CHECK(contains(nameless, "name a program"));
    const std::string program = co_await refusal_of(command("tr\0ue"s));
    CHECK(contains(program, "program \"tr\"..."));
    const std::string argument = co_await refusal_of(command("true", "a\0b"s));
    CHECK(contains(argument, "argument \"a\"..."));
    command path("true");
    path.output = stdio::file("x\0y"s);
    const std::string file = co_await refusal_of(std::move(path));
    CHECK(contains(file, "file \"x\"..."));
    command value("true");
    value.environment.set("NAME", "1\0NEXT=2"s);
    const std::string variable = co_await refusal_of(std::move(value));
    CHECK(contains(variable, "environment NAME= \"1\"..."));
    const std::array refused{""s, "A=B"s, "A\0B"s};
    for (const std::string& name : refused) {
      command what("true");
      what.environment.set(name, "1");
      const auto code = co_await code_of(process::spawn(std::move(what)));
      CHECK(code == std::errc::invalid_argument);
    }
    command same("true");
    same.output = stdio::same_as_output();
    const std::string circle = co_await refusal_of(std::move(same));
    CHECK(contains(circle, "only errors"));
    try {
      static_cast<void>(stdio::copy_of(-1));
      FAIL("there is no such descriptor");
    } catch (const cove::error& failure) {
      CHECK(failure.code() == std::errc::bad_file_descriptor);
    }
  });
}

// ----- R02 -----

TEST_CASE("R02 an exit code and the signal that ended it are told apart") {
  run_children([]() -> task<> {
    for (const int code : std::array{0, 1, 7, 255}) {
      const exit_status ended = co_await status_of(shell("exit " + std::to_string(code)));
      CHECK(ended == exit_status{code, 0, false});
      CHECK(ended.success() == (code == 0));
    }
    for (const int number : std::array{SIGKILL, SIGTERM, SIGHUP, SIGPIPE}) {
      const exit_status ended =
          co_await status_of(shell("kill -" + std::to_string(number) + " $$"));
      CHECK(ended == exit_status{-1, number, false});
      CHECK_FALSE(ended.success());
    }
    CHECK(to_string(exit_status{3, 0, false}) == "exit code 3");
    CHECK(contains(to_string(exit_status{-1, 9, false}), "signal 9"));
  });
}

TEST_CASE("R02 every wait gives the same, while it runs and after it has ended") {
  run_children([]() -> task<> {
    process child = co_await process::spawn(waiting_child());
    CHECK(child.pid() > 0);
    CHECK_FALSE(child.try_wait());
    std::vector<cove::join_handle<exit_status>> waits;
    for (int i = 0; i < 3; ++i) waits.push_back(cove::spawn(wait_for, &child));
    co_await until_waiting("process", 1);
    static_cast<void>(co_await child.in().close());
    for (auto& each : waits) {
      const exit_status ended = co_await each;
      CHECK(ended.success());
    }
    const exit_status later = co_await child.wait();
    CHECK(later.success());
    CHECK(child.try_wait() == exit_status{});
  });
}

TEST_CASE("R02 a cancelled wait leaves the child, which can be waited for again") {
  run_children([]() -> task<> {
    process child = co_await process::spawn(waiting_child());
    const auto late = co_await cove::with_timeout(child.wait().as_result(), 1ms);
    CHECK(late.error() == cove::errc::deadline_exceeded);
    auto first = cove::spawn(wait_for, &child);
    co_await until_waiting("process");
    auto second = cove::spawn(wait_for, &child);
    co_await until_waiting("process");
    first.cancel();
    const std::string ended = co_await outcome_of(std::move(first));
    CHECK(ended == "canceled");
    CHECK(is_running(child.pid()));
    static_cast<void>(co_await child.in().close());
    const exit_status status = co_await second;
    CHECK(status.success());
  });
}

// ----- R06 -----

TEST_CASE("R06 each of many children that end at once gives its own status") {
  constexpr int count = 40;
  run_children([]() -> task<> {
    int gate[2];  // They all wait for its end.
    REQUIRE(::pipe2(gate, O_CLOEXEC) == 0);
    std::vector<process> children;
    for (int i = 0; i < count; ++i) {
      command what = shell("read line; exit " + std::to_string(i));
      what.input = stdio::copy_of(gate[0]);
      children.push_back(co_await process::spawn(std::move(what)));
    }
    std::vector<cove::join_handle<exit_status>> waits;
    for (process& each : children) waits.push_back(cove::spawn(wait_for, &each));
    co_await until_waiting("process", count);
    ::close(gate[0]);
    ::close(gate[1]);
    for (int i = 0; i < count; ++i) {
      const exit_status ended = co_await waits[static_cast<std::size_t>(i)];
      CHECK(ended == exit_status{i, 0, false});
    }
  });
}

TEST_CASE("R06 children that are not cove's keep their status, and SIGCHLD stays what it is") {
  struct sigaction before{};
  REQUIRE(::sigaction(SIGCHLD, nullptr, &before) == 0);
  const foreign_child early(5);
  run_test([]() -> task<> {
    const foreign_child meanwhile(6);
    for (int i = 0; i < 20; ++i) {
      const exit_status ended = co_await status_of(shell("exit 3"));
      CHECK(ended.code == 3);
    }
    {
      const process dropped = co_await process::spawn(waiting_child());
    }
    CHECK(meanwhile.code() == 6);
  });
  CHECK(early.code() == 5);
  CHECK_FALSE(has_children());
  struct sigaction after{};
  REQUIRE(::sigaction(SIGCHLD, nullptr, &after) == 0);
  CHECK((before.sa_handler == after.sa_handler));
}

TEST_CASE("R06 a status that somebody else has taken is reported as lost") {
  run_children([]() -> task<> {
    const ignored_child_signal nobody_wants_them;
    process child = co_await process::spawn(waiting_child());
    static_cast<void>(co_await child.in().close());
    const std::string told = co_await outcome_of(child.wait());
    CHECK(contains(told, "ECHILD"));
    CHECK(contains(told, "SIGCHLD is ignored"));
    CHECK_FALSE(child.kill());
    const auto again = co_await child.wait().as_result();
    CHECK(again.error() == std::errc::no_child_process);
    CHECK_THROWS_AS(static_cast<void>(child.try_wait()), cove::error);
  });
}

// ----- R07 -----

TEST_CASE("R07 a signal reaches a child that runs, and nobody once it has ended") {
  run_children([]() -> task<> {
    process child = co_await process::spawn(waiting_child());
    child.signal(0);
    child.signal(SIGTERM);
    const exit_status ended = co_await child.wait();
    CHECK(ended.signal == SIGTERM);
    CHECK_FALSE(child.kill());
    try {
      child.signal(SIGTERM);
      FAIL("a signal was sent to nobody");
    } catch (const cove::error& failure) {
      CHECK(failure.code() == std::errc::no_such_process);
      CHECK(contains(failure.what(), "it has ended"));
      CHECK(contains(failure.what(), std::to_string(child.pid())));
    }
  });
}

TEST_CASE("R07 one that has ended is seen as such by a signal before anybody has waited") {
  run_children([]() -> task<> {
    process child = co_await process::spawn(waiting_child());
    static_cast<void>(co_await child.in().close());
    const auto gone = [&child] { return !is_running(child.pid()); };
    co_await until(gone);
    const auto noticed = [&child] { return !child.kill(); };
    co_await until(noticed);
    const exit_status ended = co_await child.wait();
    CHECK(ended.success());
  });
}

TEST_CASE("R07 G08 what is no signal is refused by number") {
  run_children([]() -> task<> {
    process child = co_await process::spawn(waiting_child());
    for (const int number : std::array{-1, 65, 1000}) {
      try {
        child.signal(number);
        FAIL("that was no signal");
      } catch (const cove::error& failure) {
        CHECK(failure.code() == std::errc::invalid_argument);
        CHECK(contains(failure.what(), "signal " + std::to_string(number) + " to process "));
      }
    }
    CHECK(is_running(child.pid()));
  });
}

TEST_CASE("R07 a child that is dropped is killed and leaves no zombie") {
  run_children([]() -> task<> {
    std::vector<int> numbers;
    for (int i = 0; i < 20; ++i) {
      const process child = co_await process::spawn(waiting_child());
      numbers.push_back(child.pid());
    }
    const auto gone = [] { return !has_children(); };
    co_await until(gone);
    for (const int each : numbers) CHECK_FALSE(is_running(each));
  });
}

TEST_CASE("R07 a child that is dropped as the last act of its runtime leaves no zombie") {
  for (int i = 0; i < 10; ++i) {
    run_children([]() -> task<> { static_cast<void>(co_await process::spawn(waiting_child())); });
  }
}

TEST_CASE("R07 where nobody is killed a dropped child goes on, and the runtime reaps it") {
  run_children([]() -> task<> {
    command what = waiting_child();
    what.kill_on_drop = false;
    process child = co_await process::spawn(std::move(what));
    const int number = child.pid();
    cove::io::pipe_writer in = std::move(child.in());
    {
      const process passing = std::move(child);
    }
    co_await until_waiting("process");
    CHECK(is_running(number));
    static_cast<void>(co_await in.close());
    const auto gone = [] { return !has_children(); };
    co_await until(gone);
  });
}

TEST_CASE("R07 a child that goes on does not hold up the end of its runtime") {
  const std::size_t open_before = cove::test::open_descriptors();
  int number = 0;
  cove::io::pipe_writer in;
  {
    cove::runtime first(net_options());
    number = first.block_on([&in]() -> task<int> {
      command what = waiting_child();
      what.kill_on_drop = false;
      auto [reader, writer] = cove::io::make_pipe();
      what.input = stdio::from(std::move(reader));
      in = std::move(writer);
      const process child = co_await process::spawn(std::move(what));
      co_return child.pid();
    });
    CHECK(first.stop(patience));
  }
  CHECK(is_running(number));
  in = {};
  int status = 0;
  CHECK(::waitpid(number, &status, 0) == number);  // Nobody else is left to do it.
  CHECK(status == 0);
  // Without a pidfd a thread that nobody joins has seen it end, and closes its pipe when it may.
  const auto all_closed = [&] { return cove::test::open_descriptors() == open_before; };
  CHECK(cove::test::thread_waits_for(all_closed));
}

TEST_CASE("R07 outside of tasks the destructor waits for the child that it kills") {
  const same_descriptors outside;
  {
    cove::runtime in(net_options());
    process child = in.block_on([] { return process::spawn(waiting_child()); });
    CHECK(has_children());
    child = process();
    CHECK_FALSE(has_children());
  }
}

TEST_CASE("R07 a wait that is under way goes on when its object is dropped") {
  run_children([]() -> task<> {
    process child = co_await process::spawn(waiting_child());
    auto waits = cove::spawn(
        [](task<exit_status> end) -> task<exit_status> { co_return co_await std::move(end); },
        child.wait());
    co_await until_waiting("process");
    child = process();
    const exit_status ended = co_await waits;
    CHECK(ended.signal == SIGKILL);
  });
}

TEST_CASE("R07 an object without a process says so") {
  run_children([]() -> task<> {
    process none;
    CHECK(none.pid() == 0);
    CHECK_FALSE(none.kill());
    CHECK(none.in().is_closed());
    const std::string told = co_await outcome_of(none.wait());
    CHECK(contains(told, "no process in this object"));
    const auto signal = [&none] {
      none.signal(SIGTERM);
      return 0;
    };
    CHECK(refusal(signal) ==
          "signal 15: no such process (ESRCH); there is no process in this object");
    CHECK_THROWS_AS(static_cast<void>(none.try_wait()), cove::error);
  });
}

TEST_CASE("R07 a process may be waited for in one runtime at a time, and dropped in any") {
  const same_descriptors outside;
  {
    cove::runtime near(net_options());
    cove::runtime far(net_options());
    process child = near.block_on([] { return process::spawn(waiting_child()); });
    const auto late = [&child]() -> task<> {
      const auto outcome = co_await cove::with_timeout(child.wait().as_result(), 1ms);
      CHECK(outcome.error() == cove::errc::deadline_exceeded);
    };
    near.block_on(late);
    try {
      far.block_on(wait_for, &child);
      FAIL("it was waited for in another runtime");
    } catch (const cove::error& failure) {
      CHECK(failure.code() == cove::errc::wrong_runtime);
    }
    far.block_on(
        [](process what) -> task<> {
          what.kill();
          co_return;
        },
        std::move(child));
    CHECK(far.stop(patience));
  }
  CHECK_FALSE(has_children());
}

TEST_CASE("R07 one that may not be killed is let go on, and holds nobody up") {
  // In a child, because a filter is for ever; forked while there is no other thread.
  const pid_t tester = ::fork();
  if (tester == 0) {
    constexpr int pidfd_send_signal_call = 424;
    static_cast<void>(deny({pidfd_send_signal_call, EPERM}));
    static_cast<void>(deny({SYS_kill, EPERM}));
    cove::io::pipe_writer in;
    bool stopped = false;
    {
      cove::runtime own(net_options());
      own.block_on([&in]() -> task<> {
        process child = co_await process::spawn(waiting_child());
        in = std::move(child.in());
      });
      stopped = own.stop(patience);
    }
    in = {};
    int status = -1;
    ::waitpid(-1, &status, 0);
    ::_exit(stopped && status == 0 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(tester, &status, 0) == tester);
  CHECK(status == 0);
}

TEST_CASE("R07 a child works under virtual time, which stands while somebody waits for it") {
  cove::test::run([]() -> task<> {
    const auto before = cove::clock::now();
    const process_output all =
        co_await process::output(shell("read line; echo $line"), most, "hello\n");
    CHECK(all.out == "hello\n");
    {
      const process dropped = co_await process::spawn(waiting_child());
    }
    process child = co_await process::spawn(waiting_child());
    child.signal(SIGTERM);
    const exit_status ended = co_await child.wait();
    CHECK(ended.signal == SIGTERM);
    CHECK(cove::clock::now() == before);
    {
      const process last = co_await process::spawn(waiting_child());
    }
  });
  CHECK_FALSE(has_children());
}

// ----- R08 -----

TEST_CASE("R08 the environment is this process's, changed, or begins with nothing") {
  REQUIRE(::setenv("COVE_TEST_KEPT", "kept", 1) == 0);
  REQUIRE(::setenv("COVE_TEST_GONE", "gone", 1) == 0);
  run_children([]() -> task<> {
    command what = shell("echo $COVE_TEST_KEPT-$COVE_TEST_GONE-$COVE_TEST_NEW");
    what.environment.set("COVE_TEST_NEW", "old").remove("COVE_TEST_GONE");
    what.environment.set("COVE_TEST_NEW", "a=b c");
    const std::string changed = co_await written_by(std::move(what));
    CHECK(changed == "kept--a=b c\n");
    command bare("env");  // Found by the PATH of this process, for it has none.
    bare.environment.set("BEFORE", "1").clear().set("A", "1").set("AB", "");
    const std::string alone = co_await written_by(std::move(bare));
    CHECK(alone == "A=1\nAB=\n");
  });
  ::unsetenv("COVE_TEST_KEPT");
  ::unsetenv("COVE_TEST_GONE");
}

TEST_CASE("R08 directory, argv[0] and arguments are as given") {
  const temporary_folder folder;
  run_children([&]() -> task<> {
    command where("pwd");
    where.directory = folder.path();
    const std::string told = co_await written_by(std::move(where));
    CHECK(told == std::filesystem::canonical(folder.path()).string() + "\n");
    command renamed("sh", "-c", "echo $0-$#");
    renamed.name = "another";
    const std::string own = co_await written_by(std::move(renamed));
    CHECK(own == "another-0\n");
    const std::string all =
        co_await written_by(command("printf", "<%s>", "a b", "", "$HOME", "\"'", "*"));
    CHECK(all == "<a b><><$HOME><\"'><*>");
  });
}

TEST_CASE("R08 a session of its own, and signals as by default") {
  run_children([]() -> task<> {
    command apart = shell(
        "read -r id name state parent group session rest < /proc/$$/stat; "
        "echo $((session == $$)) $((group == $$))");
    apart.own_session = true;
    const std::string own = co_await written_by(std::move(apart));
    CHECK(own == "1 1\n");
    // Ignored here, or blocked in threads of the pool: neither reaches the child.
    struct sigaction before{};
    struct sigaction ignored{};
    ignored.sa_handler = SIG_IGN;
    REQUIRE(::sigaction(SIGUSR2, &ignored, &before) == 0);
    const std::string masks =
        co_await written_by(command("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"));
    ::sigaction(SIGUSR2, &before, nullptr);
    CHECK(masks == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  });
}

TEST_CASE("R08 another user and group, without further groups") {
  if (::geteuid() != 0) return;
  run_children([]() -> task<> {
    command what = shell("id -u; id -g; id -G");
    what.user = 65534;
    what.group = 65533;
    const std::string ids = co_await written_by(std::move(what));
    CHECK(ids == "65534\n65533\n65533\n");
    command denied("/no/such/file");
    denied.user = 65534;
    const std::string told = co_await refusal_of(std::move(denied));
    CHECK(contains(told, "ENOENT"));
    command twice = shell("exit 4");
    twice.user = 65534;
    const exit_status ended = co_await status_of(std::move(twice));
    CHECK(ended.code == 4);
  });
}
