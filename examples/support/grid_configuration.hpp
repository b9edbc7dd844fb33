// What does a ledger know a piece of work by? All that decides a search, or a training from scratch, as JSON.
#pragma once

#include <crispnas/crispnas.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiment.hpp"
#include "output.hpp"
#include "regularizers.hpp"
#include "setting.hpp"

namespace support {

/// A search of the DARTS cell, and the budgets that its super-network is cut to.
struct search_request {
  std::string method = "da2s";  ///< one of method_names, or authors_code, or fair_darts
  int kept = 8;
  std::vector<int> cuts{8};
  std::string order = "first";
  std::string c = "linear";  ///< schedules of equation 7
  std::string op = "delayed log";
  std::string edge = "const";
  double factor = 1.0;  ///< on the regularizer, beside the scale's strength
};

namespace detail {
template <int K>
struct fair_darts {
  static cn::configuration configuration() {
    return cn::configuration_of<cn::fair_darts_spec<cn::partial_channels<K>>>();
  }
};
}  // namespace detail

inline method_choice method_of(const setting& s, const search_request& request) {
  method_choice method;
  if (request.method == "authors_code") {
    method = {"authors_code", cn::configuration_of<cn::authors_code_spec>(), 1.0};
  } else if (request.method == "fair_darts") {
    method = {"fair_darts", detail::with_partial<detail::fair_darts>(s.search.partial), 1.0};
  } else {
    method = darts_method(request.method, request.kept, s.search.partial);
    if (request.method == "da2s")
      method.configuration.regularizer = da2s_with(request.c, request.op, request.edge);
  }
  method.strength *= request.factor;
  return method;
}

inline scale scale_of(const setting& s, const search_request& request) {
  scale own = s.search;
  own.order = order_of(request.order);
  if (request.method == "authors_code") own.others.alpha_warmup = cn::presets::authors_code().alpha_warmup;
  return own;
}

namespace detail {

inline nlohmann::json common(const setting& s, const char* kind, bool cuda) {
  return {{"kind", kind},
          {"recipe", 1},  // raised when what a configuration means changes
          {"data",
           {{"name", s.data},
            {"images", s.train.size()},
            {"held_out", s.held_out.size()},
            {"fingerprint", s.data_fingerprint}}},
          {"device", cuda ? "cuda" : "cpu"}};
}

}  // namespace detail

/// All that decides a search, as the ledger knows it.
inline nlohmann::json configuration_of(const setting& s, const search_request& request, bool cuda) {
  const auto method = method_of(s, request);
  const auto own = scale_of(s, request);
  auto json = detail::common(s, "search", cuda);
  json["method"] = request.method;
  if (request.method == "fair_darts")
    json["recipe"] = 2;  // since its sigmoids count as shares in the entropy
  json["order"] = request.order;
  json["kept"] = request.kept;
  json["cuts"] = request.cuts;
  if (request.method == "da2s")
    json["schedules"] = {{"lambda_c", request.c}, {"lambda_1", request.op}, {"lambda_2", request.edge}};
  json["K"] = method.configuration.space.partial;
  json["channels"] = own.channels;
  json["cells"] = own.cells;
  json["epochs"] = own.epochs;
  json["batch"] = own.batch_size;
  json["options"] = options_json(search_options_of(own, s.train.size(), method.strength * own.strength, 0));
  return json;
}

/// All that decides a training from scratch.
inline nlohmann::json configuration_of(const setting& s, const std::string& genotype, bool cuda) {
  auto json = detail::common(s, "retraining", cuda);
  const auto& r = s.retraining;
  json["genotype"] = genotype;
  if (s.transfer || s.sizes.retrain == "derived") {
    json["network"] = s.transfer ? "imagenet" : "cifar";
    json["training"] = to_json(training_of(s, cn::parse_genotype(genotype), 0));
    if (s.transfer) {
      json["data"] = {{"name", "photographs"},
                      {"images", s.transfer->train},
                      {"held_out", s.transfer->held_out},
                      {"fingerprint", s.transfer->fingerprint}};
    }
    return json;
  }
  json["network"] = s.sizes.retrain;
  json["K"] = r.partial;
  json["channels"] = r.channels;
  json["cells"] = r.cells;
  json["epochs"] = r.epochs;
  json["batch"] = r.batch_size;
  json["weight_rate"] = r.weight_rate;
  json["last_weight_rate"] = r.last_weight_rate;
  json["crop_padding"] = r.augment.crop_padding;
  json["flip"] = r.augment.flip;
  json["cutout"] = r.augment.cutout;
  return json;
}

}  // namespace support
