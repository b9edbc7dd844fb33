// Data sets, their readers, augmentation and batches.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <crispnas/data/augment.hpp>
#include <crispnas/data/cifar.hpp>
#include <crispnas/data/dataset.hpp>
#include <crispnas/data/idx.hpp>
#include <crispnas/data/loader.hpp>
#include <crispnas/data/prefetch.hpp>
#include <crispnas/data/random.hpp>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "doctest.hpp"
#include "files.hpp"

namespace data_test {

namespace cn = crispnas;
using tests::message_of;
using tests::temporary_folder;

namespace {

constexpr double float_tolerance = 1e-6;  // relative, of single precision on one subtraction and one division
constexpr double exact_tolerance = 1e-12;

// n images whose pixels are all different functions of (n, c, y, x), with labels 0, 1, 2, 0, ...
cn::labelled_images pattern(std::int64_t n, std::int64_t channels = 3, std::int64_t side = 8) {
  auto images =
      torch::arange(n * channels * side * side, torch::kLong).mul(37).add(11).remainder(251).to(torch::kByte);
  return {images.view({n, channels, side, side}), torch::arange(n, torch::kLong).remainder(3), 3};
}

const cn::normalization plain{{0.0, 0.0, 0.0},
                              {1.0 / 255, 1.0 / 255, 1.0 / 255}};  // batches then show the bytes

cn::normalization gray() { return {{0.0}, {1.0 / 255}}; }

std::string word(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xffU);
  return bytes;
}

std::string idx_images(std::uint32_t n, std::uint32_t h, std::uint32_t w) {
  return word(0x803) + word(n) + word(h) + word(w) + std::string(std::size_t{n} * h * w, '\7');
}

std::string idx_labels(const std::vector<char>& labels) {
  return word(0x801) + word(static_cast<std::uint32_t>(labels.size())) +
         std::string(labels.begin(), labels.end());
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string cifar_record(int label, char pixel) {
  return std::string(1, static_cast<char>(label)) + std::string(3072, pixel);
}

std::vector<std::int64_t> first_indices(std::int64_t n) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(n));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  return indices;
}

}  // namespace

