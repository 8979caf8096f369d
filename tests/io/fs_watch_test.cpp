#include <cove/io/fs_watch.hpp>

#include "support/net_test.hpp"
#include "support/stress.hpp"
#include "support/temporary_folder.hpp"

#include <cove/io/fs.hpp>

#include <sys/stat.h>

// What a watch tells of the files of a folder: on every backend, as it waits on a descriptor.

namespace {

namespace fs = cove::io::fs;
using namespace cove::test;
using namespace std::chrono_literals;
using cove::task;
using fs::change;
using fs::change_kind;

std::string text_of(const change& one) {
  constexpr std::array kinds{"created", "modified", "attributes", "removed",
                             "renamed", "gone",     "overflow"};
  std::string text = kinds[static_cast<std::size_t>(one.kind)];
  if (!one.from.empty()) text += " " + one.from;
  if (!one.name.empty()) text += " " + one.name;
  return one.is_directory ? text + "/" : text;
}

/// The next `count` changes, one after the other.
task<std::string> told(fs::watch* by, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) {
    const change one = co_await by->next();
    all += (i == 0 ? "" : ", ") + text_of(one);
  }
  co_return all;
}

/// Checks that nothing else has come.
task<> check_silent(fs::watch* by) {
  const auto more = co_await cove::with_timeout(by->next(), 0ns).as_result();
  CHECK(more.error() == cove::errc::deadline_exceeded);
}

TEST_CASE("F16 a watch tells what is created, modified, renamed and removed, in order") {
  run_test([]() -> task<> {
    const temporary_folder in;
    fs::watch changes;
    co_await changes.add(in.path());
    std::ofstream(in / "file") << "x" << std::flush << "y";
    ::chmod((in / "file").c_str(), 0600);
    ::rename((in / "file").c_str(), (in / "other").c_str());
    ::mkdir((in / "folder").c_str(), 0700);
    ::rename((in / "other").c_str(), (in / "folder/away").c_str());
    ::rename((in / "folder/away").c_str(), (in / "back").c_str());
    ::unlink((in / "back").c_str());
    ::rmdir((in / "folder").c_str());
    const std::string all = co_await told(&changes, 9);
    CHECK(all ==
          "created file, modified file, attributes file, renamed file other, created folder/, "
          "removed other, created back, removed back, removed folder/");
    co_await check_silent(&changes);
  });
}

TEST_CASE("F16 a change has the path of what is watched and of what changed") {
  run_test([]() -> task<> {
    const temporary_folder in;
    const std::string file = in.file("file");
    fs::watch changes;
    co_await changes.add(in.path());
    ::chmod(file.c_str(), 0600);
    const change inside = co_await changes.next();
    CHECK(inside.watched == in.path());
    CHECK(inside.name == "file");
    CHECK(inside.path() == file);
    CHECK(changes.remove(in.path()));
    co_await changes.add(file);
    ::chmod(file.c_str(), 0700);
    const change itself = co_await changes.next();
    CHECK(itself.watched == file);
    CHECK(itself.name.empty());
    CHECK(itself.path() == file);
  });
}

TEST_CASE("F16 a task that waits is woken by the change") {
  run_test([]() -> task<> {
    const temporary_folder in;
    fs::watch changes;
    co_await changes.add(in.path());
    for (int round = 0; round < 20; ++round) {
      auto waits = cove::spawn(told, &changes, 1);
      co_await until_waiting("fs::watch");
      const std::string name = std::to_string(round);
      co_await fs::mkdir(in / name);
      const std::string one = co_await waits;
      CHECK(one == "created " + name + "/");
    }
  });
}

TEST_CASE("F16 what is watched and goes is told once, and watched no more") {
  run_test([]() -> task<> {
    const temporary_folder in;
    fs::watch changes;
    const std::string folder = in.folder("folder");
    const std::string file = in.file("file");
    co_await changes.add(folder);
    co_await changes.add(file);
    ::rename(folder.c_str(), (in / "moved").c_str());
    const change moved = co_await changes.next();
    CHECK(moved.kind == change_kind::gone);
    CHECK(moved.watched == folder);
    ::mkdir((in / "moved/x").c_str(), 0700);
    ::unlink(file.c_str());
    const std::string all = co_await told(&changes, 2);
    CHECK(all == "attributes, gone");  // It has one name less, and then is no more.
    CHECK_FALSE(changes.remove(file));
    co_await check_silent(&changes);
  });
}

