#include "cgroup_levels.hpp"

#include <algorithm>
#include <optional>
#include <utility>

// From "which cgroup am I in" to folders that can be opened.
//
//   /proc/self/cgroup   5:cpu,cpuacct:/pods/a          version 1, its hierarchy has a number
//                       0::/pods/a                     version 2
//   mountinfo           41 31 0:38 /pods /sys/fs/cgroup rw - cgroup2 cgroup2 rw
//                                  root  mount point         type    source  options
//
// A controller is in one hierarchy only. So if a hierarchy of version 1 has "cpu", what version 2
// says is not looked at, although hybrid systems list both.
//
// A mount shows the part of its hierarchy that begins at its root: all of it, or a container's part
// (a bind mount, whose root is then the container's own cgroup). The process's path without that
// root is the way from the mount point to its folder; what is above the root cannot be seen.
//
// In a cgroup namespace both are written as seen from the namespace's root, and what is not below
// that begins with "/..":
//   - a mount whose root is "/../.." shows ancestors of ours, but nobody tells by what names one
//     gets down from there to us. Its root's own quota holds for us, and is all that is found.
//   - a path "/.." is that of a process that was moved out of the part that its mount shows. The
//     quotas in there are not its own.

namespace cove::detail {
namespace {

/// Takes from `text` what stands before the next `end`, and that.
std::string_view take(std::string_view& text, char end) noexcept {
  const std::string_view head = text.substr(0, text.find(end));
  text.remove_prefix(std::min(head.size() + 1, text.size()));
  return head;
}

bool lists(std::string_view words, std::string_view word) noexcept {
  while (!words.empty())
    if (take(words, ',') == word) return true;
  return false;
}

struct membership {
  bool unified;
  std::string_view path;
};

std::optional<membership> find_membership(std::string_view cgroup) noexcept {
  std::optional<membership> found;
  while (!cgroup.empty()) {
    std::string_view line = take(cgroup, '\n');
    const std::string_view hierarchy = take(line, ':');
    const std::string_view controllers = take(line, ':');
    if (!line.starts_with('/')) continue;
    if (lists(controllers, "cpu")) return membership{false, line};
    if (hierarchy == "0" && controllers.empty()) found = membership{true, line};
  }
  return found;
}

bool is_octal(char digit) noexcept { return digit >= '0' && digit <= '7'; }

/// mountinfo writes a space, tab, newline or backslash of a name as "\040" and the like.
std::string unescape(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const bool escape = text.size() >= 4 && text[0] == '\\' && is_octal(text[1]) &&
                        is_octal(text[2]) && is_octal(text[3]);
    if (escape)
      plain += static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
    else
      plain += text[0];
    text.remove_prefix(escape ? 4 : 1);
  }
  return plain;
}

struct mount {
  std::string root;
  std::string point;
};

/// The mount of a line, if it is of the hierarchy that has the CPU controller.
std::optional<mount> read_mount(std::string_view line, bool unified) {
  constexpr std::string_view separator = " - ";
  const std::size_t end_of_fields = line.find(separator);
  if (end_of_fields == line.npos) return std::nullopt;
  std::string_view source = line.substr(end_of_fields + separator.size());
  const std::string_view type = take(source, ' ');
  const std::string_view options = source.substr(source.rfind(' ') + 1);
  if (unified ? type != "cgroup2" : type != "cgroup" || !lists(options, "cpu")) return std::nullopt;

  for (int number = 0; number < 3; ++number) take(line, ' ');  // Mount, parent, device.
  mount found;
  found.root = unescape(take(line, ' '));
  found.point = unescape(take(line, ' '));
  if (!found.root.starts_with('/') || !found.point.starts_with('/')) return std::nullopt;
  return found;
}

/// Whether `path` is `above`, or goes on from there. Both without a '/' at their end.
bool is_below(std::string_view path, std::string_view above) noexcept {
  return path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '/');
}

bool is_outside(std::string_view path) noexcept { return is_below(path, "/.."); }

/// The way down from a mount's root to a cgroup; nothing if that is no way to the cgroup.
std::optional<std::string_view> way_down(std::string_view root, std::string_view path) noexcept {
  if (root == "/") root = {};
  if (path == "/") path = {};
  if (is_below(path, root)) {
    const std::string_view way = path.substr(root.size());
    if (is_outside(way)) return std::nullopt;
    return way;
  }
  while (is_outside(root)) root.remove_prefix(3);
  if (root.empty()) return "";  // More steps up than the path has: an ancestor of ours.
  return std::nullopt;
}

}  // namespace

cgroup_levels find_cpu_cgroup(std::string_view cgroup, std::string_view mountinfo) {
  cgroup_levels best;
  const std::optional<membership> member = find_membership(cgroup);
  if (!member) return best;
  best.unified = member->unified;
  while (!mountinfo.empty()) {
    const std::optional<mount> at = read_mount(take(mountinfo, '\n'), member->unified);
    if (!at) continue;
    const std::optional<std::string_view> way = way_down(at->root, member->path);
    if (!way) continue;
    std::vector<std::string> folders{at->point + std::string(*way)};
    while (folders.back().size() > at->point.size())
      folders.push_back(folders.back().substr(0, folders.back().rfind('/')));
    // Of several mounts, that which shows most; of equals the last, which may lie on the others.
    if (folders.size() >= best.folders.size()) best.folders = std::move(folders);
  }
  return best;
}

}  // namespace cove::detail