TEST_SUITE("dataset") {
  TEST_CASE("statistics are those of the pixels") {
    auto bytes = torch::tensor({0, 255, 51, 51, 0, 255, 51, 51}, torch::kByte).view({2, 2, 1, 2});
    const cn::labelled_images data(bytes, torch::tensor({0, 1}, torch::kLong), 2);
    CHECK(data.mean()[0] == doctest::Approx(0.5).epsilon(exact_tolerance));
    CHECK(data.stddev()[0] == doctest::Approx(0.5).epsilon(exact_tolerance));
    CHECK(data.mean()[1] == doctest::Approx(0.2).epsilon(exact_tolerance));
    CHECK(data.stddev()[1] == 1.0);  // the channel never changes
  }

  TEST_CASE("statistics agree with ATen on random pixels") {
    torch::manual_seed(1);
    const auto bytes = torch::randint(0, 256, {5, 3, 7, 9}, torch::kByte);
    const auto norm = cn::measure_normalization(bytes);
    const auto wide = bytes.to(torch::kDouble).div(255).transpose(0, 1).reshape({3, -1});
    for (std::int64_t c = 0; c < 3; ++c) {
      CHECK(norm.mean[static_cast<std::size_t>(c)] ==
            doctest::Approx(wide[c].mean().item<double>()).epsilon(exact_tolerance));
      CHECK(norm.stddev[static_cast<std::size_t>(c)] ==
            doctest::Approx(wide[c].std(false).item<double>()).epsilon(exact_tolerance));
    }
  }

  TEST_CASE("parts keep the order and the statistics of the whole") {
    const auto data = pattern(7);
    const auto [weights, architecture] = data.halves();
    CHECK(weights.size() == 3);
    CHECK(architecture.size() == 4);
    CHECK(torch::equal(torch::cat({weights.images(), architecture.images()}), data.images()));
    CHECK(torch::equal(torch::cat({weights.labels(), architecture.labels()}), data.labels()));
    CHECK(weights.mean() == data.mean());
    CHECK(architecture.stddev() == data.stddev());
    CHECK(torch::equal(data.head(2).images(), data.images().narrow(0, 0, 2)));
    CHECK(torch::equal(data.subset(2, 5).labels(), data.labels().narrow(0, 2, 3)));
    CHECK(pattern(4, 3, 4).normalized_like(data).mean() == data.mean());
  }

  TEST_CASE("an impossible part") {
    const auto data = pattern(4);
    CHECK_SAYS(message_of([&] { (void)data.subset(2, 2); }),
               "images 2 up to 2 are asked for, but there are images 0 up to 4");
    CHECK_SAYS(message_of([&] { (void)data.head(5); }), "images 0 up to 5");
    CHECK_SAYS(message_of([&] { (void)data.subset(-1, 2); }), "images -1 up to 2");
    CHECK_SAYS(message_of([&] { (void)data.head(1).halves(); }), "cannot be halved");
  }

  TEST_CASE("a label out of range is named with its image") {
    const auto labels = torch::tensor({0, 1, 3, 0}, torch::kLong);
    CHECK_SAYS(message_of([&] { cn::labelled_images(pattern(4).images(), labels, 3); }),
               "label 3 of image 2 is outside 0..2");
    CHECK_SAYS(message_of([&] { cn::labelled_images(pattern(4).images(), labels.neg(), 4); }),
               "label -1 of image 1");
  }

  TEST_CASE("a label that goes bad later is found by check()") {
    const auto data = pattern(4);
    CHECK(message_of([&] { data.check(); }).empty());
    data.labels()[3].fill_(9);
    CHECK_SAYS(message_of([&] { data.check(); }), "label 9 of image 3");
  }

  TEST_CASE("shapes, types and counts") {
    const auto good = pattern(4);
    const auto make = [&](const torch::Tensor& images, const torch::Tensor& labels,
                          std::int64_t classes = 3) {
      return message_of([&] { cn::labelled_images(images, labels, classes); });
    };
    CHECK_SAYS(make(good.images()[0], good.labels()),
               "uint8 of shape [N, C, H, W], not Byte of shape [3, 8, 8]");
    CHECK_SAYS(make(good.images().to(torch::kFloat), good.labels()), "not Float");
    CHECK_SAYS(make(good.images().narrow(0, 0, 0), good.labels()), "no images (shape [0, 3, 8, 8])");
    CHECK_SAYS(make(good.images(), good.labels().narrow(0, 0, 3)), "int64 of shape [4], one per image");
    CHECK_SAYS(make(good.images(), good.labels().to(torch::kInt)), "not Int");
    CHECK_SAYS(make(good.images(), good.labels(), 0), "the number of classes is 0");
    CHECK_SAYS(make({}, good.labels()), "undefined");
    CHECK_SAYS(make(good.images().to(torch::kMeta), good.labels()), "live on the CPU");
  }

  TEST_CASE("normalization that does not fit") {
    const auto good = pattern(4);
    const auto make = [&](cn::normalization norm) {
      return message_of([&] { cn::labelled_images(good.images(), good.labels(), 3, std::move(norm)); });
    };
    CHECK_SAYS(make({{0.5}, {0.5}}), "3 channels, but there are 1 means");
    CHECK_SAYS(make({{0.5, 0.5, 0.5}, {0.5, 0.0, 0.5}}), "channel 1 has mean 0.5 and standard deviation 0");
    CHECK_SAYS(make({{NAN, 0.5, 0.5}, {0.5, 0.5, 0.5}}), "channel 0");
  }

  struct my_own_set {
    torch::Tensor images() const { return torch::full({2, 1, 4, 4}, 255, torch::kByte); }
    torch::Tensor labels() const { return torch::tensor({0, 5}, torch::kLong); }
    int classes() const { return classes_; }
    std::vector<double> mean() const { return {0.5}; }
    std::vector<double> stddev() const { return {0.25}; }
    int classes_ = 6;
  };
  static_assert(cn::dataset<my_own_set>);
  static_assert(!cn::dataset<torch::Tensor>);

  TEST_CASE("a data set of one's own makes batches") {
    const auto only = cn::sequential_batches(my_own_set{}).batch(0);
    CHECK(torch::equal(only.images, torch::full({2, 1, 4, 4}, 2.0)));
    CHECK_SAYS(message_of([] { cn::sequential_batches(my_own_set{.classes_ = 5}); }), "label 5 of image 1");
  }

  TEST_CASE("a data set is checked by whatever makes batches of it") {
    struct no_image : my_own_set {
      torch::Tensor images() const { return torch::zeros({}, torch::kByte); }
    };
    CHECK_SAYS(message_of([] { cn::epoch_batches(no_image{}, {}); }),
               "uint8 of shape [N, C, H, W], not Byte of shape []");
    CHECK_SAYS(message_of([] { cn::sequential_batches(no_image{}); }),
               "uint8 of shape [N, C, H, W], not Byte of shape []");
    CHECK_SAYS(message_of([] {
                 cn::batches(my_own_set{.classes_ = 5}, {0, 1}, {.batch_size = 1});
               }),
               "label 5 of image 1");
  }
}

