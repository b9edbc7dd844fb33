// A search that is stopped anywhere and gone on from in another one ends as if it had not been; numbers that are lost;
// memory that runs out.
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <crispnas/discretize/gap.hpp>
#include <crispnas/genotype/text.hpp>
#include <crispnas/io/checkpoints.hpp>
#include <crispnas/io/sha256.hpp>
#include <crispnas/loss/da2s.hpp>
#include <crispnas/search/configuration_text.hpp>
#include <crispnas/search/searcher.hpp>
#include <crispnas/train/trainer.hpp>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "files.hpp"
#include "support.hpp"

namespace resume_test {

namespace cn = crispnas;
using test::contains;
using test::message_of;

namespace {

using space = cn::spec<cn::darts_cell, cn::edges_3_of_14>;

cn::labelled_images images(std::int64_t n) {
  auto generator = at::detail::createCPUGenerator(3);
  const at::Tensor labels = at::arange(n, at::kLong) % 2;
  const at::Tensor noise = at::randint(0, 100, {n, 3, 8, 8}, generator, at::TensorOptions().dtype(at::kLong));
  return {(noise + labels.view({n, 1, 1, 1}) * 120).to(at::kByte), labels, 2};
}

/// Three steps an epoch; alpha waits in the first, beta in the first two: each epoch is another phase.
cn::search_options quick() {
  cn::search_options o;
  o.epochs = 4;
  o.batch_size = 8;
  o.seed = 5;
  o.alpha_rate = o.beta_rate = 0.05;
  o.alpha_warmup = 0.25;
  o.beta_warmup = 0.5;
  return o;
}

struct one_search {
  cn::supernet<space> net;
  cn::searcher search;
  explicit one_search(const cn::search_options& o, at::ScalarType dtype = at::kFloat)
      : net({.channels = 8, .cells = 2, .classes = 2, .seed = 1, .dtype = dtype}), search(net, o) {}
};

/// Equal to the last bit, NaN to NaN; wall time apart.
bool same(const cn::named_tensors& a, const cn::named_tensors& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].first != b[i].first || a[i].second.sizes() != b[i].second.sizes()) return false;
    if (a[i].first == "totals.seconds") continue;
    const auto bytes = [](const at::Tensor& t) {  // an empty one has no address for memcmp
      return std::string_view(static_cast<const char*>(t.const_data_ptr()), t.nbytes());
    };
    if (bytes(a[i].second) != bytes(b[i].second)) {
      MESSAGE(a[i].first << " differs");
      return false;
    }
  }
  return true;
}

/// One digest of all tensors and their names; wall time apart.
std::string digest(const cn::named_tensors& tensors) {
  cn::sha256 all;
  for (const auto& [name, value] : tensors) {
    if (name == "totals.seconds") continue;
    const at::Tensor whole = value.contiguous();
    all.add(name).add({static_cast<const char*>(whole.const_data_ptr()), whole.nbytes()});
  }
  return all.hex();
}

struct told {
  int epoch;
  double weight_rate, train_loss, train_accuracy, arch_loss;
  std::vector<double> terms;
  explicit told(const cn::epoch_report& r)
      : epoch(r.epoch),
        weight_rate(r.weight_rate),
        train_loss(r.train_loss),
        train_accuracy(r.train_accuracy),
        arch_loss(std::isnan(r.arch_loss) ? -1.0 : r.arch_loss) {
    for (const auto& t : r.terms) terms.insert(terms.end(), {t.value, t.factor, double(t.name.size())});
  }
  bool operator==(const told&) const = default;
};

/// Three steps an epoch of 20 images.
cn::train_options quick_training() {
  cn::train_options options;
  options.epochs = 3;
  options.batch_size = 8;
  options.rate = 0.05;
  options.workers = 0;
  return options;
}

struct one_training {
  cn::any_derived_network net;
  cn::trainer training;
  explicit one_training(const cn::train_options& o)
      : net(cn::parse_genotype("Genotype(normal=[0->2 sep_conv_3x3, 1->2 skip_connect, 1->3 dil_conv_3x3, "
                               "2->3 max_pool_3x3], normal_concat=[2, 3])"),
            {.channels = 4, .cells = 3, .classes = 2}),
        training(net, o) {}
};

std::vector<std::array<double, 3>> run(cn::trainer& training, const cn::labelled_images& data) {
  std::vector<std::array<double, 3>> reports;
  for (const auto& r : training.run(data)) reports.push_back({double(r.epoch), r.loss, r.accuracy});
  return reports;
}

