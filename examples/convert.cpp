// Shows, checks, renames and evaluates files of weights: a super-network of the published DARTS, PC-DARTS,
// DAAS or NAS-Bench-201 code, saved from PyTorch as .safetensors, or one of ours.
#include <fmt/format.h>

#include <algorithm>
#include <crispnas/crispnas.hpp>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/cli.hpp"
#include "support/published.hpp"

namespace {

namespace cn = crispnas;

struct convert_flags {
  std::string file;
  std::string method = "pc_darts";
  cn::supernet_options network{};
  std::string input;
  std::string output;
  std::int64_t batch_size = 64;
  std::vector<std::string> replacements;
};

void info(const convert_flags& flags) {
  const cn::safetensors_file file(flags.file);
  std::size_t width = 4;
  constexpr std::size_t whole = 1000;  // characters of a name or a text are shown
  for (const auto& t : file.tensors()) width = std::max(width, cn::printable_name(t.name, whole).size());
  std::int64_t values = 0;
  std::uint64_t bytes = 0;
  for (const auto& t : file.tensors()) {
    fmt::print("{:<{}}  {:<4}  {}\n", cn::printable_name(t.name, whole), width, cn::facts_of(t.type).name,
               cn::shape_text(t.shape));
    bytes += t.end - t.begin;
    values += static_cast<std::int64_t>((t.end - t.begin) / cn::facts_of(t.type).bytes);
  }
  for (const auto& [key, value] : file.metadata())
    fmt::print("{} = {}\n", cn::printable_name(key, whole), cn::printable_name(value, whole));
  fmt::print("{} tensors, {} values, {} bytes\n", file.tensors().size(), values, bytes);
}

/// The network that the flags describe; what cannot be built is the caller's mistake.
cn::any_supernet network(const convert_flags& flags, at::ScalarType dtype, at::Device device = at::kCPU) {
  const auto configuration = support::published_method(flags.method);
  auto options = flags.network;
  options.dtype = dtype;
  options.device = device;
  try {
    return cn::any_supernet(configuration.space, configuration.ops, configuration.plan, options);
  } catch (const cn::error& e) {
    throw support::usage_error(e.what());
  }
}

std::string text_of(const convert_flags& flags) {
  return fmt::format("{} super-network, C = {}, {} cells, {} classes", flags.method, flags.network.channels,
                     flags.network.cells, flags.network.classes);
}

void check(const convert_flags& flags) {
  auto net = network(flags, at::kFloat, at::kMeta);  // names and shapes are enough, whatever its size
  const auto state = cn::published_state(net);
  cn::load_state(state, flags.file);
  fmt::print("'{}' holds a {}: {} tensors, {} weights.\n", flags.file, text_of(flags), state.size(),
             net.weight_count());
}

void rename(const convert_flags& flags) {
  std::vector<std::pair<std::string, std::string>> rules;
  for (const auto& text : flags.replacements) {
    const auto middle = text.find('=');
    if (middle == std::string::npos || middle == 0) {
      throw support::usage_error("--replace " + text +
                                 ": write OLD=NEW, the beginning of names and what to put in its place.");
    }
    rules.emplace_back(text.substr(0, middle), text.substr(middle + 1));
  }
  cn::safetensors_file file(flags.file);
  cn::named_tensors renamed;
  std::vector<int> used(rules.size(), 0);
  for (const auto& tensor : file.tensors()) {
    std::string name = tensor.name;
    for (std::size_t r = 0; r < rules.size(); ++r) {
      if (!name.starts_with(rules[r].first)) continue;
      name = rules[r].second + name.substr(rules[r].first.size());
      ++used[r];
      break;
    }
    renamed.emplace_back(name, file.read(tensor));
  }
  for (std::size_t r = 0; r < rules.size(); ++r) {
    if (used[r] == 0) throw support::usage_error("--replace: no name begins with '" + rules[r].first + "'.");
  }
  std::set<std::string> names;
  for (const auto& [name, values] : renamed) {
    if (!names.insert(name).second)
      throw support::usage_error("--replace: two tensors would be called '" + cn::printable_name(name) +
                                 "'.");
  }
  cn::write_safetensors(flags.output, renamed, file.metadata());
  for (std::size_t r = 0; r < rules.size(); ++r)
    fmt::print("{} names: '{}' -> '{}'\n", used[r], rules[r].first, rules[r].second);
}

/// The images of the input file: its tensor `images`, or the only one.
at::Tensor images_of(const std::string& path) {
  cn::safetensors_file file(path);
  const auto* stored = file.tensors().size() == 1 ? &file.tensors().front() : file.find("images");
  if (stored == nullptr) {
    throw support::usage_error("file '" + path +
                               "' needs one tensor 'images', [images, channels, height, width], normalized.");
  }
  const at::Tensor images = file.read(*stored);
  if (images.dim() != 4 || !images.is_floating_point() || images.size(0) == 0) {
    throw support::usage_error(
        "file '" + path + "': images are floating-point numbers, [images, channels, height, width]; '" +
        cn::printable_name(stored->name) + "' is " + cn::shape_text(images.sizes()) + ".");
  }
  return images.scalar_type() == at::kDouble ? images : images.to(at::kFloat);
}

void evaluate(const convert_flags& flags) {
  for (const auto& [what, path] : {std::pair{"the weights", flags.file}, std::pair{"--input", flags.input}}) {
    std::error_code code;
    if (std::filesystem::equivalent(flags.output, path, code))
      throw support::usage_error("--output is the file of " + std::string(what) + ". Name another one.");
  }
  const at::Tensor images = images_of(flags.input);
  auto net = network(flags, images.scalar_type());
  cn::load_state(cn::published_state(net), flags.file);
  net.eval();
  at::NoGradGuard no_grad;
  const auto weights = net.arch().fixed_weights();
  std::vector<at::Tensor> logits;
  for (const auto& part : images.split(flags.batch_size)) logits.push_back(net.forward(part, weights));
  cn::write_safetensors(flags.output, {{"logits", at::cat(logits)}});
  fmt::print("{}: logits {} in '{}'\n", text_of(flags), cn::shape_text(at::cat(logits).sizes()),
             flags.output);
}

void add_network(CLI::App& command, convert_flags& flags) {
  command.add_option("--method", flags.method, "whose super-network")
      ->check(support::one_of(support::published_names));
  command.add_option("--channels", flags.network.channels, "channels C of the first cell")
      ->check(support::between(1, 4096));
  command.add_option("--cells", flags.network.cells, "cells (nas_bench_201: of each stage)")
      ->check(support::between(1, 100));
  command.add_option("--classes", flags.network.classes, "classes")->check(support::between(2, 100000));
  command.add_option("--image-channels", flags.network.image_channels, "channels of the images")
      ->check(support::between(1, 4096));
}

}  // namespace