TEST_SUITE("CIFAR") {
  TEST_CASE("records of several files, in order") {
    const temporary_folder folder;
    std::string first = cifar_record(3, '\1') + cifar_record(9, '\2');
    first[1] = '\x64';              // red of the first pixel
    first[1 + 1024 + 33] = '\x65';  // green, second row, second column
    const auto a = folder.write("a.bin", first), b = folder.write("b.bin", cifar_record(0, '\xff'));
    const auto data = cn::read_cifar10({a, b});
    CHECK(data.images().sizes() == torch::IntArrayRef({3, 3, 32, 32}));
    CHECK(torch::equal(data.labels(), torch::tensor({3, 9, 0}, torch::kLong)));
    CHECK(data.classes() == 10);
    CHECK(data.images()[0][0][0][0].item<int>() == 0x64);
    CHECK(data.images()[0][1][1][1].item<int>() == 0x65);
    CHECK(data.images()[0].to(torch::kLong).sum().item<int>() == 3070 + 0x64 + 0x65);
    CHECK(data.images()[2].eq(255).all().item<bool>());
  }

  TEST_CASE("CIFAR-100 has a coarse and a fine label") {
    const temporary_folder folder;
    const auto file = folder.write("train.bin", std::string(1, '\x13') + cifar_record(99, '\1'));
    CHECK(cn::read_cifar100({file}).labels().item<int>() == 99);
    CHECK(cn::read_cifar100({file}).classes() == 100);
    CHECK(cn::read_cifar100({file}, cn::cifar100_labels::coarse).labels().item<int>() == 19);
    CHECK(cn::read_cifar100({file}, cn::cifar100_labels::coarse).classes() == 20);
    const auto bad = folder.write("bad.bin", std::string(1, '\x14') + cifar_record(99, '\1'));
    CHECK_SAYS(message_of([&] { cn::read_cifar100({bad}, cn::cifar100_labels::coarse); }),
               "label 20 is outside 0..19");
  }

  TEST_CASE("a missing file") {
    const temporary_folder folder;
    const auto said = message_of([&] { cn::read_cifar10({folder.path() / "nothing.bin"}); });
    CHECK_SAYS(said, "nothing.bin");
    CHECK_SAYS(said, "does not exist");
    CHECK_SAYS(message_of([] { cn::read_cifar10({}); }), "no files are named");
  }

  TEST_CASE("a folder instead of a file") {
    const temporary_folder folder;
    const auto said = message_of([&] { cn::read_cifar10({folder.path()}); });
    CHECK_SAYS(said, folder.path().string());
    CHECK_SAYS(said, "is a folder");
  }

  TEST_CASE("a truncated file") {
    const temporary_folder folder;
    const auto file = folder.write("cut.bin", cifar_record(1, 'a') + cifar_record(2, 'b').substr(0, 3000));
    const auto said = message_of([&] { cn::read_cifar10({file}); });
    CHECK_SAYS(said, "cut.bin");
    CHECK_SAYS(said, "6073 bytes are 1 whole records of 3073 and 3000 left over, so record 1 is incomplete");
    const auto empty = folder.write("empty.bin", "");
    CHECK_SAYS(message_of([&] { cn::read_cifar10({empty}); }), "is empty");
  }

  TEST_CASE("a label out of range") {
    const temporary_folder folder;
    const auto file =
        folder.write("labels.bin", cifar_record(1, 'a') + cifar_record(2, 'b') + cifar_record(10, 'c'));
    const auto said = message_of([&] { cn::read_cifar10({file}); });
    CHECK_SAYS(said, "labels.bin");
    CHECK_SAYS(said, "record 2: label 10 is outside 0..9");
  }

  TEST_CASE("a file too large to be CIFAR is refused before it is read") {
    const temporary_folder folder;
    const auto file = folder.write("huge.bin", "");
    std::filesystem::resize_file(file,
                                 static_cast<std::uintmax_t>(cn::cifar_max_images + 1) * 3073);  // sparse
    CHECK_SAYS(message_of([&] { cn::read_cifar10({file}); }), "more than the 3222274048 that are accepted");
  }

  TEST_CASE("real images" * doctest::test_suite("optional")) {
    const char* root = std::getenv("CRISPNAS_TEST_DATA");
    if (root == nullptr || *root == '\0') {
      MESSAGE(
          "NOT TESTED: set CRISPNAS_TEST_DATA to a folder with cifar-10/data_batch_1.bin to test on real "
          "images.");
      return;
    }
    const auto data = cn::read_cifar10({std::filesystem::path(root) / "cifar-10" / "data_batch_1.bin"});
    CHECK(data.size() == 10000);
    CHECK(data.labels()[0].item<int>() == 6);
    CHECK(data.labels()[9999].item<int>() == 5);
    // Sums of the bytes of each color, counted by a program of its own.
    const std::vector<double> sums{1288517123, 1262189222, 1167674233};
    for (std::size_t c = 0; c < 3; ++c) {
      CHECK(data.mean()[c] == doctest::Approx(sums[c] / 255 / 1024 / 10000).epsilon(exact_tolerance));
    }
  }
}