std::vector<told> run(cn::searcher& search, const cn::labelled_images& data) {
  std::vector<told> reports;
  for (const auto& r : search.run(data)) reports.emplace_back(r);
  return reports;
}

}  // namespace

TEST_CASE("stopped after any step, gone on from by another search: the same to the last bit") {
  const auto data = images(48);
  for (const auto order :
       {cn::search_order::first, cn::search_order::second, cn::search_order::single_level}) {
    auto options = quick();
    options.order = order;
    one_search whole(options);
    const auto expected = run(whole.search, data);
    const auto end = whole.search.state().values();
    CHECK(expected.size() == 4);
    CHECK(whole.search.position_text() == "the end");
    CHECK(run(whole.search, data).empty());  // nothing is left to do
    for (int cut = 0; cut <= 12; order == cn::search_order::first ? ++cut : cut += 5) {
      CAPTURE(cut);
      int steps = 0;
      auto stopping = options;
      stopping.on_step = [&](const cn::step_progress&) { ++steps; };
      stopping.stop = [&] { return steps >= cut; };
      std::optional<one_search> first(stopping);
      auto reports = run(first->search, data);
      CHECK(first->search.stopped() == (cut < 12));
      const auto saved = first->search.state().values();
      first.reset();
      one_search second(options);
      at::rand({3});
      second.search.state().restore(saved);
      for (const auto& r : run(second.search, data)) reports.push_back(r);
      CHECK((reports == expected));
      CHECK(same(second.search.state().values(), end));
    }
  }
}

TEST_CASE("a training stopped after any step, gone on from by another one") {
  const auto data = images(20);  // steps of 8, 8 and 4 images
  const auto options = quick_training();
  const auto run_it = [&](cn::trainer& training) { return run(training, data); };
  one_training whole(options);
  const auto expected = run_it(whole.training);
  const auto end = whole.training.state().values();
  CHECK(expected.size() == 3);
  CHECK(run_it(whole.training).empty());
  for (int cut = 0; cut <= 9; ++cut) {
    CAPTURE(cut);
    int steps = 0;
    auto stopping = options;
    stopping.on_step = [&](const cn::step_progress&) { ++steps; };
    stopping.stop = [&] { return steps >= cut; };
    one_training first(stopping);
    auto reports = run_it(first.training);
    CHECK(first.training.stopped() == (cut < 9));
    auto going_on = options;
    going_on.workers = cut % 3;
    one_training second(going_on);
    second.training.state().restore(first.training.state().values());
    CHECK(second.training.position_text() ==
          (cut == 9 ? "the end"
                    : "epoch " + std::to_string(cut / 3 + 1) + " of 3, step " + std::to_string(cut % 3)));
    for (const auto& r : run_it(second.training)) reports.push_back(r);
    CHECK((reports == expected));
    CHECK(same(second.training.state().values(), end));
  }
  one_training lossy(options);
  {
    const at::NoGradGuard no_grad;
    at::Tensor(lossy.net.named_buffers()["stem.1.running_var"]).fill_(std::nan(""));
  }
  CHECK_SAYS(message_of([&] { run_it(lossy.training); }), "a number was lost in epoch 1, step 1: loss ");
  CHECK_SAYS(message_of([&] { lossy.training.state(); }),
             "first among the statistics of batch norm. Rate 0.05; images: ");
}

TEST_CASE("seconds are those of epochs, not those between two") {
  const auto data = images(48);
  one_search s(quick());
  run(s.search, data);
  const auto before = s.search.state().values();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto after = s.search.state().values();
  for (std::size_t i = 0; i < before.size(); ++i) {
    CAPTURE(before[i].first);
    CHECK(at::equal(before[i].second, after[i].second));
  }
}

TEST_CASE("the same seed twice: the same digest of weights, alpha and beta, at one thread and at two") {
  const auto data = images(48);
  const int before = at::get_num_threads();
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    at::set_num_threads(threads);
    const auto searched = [&](std::uint64_t seed) {
      auto options = quick();
      options.seed = seed;
      one_search s(options);
      run(s.search, data);
      return digest(s.search.state().values());
    };
    const std::string first = searched(5);
    CHECK(searched(5) == first);
    CHECK(searched(6) != first);
  }
  at::set_num_threads(before);
}

