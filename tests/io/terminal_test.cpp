#include "support/net_test.hpp"

#include <cove/io/terminal.hpp>

#include <sys/wait.h>
#include <termios.h>

#include <iostream>

// Terminals, on pseudo-terminals of the test's own.

namespace {

using namespace cove::test;
using cove::io::raw_terminal;
using cove::io::size_of_terminal;
using cove::io::terminal_size;

/// Both sides of a pseudo-terminal.
struct pseudo_terminal {
  pseudo_terminal() : master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    REQUIRE(master >= 0);
    REQUIRE(::grantpt(master) == 0);
    REQUIRE(::unlockpt(master) == 0);
    char name[64];
    REQUIRE(::ptsname_r(master, name, sizeof name) == 0);
    terminal = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(terminal >= 0);
  }
  pseudo_terminal(const pseudo_terminal&) = delete;
  ~pseudo_terminal() {
    ::close(terminal);
    ::close(master);
  }

  bool is_raw() const {
    termios now{};
    REQUIRE(::tcgetattr(terminal, &now) == 0);
    return (now.c_lflag & (ICANON | ECHO | ISIG)) == 0;
  }

  int master;
  int terminal = -1;
};

std::string refusal_of(int fd) {
  return refusal([fd] { return raw_terminal(fd), 0; });
}

/// A child that ends by std::exit(), with what nobody destroys.
template <class Act>
void run_and_exit(Act act) {
  std::cout.flush();  // The child would say it once more.
  const pid_t child = ::fork();
  if (child == 0) {
    act();
    std::exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
}

}  // namespace

TEST_CASE("P11 a terminal is raw while it is asked to be, and then what it was") {
  pseudo_terminal at;
  CHECK_FALSE(at.is_raw());
  {
    raw_terminal raw(at.terminal);
    CHECK(at.is_raw());
    CHECK(mentions(refusal_of(at.terminal), "there is a raw_terminal for it already"));
    raw.restore();
    CHECK_FALSE(at.is_raw());
    raw.restore();
    const raw_terminal next(at.terminal);
    CHECK(at.is_raw());
  }
  CHECK_FALSE(at.is_raw());
}

TEST_CASE("P11 a raw terminal that somebody has changed is raw again when it is asked to") {
  pseudo_terminal at;
  termios cooked{};
  REQUIRE(::tcgetattr(at.terminal, &cooked) == 0);
  raw_terminal raw(at.terminal);
  REQUIRE(::tcsetattr(at.terminal, TCSANOW, &cooked) == 0);
  CHECK_FALSE(at.is_raw());
  raw.again();
  CHECK(at.is_raw());
}

TEST_CASE("P11 what is no terminal is refused, by name") {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK(mentions(refusal_of(null), "raw_terminal descriptor " + std::to_string(null)));
  CHECK(mentions(refusal_of(null), "it is no terminal"));
  CHECK_FALSE(size_of_terminal(null));
  ::close(null);
}

TEST_CASE("P11 the size of a terminal follows the window") {
  pseudo_terminal at;
  winsize size{};
  size.ws_col = 80;
  size.ws_row = 24;
  REQUIRE(::ioctl(at.master, TIOCSWINSZ, &size) == 0);
  CHECK(size_of_terminal(at.terminal) == terminal_size{80, 24});
  size.ws_row = 50;
  REQUIRE(::ioctl(at.master, TIOCSWINSZ, &size) == 0);
  CHECK(size_of_terminal(at.terminal) == terminal_size{80, 50});
}

TEST_CASE("P11 a terminal that is raw when the program ends is restored") {
  pseudo_terminal at;
  run_and_exit([&at] {
    alignas(raw_terminal) static std::byte place[sizeof(raw_terminal)];
    new (place) raw_terminal(at.terminal);
    if (!at.is_raw()) std::_Exit(1);
  });
  CHECK_FALSE(at.is_raw());
}

TEST_CASE("P11 a child that ends leaves its parent's terminal raw") {
  pseudo_terminal at;
  const raw_terminal raw(at.terminal);
  run_and_exit([] {});
  CHECK(at.is_raw());
}