TEST_SUITE("IDX") {
  TEST_CASE("images and labels from bytes and from files") {
    auto images = idx_images(2, 3, 5);
    images[16 + 15 + 6] = '\x2a';  // second image, second row, second column
    const auto labels = idx_labels({'\1', '\7'});
    const auto data = cn::parse_idx(bytes_of(images), "images", bytes_of(labels), "labels");
    CHECK(data.images().sizes() == torch::IntArrayRef({2, 1, 3, 5}));
    CHECK(data.images()[1][0][1][1].item<int>() == 0x2a);
    CHECK(torch::equal(data.labels(), torch::tensor({1, 7}, torch::kLong)));
    const temporary_folder folder;
    const auto read = cn::read_idx(folder.write("i", images), folder.write("l", labels));
    CHECK(torch::equal(read.images(), data.images()));
    CHECK(torch::equal(read.labels(), data.labels()));
  }

  TEST_CASE("a wrong magic number") {
    const auto images = idx_images(2, 3, 5), labels = idx_labels({'\1', '\7'});
    const auto swapped = message_of([&] { cn::parse_idx(bytes_of(labels), "a", bytes_of(images), "b"); });
    CHECK_SAYS(swapped, "a is truncated: 10 bytes");
    CHECK_SAYS(
        message_of([&] { cn::parse_idx_labels(bytes_of(images), "b", 10); }),
        "b has the wrong magic number 2051 where 2049 marks labels. Images and labels seem to be swapped.");
    auto floats = images;
    floats[2] = '\x0d';
    CHECK_SAYS(message_of([&] { cn::parse_idx_images(bytes_of(floats), "f"); }),
               "wrong magic number 3331 where 2051");
  }

  TEST_CASE("gzip that was not decompressed") {
    CHECK_SAYS(message_of([] { cn::parse_idx_images(bytes_of("\x1f\x8b\x08 and more, and more"), "x.gz"); }),
               "x.gz is compressed with gzip. Decompress it first.");
  }

  TEST_CASE("sizes that do not fit") {
    const auto images = idx_images(2, 3, 5);
    CHECK_SAYS(message_of([&] { cn::parse_idx_images(bytes_of(images.substr(0, images.size() - 1)), "i"); }),
               "i is truncated: its header promises 30 bytes of data and 29 follow");
    CHECK_SAYS(message_of([&] { cn::parse_idx_images(bytes_of(images + "x"), "i"); }),
               "i has bytes left over");
    CHECK_SAYS(message_of([&] { cn::parse_idx_images(bytes_of(images.substr(0, 9)), "i"); }),
               "less than its header of 16");
    const auto overflow = word(0x803) + word(0xffffffff) + word(0xffffffff) + word(0xffffffff);
    CHECK_SAYS(message_of([&] { cn::parse_idx_images(bytes_of(overflow), "i"); }), "which cannot be");
    const auto large = word(0x803) + word(0xffffffff) + word(0xffff) + word(0xffff);
    CHECK_SAYS(message_of([&] { cn::parse_idx_images(bytes_of(large), "i"); }), "i is truncated");
    CHECK_SAYS(message_of([&] { cn::parse_idx_images(bytes_of(idx_images(2, 0, 5)), "i"); }),
               "2 images of 0 x 5");
    CHECK_SAYS(message_of([&] {
                 cn::parse_idx_labels(bytes_of(idx_labels({'\1', '\2'}) + "x"), "l", 10);
               }),
               "left over");
  }

  TEST_CASE("a label out of range") {
    CHECK_SAYS(message_of([] {
                 cn::parse_idx_labels(bytes_of(idx_labels({'\1', '\x0a'})), "l", 10);
               }),
               "l, record 1: label 10 is outside 0..9");
  }

  TEST_CASE("images and labels of different sets") {
    const auto images = idx_images(2, 3, 5), labels = idx_labels({'\1'});
    CHECK_SAYS(message_of([&] { cn::parse_idx(bytes_of(images), "i", bytes_of(labels), "l"); }),
               "i holds 2 images, but l holds 1 labels");
  }

  TEST_CASE("missing files and folders") {
    const temporary_folder folder;
    CHECK_SAYS(message_of([&] { cn::read_idx(folder.path() / "none", folder.path() / "none"); }),
               "does not exist");
    CHECK_SAYS(message_of([&] { cn::read_idx(folder.path(), folder.path()); }), "is a folder");
    CHECK_SAYS(message_of([] { cn::read_idx("/dev/zero", "/dev/zero"); }), "not a regular file");
  }
}

TEST_SUITE("counter-based randomness") {
  TEST_CASE("numbers are the same everywhere") {
    // From an implementation of the same formulas in Python, which gives the published outputs of splitmix64
    // for a start of 0.
    cn::counter_random random(1, cn::random_stream::order, 2, 3);
    CHECK(random.bits() == 0x2d1508699bf4b4d3U);
    CHECK(random.bits() == 0xc1da26b7c7b801e9U);
    CHECK(cn::epoch_order(10, 3, 1) == std::vector<std::int64_t>{9, 5, 1, 8, 3, 6, 2, 4, 7, 0});
  }

  TEST_CASE("every seed, purpose, epoch and index gives other numbers") {
    std::set<std::uint64_t> different;
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      for (const auto stream : {cn::random_stream::order, cn::random_stream::augmentation}) {
        for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
          for (std::uint64_t index = 0; index < 5; ++index)
            different.insert(cn::counter_random(seed, stream, epoch, index).bits());
        }
      }
    }
    CHECK(different.size() == 5 * 2 * 5 * 5);
  }

  TEST_CASE("below(n) is uniform") {
    constexpr std::uint32_t n = 7;
    constexpr int draws = 70000;
    std::vector<int> counts(n);
    cn::counter_random random(5, cn::random_stream::order, 0, 0);
    for (int i = 0; i < draws; ++i) ++counts.at(random.below(n));
    double chi_square = 0;
    for (const int count : counts)
      chi_square += (count - draws / 7.0) * (count - draws / 7.0) / (draws / 7.0);
    CHECK(chi_square < 22.46);  // 99.9 % quantile with 6 degrees of freedom
  }
}

