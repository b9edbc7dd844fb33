// What tables are made of, searches and trainings, stopped after any step and gone on with: each ends as if it had not been stopped.
#include "support/unfinished_run.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <crispnas/genotype/known.hpp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "doctest.hpp"
#include "files.hpp"
#include "support.hpp"
#include "support/derived_training.hpp"
#include "support/experiment.hpp"
#include "support/grid.hpp"
#include "support/ledger.hpp"
#include "support/ledger_lines.hpp"
#include "support/lost_watch.hpp"
#include "support/pool.hpp"
#include "support/search_json.hpp"

namespace unfinished_run_test {

namespace cn = crispnas;
using tests::message_of;
using tests::temporary_folder;

namespace {

cn::labelled_images easy(std::int64_t n) {
  auto generator = at::detail::createCPUGenerator(3);
  const at::Tensor labels = torch::arange(n, torch::kLong).remainder(2);
  const at::Tensor noise = torch::randint(0, 100, {n, 3, 8, 8}, generator, torch::kLong);
  return {(noise + labels.view({n, 1, 1, 1}) * 120).to(at::kByte), labels, 2};
}

/// Two epochs of two steps.
support::scale tiny() {
  support::scale s{.channels = 8, .cells = 3, .epochs = 2, .batch_size = 8};
  s.augment.crop_padding = 1;
  return s;
}

/// A piece of work: tells of its steps, is kept or not, ends with numbers.
using work = std::function<std::vector<double>(const support::step_callback&, support::keeper*)>;

std::vector<double> search(const support::step_callback& on_step, support::keeper* saved_by) {
  const auto method = support::darts_method("da2s", 3, 4);
  const auto train = easy(32);
  const auto found = support::run_search(method, 3, {support::darts_budget(3), support::darts_budget(8)},
                                         tiny(), train, easy(8), 5, on_step, {}, {}, saved_by);
  std::vector<double> numbers;
  const auto add = [&](const at::Tensor& t) {
    const at::Tensor flat = t.to(at::kDouble).flatten();
    for (std::int64_t i = 0; i < flat.numel(); ++i) numbers.push_back(flat[i].item<double>());
  };
  for (const auto& epoch : found.epochs) {
    numbers.insert(numbers.end(), {epoch.report.train_loss, epoch.report.arch_loss});
    for (const auto& w : epoch.weights) add(w.ops);
  }
  for (const auto& gap : found.gaps) numbers.insert(numbers.end(), {gap.before, gap.after});
  for (const auto& w : found.edge_weights) add(w);
  return numbers;
}

std::vector<double> cut_cell(const support::step_callback& on_step, support::keeper* saved_by) {
  const auto method = support::darts_method("da2s", 8, 4);
  const auto data = easy(16);
  cn::any_supernet probe(method.configuration.space, method.configuration.ops, method.configuration.plan,
                         {.channels = 8, .cells = 3, .classes = 2});
  // Its accuracy alone would not tell one training from another.
  struct weights_seen : support::keeper {
    support::keeper* inner = nullptr;
    std::function<cn::named_state()> state;
    cn::named_tensors last;
    void begin(std::function<cn::named_state()> given, std::function<std::string()> position) override {
      state = given;
      if (inner != nullptr) inner->begin(std::move(given), std::move(position));
    }
    void after_step() override {
      last.clear();
      for (const auto& [name, value] : state().values()) last.emplace_back(name, value.clone());
      if (inner != nullptr) inner->after_step();
    }
    void after_epoch(int) override {}
    bool stop() const override { return inner != nullptr && inner->stop(); }
    [[noreturn]] void end_early() override {
      inner->end_early();
      std::abort();
    }
  } seen;
  seen.inner = saved_by;
  std::vector<double> numbers{support::train_cut(method, cn::cut_network(probe), tiny(), data, easy(8), 5,
                                                 support::rate_falls::each_step, on_step, &seen)};
  for (const auto& [name, value] : seen.last) numbers.push_back(value.to(at::kDouble).sum().item<double>());
  return numbers;
}

std::vector<double> derived(const support::step_callback& on_step, support::keeper* saved_by) {
  const auto data = easy(16);
  support::derived_training training{
      cn::known::darts_v2, {.channels = 4, .cells = 3, .classes = 2}, cn::presets::cifar_recipe()};
  training.options.epochs = 2;
  training.options.batch_size = 8;
  training.options.on_step = on_step;
  const support::training_images images{
      cn::training_set_of(data), [&](std::int64_t batch_size, at::Device) {
        return cn::batch_source(cn::sequential_batches(data, {.batch_size = batch_size}));
      }};
  const auto found = support::train_derived(training, images, saved_by);
  return {found.loss, found.top1};
}

struct killed {};

void stopped_and_gone_on_with(const work& one) {
  using std::chrono::hours;
  const test::one_thread as_side_by_side;
  const support::step_callback nothing = [](const cn::step_progress&) {};
  const auto expected = one(nothing, nullptr);
  for (const int after : test::watched ? std::vector{1} : std::vector{0, 1, 2, 3}) {
    for (const bool kill : {false, true}) {
      CAPTURE(after);
      CAPTURE(kill);
      const temporary_folder folder;
      int steps = 0;
      std::vector<std::int64_t> seen;
      const auto run = [&](bool is_first) {
        const support::stop_signals signals;
        support::unfinished_run saved_by(folder.path() / "one", signals,
                                         {.configuration = {{"of", "this test"}}},
                                         support::unfinished_run::seconds(kill ? hours(0) : hours(1)));
        if (is_first && after == 0 && !kill) std::raise(SIGTERM);
        return one(
            [&](const cn::step_progress& p) {
              const std::int64_t number = (p.epoch - 1) * p.steps + p.step;
              if (!is_first) seen.push_back(number);
              if (!is_first || ++steps != after + (kill ? 1 : 0)) return;
              if (kill) throw killed();  // before this step can be saved
              std::raise(SIGTERM);
            },
            &saved_by);
      };
      if (kill) {
        CHECK_THROWS_AS(run(true), killed);
      } else {
        try {
          run(true);
          FAIL("it was not stopped");
        } catch (const support::ended_early& e) {
          CHECK(e.exit_code == 143);
          CHECK(std::string(e.what()).starts_with("stopped by SIGTERM at epoch "));
          CHECK(std::string(e.what()).ends_with("; saved in '" +
                                                (folder.path() / "one/checkpoints").string() + "'."));
        }
      }
      CHECK(run(false) == expected);
      REQUIRE(!seen.empty());
      CHECK(seen.front() == after + 1);  // nothing is done twice
    }
  }
}

}  // namespace

TEST_CASE("a search, stopped or killed after any step") { stopped_and_gone_on_with(search); }
TEST_CASE("a cut cell from scratch, stopped or killed after any step") { stopped_and_gone_on_with(cut_cell); }
TEST_CASE("a derived network, stopped or killed after any step") { stopped_and_gone_on_with(derived); }

TEST_CASE("a cut cell from scratch that loses a number: told, neither saved nor measured") {
  const test::one_thread as_side_by_side;
  const auto method = support::darts_method("da2s", 8, 4);
  const auto data = easy(16);
  cn::any_supernet probe(method.configuration.space, method.configuration.ops, method.configuration.plan,
                         {.channels = 8, .cells = 3, .classes = 2});
  auto s = tiny();
  s.epochs = 40;
  s.weight_rate = s.last_weight_rate = 1e6;
  struct saved_always : support::keeper {
    std::function<cn::named_state()> state;
    int saved = 0;
    void begin(std::function<cn::named_state()> given, std::function<std::string()>) override {
      state = std::move(given);
    }
    void after_step() override {
      for (const auto& named : state().values()) {
        CAPTURE(named.first);
        CHECK(at::isfinite(named.second).all().item<bool>());
      }
      ++saved;
    }
    void after_epoch(int) override {}
    bool stop() const override { return false; }
    [[noreturn]] void end_early() override { std::abort(); }
  } saved_by;
  int steps = 0;
  const auto train = [&](support::keeper* keeper) {
    steps = 0;
    return message_of([&] {
      support::train_cut(
          method, cn::cut_network(probe), s, data, easy(8), 5, support::rate_falls::each_step,
          [&](const cn::step_progress&) { ++steps; }, keeper);
    });
  };
  for (support::keeper* keeper :
       {static_cast<support::keeper*>(nullptr), static_cast<support::keeper*>(&saved_by)}) {
    const auto said = train(keeper);
    CHECK_SAYS(said, "a number was lost in epoch ");
    CHECK_SAYS(said, "; first parameter with a NaN or infinity: ");
    CHECK_SAYS(said, ". Rate 1e+06; images: ");
    CHECK(steps < 80);
  }
  CHECK(saved_by.saved == steps - 1);  // the step that lost it is not saved
}

TEST_CASE("the weights that the last step leaves are looked at, too: its loss does not tell of them") {
  cn::any_supernet net(support::darts_method("da2s", 8, 4).configuration.space,
                       support::darts_method("da2s", 8, 4).configuration.ops,
                       support::darts_method("da2s", 8, 4).configuration.plan,
                       {.channels = 8, .cells = 3, .classes = 2});
  support::lost_watch lost(net);
  const auto scalar = [](double value) { return torch::full({}, value); };
  cn::step_result fine;
  fine.weight_loss = scalar(1);
  fine.gradient_norm = scalar(2);
  lost.after_step({3, 4, 0.5, {7, 8}}, fine);
  lost.settle();
  net.parameters().front().detach().fill_(INFINITY);
  lost.settle();  // of a step that it has settled already
  lost.after_step({3, 5, 0.5, {7, 8}}, fine);
  for (int again = 0; again < 2; ++again) {
    CHECK_SAYS(message_of([&] { lost.settle(); }),
               "a number was lost in epoch 3, step 6: loss 1, gradient norm 2; first parameter with a NaN or "
               "infinity: " +
                   net.named_parameters().keys().front());
    CHECK_SAYS(message_of([&] { lost.settle(); }), ". Rate 0.5; images: 7, 8.");
  }
  cn::step_result bad = fine;
  bad.gradient_norm = scalar(NAN);
  support::lost_watch other(net);
  other.after_step({1, 0, 0.5, {1}}, bad);
  CHECK_SAYS(message_of([&] {
               other.after_step({1, 1, 0.5, {2}}, fine);
             }),
             "epoch 1, step 1: loss 1, gradient norm nan");
}

TEST_CASE("a derived network that loses a number has no accuracy") {
  const auto data = easy(16);
  support::derived_training training{
      cn::known::darts_v2, {.channels = 4, .cells = 3, .classes = 2}, cn::presets::cifar_recipe()};
  training.options.epochs = 1;
  training.options.batch_size = 16;  // one step, whose loss is fine
  training.options.rate = 1e38;
  training.options.weight_decay = 100;
  const support::training_images images{
      cn::training_set_of(data), [&](std::int64_t batch_size, at::Device) {
        return cn::batch_source(cn::sequential_batches(data, {.batch_size = batch_size}));
      }};
  CHECK_SAYS(message_of([&] { support::train_derived(training, images); }),
             "crispnas::trainer: a number was lost in epoch 1, step 1: loss ");
}

TEST_CASE("a line of the ledger is no longer than was planned for") {
  const test::one_thread as_side_by_side;
  for (const char* name : {"da2s", "darts"}) {
    const auto method = support::darts_method(name, 3, 4);
    std::vector<support::budget_choice> cuts;
    for (const int kept : {3, 4, 5, 6, 8}) cuts.push_back(support::darts_budget(kept));
    const auto found =
        support::run_search(method, 3, cuts, tiny(), easy(32), easy(8), 5, [](const cn::step_progress&) {});
    const auto result = support::search_json(method.configuration.space, found);
    CHECK(result.dump().size() < support::search_line_bytes(2) - 2500);  // what stands beside the result
    CHECK(result["epochs"].dump().size() < support::search_line_bytes(2) - support::search_line_bytes(0));
    support::check_ledger_result({{"configuration", {{"kind", "search"}}}, {"result", result}});
  }
}

TEST_CASE(
    "the grid: a line of another configuration is not taken, what has no room is refused before it begins") {
  const temporary_folder folder;
  const support::stop_signals signals;
  const auto images = easy(32);
  support::table_scale sizes;
  sizes.images = sizes.held_out = 16;
  auto s = support::make_setting(sizes, "made up", {images, images}, at::kCPU);
  const support::search_request request;
  const auto of = support::configuration_of(s, request, false);
  const std::string genotype = cn::to_text(support::grid::random_cell(8, 1, 4));
  auto other = support::configuration_of(s, genotype, false);
  {
    support::ledger done(folder.path() / "l.jsonl", support::ledger_mode::append);
    const nlohmann::json result{{"error", 12.5}};
    const auto hash = support::fingerprint(other.dump());
    done.append({{"hash", hash}, {"seed", 1U}, {"configuration", other}, {"result", result}});
    other["epochs"] = 77;
    done.append({{"hash", hash}, {"seed", 2U}, {"configuration", other}, {"result", result}});
    done.append({{"hash", support::fingerprint(of.dump())},
                 {"seed", 3U},
                 {"configuration", other},
                 {"result", result}});
  }
  support::ledger done(folder.path() / "l.jsonl", support::ledger_mode::append, cn::system_files(), 1 << 16);
  support::grid grid(done, signals, {.device_name = {}, .unfinished = folder.path() / "unfinished"});
  CHECK(grid.retraining(s, genotype, 0) == nullptr);
  REQUIRE(grid.retraining(s, genotype, 1) != nullptr);
  CHECK(grid.retraining(s, genotype, 1)->at("error") == 12.5);
  CHECK_SAYS(message_of([&] { grid.retraining(s, genotype, 2); }),
             "and seed 2 is of another configuration than the hash says. Take the line out");
  CHECK_SAYS(message_of([&] { grid.plan(s, genotype, 2); }), "of another configuration");
  CHECK_SAYS(message_of([&] { grid.search(s, request, 3); }), "l.jsonl': the line of hash ");
  CHECK_SAYS(message_of([&] { grid.plan(s, request, 3); }), "of another configuration");
  s.search.epochs = 60000;
  CHECK_THROWS_AS(grid.plan(s, request, 4), support::usage_error);
  CHECK_SAYS(message_of([&] { grid.plan(s, request, 4); }),
             "scale 'cpu': the 60000 epochs of a search are up to ");
  CHECK(grid.planned() == 0);
  s.search.epochs = 30;
  grid.plan(s, request, 4);
  CHECK_THROWS_AS(grid.run("searching"), support::usage_error);
  CHECK_SAYS(message_of([&] { grid.run("searching"); }), "what is to be done can make up to ");
  CHECK_FALSE(std::filesystem::exists(folder.path() / "unfinished"));
}

TEST_CASE("between two saves time passes") {
  const temporary_folder folder;
  const support::stop_signals signals;
  support::unfinished_run rare(folder.path() / "rare", signals, {}),
      often(folder.path() / "often", signals, {}, support::unfinished_run::seconds(0));
  std::int64_t number = 0;
  for (support::unfinished_run* run : {&rare, &often}) {
    run->begin(
        [&] {
          cn::named_state all;
          all.add("number", number);
          return all;
        },
        [] { return "somewhere"; });
    run->after_step();
    run->after_epoch(1);
  }
  CHECK_FALSE(std::filesystem::exists(folder.path() / "rare/checkpoints/LATEST"));
  CHECK(std::filesystem::exists(folder.path() / "often/checkpoints/LATEST"));
}

TEST_CASE("side by side: an error goes before a stop, whichever comes first, and nothing is begun after it") {
  int begun = 0;
  const std::function<void()> stops = [] { throw support::ended_early("asked to", 143); };
  const std::function<void()> fails = [] { throw cn::error("no room"); };
  const std::function<void()> counts = [&] { ++begun; };
  CHECK_THROWS_AS(support::run_side_by_side({stops, counts, counts}, 1), support::ended_early);
  CHECK(message_of([&] { support::run_side_by_side({fails, counts}, 1); }) == "no room");
  CHECK(begun == 0);
  std::atomic<bool> is_stopping = false;
  const std::function<void()> fails_later = [&] {
    while (!is_stopping) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    throw cn::error("no room");
  };
  const std::function<void()> stops_first = [&] {
    is_stopping = true;
    throw support::ended_early("asked to", 143);
  };
  CHECK(message_of([&] { support::run_side_by_side({fails_later, stops_first}, 2); }) == "no room");
}

TEST_CASE("side by side: threads that the system does not start") {
  int started = 0, can_start = 0;
  const support::thread_starter few = [&](std::function<void()> work) {
    if (started == can_start)
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    ++started;
    return std::thread(std::move(work));
  };
  std::atomic<int> done = 0;
  const std::vector<std::function<void()>> jobs(5, [&] { ++done; });
  CHECK_SAYS(message_of([&] { support::run_side_by_side(jobs, 4, few); }),
             "the system starts no thread to work on (Resource temporarily unavailable)");
  CHECK(done == 0);
  can_start = 2;
  support::run_side_by_side(jobs, 4, few);
  CHECK(done == 5);
}

TEST_CASE("side by side: an error is told with the name of its work, a stop is not") {
  CHECK(message_of([] { support::named_work("one", [] { throw cn::error("no room"); }); }) == "one: no room");
  CHECK(support::named_work("one", [] { return 3; }) == 3);
  CHECK_THROWS_AS(support::named_work("one", [] { throw support::ended_early("asked to", 143); }),
                  support::ended_early);
}

TEST_CASE(
    "side by side: searches and trainings end as they do one by one, and each is a line of the ledger") {
  const test::one_thread one_by_one;
  const support::step_callback nothing = [](const cn::step_progress&) {};
  const std::vector<work> all{search, cut_cell, derived, search};
  std::vector<std::vector<double>> expected;
  for (const auto& one : all) expected.push_back(one(nothing, nullptr));
  const temporary_folder folder;
  const support::stop_signals signals;
  support::ledger done(folder.path() / "ledger.jsonl", support::ledger_mode::append);
  std::vector<std::vector<double>> found(all.size());
  std::vector<std::function<void()>> jobs;
  for (std::size_t i = 0; i < all.size(); ++i) {
    jobs.emplace_back([&, i] {
      support::unfinished_run saved_by(folder.path() / std::to_string(i), signals, {},
                                       support::unfinished_run::seconds(0));
      found[i] = all[i](nothing, &saved_by);
      done.append({{"hash", std::to_string(i)},
                   {"seed", 0U},
                   {"configuration", {{"kind", "retraining"}}},
                   {"result", {{"error", 0}, {"numbers", found[i]}}}});
    });
  }
  support::run_side_by_side(jobs, 2);
  CHECK(found == expected);
  CHECK(support::ledger(done.path(), support::ledger_mode::read).size() == all.size());
}

}  // namespace unfinished_run_test
