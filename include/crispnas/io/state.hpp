// How does a network get its values from a file? By name, strictly: all that does not fit is told in one
// error, and then nothing has been changed. Made for `load_state(published_state(net),
// "supernet.safetensors")`.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <crispnas/error.hpp>
#include <crispnas/io/safetensors.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace crispnas {

namespace detail {

/// "3 missing (a, b, c)"; empty where there are none.
inline std::string listed(const std::vector<std::string>& names, const std::string& what) {
  if (names.empty()) return {};
  std::string text = std::to_string(names.size()) + " " + what + " (";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return text + ")";
}

/// PyTorch counts the batches that a batch norm has seen; with a fixed momentum nothing depends on it.
inline bool is_batch_counter(std::string_view name) {
  constexpr std::string_view counter = "num_batches_tracked";
  return name == counter || name.ends_with(".num_batches_tracked");
}

}  // namespace detail

/// Throws crispnas::error, listing every name, where the tensors of `file` are not exactly those of `target`:
/// missing, unexpected (batch counters are not), of another shape, or numbers of another kind (any floating
/// type fits any other).
inline void check_state(const named_tensors& target, const safetensors_file& file) {
  std::vector<std::string> missing;
  std::vector<std::string> shapes;
  std::vector<std::string> kinds;
  std::vector<std::string> twice;
  std::unordered_set<std::string> wanted;
  for (const auto& [name, values] : target) {
    if (!wanted.insert(name).second) twice.push_back(printable_name(name));
    const stored_tensor* found = file.find(name);
    if (found == nullptr) {
      missing.push_back(printable_name(name));
      continue;
    }
    const auto type = scalar_type(found->type);
    if (values.sizes() != at::IntArrayRef(found->shape)) {
      shapes.push_back(printable_name(name) + ": " + shape_text(found->shape) + " in the file, " +
                       shape_text(values.sizes()) + " here");
    } else if (type != values.scalar_type() &&
               !(at::isFloatingType(type) && at::isFloatingType(values.scalar_type()))) {
      kinds.push_back(printable_name(name) + ": " + std::string(facts_of(found->type).name) +
                      " in the file, " + at::toString(values.scalar_type()) + " here");
    }
  }
  std::vector<std::string> unexpected;
  for (const auto& tensor : file.tensors()) {
    if (!wanted.contains(tensor.name) && !detail::is_batch_counter(tensor.name))
      unexpected.push_back(printable_name(tensor.name));
  }
  std::string problems;
  for (const auto& part :
       {detail::listed(missing, "missing"), detail::listed(unexpected, "unexpected"),
        detail::listed(shapes, "of another shape"), detail::listed(kinds, "of another type"),
        detail::listed(twice, "asked for twice")}) {
    if (!part.empty()) problems += (problems.empty() ? "" : "; ") + part;
  }
  if (!problems.empty()) {
    throw error("file '" + file.name() + "' does not hold this network: " + problems +
                ". Build the network with the same structure and options, or rename the tensors.");
  }
}

/// Copies the tensors of the file at `path` into those of `target`, which may be views, of any device and
/// floating type. Throws crispnas::error as check_state and safetensors_file; `target` is then as it was.
inline void load_state(const named_tensors& target, const std::filesystem::path& path) {
  safetensors_file file(path);
  check_state(target, file);
  std::vector<at::Tensor> values;
  values.reserve(target.size());
  for (const auto& [name, to] : target) values.push_back(file.read(name));
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < target.size(); ++i) at::Tensor(target[i].second).copy_(values[i]);
}

/// Writes the tensors of a network under their names; see write_safetensors.
inline void save_state(const named_tensors& state, const std::filesystem::path& path,
                       const text_pairs& metadata = {}) {
  write_safetensors(path, state, metadata);
}

}  // namespace crispnas