TEST_CASE("saved while it steps: a step's numbers are in what is saved") {
  const auto data = images(48);
  one_search whole(quick());
  const auto expected = run(whole.search, data);
  const auto end = whole.search.state().values();
  for (const int at : {1, 3, 4, 8, 12}) {  // the last step of an epoch among them: its report comes again
    cn::named_tensors saved;
    std::string position;
    auto options = quick();
    one_search* running = nullptr;
    int steps = 0;
    options.on_step = [&](const cn::step_progress&) {
      if (++steps != at) return;
      saved = running->search.state().values();
      position = running->search.position_text();
    };
    one_search first(options);
    running = &first;
    CHECK((run(first.search, data) == expected));  // saving changes nothing
    one_search second(quick());
    second.search.state().restore(saved);
    CHECK(position ==
          "epoch " + std::to_string((at - 1) / 3 + 1) + " of 4, step " + std::to_string((at - 1) % 3 + 1));
    const auto rest = run(second.search, data);
    CHECK((rest == std::vector<told>(expected.begin() + (at - 1) / 3, expected.end())));
    CHECK(same(second.search.state().values(), end));
  }
}

TEST_CASE("a search and its checkpoints") {
  const tests::temporary_folder folder;
  const auto data = images(48);
  const auto begin = [&](cn::searcher& search) {
    auto configuration = cn::configuration_text(search);
    configuration.emplace_back("data", cn::data_digest(data));
    return cn::checkpoints(folder.path(), {.configuration = configuration});
  };
  one_search whole(quick());
  const auto expected = run(whole.search, data);
  {
    one_search first(quick());
    auto saved = begin(first.search);
    CHECK(!saved.load(first.search.state()));
    for (const auto& epoch : first.search.run(data)) {
      saved.save(first.search.state(), first.search.position_text());
      if (epoch.epoch == 2) break;
    }
  }
  {
    auto other = quick();
    other.weight_rate = 0.5;
    other.epochs = 5;
    one_search second(other);
    auto saved = begin(second.search);
    CHECK_SAYS(message_of([&] { saved.load(second.search.state()); }),
               "is of another configuration:\n  epochs: 4 there, 5 here\n  weight_rate: 0.025000000000000001 "
               "there, 0.5 here");
  }
  one_search second(quick());
  auto saved = begin(second.search);
  CHECK(saved.load(second.search.state()) == "epoch 3 of 4, step 0");
  const auto rest = run(second.search, data);
  CHECK((rest == std::vector<told>(expected.begin() + 2, expected.end())));
  CHECK(same(second.search.state().values(), whole.search.state().values()));
  CHECK(cn::data_digest(data) != cn::data_digest(images(50)));
  second.search.state().restore([&] {
    auto values = second.search.state().values();
    for (auto& [name, value] : values) {
      if (name == "epoch") value.fill_(2);
      if (name == "step") value.fill_(7);
    }
    return values;
  }());
  CHECK_SAYS(message_of([&] { run(second.search, data); }),
             "7 steps of epoch 2 are done, but these images make only 3");
}

namespace {

/// Puts a NaN or an infinity somewhere before step `at` (from 1) is computed.
struct poison {
  std::string where;
  double value;
  int at;
};

/// The search of quick() in which that happens; returns what its error says.
std::string run_poisoned(one_search& s, cn::search_options& hooks, const poison& p,
                         const cn::labelled_images& data, int& steps) {
  // The searcher has its own copy of the options: the hooks reach it by reference.
  hooks.stop = [&s, &steps, p] {
    if (steps + 1 != p.at) return false;
    const at::NoGradGuard no_grad;
    if (p.where == "weight")
      at::Tensor(s.net.named_parameters()["classifier.weight"]).view(-1)[0].fill_(p.value);
    if (p.where == "alpha") at::Tensor(s.net.arch().alpha(0)).view(-1)[3].fill_(p.value);
    if (p.where == "beta") at::Tensor(s.net.arch().beta(0)).view(-1)[0].fill_(p.value);
    if (p.where == "variance") {
      for (const auto& b : s.net.named_buffers()) {
        if (!b.key().ends_with("running_var")) continue;
        at::Tensor(b.value())[0].fill_(p.value);
        break;
      }
    }
    return false;
  };
  return message_of([&] { run(s.search, data); });
}

}  // namespace

