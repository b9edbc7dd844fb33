// What do the epochs of a run leave behind, in a form that a checkpoint can hold? Lists of numbers, and the names of the terms.
#pragma once

#include <crispnas/io/named_state.hpp>
#include <crispnas/search/epoch_report.hpp>
#include <crispnas/supernet/architecture.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace support {

namespace cn = crispnas;

/// What an epoch leaves behind for tables and curves.
struct epoch_record {
  cn::epoch_report report;
  double before = 0.0;                    ///< held-out accuracy of the super-network
  double after = 0.0;                     ///< the same, cut
  std::vector<cn::cell_weights> weights;  ///< at the end of the epoch, on the CPU; one per cell type
};

/// Records in the order in which they came. state() is what a checkpoint saves; records() gives back what was added, before and
/// after.
class epoch_log {
 public:
  void add(const epoch_record& record) {
    const auto& r = record.report;
    put({double(r.epoch), double(r.epochs), r.weight_rate, r.train_loss, r.train_accuracy, r.arch_loss,
         r.seconds, record.before, record.after, double(r.terms.size())});
    for (const auto& term : r.terms) {
      put({term.value, term.factor});
      names_ += term.name + "\n";
    }
    put({double(record.weights.size())});
    for (const auto& w : record.weights) {
      put({double(w.ops.size(0)), double(w.ops.size(1)), w.edges.defined() ? 1.0 : 0.0});
      put(w.ops);
      if (w.edges.defined()) put(w.edges);
    }
  }

  cn::named_state state() {
    cn::named_state all;
    all.add("numbers", numbers_);
    all.add("terms", names_);
    return all;
  }

  std::vector<epoch_record> records() const {
    std::vector<epoch_record> all;
    std::size_t at = 0, name = 0;
    const auto next = [&] { return numbers_.at(at++); };
    const auto tensor = [&](std::vector<std::int64_t> shape) {
      at::Tensor t = at::empty(shape, at::kDouble);
      for (std::int64_t i = 0; i < t.numel(); ++i) t.data_ptr<double>()[i] = next();
      return t;
    };
    while (at < numbers_.size()) {
      epoch_record record;
      auto& r = record.report;
      r.epoch = int(next());
      r.epochs = int(next());
      for (double* value : {&r.weight_rate, &r.train_loss, &r.train_accuracy, &r.arch_loss, &r.seconds,
                            &record.before, &record.after})
        *value = next();
      for (auto terms = std::size_t(next()); terms > 0; --terms) {
        const std::size_t end = names_.find('\n', name);
        const double value = next();
        r.terms.push_back({names_.substr(name, end - name), value, next()});
        name = end + 1;
      }
      for (auto cells = std::size_t(next()); cells > 0; --cells) {
        const auto edges = std::int64_t(next());
        const auto ops = std::int64_t(next());
        const bool weighted = next() != 0.0;
        cn::cell_weights w;
        w.ops = tensor({edges, ops});
        if (weighted) w.edges = tensor({edges});
        record.weights.push_back(std::move(w));
      }
      all.push_back(std::move(record));
    }
    return all;
  }

 private:
  void put(const std::vector<double>& values) {
    numbers_.insert(numbers_.end(), values.begin(), values.end());
  }
  void put(const at::Tensor& t) {
    const at::Tensor flat = t.detach().to(at::kCPU, at::kDouble).contiguous().flatten();
    numbers_.insert(numbers_.end(), flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel());
  }

  std::vector<double> numbers_;
  std::string names_;  ///< of the terms, one a line
};

}  // namespace support