TEST_SUITE("augmentation") {
  TEST_CASE("normalization alone") {
    const auto data = pattern(3);
    const cn::normalization norm{{0.1, 0.2, 0.3}, {0.5, 0.25, 2.0}};
    const std::vector<std::int64_t> indices{2, 0};
    const auto got = cn::augment(data.images(), indices, norm, cn::normalize_only, 1, 1, torch::kDouble);
    const auto mean = torch::tensor(norm.mean, torch::kDouble).view({1, 3, 1, 1});
    const auto stddev = torch::tensor(norm.stddev, torch::kDouble).view({1, 3, 1, 1});
    const auto picked = data.images().index_select(0, torch::tensor({2, 0}, torch::kLong)).to(torch::kDouble);
    const auto want = (picked / 255 - mean) / stddev;
    CHECK(torch::allclose(got, want, exact_tolerance, exact_tolerance));
    const auto single = cn::augment(data.images(), indices, norm, cn::normalize_only, 1, 1);
    CHECK(single.dtype() == torch::kFloat);
    CHECK(torch::allclose(single.to(torch::kDouble), want, float_tolerance, float_tolerance));
  }

  TEST_CASE("by hand: a 2 x 3 image, shifted, mirrored, cut") {
    const std::vector<std::uint8_t> in{1, 2, 3, 4, 5, 6};
    std::array<double, 256> value{};
    for (std::size_t i = 0; i < 256; ++i)
      value[i] = static_cast<double>(i) - 9;  // so that padding (-9) is not cutout (0)
    const auto apply = [&](const cn::augmentation_draw& draw) {
      std::vector<double> out(6);
      cn::detail::augment_plane(in.data(), out.data(), 2, 3, value, draw);
      return out;
    };
    CHECK(apply({}) == std::vector<double>{-8, -7, -6, -5, -4, -3});
    CHECK(apply({.flip = true}) == std::vector<double>{-6, -7, -8, -3, -4, -5});
    CHECK(apply({.shift_x = 1}) == std::vector<double>{-7, -6, -9, -4, -3, -9});
    CHECK(apply({.shift_x = -1}) == std::vector<double>{-9, -8, -7, -9, -5, -4});
    CHECK(apply({.shift_y = 1}) == std::vector<double>{-5, -4, -3, -9, -9, -9});
    CHECK(apply({.shift_y = -1, .shift_x = 1, .flip = true}) == std::vector<double>{-9, -9, -9, -9, -6, -7});
    CHECK(apply({.shift_x = 5}) == std::vector<double>{-9, -9, -9, -9, -9, -9});
    CHECK(apply({.shift_x = -3, .flip = true}) == std::vector<double>{-9, -9, -9, -9, -9, -9});
    CHECK(apply({.flip = true, .cut_top = 1, .cut_bottom = 2, .cut_left = 0, .cut_right = 2}) ==
          std::vector<double>{-6, -7, -8, 0, 0, -5});
  }

  TEST_CASE("a crop is a window of the padded image") {
    const auto data = pattern(40);
    const auto indices = first_indices(40);
    const cn::augmentation crop{.crop_padding = 3, .flip = true};
    const auto got = cn::augment(data.images(), indices, plain, crop, 5, 2, torch::kDouble);
    const auto padded = torch::constant_pad_nd(data.images().to(torch::kDouble), {3, 3, 3, 3}, 0);
    std::set<std::int64_t> rows, columns;
    for (const std::int64_t i : indices) {
      const auto draw = cn::draw_augmentation(crop, 8, 8, 5, 2, i);
      rows.insert(draw.shift_y);
      columns.insert(draw.shift_x);
      auto want = padded[i].narrow(1, 3 + draw.shift_y, 8).narrow(2, 3 + draw.shift_x, 8);
      if (draw.flip) want = want.flip({2});
      CHECK(torch::allclose(got[i], want, exact_tolerance, exact_tolerance));
    }
    CHECK(rows == std::set<std::int64_t>{-3, -2, -1, 0, 1, 2, 3});
    CHECK(columns == rows);
  }

  TEST_CASE("padding wider than the image") {
    const auto data = pattern(50, 1, 2);
    const cn::augmentation wide{.crop_padding = 9, .flip = true};
    const auto got = cn::augment(data.images(), first_indices(50), gray(), wide, 0, 0, torch::kDouble);
    const auto padded = torch::constant_pad_nd(data.images().to(torch::kDouble), {9, 9, 9, 9}, 0);
    for (std::int64_t i = 0; i < 50; ++i) {
      const auto draw = cn::draw_augmentation(wide, 2, 2, 0, 0, i);
      auto want = padded[i].narrow(1, 9 + draw.shift_y, 2).narrow(2, 9 + draw.shift_x, 2);
      if (draw.flip) want = want.flip({2});
      CHECK(torch::allclose(got[i], want, exact_tolerance, exact_tolerance));
    }
  }

  TEST_CASE("padding is black, cutout is the mean") {
    const auto images = torch::full({30, 1, 6, 6}, 255, torch::kByte);
    const cn::normalization norm{{0.5}, {0.25}};  // white: 2, black: -2
    const auto cropped =
        cn::augment(images, first_indices(30), norm, {.crop_padding = 2, .flip = false}, 1, 1);
    CHECK((cropped.eq(2) | cropped.eq(-2)).all().item<bool>());
    CHECK(cropped.eq(-2).any().item<bool>());
    const auto cut =
        cn::augment(images, first_indices(30), norm, {.crop_padding = 0, .flip = false, .cutout = 3}, 1, 1);
    CHECK((cut.eq(2) | cut.eq(0)).all().item<bool>());
  }

  TEST_CASE("cutout has the area of its square within the image, in all channels") {
    const auto images = torch::full({200, 3, 8, 8}, 200, torch::kByte);
    for (const int length : {4, 5, 16, 40}) {
      CAPTURE(length);
      const cn::augmentation options{.crop_padding = 0, .flip = false, .cutout = length};
      const auto zeros =
          cn::augment(images, first_indices(200), plain, options, 3, 1).eq(0).sum({2, 3});  // [200, 3]
      CHECK(torch::equal(zeros.select(1, 0), zeros.select(1, 2)));
      std::int64_t largest = 0;
      for (std::int64_t i = 0; i < 200; ++i) {
        // The square's centre lies in the image, so at least a quarter of it (rounded down per side) does.
        const auto area = zeros[i][0].item<std::int64_t>();
        const std::int64_t least = std::min(8, length / 2);
        CHECK(area >= least * least);
        largest = std::max(largest, area);
      }
      CHECK(largest == std::min(8, length) * std::min(8, length));
    }
  }

  TEST_CASE("half of the images are mirrored") {
    constexpr int n = 10000;
    int flips = 0, cut = 0;
    for (int i = 0; i < n; ++i) {
      const auto draw = cn::draw_augmentation({}, 32, 32, 11, 1, i);
      flips += draw.flip ? 1 : 0;
      cut += draw.cut_bottom - draw.cut_top > 0 ? 1 : 0;
    }
    CHECK(std::abs(flips - n / 2) < 3.3 * std::sqrt(n) / 2);  // 99.9 % of a fair coin; the seed is fixed
    CHECK(cut == 0);
  }

  TEST_CASE("an option leaves the draws of the others alone") {
    const auto all = cn::draw_augmentation({.crop_padding = 4, .flip = true, .cutout = 16}, 32, 32, 1, 1, 7);
    const auto some = cn::draw_augmentation({.crop_padding = 4, .flip = false, .cutout = 0}, 32, 32, 1, 1, 7);
    CHECK(all.shift_y == some.shift_y);
    CHECK(all.shift_x == some.shift_x);
    const auto no_crop =
        cn::draw_augmentation({.crop_padding = 0, .flip = true, .cutout = 16}, 32, 32, 1, 1, 7);
    CHECK(no_crop.flip == all.flip);
    CHECK(no_crop.cut_top == all.cut_top);
  }

  TEST_CASE("an image looks the same in every batch, and different in every epoch") {
    const auto data = pattern(32);
    const cn::augmentation options{.cutout = 4};
    const auto together = cn::augment(data.images(), first_indices(32), plain, options, 9, 4);
    for (std::int64_t i = 31; i >= 0; --i) {
      const std::vector<std::int64_t> alone{i};
      CHECK(torch::equal(cn::augment(data.images(), alone, plain, options, 9, 4)[0], together[i]));
    }
    CHECK(!torch::equal(cn::augment(data.images(), first_indices(32), plain, options, 9, 5), together));
    CHECK(!torch::equal(cn::augment(data.images(), first_indices(32), plain, options, 8, 4), together));
  }

  TEST_CASE("bad options and indices") {
    const auto data = pattern(2);
    const std::vector<std::int64_t> one{0}, far{0, 2};
    const auto make = [&](const std::vector<std::int64_t>& indices, const cn::normalization& norm,
                          const cn::augmentation& options, torch::Dtype dtype = torch::kFloat) {
      return message_of([&] { cn::augment(data.images(), indices, norm, options, 1, 1, dtype); });
    };
    CHECK_SAYS(make(one, plain, {.crop_padding = -1}), "crop_padding = -1");
    CHECK_SAYS(make(one, plain, {.cutout = -2}), "cutout = -2");
    CHECK_SAYS(make(far, plain, {}), "image 2 is asked for, but there are images 0 up to 2");
    CHECK_SAYS(make(one, gray(), {}), "3 channels, but there are 1 means");
    CHECK_SAYS(make(one, plain, {}, torch::kHalf), "float32 or float64, not Half");
  }
}