TEST_CASE("a lost number stops the search within two steps, and is not saved") {
  const auto data = images(48);
  const double nan = std::nan("");
  const double infinite = std::numeric_limits<double>::infinity();
  for (const auto& p : {poison{"weight", nan, 8}, poison{"weight", infinite, 8}, poison{"alpha", nan, 8},
                        poison{"alpha", infinite, 8}, poison{"beta", nan, 10}, poison{"variance", nan, 8},
                        poison{"variance", infinite, 2}}) {
    CAPTURE(p.where);
    CAPTURE(p.value);
    int steps = 0;
    one_search* running = nullptr;
    cn::search_options hooks;
    std::optional<std::string> position;
    auto options = quick();
    options.on_step = [&](const cn::step_progress&) { ++steps; };
    options.stop = [&] { return hooks.stop && hooks.stop(); };
    one_search s(options);
    running = &s;
    const auto message = run_poisoned(s, hooks, p, data, steps);
    CHECK(steps <= p.at + 1);
    const int epoch = (p.at - 1) / 3 + 1;
    CHECK_SAYS(message, "a number was lost in epoch " + std::to_string(epoch) + ", step " +
                            std::to_string((p.at - 1) % 3 + 1) + ": weight loss ");
    CHECK_SAYS(message, ". Weight rate 0.");
    CHECK_SAYS(message, "; images of the half that trains the weights: ");
    CHECK_SAYS(message, "; of the other half: ");
    if (p.where == "variance") CHECK_SAYS(message, "running_var first among the statistics of batch norm");
    if (p.where == "alpha") CHECK_SAYS(message, "alphas_normal");
    if (p.where == "beta") CHECK_SAYS(message, "betas_normal");
    CHECK_SAYS(message_of([&] { running->search.state(); }), "a number was lost");  // so it cannot be saved
  }
}

namespace {

/// A regularizer that is NaN when it is called for the `lost_calls` named here, from 1.
std::vector<int> lost_calls;
int calls_so_far = 0;
cn::loss_terms sometimes_lost(const cn::architecture& arch, int epoch, int epochs) {
  auto terms = cn::regularizer_terms<cn::da2s<>>::at(arch, epoch, epochs);
  ++calls_so_far;
  if (std::find(lost_calls.begin(), lost_calls.end(), calls_so_far) != lost_calls.end())
    terms.front().value = terms.front().value * std::nan("");
  return terms;
}

struct lossy_search {
  cn::supernet<space> net{{.channels = 8, .cells = 2, .classes = 2, .seed = 1}};
  cn::searcher search;
  explicit lossy_search(const cn::search_options& o) : search(net, &sometimes_lost, o) {}
};

}  // namespace

TEST_CASE("skipping and rolling back: a lost step leaves nothing behind") {
  const auto data = images(48);
  auto options = quick();
  options.alpha_warmup = options.beta_warmup = 0.0;
  for (const auto policy : {cn::lost_numbers::skip, cn::lost_numbers::roll_back}) {
    CAPTURE(int(policy));
    options.when_lost = policy;
    calls_so_far = 0;
    lost_calls = {};
    lossy_search clean(options);
    const auto expected = run(clean.search, data);
    CHECK(expected.size() == 4);
    // Step 2 of epoch 2 is lost. Up to there all is the same, and its images have taught nothing.
    std::vector<cn::named_tensors> after;
    lossy_search* running = nullptr;
    auto watching = options;
    watching.on_step = [&](const cn::step_progress& p) {
      if (p.epoch == 2 && p.step <= 2) after.push_back(running->search.state().values());
    };
    calls_so_far = 0;
    lost_calls = {5};
    lossy_search lossy(watching);
    running = &lossy;
    const auto reports = run(lossy.search, data);
    CHECK(reports.size() == 4);
    CHECK((reports.front() == expected.front()));
    CHECK(!(reports[1] == expected[1]));
    for (const auto& r : reports) CHECK(std::isfinite(r.train_loss));
    for (const auto& [name, values] : lossy.search.state().values()) {
      if (name != "random.cpu" && name != "totals.arch_loss" && values.is_floating_point())
        CHECK(at::isfinite(values).all().item<bool>());
      if (name == "lost_steps") CHECK(values.item<std::int64_t>() == 1);
    }
    if (policy == cn::lost_numbers::skip) {
      REQUIRE(after.size() == 2);
      for (std::size_t i = 0; i < after[0].size(); ++i) {
        const auto& name = after[0][i].first;
        if (name.starts_with("weights.") || name.starts_with("statistics.") || name.starts_with("arch.") ||
            name.starts_with("sgd.") || name.find(".mean.") != std::string::npos)
          CHECK(at::equal(after[0][i].second, after[1][i].second));
      }
    }
    // At most so many.
    calls_so_far = 0;
    lost_calls = {2, 4, 6, 8, 10, 12, 14};
    lossy_search hopeless(options);
    const auto message = message_of([&] { run(hopeless.search, data); });
    CHECK_SAYS(message, "a number was lost in epoch ");
    CHECK((message.find(" (undone); ") != std::string::npos) == (policy == cn::lost_numbers::skip));
    CHECK_SAYS(message, "3 such steps were passed over before");
  }
  // An epoch of which no step is left reports the same terms as the others: what writes them has columns for these.
  options.when_lost = cn::lost_numbers::skip;
  auto patient = options;
  patient.lost_limit = 3;
  calls_so_far = 0;
  lost_calls = {4, 5, 6};
  lossy_search without_steps(patient);
  const auto reports = run(without_steps.search, data);
  REQUIRE(reports.size() == 4);
  for (const auto& r : reports) {
    CHECK(std::isnan(r.train_loss) == (r.epoch == 2));
    REQUIRE(r.terms.size() == reports[0].terms.size());
    for (const double value : r.terms) CHECK(std::isfinite(value));
  }
  options.when_lost = cn::lost_numbers::roll_back;
  // A run that rolled back can be stopped and gone on from, too.
  calls_so_far = 0;
  lost_calls = {5};
  lossy_search whole(options);
  run(whole.search, data);
  calls_so_far = 0;
  int steps = 0;
  auto stopping = options;
  stopping.on_step = [&](const cn::step_progress&) { ++steps; };
  stopping.stop = [&] { return steps >= 6; };  // 1 2 3, 1 2 (3) 1: in epoch 2, on its second way
  lossy_search first(stopping);
  run(first.search, data);
  CHECK(first.search.stopped());
  lossy_search second(options);
  second.search.state().restore(first.search.state().values());
  lost_calls = {};
  run(second.search, data);
  CHECK(same(second.search.state().values(), whole.search.state().values()));
  CHECK_SAYS(message_of([] {
               auto o = quick();
               o.lost_limit = -1;
               one_search s(o);
             }),
             "lost_limit = -1");
}

