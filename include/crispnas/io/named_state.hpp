// What must a run remember to go on as if nothing had happened? A list of names, each with a way to read its value
// and a way to put one back: tensors of the run itself, numbers, lists, texts. Whatever has a `state()` that
// returns one can be checkpointed.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <concepts>
#include <crispnas/error.hpp>
#include <crispnas/io/safetensors.hpp>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace crispnas {

/// Entries refer to the run that made them, which has to outlive them and to stay where it is.
class named_state {
 public:
  struct entry {
    std::string name;
    std::function<at::Tensor()> value;
    std::function<void(const at::Tensor&)> restore;  ///< takes a tensor on the CPU, of the same type
    bool any_length = false;  ///< one dimension of any length, instead of the same shape
  };

  /// A tensor of the run: loading copies into it. Of any device.
  void add(std::string name, const at::Tensor& tensor) {
    put({std::move(name), [tensor] { return tensor.detach(); },
         [tensor](const at::Tensor& saved) {
           const at::NoGradGuard no_grad;
           at::Tensor(tensor).copy_(saved);
         }});
  }

  /// A number of the run.
  template <class Number>
  requires std::same_as<Number, std::int64_t> || std::same_as<Number, double>
  void add(std::string name, Number& number) {
    put({std::move(name), [&number] { return at::scalar_tensor(number, type_of<Number>()); },
         [&number](const at::Tensor& saved) { number = saved.item<Number>(); }});
  }

  /// A list of numbers of the run, of any length.
  template <class Number>
  requires std::same_as<Number, std::int64_t> || std::same_as<Number, double>
  void add(std::string name, std::vector<Number>& numbers) {
    put({std::move(name), [&numbers] { return at::tensor(numbers, type_of<Number>()); },
         [&numbers](const at::Tensor& saved) {
           const auto* first = saved.const_data_ptr<Number>();
           numbers.assign(first, first + saved.numel());
         },
         true});
  }

  /// A text of the run, of any length.
  void add(std::string name, std::string& text) {
    put({std::move(name),
         [&text] {
           at::Tensor bytes = at::empty({static_cast<std::int64_t>(text.size())}, at::kByte);
           std::copy_n(text.data(), text.size(),
                       static_cast<char*>(bytes.data_ptr()));  // none of an empty one
           return bytes;
         },
         [&text](const at::Tensor& saved) {
           text.assign(static_cast<const char*>(saved.const_data_ptr()),
                       static_cast<std::size_t>(saved.numel()));
         },
         true});
  }

  /// Anything else: what is saved, and what is done with it on loading.
  void add(std::string name, std::function<at::Tensor()> value,
           std::function<void(const at::Tensor&)> restore) {
    put({std::move(name), std::move(value), std::move(restore)});
  }

  /// The state of a part, its names behind a prefix.
  void add(const std::string& prefix, const named_state& part) {
    for (entry e : part.entries_) {
      e.name = prefix + "." + e.name;
      put(std::move(e));
    }
  }

  const std::vector<entry>& entries() const { return entries_; }

  /// The values now: copies on the CPU that stay as they are when the run goes on.
  named_tensors values() const {
    named_tensors all;
    for (const auto& e : entries_) all.emplace_back(e.name, e.value().detach().to(at::kCPU, false, true));
    return all;
  }

  /// Puts values back. Throws crispnas::error, listing every name, where they are not exactly those of this state
  /// (names, shapes, types); nothing is then changed.
  void restore(const named_tensors& saved) const {
    std::string problems;
    const auto report = [&](const std::string& name, const std::string& what) {
      problems += (problems.empty() ? "" : "; ") + name + " " + what;
    };
    std::unordered_map<std::string_view, const at::Tensor*> by_name;
    for (const auto& [name, values] : saved) {
      if (!by_name.emplace(name, &values).second) report(name, "is there twice");
      if (!names_.contains(name)) report(name, "is not of this run");
    }
    std::vector<const at::Tensor*> found;
    for (const auto& e : entries_) {
      const auto place = by_name.find(e.name);
      found.push_back(place == by_name.end() ? nullptr : place->second);
      if (found.back() == nullptr) {
        report(e.name, "is missing");
        continue;
      }
      const at::Tensor now = e.value();
      const at::Tensor& then = *found.back();
      if (then.scalar_type() != now.scalar_type()) {
        report(e.name, std::string("is ") + at::toString(then.scalar_type()) + " instead of " +
                           at::toString(now.scalar_type()));
      } else if (e.any_length ? then.dim() != 1 : then.sizes() != now.sizes()) {
        report(e.name, "has shape " + shape_text(then.sizes()) + " instead of " + shape_text(now.sizes()));
      }
    }
    if (!problems.empty()) throw error("the saved state does not fit this run: " + problems + ".");
    for (std::size_t i = 0; i < entries_.size(); ++i) entries_[i].restore(found[i]->contiguous());
  }

 private:
  template <class Number>
  static constexpr at::ScalarType type_of() {
    return std::same_as<Number, double> ? at::kDouble : at::kLong;
  }

  void put(entry e) {
    if (!names_.insert(e.name).second) throw error("named_state: '" + e.name + "' is there twice.");
    entries_.push_back(std::move(e));
  }

  std::vector<entry> entries_;
  std::set<std::string, std::less<>> names_;
};

/// What can be checkpointed.
template <class T>
concept has_state = requires(T& run) {
  { run.state() } -> std::same_as<named_state>;
};

}  // namespace crispnas
