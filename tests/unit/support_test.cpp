// What the programs share: command line, files, progress.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "doctest.hpp"
#include "failing_files.hpp"
#include "files.hpp"
#include "support/cli.hpp"
#include "support/csv.hpp"
#include "support/datasets.hpp"
#include "support/errors.hpp"
#include "support/gzip.hpp"
#include "support/leftovers.hpp"
#include "support/lost_flags.hpp"
#include "support/progress.hpp"
#include "support/run_keeper.hpp"
#include "support/suggest.hpp"
#include "support/train_json.hpp"

namespace support_test {

using tests::message_of;
using tests::temporary_folder;

namespace {

/// The state of a run that is one number.
auto state_of(double& value) {
  return [&value] {
    crispnas::named_state all;
    all.add("value", value);
    return all;
  };
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// One gzip stream.
std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string word(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xffU);
  return bytes;
}

std::string idx_images(std::uint32_t n, char pixel) {
  return word(0x803) + word(n) + word(2) + word(2) + std::string(std::size_t{n} * 4, pixel);
}

std::string idx_labels(const std::string& labels) {
  return word(0x801) + word(static_cast<std::uint32_t>(labels.size())) + labels;
}

std::string contents(std::FILE* file) {
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  return text;
}

// What `body` writes to stderr.
template <class Body>
std::string stderr_of(Body&& body) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  std::fflush(stderr);
  const int saved = dup(2);
  dup2(fileno(file), 2);
  body();
  std::fflush(stderr);
  dup2(saved, 2);
  close(saved);
  const std::string text = contents(file);
  std::fclose(file);
  return text;
}

struct parsed {
  std::optional<int> code;
  std::string message;
  std::string method = "da2s";
  int epochs = 1;
};

// A program like those in examples/.
parsed parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "bin/search");
  parsed result;
  CLI::App app("test");
  app.add_option("--method", result.method)->check(support::one_of({"da2s", "darts", "pc_darts"}));
  app.add_option("--epochs", result.epochs)->check(CLI::PositiveNumber);
  app.add_flag("--quiet");
  result.message = stderr_of([&] {
    result.code = support::parse_command_line(app, static_cast<int>(arguments.size()), arguments.data());
  });
  return result;
}

}  // namespace

TEST_SUITE("suggestions") {
  TEST_CASE("edit distance") {
    CHECK(support::edit_distance("", "") == 0);
    CHECK(support::edit_distance("abc", "") == 3);
    CHECK(support::edit_distance("", "abc") == 3);
    CHECK(support::edit_distance("kitten", "sitting") == 3);
    CHECK(support::edit_distance("darts", "drats") == 2);
    CHECK(support::edit_distance("same", "same") == 0);
  }

  TEST_CASE("the nearest word, if it is near") {
    const std::vector<std::string> valid{"da2s", "darts", "pc_darts"};
    CHECK(support::nearest("dart", valid) == "darts");
    CHECK(support::nearest("pcdarts", valid) == "pc_darts");
    CHECK(!support::nearest("bananas", valid).has_value());
    CHECK(support::did_you_mean("dats", valid) == "; did you mean 'da2s'?");
    CHECK(support::did_you_mean("bananas", valid).empty());
  }
}