TEST_CASE("F16 two watches of one folder both tell of it; one path added twice is told of once") {
  run_test([]() -> task<> {
    const temporary_folder in;
    fs::watch one;
    fs::watch other;
    co_await one.add(in.path());
    co_await one.add(in.path());
    co_await other.add(in.path());
    in.folder("x");
    const std::string first = co_await told(&one, 1);
    const std::string second = co_await told(&other, 1);
    CHECK(first == "created x/");
    CHECK(second == "created x/");
    co_await check_silent(&one);
    co_await one.close();
    in.folder("y");
    const std::string third = co_await told(&other, 1);
    CHECK(third == "created y/");
  });
}

TEST_CASE("F16 a path that is removed from a watch is told of no more, not even what had come") {
  run_test([]() -> task<> {
    const temporary_folder in;
    const std::string a = in.folder("a");
    const std::string b = in.folder("b");
    fs::watch changes;
    co_await changes.add(a);
    co_await changes.add(b);
    in.folder("a/x");
    CHECK(changes.remove(a));
    CHECK_FALSE(changes.remove(a));
    in.folder("a/y");
    in.folder("b/z");
    const std::string all = co_await told(&changes, 1);
    CHECK(all == "created z/");
    co_await check_silent(&changes);
  });
}

TEST_CASE("F16 a close with changes pending drops them, and wakes the one who waits") {
  run_test([]() -> task<> {
    const temporary_folder in;
    fs::watch changes;
    co_await changes.add(in.path());
    in.folder("x");
    in.folder("y");
    const std::string read = co_await told(&changes, 1);
    CHECK(read == "created x/");
    const std::error_code ended = co_await changes.close();
    CHECK_FALSE(ended);
    CHECK(changes.is_closed());
    const auto after = co_await changes.next().as_result();
    CHECK(after.error() == cove::errc::closed);
    const auto added = co_await changes.add(in.path()).as_result();
    CHECK(added.error() == cove::errc::closed);
    const std::error_code again = co_await changes.close();
    CHECK(again == cove::errc::closed);

    fs::watch waited;
    co_await waited.add(in.path());
    auto waits = cove::spawn(told, &waited, 1);
    co_await until_waiting("fs::watch");
    co_await waited.close();
    const auto woken = co_await waits.as_result();
    CHECK(woken.error() == cove::errc::closed);
  });
}

TEST_CASE("F16 a watch goes with changes pending, and may be moved") {
  run_test([]() -> task<> {
    const temporary_folder in;
    fs::watch changes;
    co_await changes.add(in.path());
    in.folder("x");
    fs::watch moved = std::move(changes);
    const std::string read = co_await told(&moved, 1);
    CHECK(read == "created x/");
    moved = fs::watch();
    co_await check_silent(&moved);
    co_await moved.add(in.path());
    in.folder("y");
  });
}

TEST_CASE("F16 a watch that was moved from is closed") {
  run_test([]() -> task<> {
    fs::watch first;
    const fs::watch second = std::move(first);
    CHECK(first.is_closed());
    CHECK(!second.is_closed());
    const auto next = co_await first.next().as_result();
    CHECK(next.error() == cove::errc::closed);
    const auto added = co_await first.add("/").as_result();
    CHECK(added.error() == cove::errc::closed);
    CHECK(!first.remove("/"));
    for (int i = 0; i < 2; ++i) {
      const std::error_code closed = co_await first.close();
      CHECK(closed == cove::errc::closed);
    }
    first = fs::watch();
    CHECK(!first.is_closed());
    const std::error_code why = co_await first.close();
    CHECK(!why);
  });
}

TEST_CASE("F16 when the system loses changes a watch says so") {
  run_test([]() -> task<> {
    const temporary_folder in;
    const std::array<std::string, 2> files{in.file("a"), in.file("b")};
    int kept = 0;
    std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> kept;
    REQUIRE(kept > 0);
    fs::watch changes;
    co_await changes.add(in.path());
    for (std::size_t i = 0; i < static_cast<std::size_t>(kept) + 10; ++i)
      ::chmod(files[i % 2].c_str(), 0600);
    int told_of = 0;
    change one = co_await changes.next();
    for (; one.kind == change_kind::attributes; ++told_of) one = co_await changes.next();
    CHECK(one.kind == change_kind::overflow);
    CHECK(one.path().empty());
    CHECK(told_of == kept);
    in.folder("x");
    const std::string after = co_await told(&changes, 1);
    CHECK(after == "created x/");
  });
}