namespace {

/// Some gradients of one tensor, counted from 1, become others: the loss of that pass tells nothing of it.
class changed_gradients {
 public:
  changed_gradients(const at::Tensor& of, std::vector<int> calls,
                    std::function<at::Tensor(at::Tensor)> change)
      : calls_(std::move(calls)), change_(std::move(change)) {
    of.register_hook([this](const at::Tensor& gradient) {
      ++so_far_;
      const bool now = std::find(calls_.begin(), calls_.end(), so_far_) != calls_.end();
      return now ? change_(gradient) : gradient;
    });
  }

 private:
  std::vector<int> calls_;
  std::function<at::Tensor(at::Tensor)> change_;
  int so_far_ = 0;
};

const auto to_infinity = [](const at::Tensor& gradient) {
  return gradient + std::numeric_limits<double>::infinity();
};
const auto to_nan = [](const at::Tensor& gradient) { return gradient * std::nan(""); };

}  // namespace

TEST_CASE(
    "a gradient that is lost while the loss is finite is found in its own step, the last one among them") {
  const auto data = images(48);
  for (const int at : {8, 12}) {  // of 12 steps
    const std::string place = at == 8 ? "epoch 3, step 2: weight loss 0." : "epoch 4, step 3: weight loss 0.";
    for (const bool infinite : {false, true}) {
      one_search s(quick());
      const changed_gradients lost(s.net.named_parameters()["classifier.weight"], {at},
                                   infinite ? std::function<at::Tensor(at::Tensor)>(to_infinity) : to_nan);
      const auto message = message_of([&] { run(s.search, data); });
      CHECK_SAYS(message, place);
      CHECK_SAYS(message, infinite ? ", gradient norm inf; " : ", gradient norm nan; ");
      // What alpha and beta were: the step has not reached them.
      CHECK_SAYS(message, "; alphas_normal from -");
      CHECK_SAYS(message, ", betas_normal from ");
    }
  }
  auto options = quick();
  options.alpha_warmup = options.beta_warmup = 0.0;
  {
    one_search s(options);
    const changed_gradients lost(s.net.arch().alpha(1), {8}, to_infinity);
    const auto message = message_of([&] { run(s.search, data); });
    CHECK_SAYS(message, "epoch 3, step 2: ");
    CHECK_SAYS(message, ", alphas_reduce without a finite number, betas_normal from ");
  }
  {  // Finite, but its square is not: Adam would not move alpha any more, and say nothing.
    one_search s(options);
    const changed_gradients lost(s.net.arch().alpha(1), {8}, [](const at::Tensor& g) { return g + 1e25; });
    const auto message = message_of([&] { run(s.search, data); });
    CHECK_SAYS(message, "epoch 3, step 2: weight loss 0.");
    CHECK_SAYS(message,
               "parameters with a NaN or infinity: none; the square of a gradient of alpha or beta, in "
               "Adam's memory; ");
  }
  {  // So is what has been undone.
    auto skipping = options;
    skipping.when_lost = cn::lost_numbers::skip;
    skipping.lost_limit = 0;
    one_search s(skipping);
    const changed_gradients lost(s.net.arch().alpha(1), {8}, [](const at::Tensor& g) { return g + 1e25; });
    CHECK_SAYS(message_of([&] { run(s.search, data); }),
               "infinity: none; the square of a gradient of alpha or beta, in Adam's memory (undone); ");
  }
  options.when_lost = cn::lost_numbers::skip;
  one_search s(options);
  const changed_gradients lost(s.net.named_parameters()["classifier.weight"], {8, 12}, to_nan);
  CHECK(run(s.search, data).size() == 4);
  for (const auto& p : s.net.parameters()) CHECK(at::isfinite(p).all().item<bool>());
}