TEST_SUITE("command line") {
  TEST_CASE("what is right passes") {
    const auto got = parse({"--method", "darts", "--epochs", "3", "--quiet"});
    CHECK(!got.code.has_value());
    CHECK(got.method == "darts");
    CHECK(got.epochs == 3);
  }

  TEST_CASE("an unknown flag") {
    const auto got = parse({"--epoch", "3"});
    CHECK(got.code == 2);
    CHECK(got.message == "search: unknown flag '--epoch'; did you mean '--epochs'?\n");
    CHECK(parse({"--metod=darts"}).message == "search: unknown flag '--metod'; did you mean '--method'?\n");
    CHECK(parse({"--zzzzzzzzzzzzz"}).message == "search: unknown flag '--zzzzzzzzzzzzz'. See --help.\n");
    CHECK(parse({"stray"}).message == "search: unexpected argument 'stray'.\n");
  }

  TEST_CASE("an unknown value") {
    const auto got = parse({"--method", "dart"});
    CHECK(got.code == 2);
    CHECK(got.message ==
          "search: --method: 'dart' is not one of da2s, darts, pc_darts; did you mean 'darts'?\n");
    CHECK(parse({"--method", "bananas"}).message ==
          "search: --method: 'bananas' is not one of da2s, darts, pc_darts.\n");
  }

  TEST_CASE("values that are no number, no epoch, or missing") {
    CHECK(parse({"--epochs", "many"}).code == 2);
    CHECK_SAYS(parse({"--epochs", "many"}).message, "many");
    CHECK(parse({"--epochs", "0"}).code == 2);
    CHECK_SAYS(parse({"--epochs", "0"}).message, "--epochs");
    CHECK(parse({"--epochs"}).code == 2);
    CHECK_SAYS(parse({"--epochs"}).message, "--epochs");
  }

  TEST_CASE("exit codes and messages of a program's body") {
    const auto run = [](auto body) {
      int code = -1;
      const auto text = stderr_of([&] { code = support::guarded("search", body); });
      return std::to_string(code) + " " + text;
    };
    CHECK(run([] {}) == "0 ");
    CHECK(run([] { return 5; }) == "5 ");
    CHECK(run([] { throw support::usage_error("bad folder"); }) == "2 search: bad folder\n");
    CHECK(run([] { throw crispnas::error("bad data"); }) == "1 search: bad data\n");
    CHECK(run([] { throw std::out_of_range("anything"); }) == "1 search: anything\n");
    const auto from_torch = run([] { (void)torch::ones({2}).view({3}); });
    CHECK_SAYS(from_torch, "1 search: shape '[3]' is invalid");
    CHECK(!tests::contains(from_torch, "frame #"));
    // Memory that ran out where the library does not say what to do about it.
    const std::string advice = "\nTake fewer channels or cells, or a smaller batch.\n";
    CHECK(run([] {
            TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate 2.00 GiB.");
          }) == "1 search: CUDA out of memory. Tried to allocate 2.00 GiB." + advice);
    if (!test::watched)  // the address sanitizer ends a program that asks for so much
      CHECK_SAYS(run([] { (void)torch::empty({std::int64_t{1} << 46}); }), advice);
    CHECK(run([] { throw std::bad_alloc(); }) == "1 search: there is not enough memory" + advice);
    CHECK(run([] { throw crispnas::error("not enough memory: take less"); }) ==
          "1 search: not enough memory: take less\n");
  }
}

TEST_SUITE("output folder") {
  TEST_CASE("one that can be made, and one that is there") {
    const temporary_folder folder;
    const auto wanted = folder.path() / "new" / "deep";
    CHECK(message_of([&] { support::check_output_folder(wanted); }).empty());
    CHECK(std::filesystem::is_directory(wanted));
    CHECK(std::filesystem::is_empty(wanted));
    CHECK(message_of([&] { support::check_output_folder(wanted); }).empty());
  }

  TEST_CASE("its name, and those of the folders above it that are made, reach the disk") {
    const temporary_folder folder;
    tests::failing_files disk(0, tests::fault::none);
    support::check_output_folder(folder.path() / "new" / "deep", disk);
    CHECK(disk.calls() == 2 * 4);  // each: made; the folder above it opened, synced, closed
    tests::failing_files full(7, tests::fault::no_space);
    CHECK_SAYS(message_of([&] { support::check_output_folder(folder.path() / "other" / "deep", full); }),
               "other/deep' cannot be made: folder '" + (folder.path() / "other").string() +
                   "' did not reach the disk (No space left on device). It needs a new folder; free there: ");
  }

  TEST_CASE("a file in its place, or in its way") {
    const temporary_folder folder;
    const auto file = folder.write("file", "x");
    CHECK_SAYS(message_of([&] { support::check_output_folder(file); }), "file' is not a folder");
    CHECK_SAYS(message_of([&] { support::check_output_folder(file / "below"); }), "cannot be made");
    CHECK_SAYS(message_of([&] { support::check_output_folder(""); }), "name is empty");
    CHECK_THROWS_AS(support::check_output_folder(file), support::usage_error);
  }

  TEST_CASE("one that nobody can write to") {  // not even root, as whom tests in containers run
#ifdef __linux__
    const auto said = message_of([] { support::check_output_folder("/proc/self"); });
    CHECK_SAYS(said, "output folder '/proc/self' cannot be written to");
    CHECK_SAYS(message_of([] { support::check_output_folder("/proc/crispnas-results"); }), "cannot be made");
#endif
  }
}

