// How does `for (const auto& epoch : run(data))` run epochs? Each step of the iteration asks for the next report.
#pragma once

#include <cstddef>
#include <iterator>

namespace crispnas::detail {

/// An input iterator over the reports of `Range`, which has `bool next(Report&)`: false after the last.
template <class Range, class Report>
class epoch_iterator {
 public:
  using value_type = Report;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;
  explicit epoch_iterator(Range* range) : range_(range) { ++*this; }
  const Report& operator*() const { return report_; }
  const Report* operator->() const { return &report_; }
  epoch_iterator& operator++() {
    ended_ = !range_->next(report_);
    return *this;
  }
  void operator++(int) { ++*this; }
  bool operator==(std::default_sentinel_t) const { return ended_; }

 private:
  Range* range_;
  Report report_;
  bool ended_ = false;
};

}  // namespace crispnas::detail