TEST_CASE(
    "a weight that the only step makes infinite is found in that step, whose loss and gradient are fine") {
  auto options = quick();
  options.epochs = 1;
  options.weight_rate = options.last_weight_rate = 1e38;
  options.weight_decay = 100.0;
  one_search s(options);
  const auto message = message_of([&] { run(s.search, images(16)); });
  CHECK_SAYS(message, "crispnas::searcher: a number was lost in epoch 1, step 1: weight loss 0.");
  CHECK_SAYS(message, "; parameters with a NaN or infinity: stem.0.weight first among the weights");
  CHECK_SAYS(message_of([&] { s.search.state(); }), "a number was lost");  // so it cannot be saved
  auto recipe = quick_training();
  recipe.epochs = 1;
  recipe.rate = recipe.last_rate = 1e38;
  recipe.weight_decay = 100.0;
  recipe.batch_size = 16;
  one_training t(recipe);
  const auto said = message_of([&] { run(t.training, images(16)); });
  CHECK_SAYS(said, "crispnas::trainer: a number was lost in epoch 1, step 1: loss 0.");
  CHECK_SAYS(said, "first parameter with a NaN or infinity: stem.0.weight first among the weights");
}

TEST_CASE("a training skips lost steps, or rolls back over them, and can be stopped and gone on from then") {
  const auto data = images(20);
  auto options = quick_training();
  const auto lost_in = [](one_training& t, std::vector<int> calls) {
    return changed_gradients(t.net.named_parameters()["classifier.weight"], std::move(calls), to_nan);
  };
  for (const auto policy : {cn::lost_numbers::skip, cn::lost_numbers::roll_back}) {
    CAPTURE(int(policy));
    options.when_lost = policy;
    options.workers = policy == cn::lost_numbers::skip ? 0 : 2;
    one_training clean(options);
    const auto expected = run(clean.training, data);
    CHECK(expected.size() == 3);
    // Step 2 of epoch 2 is lost. Up to there all is the same, and its images have taught nothing.
    std::vector<cn::named_tensors> after;
    one_training* running = nullptr;
    auto watching = options;
    watching.on_step = [&](const cn::step_progress& p) {
      if (p.epoch == 2 && p.step <= 2) after.push_back(running->training.state().values());
    };
    one_training lossy(watching);
    running = &lossy;
    const auto lost = lost_in(lossy, {5});
    std::vector<std::int64_t> seen;
    std::vector<double> losses;
    for (const auto& r : lossy.training.run(data)) {
      seen.push_back(r.images);
      losses.push_back(r.loss);
    }
    CHECK(seen == std::vector<std::int64_t>{20, 12, 20});
    CHECK(losses[0] == expected[0][1]);
    CHECK(losses[1] != expected[1][1]);
    for (const auto& [name, values] : lossy.training.state().values()) {
      if (name != "random.cpu" && values.is_floating_point()) CHECK(at::isfinite(values).all().item<bool>());
      if (name == "lost_steps") CHECK(values.item<std::int64_t>() == 1);
    }
    if (policy == cn::lost_numbers::skip) {
      REQUIRE(after.size() == 2);
      for (std::size_t i = 0; i < after[0].size(); ++i) {
        const auto& name = after[0][i].first;
        if (name.starts_with("weights.") || name.starts_with("statistics.") || name.starts_with("sgd."))
          CHECK(at::equal(after[0][i].second, after[1][i].second));
      }
    }
    // At most so many.
    one_training hopeless(options);
    const auto ever_again = lost_in(hopeless, {2, 4, 6, 8, 10, 12, 14});
    const auto message = message_of([&] { run(hopeless.training, data); });
    CHECK_SAYS(message, "a number was lost in epoch ");
    CHECK_SAYS(message, ": loss 0.");
    CHECK((message.find("stem.0.weight first among the weights (undone). Rate") != std::string::npos) ==
          (policy == cn::lost_numbers::skip));
    CHECK_SAYS(message, ". 3 such steps were passed over before. Lower the rate");
  }
  // A run that rolled back can be stopped and gone on from, too.
  one_training whole(options);
  const auto once = lost_in(whole, {5});
  run(whole.training, data);
  int steps = 0;
  auto stopping = options;
  stopping.on_step = [&](const cn::step_progress&) { ++steps; };
  stopping.stop = [&] { return steps >= 6; };  // 1 2 3, 1 2 (3) 1: in epoch 2, on its second way
  one_training first(stopping);
  const auto once_here = lost_in(first, {5});
  run(first.training, data);
  CHECK(first.training.stopped());
  CHECK(first.training.position_text() == "epoch 2 of 3, step 1");
  one_training second(options);
  second.training.state().restore(first.training.state().values());
  run(second.training, data);
  CHECK(same(second.training.state().values(), whole.training.state().values()));
  // Without a policy: the step itself, though the loss of the next would be lost as well.
  one_training strict(quick_training());
  const auto at_the_end = lost_in(strict, {9});
  CHECK_SAYS(message_of([&] { run(strict.training, data); }),
             "a number was lost in epoch 3, step 3: loss 0.");
}