TEST_SUITE("device") {
  TEST_CASE("names") {
    CHECK(support::parse_device("cpu", 0) == torch::Device(torch::kCPU));
    CHECK(support::parse_device("cuda", 1) == torch::Device(torch::kCUDA, 0));
    CHECK(support::parse_device("cuda:1", 2) == torch::Device(torch::kCUDA, 1));
  }

  TEST_CASE("a GPU where there is none") {
    const auto said = message_of([] { support::parse_device("cuda", 0); });
    CHECK_SAYS(said, "there is no GPU that LibTorch can use here");
    CHECK_SAYS(said, "--device cpu");
    CHECK_SAYS(message_of([] { support::parse_device("cuda:2", 2); }),
               "there are 2 GPUs; the last one is cuda:1.");
    CHECK_THROWS_AS(support::parse_device("cuda:0", 0), support::usage_error);
    if (!torch::cuda::is_available()) CHECK_THROWS_AS(support::parse_device("cuda"), support::usage_error);
  }

  TEST_CASE("unknown names") {
    CHECK_SAYS(message_of([] { support::parse_device("gpu", 1); }),
               "'gpu' is not one of cpu, cuda, cuda:N; did you mean 'cuda'?");
    CHECK_SAYS(message_of([] { support::parse_device("cudo", 1); }), "did you mean 'cuda'?");
    for (const char* wrong : {"cuda:", "cuda:x", "cuda:-1", "cuda:99999999999", ""}) {
      CAPTURE(wrong);
      CHECK_THROWS_AS(support::parse_device(wrong, 1), support::usage_error);
    }
  }
}

TEST_SUITE("gzip") {
  TEST_CASE("what was packed comes out") {
    std::string text;
    std::uint32_t state = 1;
    for (int i = 0; i < 300000; ++i)
      text += static_cast<char>((state = state * 1664525U + 1013904223U) >> 24);
    CHECK(text_of(support::gunzip(bytes_of(gzip(text)), "x")) == text);
    CHECK(support::gunzip(bytes_of(gzip("")), "x").empty());
    const std::string even(2 * 65536, 'a');  // the output ends where a chunk does
    CHECK(text_of(support::gunzip(bytes_of(gzip(even)), "x")) == even);
  }

  TEST_CASE("cut anywhere, it is truncated") {
    const auto packed = gzip("some text that is worth packing, some text that is worth packing");
    for (std::size_t n = 2; n < packed.size(); ++n) {
      CHECK_SAYS(message_of([&] { support::gunzip(bytes_of(packed.substr(0, n)), "x"); }),
                 "'x' is truncated");
    }
    const auto even = gzip(std::string(65536, 'a'));  // all of a chunk is there, its check sum is not
    CHECK_SAYS(message_of([&] { support::gunzip(bytes_of(even.substr(0, even.size() - 8)), "x"); }),
               "'x' is truncated");
  }

  TEST_CASE("trailing bytes, a second stream included") {
    const auto packed = gzip("text");
    CHECK_SAYS(message_of([&] { support::gunzip(bytes_of(packed + "abc"), "x"); }),
               "'x' has 3 bytes left over");
    CHECK_SAYS(message_of([&] { support::gunzip(bytes_of(packed + packed), "x"); }),
               "bytes left over after its end");
  }

  TEST_CASE("damage") {
    auto packed = gzip("text that has a checksum");
    packed[packed.size() - 6] = static_cast<char>(packed[packed.size() - 6] ^ 1);
    CHECK_SAYS(message_of([&] { support::gunzip(bytes_of(packed), "x"); }),
               "'x' is damaged (zlib: data error)");
    CHECK_SAYS(message_of([&] { support::gunzip(bytes_of("PK\3\4"), "x"); }), "'x' is not a gzip file");
    CHECK_SAYS(message_of([&] { support::gunzip(bytes_of("\x1f\x8c"), "x"); }), "'x' is not a gzip file");
    CHECK_SAYS(message_of([&] { support::gunzip(bytes_of(""), "x"); }), "'x' is not a gzip file");
  }

  TEST_CASE("bombs") {
    const auto bomb = gzip(std::string(8 << 20, '\0'));
    CHECK_SAYS(message_of([&] { support::gunzip(bytes_of(bomb), "x"); }), "'x' grows beyond 1048576 bytes");
    CHECK_SAYS(message_of([&] { support::gunzip(bytes_of(bomb), "x", {.bytes = 10000}); }),
               "grows beyond 10000 bytes");
    CHECK_SAYS(message_of([&] { support::gunzip(bytes_of(bomb), "x", {.bytes = 100}); }),
               " bytes, more than the 100 that may come out of it");
    CHECK(support::gunzip(bytes_of(bomb), "x", {.small = 8 << 20}).size() == 8 << 20);
  }
}

