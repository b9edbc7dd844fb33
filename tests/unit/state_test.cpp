// Tensors into .safetensors files and back, networks under their published names, and what a strict reader
// refuses.
#include <sys/resource.h>

#include <crispnas/io/safetensors.hpp>
#include <crispnas/io/state.hpp>
#include <crispnas/supernet/published_state.hpp>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "files.hpp"
#include "support.hpp"

namespace state_test {

namespace cn = crispnas;

namespace {

// Types of their own keep the names of the tests short.
struct darts_code : cn::darts_spec<cn::darts_cell_with_none, cn::partial_channels<1>> {};
struct pc_darts_code : cn::pc_darts_spec<cn::darts_cell_with_none> {};
struct authors_code : cn::authors_code_spec {};
// Budgets that DAAS has not: groups of several nodes, a node's edges that do not stand in a row; and no beta at all.
struct swapped_joint : cn::spec<cn::edge_budget<cn::keep<1, cn::nodes<2, 5>>, cn::keep<1, cn::nodes<3, 4>>>,
                                cn::swapped_betas, cn::partial_channels<1>> {};
struct swapped_gap : cn::spec<cn::edge_budget<cn::keep<1, cn::nodes<2>>, cn::keep<0, cn::nodes<3>>,
                                              cn::keep<1, cn::nodes<4>>, cn::keep<1, cn::nodes<5>>>,
                              cn::swapped_betas, cn::partial_channels<1>> {};
struct swapped_without_betas
    : cn::spec<cn::no_edge_weights, cn::no_regularizer, cn::swapped_betas, cn::partial_channels<1>> {};
struct nas_bench_201 : cn::darts_spec<cn::nas_bench_201_cell> {};

template <class Spec>
cn::supernet<Spec> small(std::uint64_t seed, at::ScalarType dtype = at::kFloat) {
  return cn::supernet<Spec>({.channels = 8, .cells = 3, .classes = 10, .seed = seed, .dtype = dtype});
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::map<std::string, at::Tensor> copies(const cn::named_tensors& state) {
  std::map<std::string, at::Tensor> all;
  for (const auto& [name, values] : state) all.emplace(name, values.detach().clone());
  return all;
}

bool equal(const std::map<std::string, at::Tensor>& a, const std::map<std::string, at::Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, values] : a) {
    if (!b.contains(name) || !at::equal(values, b.at(name))) return false;
  }
  return true;
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("every type and shape comes back bit for bit") {
  const tests::temporary_folder folder;
  cn::named_tensors all;
  for (auto type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort,
                    at::kChar, at::kByte, at::kBool}) {
    all.emplace_back(at::toString(type), at::arange(6).view({2, 3}).to(type));
  }
  all.emplace_back("scalar", at::scalar_tensor(2.5));
  all.emplace_back("empty", at::zeros({0, 4}));
  all.emplace_back("transposed", at::arange(6).view({2, 3}).t());
  const auto path = folder.path() / "all.safetensors";
  cn::write_safetensors(path, all, {{"format", "pt"}});
  CHECK(files_in(folder.path()) == 1);
  const auto back = cn::read_safetensors(path);
  const auto from_memory = cn::read_safetensors(cn::safetensors_file("it", bytes_of(path)));
  CHECK(equal(copies(all), copies(back)));
  CHECK(equal(copies(all), copies(from_memory)));
  for (const auto& [name, values] : back) CHECK((values.scalar_type() == copies(all).at(name).scalar_type()));
  cn::safetensors_file file(path);
  CHECK(file.metadata() == cn::text_pairs{{"format", "pt"}});
  for (const auto& tensor : file.tensors()) {
    CHECK(tensor.begin % cn::facts_of(tensor.type).bytes == 0);  // aligned
  }
  CHECK_SAYS(tests::message_of([&] { file.read("none"); }), "there is no tensor 'none'; there are: ");
}

TEST_CASE("a file that does not hold is refused by name") {
  const tests::temporary_folder folder;
  const auto path = folder.path() / "a.safetensors";
  cn::write_safetensors(path, {{"flag", at::ones({3}, at::kBool)}, {"w", at::ones({2})}});
  const std::string good = bytes_of(path);
  const auto said = [&](const std::string& bytes) {
    const auto file = folder.write("b.safetensors", bytes);
    return tests::message_of([&] { cn::read_safetensors(file); });
  };
  CHECK(said(good).empty());
  for (std::size_t length = 0; length < good.size(); ++length)
    CHECK_SAYS(said(good.substr(0, length)), "b.safetensors'");
  CHECK_SAYS(said(good + "x"), "a hole at its end");
  std::string broken = good;
  broken.back() = 2;
  CHECK_SAYS(said(broken), "tensor 'flag' is of type BOOL");
  CHECK_SAYS(tests::message_of([&] { cn::read_safetensors(folder.path()); }), "is not a file");
  CHECK_SAYS(tests::message_of([&] { cn::read_safetensors(folder.path() / "c"); }), "does not exist");
  const auto large = folder.path() / "large.safetensors";
  cn::write_safetensors(large, {{"w", at::ones({100000})}});
  cn::safetensors_file open(large);
  std::filesystem::resize_file(large, 200000);  // by somebody else, meanwhile
  CHECK_SAYS(tests::message_of([&] { open.read("w"); }), "large.safetensors' ended too early");
  rlimit old_limit{};
  getrlimit(RLIMIT_NOFILE, &old_limit);
  const rlimit no_more{0, old_limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &no_more);
  const auto message = tests::message_of([&] { cn::read_safetensors(large); });
  setrlimit(RLIMIT_NOFILE, &old_limit);
  CHECK_SAYS(message, "large.safetensors' cannot be opened");
}

TEST_CASE("a file is written whole or not at all") {
  const tests::temporary_folder folder;
  const auto path = folder.path() / "a.safetensors";
  cn::write_safetensors(path, {{"w", at::ones({2})}});
  const std::string before = bytes_of(path);
  const auto refused = [&](const cn::named_tensors& tensors) {
    const auto message = tests::message_of([&] { cn::write_safetensors(path, tensors); });
    CHECK(bytes_of(path) == before);
    CHECK(files_in(folder.path()) == 1);  // no temporary is left
    return message;
  };
  CHECK_SAYS(refused({{"a", at::ones({1})}, {"a", at::ones({1})}}), "two tensors 'a'");
  CHECK_SAYS(refused({{"c", at::ones({1}, at::kComplexFloat)}}), "type ComplexFloat has no place");
  CHECK_SAYS(refused({{"m", at::ones({1}, at::kMeta)}}), "meta");
  CHECK_SAYS(refused({{"u", at::Tensor()}}), "undefined");
  CHECK_SAYS(refused({{"l", at::ones({1}).expand({std::int64_t{1} << 62})}}), "it is too large");
  CHECK_SAYS(refused({{"__metadata__", at::ones({1})}}), "keeps that name");
  CHECK_SAYS(tests::message_of([&] { cn::write_safetensors(folder.path(), {}); }), "it is a folder");
  CHECK_SAYS(tests::message_of([&] { cn::write_safetensors(folder.path() / "no" / "a", {}); }),
             "temporary file");
  {
    cn::atomic_file half(path, 10);
    half.write("12345", 5);
    CHECK(files_in(folder.path()) == 2);
  }  // not committed
  CHECK(bytes_of(path) == before);
  CHECK(files_in(folder.path()) == 1);
  CHECK_SAYS(tests::message_of([&] { cn::atomic_file(path, std::uint64_t{1} << 60); }), "are free there");
  CHECK_SAYS(tests::message_of([&] { cn::atomic_file("/dev/null", 1); }), "it is a device");
  {
    // A disk that is full while the file is being written.
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit old_limit{};
    getrlimit(RLIMIT_FSIZE, &old_limit);
    const rlimit small_files{1000, old_limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small_files);
    const auto message = tests::message_of([&] { cn::write_safetensors(path, {{"w", at::ones({1000})}}); });
    setrlimit(RLIMIT_FSIZE, &old_limit);
    std::signal(SIGXFSZ, old_handler);
    CHECK_SAYS(message, "a.safetensors' cannot be written: writing failed");
    CHECK(bytes_of(path) == before);
    CHECK(files_in(folder.path()) == 1);
  }
  cn::write_safetensors(path, {});  // over what was there
  CHECK(cn::read_safetensors(path).empty());
}

TEST_CASE("published names: DARTS, PC-DARTS, DAAS, NAS-Bench-201") {
  const auto names = [](const auto& net) {
    std::map<std::string, std::vector<std::int64_t>> all;
    for (const auto& [name, values] : cn::published_state(net)) all.emplace(name, values.sizes().vec());
    return all;
  };
  const auto pc = names(small<pc_darts_code>(1));
  CHECK(pc.at("stem.0.weight") == std::vector<std::int64_t>{24, 3, 3, 3});
  CHECK(pc.at("cells.0.preprocess0.op.1.weight") == std::vector<std::int64_t>{8, 24, 1, 1});
  CHECK(pc.at("cells.0._ops.3._ops.4.op.1.weight") == std::vector<std::int64_t>{2, 1, 3, 3});
  CHECK(pc.at("cells.2.preprocess0.conv_1.weight") == std::vector<std::int64_t>{16, 32, 1, 1});
  CHECK(pc.at("cells.0._ops.3._ops.1.1.running_var") == std::vector<std::int64_t>{2});
  CHECK(pc.at("alphas_reduce") == std::vector<std::int64_t>{14, 8});
  CHECK(pc.at("betas_normal") == std::vector<std::int64_t>{14});
  CHECK(!names(small<darts_code>(1)).contains("betas_normal"));
  const auto daas = names(small<cn::authors_code_spec>(1));
  CHECK(daas.at("alphas_normal") == std::vector<std::int64_t>{14, 7});
  CHECK(!daas.contains("betas_normal"));
  CHECK(!daas.contains("beta_normal3"));
  for (int row = 0; row < 3; ++row) {
    CHECK(daas.at("beta_normal" + std::to_string(row)) == std::vector<std::int64_t>{1, 3 + row});
    CHECK(daas.at("beta_reduce" + std::to_string(row)) == std::vector<std::int64_t>{1, 3 + row});
  }
  for (const auto& odd : {names(small<swapped_joint>(1)), names(small<swapped_gap>(1))}) {
    CHECK(odd.at("betas_normal") == std::vector<std::int64_t>{14});
    CHECK(odd.at("betas_reduce") == std::vector<std::int64_t>{14});
    CHECK(!odd.contains("beta_normal0"));
  }
  for (const auto& [name, shape] : names(small<swapped_without_betas>(1))) CHECK(!name.starts_with("beta"));
  const auto bench = names(small<nas_bench_201>(1));
  CHECK(bench.at("arch_parameters") == std::vector<std::int64_t>{6, 5});
  CHECK(bench.at("cells.0.edges.3<-1.3.op.1.weight") == std::vector<std::int64_t>{8, 8, 3, 3});
  CHECK(bench.at("cells.3.downsample.1.weight") == std::vector<std::int64_t>{16, 8, 1, 1});
  CHECK(bench.at("lastact.0.running_mean") == std::vector<std::int64_t>{32});
}

TEST_CASE(
    "a file keeps its permissions, a link its place, and names are shown without what a terminal obeys") {
  namespace fs = std::filesystem;
  const tests::temporary_folder folder;
  const auto path = folder.path() / "a.safetensors";
  const auto link = folder.path() / "link.safetensors";
  cn::write_safetensors(path, {{"w", at::ones({2})}});
  const auto mine = fs::perms::owner_read | fs::perms::owner_write;
  fs::permissions(path, mine);
  fs::create_symlink("a.safetensors", link);
  cn::write_safetensors(link, {{"w", at::zeros({3})}});
  CHECK(fs::is_symlink(link));
  CHECK((fs::status(path).permissions() == mine));
  CHECK(at::equal(cn::read_safetensors(path).front().second, at::zeros({3})));
  const std::string hostile("a\x1b[31m\0b", 8);
  cn::write_safetensors(path, {{hostile, at::ones({2})}});
  CHECK_SAYS(tests::message_of([&] {
               cn::load_state({{"w", at::ones({2})}}, path);
             }),
             "1 unexpected (a\\x1b[31m\\x00b)");
  CHECK(cn::printable_name("0123456789", 4) == "0123...");
}

TEST_CASE_TEMPLATE("a network saved and loaded computes the same", Spec, darts_code, pc_darts_code,
                   authors_code, swapped_joint, swapped_gap, swapped_without_betas, nas_bench_201) {
  const tests::temporary_folder folder;
  const auto path = folder.path() / "net.safetensors";
  auto net = small<Spec>(1);
  net.train();
  net.forward(at::randn({4, 3, 8, 8}));  // statistics that are not the initial ones
  cn::save_state(cn::published_state(net), path);
  auto other = small<Spec>(2);
  cn::load_state(cn::published_state(other), path);
  CHECK(equal(copies(cn::published_state(net)), copies(cn::published_state(other))));
  for (int type = 0; type < net.arch().cell_types(); ++type) CHECK(other.arch().alpha(type).requires_grad());
  net.eval();
  other.eval();
  const at::Tensor x = at::randn({2, 3, 8, 8});
  CHECK(at::equal(net.forward(x), other.forward(x)));
  // Floating types fit one another.
  auto precise = small<Spec>(3, at::kDouble);
  cn::load_state(cn::published_state(precise), path);
  CHECK(at::equal(precise.arch().alpha(0), net.arch().alpha(0).to(at::kDouble)));
}

TEST_CASE("all that does not fit is told at once, and nothing has changed") {
  const tests::temporary_folder folder;
  const auto path = folder.path() / "net.safetensors";
  auto net = small<pc_darts_code>(1);
  auto state = cn::published_state(net);
  const auto before = copies(state);
  cn::named_tensors stored;
  for (const auto& [name, values] : state) {
    if (name == "betas_normal" || name == "stem.0.weight") continue;
    if (name == "classifier.bias") {
      stored.emplace_back(name, at::zeros({10}, at::kLong));
    } else if (name == "alphas_normal") {
      stored.emplace_back(name, values.t());
    } else {
      stored.emplace_back(name, values + 1);
    }
  }
  stored.emplace_back("module.stem.0.weight", at::zeros({1}));
  stored.emplace_back("extra", at::zeros({1}));
  stored.emplace_back("stem.1.num_batches_tracked", at::scalar_tensor(7, at::kLong));
  stored.emplace_back("num_batches_tracked", at::scalar_tensor(7, at::kLong));
  cn::write_safetensors(path, stored);
  const auto message = tests::message_of([&] { cn::load_state(state, path); });
  CHECK_SAYS(message, "2 missing (stem.0.weight, betas_normal)");
  CHECK_SAYS(message, "2 unexpected (extra, module.stem.0.weight)");
  CHECK_SAYS(message, "1 of another shape (alphas_normal: [8, 14] in the file, [14, 8] here)");
  CHECK_SAYS(message, "1 of another type (classifier.bias: I64 in the file, Float here)");
  CHECK(equal(before, copies(cn::published_state(net))));
  // A file that breaks in its values, not in its header: the bool is read last.
  at::Tensor flag = at::zeros({1}, at::kBool);
  at::Tensor weight = at::zeros({2});
  cn::write_safetensors(path, {{"flag", at::ones({1}, at::kBool)}, {"weight", at::ones({2})}});
  std::string bytes = bytes_of(path);
  bytes.back() = 5;
  const auto broken = folder.write("broken.safetensors", bytes);
  CHECK_SAYS(tests::message_of([&] {
               cn::load_state({{"weight", weight}, {"flag", flag}}, broken);
             }),
             "neither 0 nor 1");
  CHECK(test::largest(weight) == 0.0);
  cn::load_state({{"weight", weight}, {"flag", flag}}, path);
  CHECK(test::largest(weight) == 1.0);
  CHECK_SAYS(tests::message_of([&] {
               cn::load_state({{"weight", weight}, {"weight", flag}}, path);
             }),
             "asked for twice");
  CHECK_SAYS(tests::message_of([&] {
               cn::load_state({{"weight", at::zeros({2}, at::kLong)}, {"flag", flag}}, path);
             }),
             "1 of another type (weight: F32 in the file, Long here)");
}

}  // namespace state_test