int main(int argc, char** argv) {
  convert_flags flags;
  CLI::App app{"Shows, checks, renames and evaluates .safetensors files of super-networks."};
  app.option_defaults()->always_capture_default();
  app.require_subcommand(1);
  const auto command = [&](const char* name, const char* what) {
    CLI::App* added = app.add_subcommand(name, what);
    added->add_option("file", flags.file, "the .safetensors file")->required()->check(CLI::ExistingFile);
    return added;
  };
  const auto* show = command("info", "Lists names, types and shapes.");
  auto* compare = command(
      "check",
      "Says whether the file holds a super-network, or all that is missing, unexpected or misshapen.");
  add_network(*compare, flags);
  auto* name =
      command("rename", "Copies the file with other names, as from DataParallel: --replace module.=");
  name->add_option("output", flags.output, "the file to write")->required();
  name->add_option("--replace", flags.replacements,
                   "OLD=NEW: names that begin with OLD; the first that fits counts")
      ->required();
  auto* compute =
      command("evaluate", "Computes logits of given images, batch norm by its running statistics.");
  add_network(*compute, flags);
  compute->add_option("--input", flags.input, "a .safetensors file with `images`, normalized")
      ->required()
      ->check(CLI::ExistingFile);
  compute->add_option("--output", flags.output, "the .safetensors file for `logits`")->required();
  compute->add_option("--batch", flags.batch_size, "images at a time")->check(support::between(1, 1000000));
  if (const auto code = support::parse_command_line(app, argc, argv)) return *code;
  return support::guarded("convert", [&] {
    if (show->parsed()) info(flags);
    if (compare->parsed()) check(flags);
    if (name->parsed()) rename(flags);
    if (compute->parsed()) evaluate(flags);
  });
}