TEST_SUITE("data sets") {
  TEST_CASE("Fashion-MNIST, packed or not") {
    const temporary_folder folder;
    folder.write("train-images-idx3-ubyte.gz", gzip(idx_images(2, '\x33')));
    folder.write("train-labels-idx1-ubyte", idx_labels("\3\4"));
    folder.write("t10k-images-idx3-ubyte", idx_images(1, '\x66'));
    folder.write("t10k-labels-idx1-ubyte.gz", gzip(idx_labels("\5")));
    const auto data = support::load_fashion_mnist(folder.path());
    CHECK(data.train.size() == 2);
    CHECK(data.train.labels()[1].item<int>() == 4);
    CHECK(data.held_out.labels()[0].item<int>() == 5);
    CHECK(data.held_out.images()[0][0][0][0].item<int>() == 0x66);
    CHECK(data.train.mean()[0] == doctest::Approx(0.2));
    CHECK(data.held_out.mean() == data.train.mean());  // the test set does not normalize itself
  }

  TEST_CASE("a folder that is missing, none, or empty") {
    const temporary_folder folder;
    CHECK_SAYS(message_of([&] { support::load_fashion_mnist(folder.path() / "no"); }),
               "does not exist. On Debian");
    CHECK_SAYS(message_of([&] { support::load_fashion_mnist(folder.write("f", "x")); }), "is not a folder");
    CHECK_SAYS(message_of([&] { support::load_fashion_mnist(folder.path()); }),
               "holds neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz");
    CHECK_SAYS(message_of([&] { support::load_cifar10(folder.path() / "no"); }),
               "does not exist. Get the binary version");
    CHECK_SAYS(message_of([&] { support::load_cifar10(folder.path()); }), "holds no data_batch_*.bin");
  }

  TEST_CASE("a packed file with a damaged content names the file") {
    const temporary_folder folder;
    folder.write("train-images-idx3-ubyte.gz", gzip(idx_images(2, '\1').substr(0, 20)));
    folder.write("train-labels-idx1-ubyte", idx_labels("\3\4"));
    const auto said = message_of([&] { support::load_fashion_mnist(folder.path(), support::split::train); });
    CHECK_SAYS(said,
               "train-images-idx3-ubyte.gz is truncated: its header promises 8 bytes of data and 4 follow");
  }

  TEST_CASE("CIFAR-10: all batches, in the order of their names") {
    const temporary_folder folder;
    const auto record = [](char label) { return label + std::string(3072, '\x80'); };
    folder.write("data_batch_2.bin", record('\2') + record('\3'));
    folder.write("data_batch_1.bin", record('\1'));
    folder.write("test_batch_3000.bin", record('\4'));
    folder.write("batches.meta.txt", "airplane");
    const auto data = support::load_cifar10(folder.path());
    CHECK(torch::equal(data.train.labels(), torch::tensor({1, 2, 3}, torch::kLong)));
    CHECK(torch::equal(data.held_out.labels(), torch::tensor({4}, torch::kLong)));
  }

  TEST_CASE("the real Fashion-MNIST" * doctest::test_suite("optional")) {
    if (!std::filesystem::exists(support::fashion_mnist_folder)) {
      MESSAGE("NOT TESTED: there is no " << support::fashion_mnist_folder
                                         << " (Debian: apt-get install dataset-fashion-mnist).");
      return;
    }
    const auto data = support::load_fashion_mnist();
    CHECK(data.train.size() == 60000);
    CHECK(data.held_out.size() == 10000);
    CHECK((data.train.images().sizes() == torch::IntArrayRef({60000, 1, 28, 28})));
    // Each class has a tenth of the images; the first label is 9, an ankle boot.
    CHECK(torch::equal(data.train.labels().bincount(), torch::full({10}, 6000, torch::kLong)));
    CHECK(torch::equal(data.held_out.labels().bincount(), torch::full({10}, 1000, torch::kLong)));
    CHECK(data.train.labels()[0].item<int>() == 9);
    // The numbers that are in use for this data set.
    CHECK(data.train.mean()[0] == doctest::Approx(0.2860).epsilon(2e-4));
    CHECK(data.train.stddev()[0] == doctest::Approx(0.3530).epsilon(2e-4));
  }
}