TEST_CASE("F16 one task waits at a time, and what cannot be watched is refused by name") {
  run_test([]() -> task<> {
    const temporary_folder in;
    fs::watch changes;
    co_await changes.add(in.path());
    auto waits = cove::spawn(told, &changes, 1);
    co_await until_waiting("fs::watch");
    const std::string second = co_await outcome_of(changes.next());
    CHECK(second.find("one task waits for a watch at a time") != std::string::npos);
    const std::string none = co_await outcome_of(changes.add(in / "none"));
    CHECK(none.find("fs::watch \"" + in.path() + "/none\": no such file or directory (ENOENT); ") ==
          0);
    const std::string nameless = co_await outcome_of(changes.add(""));
    CHECK(mentions(nameless,
                   "fs::watch \"\": no such file or directory (ENOENT); the path is empty"));
    const auto cut = co_await changes.add(std::string("/tmp\0x", 6)).as_result();
    CHECK(cut.error() == std::errc::invalid_argument);
    waits.cancel();
    const std::string ended = co_await outcome_of(std::move(waits));
    CHECK(ended == "canceled");
  });
}

TEST_CASE("F16 a cancel and a change in the same moment: the change is told once, then or later") {
  run_test([]() -> task<> {
    const temporary_folder in;
    fs::watch changes;
    co_await changes.add(in.path());
    for (int round = 0; round < 300; ++round) {
      const std::string name = std::to_string(round);
      auto waits = cove::spawn(told, &changes, 1);
      if (round % 2 == 0) co_await cove::this_task::yield();
      std::thread maker([&] { in.folder(name); });
      waits.cancel();
      auto first = co_await waits.as_result();
      maker.join();
      std::string one;
      if (first)
        one = *first;
      else
        one = co_await told(&changes, 1);  // It hangs if the change was lost.
      CHECK(one == "created " + name + "/");
      co_await check_silent(&changes);
    }
  });
}

TEST_CASE("F16 renames told across reads are whole, and nothing is lost in a storm") {
  run_test([]() -> task<> {
    const temporary_folder in;
    fs::watch changes;
    co_await changes.add(in.path());
    in.file("0");
    constexpr int renames = 3000;
    std::thread renamer([&] {
      for (int i = 0; i < renames; ++i)
        ::rename((in / std::to_string(i)).c_str(), (in / std::to_string(i + 1)).c_str());
    });
    std::string name;
    int halves = 0;
    while (name != std::to_string(renames)) {
      const change one = co_await changes.next();
      if (one.kind == change_kind::renamed) {
        if (one.from != name) FAIL("a rename is missing");
        name = one.name;
      } else if (one.kind == change_kind::removed) {
        if (one.name != name) FAIL("a rename is missing");
        ++halves;  // The other half had not come yet.
      } else if (one.kind == change_kind::created) {
        name = one.name;
      }
    }
    renamer.join();
    CHECK(halves < renames);
    co_await check_silent(&changes);
  });
}

TEST_CASE("F16 paths are added and removed while a task waits") {
  run_test([]() -> task<> {
    const temporary_folder in;
    const std::string fixed = in.folder("fixed");
    fs::watch changes;
    co_await changes.add(fixed);
    std::atomic<int> seen{0};
    const auto count = [](fs::watch* by, std::atomic<int>* into) -> task<> {
      for (;;) {
        const change one = co_await by->next();
        if (one.kind == change_kind::created) into->fetch_add(1);
      }
    };
    auto counting = cove::spawn(count, &changes, &seen);
    constexpr int rounds = 100;
    for (int round = 0; round < rounds; ++round) {
      const std::string name = std::to_string(round);
      const std::string folder = in.folder(name);
      co_await changes.add(folder);
      in.folder(name + "/x");
      const auto told_of = [&] { return seen.load() == round + 1; };
      co_await until(told_of);
      CHECK(changes.remove(folder));
    }
    counting.cancel();
    const std::string ended = co_await outcome_of(std::move(counting));
    CHECK(ended == "canceled");
  });
}

}  // namespace
