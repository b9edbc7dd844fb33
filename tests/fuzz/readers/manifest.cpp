// The manifest of a checkpoint. Chance does not find a digest: what is a manifest up to that is given one, and is to come back.
#include <algorithm>
#include <crispnas/io/configuration_text.hpp>
#include <crispnas/io/manifest.hpp>

#include "../fuzz.hpp"

namespace {

namespace cn = crispnas;

void read(std::string_view bytes) {
  cn::checkpoint_manifest manifest;
  if (fuzz::accepted([&] { manifest = cn::parse_manifest(bytes); }))
    fuzz::hold(cn::manifest_text(manifest) == bytes, "only what would be written is read");
  if (!fuzz::accepted([&] { manifest = cn::detail::manifest_reader(bytes).read(); })) return;
  for (const auto& file : manifest.files)
    fuzz::hold(cn::is_plain_name(file.name), "no name leads out of the folder");
  for (const auto& file : manifest.outputs)
    fuzz::hold(cn::is_plain_name(file.name), "no name leads out of the folder");
  fuzz::hold(cn::parse_manifest(cn::manifest_text(manifest)) == manifest, "a manifest comes back");
  const cn::text_pairs none;
  for (const auto& line : cn::differences(manifest.configuration, none)) {
    fuzz::hold(std::all_of(line.begin(), line.end(), [](char c) { return c >= 32 && c < 127; }),
               "what a file says is shown in printable characters");
  }
}

const fuzz::registered self("manifest", read);

}  // namespace