TEST_SUITE("progress") {
  TEST_CASE("durations") {
    CHECK(support::format_duration(0.4) == "0 s");
    CHECK(support::format_duration(59.4) == "59 s");
    CHECK(support::format_duration(59.6) == "1:00");
    CHECK(support::format_duration(187) == "3:07");
    CHECK(support::format_duration(3727) == "1:02:07");
    CHECK(support::format_duration(-1) == "?");
    CHECK(support::format_duration(1e300) == "?");
  }

  TEST_CASE("lines and bars") {
    const support::progress_state state{
        .done = 20, .total = 50, .elapsed = 12, .label = "da2s", .note = "loss 1.2"};
    CHECK(support::render_line(state) == "da2s 40% | 20/50 | 12 s, 18 s left | loss 1.2");
    CHECK(support::render_bar(state, 100, false) ==
          "[#########...............] " + support::render_line(state));
    CHECK_SAYS(support::render_bar(state, 100, true), "[\x1b[32m#########...............\x1b[0m] ");
    CHECK(support::render_bar(state, 10, true) == "da2s 40% |");
    CHECK(support::render_line({.done = 0, .total = 5, .label = "x"}) == "x 0% | 0/5 | 0 s");
    CHECK(support::render_line({.done = 5, .total = 5, .elapsed = 70, .label = "x"}) ==
          "x 100% | 5/5 | 1:10");
    CHECK(support::render_line({.done = 0, .total = 0, .label = "x"}) == "x 100% | 0/0 | 0 s");
  }

  TEST_CASE("without a terminal: one plain line per tenth") {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    {
      support::progress bar("x", 1000, false, file);
      for (int i = 0; i < 1000; ++i) bar.advance();
    }
    const auto text = contents(file);
    std::fclose(file);
    CHECK(std::count(text.begin(), text.end(), '\n') == 10);
    CHECK(!tests::contains(text, "\r"));
    CHECK(!tests::contains(text, "\x1b"));
    CHECK_SAYS(text, "x 10% | 100/1000 |");
    CHECK_SAYS(text, "x 100% | 1000/1000 |");
  }

  TEST_CASE("quiet") {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    {
      support::progress bar("x", 10, true, file);
      for (int i = 0; i < 10; ++i) bar.advance("note");
    }
    CHECK(contents(file).empty());
    std::fclose(file);
  }

  TEST_CASE("on a terminal: redrawn at most 10 times a second, no color if NO_COLOR is set") {
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    REQUIRE(master >= 0);
    REQUIRE(grantpt(master) == 0);
    REQUIRE(unlockpt(master) == 0);
    std::FILE* terminal = std::fopen(ptsname(master), "w");
    REQUIRE(terminal != nullptr);
    const winsize size{.ws_row = 24, .ws_col = 61, .ws_xpixel = 0, .ws_ypixel = 0};
    REQUIRE(ioctl(master, TIOCSWINSZ, &size) == 0);
    setenv("NO_COLOR", "1", 1);
    const auto begin = std::chrono::steady_clock::now();
    {
      support::progress bar("x", 1000, false, terminal);
      for (int i = 0; i < 1000; ++i) bar.advance();
    }
    unsetenv("NO_COLOR");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::string text;  // a terminal hands out what has come so far: the end is the line break
    while (!tests::contains(text, "\n")) {
      char part[4096];
      const auto count = read(master, part, sizeof part);
      REQUIRE(count > 0);
      text.append(part, static_cast<std::size_t>(count));
    }
    std::fclose(terminal);
    close(master);
    const auto drawn =
        std::count(text.begin(), text.end(), '\r') - std::count(text.begin(), text.end(), '\n');
    CHECK(drawn >= 2);
    CHECK(static_cast<double>(drawn) <= 3 + 10 * took.count());  // first, last, finish, and 10 a second
    CHECK(!tests::contains(text, "\x1b[32m"));
    CHECK_SAYS(text, "[########################] x 100% | 1000/1000 | 0 s");
  }
}

