#include "symbols.hpp"

#include <cove/runtime/detail/own_number.hpp>

#include <cxxabi.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>

// The dynamic linker knows exported functions only, and a program exports none as a rule; nor are
// the bodies of coroutines ever exported. So the program's own table is read, too: from
// /proc/self/exe, which is the file that runs even if another one has taken its place. Those of
// libraries are not: their files may have been replaced, and are mostly stripped.

namespace cove::detail {
namespace {

/// The program's file in memory; empty if it cannot be read.
class program_file {
 public:
  program_file() noexcept {
    const int fd = own_number(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    if (fd < 0) return;
    struct stat about{};
    if (::fstat(fd, &about) == 0 && about.st_size > 0) {
      const auto size = static_cast<std::size_t>(about.st_size);
      void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
      if (at != MAP_FAILED) bytes_ = {static_cast<const char*>(at), size};
    }
    ::close(fd);
  }
  program_file(const program_file&) = delete;
  program_file& operator=(const program_file&) = delete;
  ~program_file() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }

  /// `count` of T at `offset`; empty if the file does not hold them.
  template <class T>
  std::span<const T> part(std::size_t offset, std::size_t count) const noexcept {
    if (offset > bytes_.size() || offset % alignof(T) != 0 ||
        count > (bytes_.size() - offset) / sizeof(T))
      return {};
    return {reinterpret_cast<const T*>(bytes_.data() + offset), count};
  }

 private:
  std::span<const char> bytes_;
};

struct table {
  std::span<const ElfW(Sym)> symbols;
  std::span<const char> names;  ///< Ends with a zero if there are symbols.
};

table symbol_table(const program_file& file) noexcept {
  const auto header = file.part<ElfW(Ehdr)>(0, 1);
  if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0 ||
      header[0].e_shentsize != sizeof(ElfW(Shdr)))
    return {};
  const auto sections = file.part<ElfW(Shdr)>(header[0].e_shoff, header[0].e_shnum);
  for (const ElfW(Shdr) & section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const ElfW(Shdr)& strings = sections[section.sh_link];
    const table found{file.part<ElfW(Sym)>(section.sh_offset, section.sh_size / sizeof(ElfW(Sym))),
                      file.part<char>(strings.sh_offset, strings.sh_size)};
    if (!found.names.empty() && found.names.back() == '\0') return found;
  }
  return {};
}

/// Names what lies in the program; `in_program` are indices into `found`.
void name_from_program(std::span<const std::size_t> in_program, std::vector<symbol>& found) {
  const program_file file;
  const table known = symbol_table(file);
  for (const ElfW(Sym) & each : known.symbols) {
    if (ELF64_ST_TYPE(each.st_info) != STT_FUNC || each.st_name >= known.names.size()) continue;
    for (const std::size_t index : in_program)
      if (found[index].offset - each.st_value < each.st_size)
        found[index].function = readable_function(known.names.data() + each.st_name);
  }
}

std::string_view file_name(std::string_view path) noexcept {
  return path.substr(path.rfind('/') + 1);
}

std::string program_name() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  return std::string(file_name({path, length > 0 ? static_cast<std::size_t>(length) : 0}));
}

/// GCC's name for a coroutine's body is that of a function with a pointer to the frame, whose type
/// is called `<length><the coroutine's own name>.Frame`. The own name, or nothing.
std::string_view name_in_frame(std::string_view linked) noexcept {
  const std::size_t end = linked.find(".Frame.");
  if (end == std::string_view::npos) return {};
  const std::size_t frame_end = end + std::strlen(".Frame");
  for (std::size_t at = linked.find("_Z", 1); at < end; at = linked.find("_Z", at + 1)) {
    const std::string length = std::to_string(frame_end - at);
    if (linked.substr(0, at).ends_with(length)) return linked.substr(at, end - at);
  }
  return {};
}

std::string demangled(const std::string& linked) {
  int failed = 0;
  char* text = abi::__cxa_demangle(linked.c_str(), nullptr, nullptr, &failed);
  std::string readable = failed == 0 && text != nullptr ? text : linked;
  std::free(text);
  return readable;
}

}  // namespace

std::string readable_function(std::string_view linked) {
  // What compilers add behind a dot says which part or copy of the function it is.
  const std::size_t dot = linked.find('.');
  const std::string_view part = dot == std::string_view::npos ? "" : linked.substr(dot);
  const bool body = part.find(".actor") != std::string_view::npos || part.starts_with(".resume");
  std::string_view own = name_in_frame(linked);
  if (own.empty()) own = linked.substr(0, dot);
  return demangled(std::string(own)) + (body ? " [coroutine]" : "");
}

std::vector<symbol> find_symbols(std::span<const std::uintptr_t> addresses) {
  std::vector<symbol> found;
  std::vector<std::size_t> in_program;
  for (const std::uintptr_t address : addresses) {
    symbol& next = found.emplace_back();
    Dl_info about{};
    void* extra = nullptr;
    if (::dladdr1(reinterpret_cast<void*>(address), &about, &extra, RTLD_DL_LINKMAP) == 0) continue;
    const auto* module = static_cast<const link_map*>(extra);
    if (about.dli_sname != nullptr) next.function = readable_function(about.dli_sname);
    next.offset = address - module->l_addr;
    next.module = module->l_name[0] != '\0' ? file_name(module->l_name) : program_name();
    if (module->l_name[0] == '\0') in_program.push_back(found.size() - 1);
  }
  if (!in_program.empty()) name_from_program(in_program, found);
  return found;
}

}  // namespace cove::detail
