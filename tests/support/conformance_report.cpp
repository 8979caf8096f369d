#include "support/conformance_report.hpp"

#include <cove/runtime.hpp>

#include <doctest/doctest.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <string>

// The conformance report is made from test runs alone. With COVE_CONFORMANCE_REPORT=FILE each test
// case whose name begins with row ids ("S12 S13 end of stream, still writable") appends one line:
//
//     ids <tab> backend <tab> pass | fail | n.a. | impossible <tab> reason
//
// Test binaries run side by side, so a line is flushed whole to a file opened for appending. A case
// that crashes writes nothing: its rows stay open, and the run fails anyway. tools/conformance
// makes docs/conformance.md out of the lines.

namespace cove::test {
namespace {

struct statement {
  std::string verdict;
  std::string reason;
};

/// What the running case said of itself.
statement& said() {
  static statement of_case;
  return of_case;
}

void say(std::string verdict, std::string_view reason) {
  CHECK_MESSAGE(!reason.empty(), "a verdict needs its reason");
  said() = {std::move(verdict), std::string(reason)};
}

/// The ids at the start of a name: a letter and two digits each, with a space behind.
std::string ids_of(std::string_view name) {
  std::string ids;
  const auto digit = [&name](std::size_t at) {
    return std::isdigit(static_cast<unsigned char>(name[at])) != 0;
  };
  while (name.size() > 3 && name[0] >= 'A' && name[0] <= 'Z' && digit(1) && digit(2) &&
         name[3] == ' ') {
    if (!ids.empty()) ids += ' ';
    ids += name.substr(0, 3);
    name.remove_prefix(4);
  }
  return ids;
}

class conformance_report final : public doctest::IReporter {
 public:
  explicit conformance_report(const doctest::ContextOptions&) {
    const char* path = std::getenv("COVE_CONFORMANCE_REPORT");
    if (path == nullptr || *path == '\0') return;
    file_ = std::fopen(path, "a");
    if (file_ == nullptr) give_up(path);
  }
  conformance_report(const conformance_report&) = delete;
  conformance_report& operator=(const conformance_report&) = delete;
  ~conformance_report() override {
    if (file_ != nullptr) std::fclose(file_);
  }

  void test_run_start() override {
    if (file_ == nullptr) return;
    runtime_options options;
    options.workers = 1;
    backend_ = runtime(std::move(options)).backend();
  }
  void test_case_start(const doctest::TestCaseData& which) override {
    ids_ = ids_of(which.m_name);
    said() = {"pass", ""};
  }
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    if (file_ == nullptr || ids_.empty()) return;
    if (stats.failure_flags != 0) said() = {"fail", ""};
    const std::string line =
        ids_ + '\t' + backend_ + '\t' + said().verdict + '\t' + said().reason + '\n';
    if (std::fputs(line.c_str(), file_) < 0 || std::fflush(file_) != 0)
      give_up("COVE_CONFORMANCE_REPORT");
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  /// A report with holes would be worse than none.
  [[noreturn]] static void give_up(const char* what) {
    std::perror(what);
    std::exit(2);
  }

  std::FILE* file_ = nullptr;
  std::string backend_;
  std::string ids_;
};

REGISTER_LISTENER("conformance", 1, conformance_report);

}  // namespace

void not_applicable(std::string_view reason) { say("n.a.", reason); }
void impossible_by_design(std::string_view reason) { say("impossible", reason); }

}  // namespace cove::test