TEST_SUITE("batches") {
  TEST_CASE("an order is a permutation that depends on seed and epoch") {
    const auto order = cn::epoch_order(1000, 3, 1);
    auto sorted = order;
    std::sort(sorted.begin(), sorted.end());
    CHECK(sorted == first_indices(1000));
    CHECK(order != sorted);
    CHECK(order == cn::epoch_order(1000, 3, 1));
    CHECK(order != cn::epoch_order(1000, 3, 2));
    CHECK(order != cn::epoch_order(1000, 4, 1));
    CHECK(cn::epoch_order(1, 3, 1) == std::vector<std::int64_t>{0});
  }

  TEST_CASE("all orders of four are equally likely") {
    std::vector<int> counts(256);
    constexpr int epochs = 24000;
    for (int epoch = 0; epoch < epochs; ++epoch) {
      const auto order = cn::epoch_order(4, 1, epoch);
      ++counts[static_cast<std::size_t>(order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3])];
    }
    double chi_square = 0;
    int seen = 0;
    for (const int count : counts) {
      if (count == 0) continue;
      ++seen;
      chi_square += (count - epochs / 24.0) * (count - epochs / 24.0) / (epochs / 24.0);
    }
    CHECK(seen == 24);
    CHECK(chi_square < 49.73);  // 99.9 % quantile with 23 degrees of freedom
  }

  TEST_CASE("numbers and coins are made of the bits, and none is more likely than another") {
    const auto draws = [] { return cn::counter_random(5, cn::random_stream::order, 2, 9); };
    auto random = draws(), bits = draws();
    for (int i = 0; i < 100; ++i) CHECK(random.coin() == (bits.bits() >= std::uint64_t{1} << 63U));
    for (int i = 0; i < 100; ++i)
      CHECK(random.unit() == std::ldexp(static_cast<double>(bits.bits() >> 11U), -53));
    // 2^32 is 4/3 of it: a quarter of the draws comes up once too often and is drawn again.
    constexpr std::uint32_t n = 3U << 30U;
    int again = 0;
    for (int i = 0; i < 1000; ++i) {
      std::uint64_t product = (bits.bits() >> 32U) * n;
      for (; product % (std::uint64_t{1} << 32U) < std::uint64_t{1} << 30U; ++again)
        product = (bits.bits() >> 32U) * n;
      REQUIRE(random.below(n) == product >> 32U);
    }
    CHECK(again > 250);
    CHECK(again < 420);
  }

  TEST_CASE("what is not said: batches of 64 and 256, seed 0, epoch 1, no smaller batch in training") {
    const auto data = pattern(300);
    const auto all = cn::epoch_batches(data, {});
    CHECK(all.size() == 4);
    const auto order = cn::epoch_order(300, 0, 1);
    CHECK(all.batch(3).indices == std::vector<std::int64_t>(order.begin() + 192, order.begin() + 256));
    CHECK(cn::sequential_batches(data).batch(0).indices.size() == 256);
    CHECK(cn::sequential_batches(data).batch(1).indices.size() == 44);
    CHECK(cn::batches::iterator() == cn::batches::iterator(nullptr, 0));
    CHECK(cn::epoch_batches(pattern(9), {.batch_size = 4, .drop_last = false}).size() == 3);
    CHECK(cn::epoch_batches(pattern(5), {.batch_size = 5}).size() == 1);
    CHECK(cn::epoch_batches(pattern(5), {.batch_size = 1}).size() == 5);
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    const auto one = cn::sequential_batches(pattern(5), {.batch_size = most});
    CHECK(one.size() == 1);
    CHECK(one.batch(0).indices.size() == 5);
    CHECK(cn::batch_count(0, 4, false) == 0);
    CHECK(cn::batch_count(most, most, true) == 1);
  }

  TEST_CASE("an epoch visits every image once") {
    const auto data = pattern(10);
    const auto all = cn::epoch_batches(data, {.batch_size = 4, .seed = 1, .epoch = 2, .drop_last = false});
    REQUIRE(all.size() == 3);
    std::vector<std::int64_t> visited;
    for (const auto& batch : all) {
      CHECK(batch.images.size(0) == batch.labels.size(0));
      for (std::size_t i = 0; i < batch.indices.size(); ++i) {
        visited.push_back(batch.indices[i]);
        CHECK(batch.labels[static_cast<std::int64_t>(i)].item<std::int64_t>() == batch.indices[i] % 3);
      }
    }
    CHECK(visited == cn::epoch_order(10, 1, 2));
    CHECK(all.batch(2).images.sizes() == torch::IntArrayRef({2, 3, 8, 8}));
    CHECK(cn::epoch_batches(data, {.batch_size = 4, .seed = 1, .epoch = 2}).size() == 2);
  }

  TEST_CASE("batches can be made in any order") {
    const auto data = pattern(12);
    const auto all = cn::epoch_batches(data, {.batch_size = 4, .seed = 1, .augment = {.cutout = 2}});
    const auto last = all.batch(2).images;
    (void)all.batch(0);
    CHECK(torch::equal(all.batch(2).images, last));
    CHECK(torch::equal(cn::epoch_batches(data, {.batch_size = 6, .seed = 1, .augment = {.cutout = 2}})
                           .batch(1)
                           .images.narrow(0, 2, 4),
                       last));
  }

  TEST_CASE("evaluation goes in order and only normalizes") {
    const auto data = pattern(5);
    const auto all = cn::sequential_batches(data, {.batch_size = 3, .dtype = torch::kDouble});
    REQUIRE(all.size() == 2);
    const auto joined = torch::cat({all.batch(0).images, all.batch(1).images});
    CHECK(torch::equal(joined, cn::augment(data.images(), first_indices(5), {data.mean(), data.stddev()},
                                           cn::normalize_only, 0, 0, torch::kDouble)));
    CHECK(torch::equal(torch::cat({all.batch(0).labels, all.batch(1).labels}), data.labels()));
    CHECK(all.batch(1).indices == std::vector<std::int64_t>{3, 4});
  }

  TEST_CASE("batches go to the device that is asked for") {
    const auto first = cn::epoch_batches(pattern(4), {.batch_size = 2, .device = torch::kMeta}).batch(0);
    CHECK(first.images.is_meta());
    CHECK(first.labels.is_meta());
    CHECK(first.images.sizes() == torch::IntArrayRef({2, 3, 8, 8}));
  }

  TEST_CASE("sizes that cannot be") {
    const auto data = pattern(5);
    CHECK_SAYS(message_of([&] { cn::epoch_batches(data, {.batch_size = 6}); }),
               "batch_size = 6 is larger than the 5 images");
    CHECK_SAYS(message_of([&] { cn::epoch_batches(data, {.batch_size = 0}); }),
               "batch_size = 0; give at least 1");
    CHECK_SAYS(
        message_of([&] { cn::epoch_batches(data, {.batch_size = 2, .augment = {.crop_padding = -4}}); }),
        "crop_padding = -4");
    const auto all = cn::epoch_batches(data, {.batch_size = 2});
    CHECK_SAYS(message_of([&] { (void)all.batch(2); }), "batch 2 is asked for, but there are 2");
  }

  TEST_CASE("prefetched batches are the same ones") {
    const auto data = pattern(10);
    const auto all = cn::epoch_batches(data, {.batch_size = 3, .seed = 5, .drop_last = false});
    cn::prefetched_batches ahead(all);
    for (std::int64_t i = 0; i < all.size(); ++i) {
      const auto got = ahead.next();
      REQUIRE(got.has_value());
      CHECK(got->indices == all.batch(i).indices);
      CHECK(torch::equal(got->images, all.batch(i).images));
      CHECK(torch::equal(got->labels, all.batch(i).labels));
    }
    CHECK(!ahead.next().has_value());
    CHECK(!ahead.next().has_value());
    const cn::prefetched_batches abandoned(all);  // its thread ends before it does
  }

  TEST_CASE("where the system starts no thread, batches are made when they are asked for") {
    // In a process of its own, as the limit stays; of a user whom it binds.
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const rlimit one{1, 1};
      bool fine = ::setrlimit(RLIMIT_NPROC, &one) == 0 && (::getuid() != 0 || ::setuid(65534) == 0);
      try {
        std::thread([] {}).join();
        fine = false;  // then this tests nothing
      } catch (const std::system_error&) {
      }
      try {
        cn::prefetched_batches ahead(cn::batch_source(5,
                                                      [](std::int64_t i) {
                                                        return cn::batch{{}, {}, {i}};
                                                      }),
                                     3);
        for (std::int64_t i = 0; i < 5; ++i) {
          const auto got = ahead.next();
          fine = fine && got && got->indices == std::vector<std::int64_t>{i};
        }
        fine = fine && !ahead.next();
      } catch (const std::exception&) {
        fine = false;
      }
      std::_Exit(fine ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }

  TEST_CASE("what goes wrong on the prefetching thread arrives at next()") {
    const auto data = pattern(4);
    cn::prefetched_batches ahead(cn::epoch_batches(data, {.batch_size = 2, .dtype = torch::kHalf}));
    CHECK_SAYS(message_of([&] { (void)ahead.next(); }), "float32 or float64, not Half");
    CHECK(!ahead.next().has_value());
  }
}

}  // namespace data_test
