#include <cove/runtime/external_work.hpp>

#include "sched/virtual_clock.hpp"
#include "state.hpp"

namespace cove {
namespace {

sched::virtual_clock* clock_of(runtime* whose) noexcept {
  return whose != nullptr ? whose->state().scheduler.settings().clock : nullptr;
}

}  // namespace

external_work::external_work() noexcept : external_work(clock_of(runtime::current())) {}
external_work::external_work(runtime& whose) noexcept : external_work(clock_of(&whose)) {}

external_work::external_work(sched::virtual_clock* clock) noexcept : clock_(clock) {
  if (clock_ == nullptr) return;
  clock_->retain();
  clock_->begin_external();
}

void external_work::done() noexcept {
  if (clock_ == nullptr) return;
  clock_->end_external();
  std::exchange(clock_, nullptr)->release();
}

}  // namespace cove