namespace {

/// So many bytes of address space more than are in use, while it lives.
class little_memory {
 public:
  explicit little_memory(std::uint64_t more) {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t pages = 0;
    statm >> pages;
    REQUIRE(getrlimit(RLIMIT_AS, &before_) == 0);
    const rlimit little{pages * 4096 + more, before_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_AS, &little) == 0);
  }
  little_memory(const little_memory&) = delete;
  little_memory& operator=(const little_memory&) = delete;
  ~little_memory() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

/// What the out_of_memory says that `body` throws.
template <class Body>
std::string said_of_memory(Body&& body) {
  try {
    body();
  } catch (const cn::out_of_memory& e) {
    return e.what();
  }
  return {};
}

}  // namespace

TEST_CASE("memory that runs out in an evaluation or a training is an error, too, and leaves all as it was" *
          doctest::test_suite("optional")) {
#if defined(CRISPNAS_WATCHED_ADDRESSES) || defined(CRISPNAS_WATCHED_THREADS)
  MESSAGE("NOT TESTED: the sanitizers' own memory is under the limit, too.");
  return;
#endif
  const auto data = images(8000);
  const auto many = cn::sequential_batches(data, {.batch_size = 8000});
  const auto few = cn::sequential_batches(images(16), {.batch_size = 8});
  const auto many_to_calibrate = cn::epoch_batches(data, {.batch_size = 8000});
  cn::supernet<space> net({.channels = 8, .cells = 2, .classes = 2, .seed = 1});
  const auto cut = cn::cut_network(net);
  auto options = quick_training();
  options.epochs = 1;
  one_training small(options);
  run(small.training, images(16));  // threads and code are there
  cn::accuracy(net, few);
  net.train();
  std::vector<at::Tensor> statistics;
  for (const auto& b : net.buffers()) statistics.push_back(b.clone());
  options.batch_size = 8000;
  one_training large(options);
  const std::string weights = std::to_string(net.weight_count());
  const std::string advice = "This was an evaluation of a network of " + weights + " weights, in batches of ";
  {
    const little_memory limit(std::uint64_t{64} << 20);
    const auto evaluated = said_of_memory([&] { cn::accuracy(net, many); });
    CHECK_SAYS(evaluated, "there is not enough memory: ");
    CHECK_SAYS(evaluated, " MiB were asked for");
    CHECK_SAYS(evaluated, "; the process holds ");
    CHECK_SAYS(evaluated, advice + "8000 images. It keeps nothing from one pass to the next");
    CHECK(net.is_training());
    CHECK_SAYS(said_of_memory([&] { cn::measure_gap(net, cut, many); }), advice + "8000 images. ");
    CHECK_SAYS(said_of_memory([&] { cn::measure_gap(net, cut, few, &many_to_calibrate); }),
               advice + "8000 images. ");
    CHECK(net.is_training());
    CHECK(cn::measure_gap(net, cut, few, &few).after_reestimated);  // with less it goes on

    CHECK_SAYS(said_of_memory([&] { cn::evaluate(small.net, many, cn::precision::full, 0); }),
               " weights, in batches of 8000 images. It keeps nothing");
    CHECK(small.net.is_training());
    CHECK(cn::evaluate(small.net, few, cn::precision::full, 0).images == 16);
    const auto trained = said_of_memory([&] { run(large.training, data); });
    CHECK_SAYS(trained, " weights; batch_size = 8000. Most memory holds what passes keep of each image: ");
  }
  std::size_t same_as_before = 0;
  const auto now = net.buffers();
  for (std::size_t i = 0; i < now.size(); ++i) same_as_before += at::equal(now[i], statistics[i]) ? 1 : 0;
  CHECK(same_as_before == statistics.size());
  CHECK_SAYS(cn::evaluation_advice(5, 0), "of a network of 5 weights. It keeps nothing");
}