TEST_SUITE("CSV") {
  TEST_CASE("quotes where RFC 4180 wants them") {
    CHECK(support::csv_field("plain") == "plain");
    CHECK(support::csv_field("a,b") == "\"a,b\"");
    CHECK(support::csv_field("say \"hi\"") == "\"say \"\"hi\"\"\"");
    CHECK(support::csv_field("two\nlines") == "\"two\nlines\"");
  }

  TEST_CASE("a file") {
    const temporary_folder folder;
    const auto path = folder.path() / "metrics.csv";
    support::csv_writer writer(path, {"epoch", "genotype"});
    writer.row({"1", "(a, b)"});
    std::ifstream stream(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    CHECK(text == "epoch,genotype\r\n1,\"(a, b)\"\r\n");
    CHECK_SAYS(message_of([&] { writer.row({"1"}); }), "a row of 1 fields for 2 columns");
    CHECK_SAYS(message_of([&] { support::csv_writer(folder.path() / "no" / "x.csv", {"a"}); }),
               "no/x.csv' cannot be written (No such file or directory).");
    CHECK_SAYS(message_of([&] { support::csv_writer("/dev/full", {"a"}); }),
               "file '/dev/full' cannot be written (No space left on device); free there: ");
  }

  TEST_CASE("a file that cannot grow says why, and what was in it stays") {
    const temporary_folder folder;
    const auto path = folder.path() / "metrics.csv";
    support::csv_writer writer(path, {"a"});
    struct rlimit before {};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{3, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    const std::string said = message_of([&] { writer.row({"1"}); });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK_SAYS(said, "metrics.csv' cannot be written (File too large); free there: ");
    std::ifstream stream(path, std::ios::binary);
    CHECK(std::string(std::istreambuf_iterator<char>(stream), {}) == "a\r\n");
  }
}

TEST_SUITE("runs that are kept") {
  TEST_CASE("a signal is remembered, a second one ends the process") {
    struct sigaction before {};
    sigaction(SIGUSR1, nullptr, &before);
    std::signal(SIGHUP, SIG_IGN);
    {
      const support::stop_signals signals;
      CHECK(signals.received() == 0);
      std::raise(SIGHUP);  // ignored, and stays so
      CHECK(signals.received() == 0);
      std::raise(SIGUSR1);
      CHECK(signals.received() == SIGUSR1);
    }
    std::signal(SIGHUP, SIG_DFL);
    struct sigaction after {};
    sigaction(SIGUSR1, nullptr, &after);
    CHECK((after.sa_handler == before.sa_handler));
    for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) {
      const pid_t child = ::fork();
      if (child == 0) {
        const support::stop_signals signals;
        std::raise(number);
        std::raise(SIGTERM);
        ::_exit(1);  // not reached
      }
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      CHECK(WIFEXITED(status));
      CHECK(WEXITSTATUS(status) == 128 + SIGTERM);
      CHECK(std::string(support::stop_signals::name(number)).starts_with("SIG"));
    }
  }

  TEST_CASE("how often a run is saved") {
    const auto steps = support::parse_interval({"50", "steps"});
    CHECK(steps.count == 50);
    CHECK(steps.of_steps);
    CHECK(!support::parse_interval({"1", "epoch"}).of_steps);
    CHECK(support::parse_interval({"0"}).count == 0);
    CHECK_SAYS(message_of([] { support::parse_interval({"50"}); }), "of what? 50 steps or epochs");
    CHECK_SAYS(message_of([] {
                 support::parse_interval({"5", "hours"});
               }),
               "'hours' is neither steps nor epochs");
    for (const char* wrong : {"x", "", "-1", "1.5", "9999999999"})
      CHECK_SAYS(message_of([&] { support::parse_interval({wrong, "steps"}); }), "is no whole number");
  }

  TEST_CASE("what is done about lost numbers: flags, and keys where it is not the default") {
    crispnas::train_options options;
    const auto json = [&] { return support::train_options_json(options); };
    // As in the ledgers and checkpoints that there are.
    CHECK(!json().contains("when_lost"));
    CHECK(!json().contains("lost_limit"));
    const auto given = [&](std::vector<const char*> words) {
      CLI::App app;
      support::add_lost_flags(app, options);
      words.insert(words.begin(), "train");
      return support::parse_command_line(app, static_cast<int>(words.size()), words.data());
    };
    CHECK(!given({}));
    CHECK((options.when_lost == crispnas::lost_numbers::abort));
    CHECK(options.lost_limit == 3);
    CHECK(!given({"--when-lost", "skip"}));
    CHECK((options.when_lost == crispnas::lost_numbers::skip));
    CHECK(json()["when_lost"] == "skip");
    CHECK(json()["lost_limit"] == 3);
    CHECK(!given({"--when-lost", "roll-back", "--lost-limit", "7"}));
    CHECK((options.when_lost == crispnas::lost_numbers::roll_back));
    CHECK(json()["when_lost"] == "roll-back");
    CHECK(json()["lost_limit"] == 7);
    CHECK(!given({"--when-lost", "abort"}));
    CHECK(!json().contains("when_lost"));
  }

  TEST_CASE("settings of nested objects") {
    crispnas::text_pairs pairs;
    support::add_settings(pairs, {{"a", 1.5}, {"b", {{"c", "text"}, {"d", {1, 2}}}}, {"e", true}});
    CHECK(pairs == crispnas::text_pairs{{"a", "1.5"}, {"b.c", "text"}, {"b.d", "[1,2]"}, {"e", "true"}});
  }

  TEST_CASE("temporaries of processes that are gone are removed") {
    const temporary_folder folder;
    const pid_t gone = ::fork();
    if (gone == 0) ::_exit(0);
    REQUIRE(::waitpid(gone, nullptr, 0) == gone);
    const auto temporary = [](pid_t owner) { return ".tmp-" + std::to_string(owner) + "-0"; };
    const std::vector<std::string> left{temporary(gone), temporary(::getpid())};
    const std::vector<std::string> kept{temporary(::getppid()), ".tmp-notes", ".tmp--0", ".tmp-0-0", ".tmp-1",
                                        temporary(gone) + "x",  "metrics.csv"};
    for (const auto* names : {&left, &kept}) {
      for (const auto& name : *names) folder.write(name, "x");
    }
    std::filesystem::create_directory(folder.path() / (".tmp-" + std::to_string(gone) + "-1"));
    const support::run_keeper keeper(folder.path(), {}, {});
    for (const auto& name : left) CHECK(!std::filesystem::exists(folder.path() / name));
    for (const auto& name : kept) CHECK(std::filesystem::exists(folder.path() / name));
    CHECK(std::filesystem::exists(folder.path() / (".tmp-" + std::to_string(gone) + "-1")));
    support::remove_leftovers(folder.path() / "none");  // nothing to do
  }

  TEST_CASE(
      "a run that is stopped saves itself, one that goes on is put back, one that has ended leaves nothing") {
    const temporary_folder folder;
    double value = 1.0;
    const auto state = state_of(value);
    const auto where = [] { return std::string("here"); };
    const auto has_checkpoint = [&](std::uint64_t number) {
      return std::filesystem::exists(folder.path() / "checkpoints" / crispnas::generation_name(number));
    };
    const auto keeper_of = [&](const support::keeper_flags& flags) {
      return std::make_unique<support::run_keeper>(folder.path(), flags,
                                                   crispnas::checkpoint_options{.configuration = {}});
    };
    {
      const auto keeper = keeper_of({.every = {"2", "steps"}});
      std::string opened;
      keeper->on_begin([&](bool goes_on) {
        opened = goes_on ? "behind" : "anew";
        CHECK(!has_checkpoint(1));  // so that it has the length of the new files
      });
      keeper->begin(state, where);
      CHECK(!keeper->resumed());
      CHECK(opened == "anew");
      CHECK(has_checkpoint(1));
      value = 2.0;
      keeper->after_step();
      keeper->after_epoch(1);
      CHECK(!has_checkpoint(2));
      keeper->after_step();
      CHECK(has_checkpoint(2));
      CHECK(!keeper->stop());
      std::raise(SIGTERM);
      CHECK(keeper->stop());
      value = 3.0;
      std::string said;
      const int code = support::guarded("test", [&] {
        try {
          keeper->end_early();
        } catch (const support::ended_early& e) {
          said = e.what();
          throw;
        }
      });
      CHECK(code == 143);
      CHECK_SAYS(said, "stopped by SIGTERM at here; saved in '");
      CHECK_SAYS(said, "checkpoints': go on with --resume.");
      // Nor does another epoch begin.
      CHECK_THROWS_AS(keeper->after_epoch(2), support::ended_early);
    }
    CHECK_SAYS(message_of([&] { keeper_of({}); }),
               "has the checkpoints of a run that did not end. Give --resume");
    value = 0.0;
    {
      const auto keeper = keeper_of({.every = {"1", "epochs"}, .resume = true});
      bool behind = false;
      keeper->on_begin([&](bool goes_on) { behind = goes_on; });
      keeper->begin(state, where);
      CHECK(keeper->resumed());
      CHECK(behind);
      CHECK(value == 3.0);
      keeper->done();
    }
    {
      const auto keeper = keeper_of({.every = {"0"}});
      keeper->begin(state, where);
      keeper->after_step();
      std::raise(SIGINT);
      CHECK_SAYS(
          [&] {
            try {
              keeper->end_early();
            } catch (const support::ended_early& e) {
              return std::to_string(e.exit_code) + e.what();
            }
            return std::string();
          }(),
          "130stopped by SIGINT at here; nothing was saved");
    }
    // No run has ended before what it has written is on the disk (which /dev/null has none of).
    std::filesystem::create_symlink("/dev/null", folder.path() / "grown.csv");
    support::run_keeper without_disk(folder.path(), {.every = {"0"}},
                                     {.configuration = {}, .outputs = {"grown.csv", "none.csv"}});
    CHECK_SAYS(message_of([&] { without_disk.done(); }), "grown.csv' did not reach the disk (");
    // The run that ended has another one behind it, which did not: nothing is known of an end.
    CHECK(!std::filesystem::exists(folder.path() / "finished.json"));
    CHECK_SAYS(message_of([&] { keeper_of({.every = {"0"}, .resume = true}); }),
               "there is nothing to go on from");
    const auto csv = folder.path() / "a.csv";
    support::csv_writer(csv, {"a"}, true).row({"1"});
    support::csv_writer(csv, {"a"}, true).row({"2"});
    std::ifstream file(csv, std::ios::binary);
    CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == "a\r\n1\r\n2\r\n");
  }

  TEST_CASE("a run that has ended is not begun again by --resume, which says so, but without it") {
    const temporary_folder folder;
    double value = 1.0;
    const auto state = state_of(value);
    const auto where = [] { return std::string("the end"); };
    const auto keeper_of = [&](bool resume, crispnas::text_pairs configuration) {
      return std::make_unique<support::run_keeper>(
          folder.path(), support::keeper_flags{.resume = resume},
          crispnas::checkpoint_options{.configuration = std::move(configuration)});
    };
    const crispnas::text_pairs configuration{{"epochs", "3"}, {"rate", "0.1"}};
    {
      const auto keeper = keeper_of(true, configuration);
      keeper->begin(state, where);
      keeper->done();
    }
    try {
      keeper_of(true, configuration);
      FAIL("it goes on");
    } catch (const support::ended_early& e) {
      CHECK(e.exit_code == 0);
      CHECK(std::string(e.what()) == "this run has ended: its results are in '" + folder.path().string() +
                                         "'. There is nothing to go on with.");
    }
    const auto other = [&] { keeper_of(true, {{"epochs", "4"}, {"rate", "0.1"}}); };
    CHECK_THROWS_AS(other(), support::usage_error);
    CHECK_SAYS(message_of(other), "of another configuration:\n  epochs: 3 there, 4 here\nTake another --out");
    // What somebody else has put there.
    for (const std::string text : {"", "[1]", "{\"epochs\": 3}", "{"}) {
      folder.write("finished.json", text);
      const auto go_on = [&] { keeper_of(true, configuration); };
      CHECK_THROWS_AS(go_on(), support::usage_error);
      CHECK_SAYS(message_of(go_on), "does not say which run has ended");
    }
    folder.write("finished.json", std::string(std::size_t{2} << 20U, ' '));
    CHECK_THROWS_AS(keeper_of(true, configuration), crispnas::error);
    std::filesystem::remove(folder.path() / "finished.json");
    std::filesystem::create_symlink("nowhere", folder.path() / "finished.json");
    CHECK_THROWS_AS(keeper_of(true, configuration), crispnas::error);
    {
      const auto keeper = keeper_of(false, configuration);
      keeper->begin(state, where);
      CHECK(!std::filesystem::exists(std::filesystem::symlink_status(folder.path() / "finished.json")));
      keeper->done();
    }
    CHECK(std::filesystem::exists(folder.path() / "finished.json"));
  }

  TEST_CASE("every second epoch is saved, or none, and checkpoints that are to be kept stay after the end") {
    double value = 1.0;
    const auto state = state_of(value);
    const auto where = [] { return std::string("here"); };
    for (const std::string count : {"2", "0"}) {
      const temporary_folder folder;
      support::run_keeper keeper(folder.path(), {.every = {count, "epochs"}, .keep = true}, {});
      keeper.begin(state, where);
      const auto checkpoints = [&] {
        return crispnas::generations(folder.path() / "checkpoints").numbers().size();
      };
      const std::size_t first = count == "0" ? 0 : 1;
      keeper.after_epoch(1);
      CHECK(checkpoints() == first);
      keeper.after_epoch(2);
      CHECK(checkpoints() == 2 * first);
      keeper.done();
      CHECK(checkpoints() == 2 * first);
    }
  }

  TEST_CASE("a run that fails says where its last checkpoint is") {
    const temporary_folder folder;
    double value = 1.0;
    const auto state = state_of(value);
    const auto where = [] { return std::string("epoch 3 of 50, step 0"); };
    const auto fail = [] { throw crispnas::error("a number was lost."); };
    const auto keeper_of = [&](const support::keeper_flags& flags) {
      return std::make_unique<support::run_keeper>(folder.path(), flags, crispnas::checkpoint_options{});
    };
    CHECK(message_of([&] { keeper_of({})->keep(fail); }) == "a number was lost.");  // nothing is saved yet
    {
      const auto keeper = keeper_of({});
      keeper->begin(state, where);
      CHECK(message_of([&] { keeper->keep(fail); }) ==
            "a number was lost.\nThe only checkpoint is that of the beginning: begin again, with --resume or "
            "without.");
    }
    // It is, as if there was none; also where no other one is wanted.
    keeper_of({.every = {"0"}})->begin(state, where);
    {
      const auto keeper = keeper_of({});
      keeper->begin(state, where);
    }
    value = 2.0;
    {
      const auto keeper = keeper_of({.resume = true});
      keeper->begin(state, where);
      CHECK(keeper->resumed());
      CHECK(value == 1.0);
      keeper->after_epoch(1);
      CHECK(message_of([&] { keeper->keep(fail); }) ==
            "a number was lost.\nThe last checkpoint, epoch 3 of 50, step 0, is in '" +
                (folder.path() / "checkpoints").string() + "': go on with --resume.");
      // A stop says it itself, and keeps its exit code.
      CHECK_THROWS_AS(keeper->keep([] { throw support::ended_early("stopped", 143); }), support::ended_early);
    }
    CHECK_SAYS(message_of([&] { keeper_of({}); }),
               "has the checkpoints of a run that did not end. Give --resume");
    // What the only one was cannot be known where it is damaged.
    std::filesystem::remove_all(folder.path() / "checkpoints" / "ckpt-000002");
    std::ofstream(folder.path() / "checkpoints" / "ckpt-000001" / "MANIFEST.json") << "{";
    CHECK_SAYS(message_of([&] { keeper_of({}); }),
               "has the checkpoints of a run that did not end. Give --resume");
  }
}

}  // namespace support_test