TEST_CASE("memory that runs out is an error that says what to change, and a smaller batch goes on" *
          doctest::test_suite("optional")) {
#if defined(CRISPNAS_WATCHED_ADDRESSES) || defined(CRISPNAS_WATCHED_THREADS)
  MESSAGE("NOT TESTED: the sanitizers' own memory is under the limit, too.");
  return;
#endif
  const auto data = images(8000);
  auto options = quick();
  options.epochs = 1;
  options.batch_size = 4000;
  one_search s(options);
  {
    auto warm = quick();
    warm.epochs = 1;
    one_search small(warm);
    run(small.search, images(16));  // threads and code are there
  }
  std::optional<little_memory> limit(std::uint64_t{64} << 20);
  const auto message = said_of_memory([&] { run(s.search, data); });
  CHECK_SAYS(message, "there is not enough memory: ");
  CHECK_SAYS(message, "; the process holds ");
  CHECK_SAYS(message,
             "batch_size = 4000. Most memory holds what passes keep of each image: take a smaller "
             "batch_size, a larger K");
  options.batch_size = 8;
  cn::searcher smaller(s.net, options);  // the same network
  const auto reports = run(smaller, images(16));
  limit.reset();
  CHECK(reports.size() == 1);
  CHECK(std::isfinite(reports.front().train_loss));

  const auto advice = [] { return std::string("Do something."); };
  CHECK_SAYS(message_of([&] { cn::within_memory([]() -> int { throw std::bad_alloc(); }, advice); }),
             "could not be allocated; the process holds ");
  CHECK_SAYS(
      message_of([&] { cn::within_memory([]() -> int { throw cn::kernels::no_memory(2048); }, advice); }),
      "not enough memory: 2.0 KiB were asked for, for what the kernels keep of a pass; the process holds ");
  CHECK_SAYS(message_of([&] {
               cn::within_memory([]() -> int { throw std::runtime_error("could not create a primitive"); },
                                 advice);
             }),
             "there is not enough memory: oneDNN could not create a primitive; the process holds ");
  CHECK_THROWS_AS(
      cn::within_memory([]() -> int { throw std::runtime_error("could not create a primitive descriptor"); },
                        advice),
      std::runtime_error);
  CHECK_SAYS(message_of([&] {
               cn::within_memory(
                   []() -> int {
                     TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried 2 GiB\nmore");
                     return 0;
                   },
                   advice);
             }),
             "there is not enough memory: CUDA out of memory. Tried 2 GiB; the process holds ");
  CHECK_SAYS(message_of([&] {
               cn::within_memory(
                   []() -> int {
                     TORCH_CHECK(false, "cuDNN error: CUDNN_STATUS_ALLOC_FAILED");
                     return 0;
                   },
                   advice);
             }),
             "there is not enough memory: cuDNN error: CUDNN_STATUS_ALLOC_FAILED; the process holds ");
  CHECK_SAYS(
      message_of([&] { cn::within_memory([] { return at::empty({std::int64_t{1} << 46}); }, advice); }),
      "256.0 TiB were asked for");
  CHECK_THROWS_AS(cn::within_memory(
                      []() -> int {
                        TORCH_CHECK(false, "other");
                        return 0;
                      },
                      advice),
                  c10::Error);
  CHECK(cn::within_memory([] { return 3; }, advice) == 3);
}

}  // namespace resume_test
