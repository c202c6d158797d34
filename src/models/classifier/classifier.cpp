#include "models/classifier/classifier.hpp"

#include "error/error.hpp"
#include "models/classifier/classifier_network.hpp"
#include "models/json_file.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <filesystem>

namespace scoreact {
namespace {

constexpr const char* class_name = "ScoreactClassifier";

ClassifierConfig read_config(const std::string& path) {
  const nlohmann::json json = read_json(path);
  const auto found = json_value<std::string>(json, "_class_name", "", path);
  SCOREACT_REQUIRE(found == class_name, ExitCode::data, "{}: expected \"_class_name\": \"{}\", found \"{}\"",
                   path, class_name, found);
  ClassifierConfig config;
  config.kind = json_value(json, "kind", config.kind, path);
  config.in_channels = json_value(json, "in_channels", config.in_channels, path);
  const auto size = json_value<std::vector<long>>(json, "sample_size", {config.height, config.width}, path);
  SCOREACT_REQUIRE(size.size() == 2, ExitCode::data, "{}: sample_size: expected [height, width]", path);
  config.height = size[0];
  config.width = size[1];
  config.num_classes = json_value(json, "num_classes", config.num_classes, path);
  config.hidden = json_value(json, "hidden", config.hidden, path);
  return config;
}

} // namespace

Classifier::Classifier(const ClassifierConfig& config, std::uint64_t seed)
    : config_(config), network_(make_classifier_network(config, at::detail::createCPUGenerator(seed))) {}

Classifier::~Classifier() = default;

std::shared_ptr<Classifier> Classifier::load(const std::string& directory, c10::Device device) {
  SCOREACT_REQUIRE(std::filesystem::is_directory(directory), ExitCode::missing_input,
                   "{}: no such folder; expected a classifier with config.json and model.safetensors",
                   directory);
  const auto config = read_config((std::filesystem::path(directory) / "config.json").string());
  auto classifier = std::make_shared<Classifier>(config, 0);
  load_tensors(classifier->named_parameters(), read_model_weights(directory, "model"),
               model_weight_file(directory, "model"));
  for (const auto& [name, tensor] : classifier->named_parameters()) {
    at::Tensor(tensor).requires_grad_(false);
  }
  classifier->to(device);
  return classifier;
}

at::Tensor Classifier::logits(const at::Tensor& x) {
  SCOREACT_REQUIRE(x.dim() == 4 && x.size(1) == config_.in_channels && x.size(2) == config_.height &&
                       x.size(3) == config_.width,
                   ExitCode::data, "this classifier judges images of {} x {} x {}, found [{}]",
                   config_.in_channels, config_.height, config_.width, fmt::join(x.sizes().vec(), ", "));
  return network_->forward(x);
}

at::Tensor Classifier::log_prob(const at::Tensor& x) { return at::log_softmax(logits(x), 1); }

NamedTensors Classifier::named_parameters() const { return network_->named_parameters().pairs(); }

void Classifier::to(c10::Device device) { network_->to(device); }

void Classifier::save(const std::string& directory) const {
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot create this folder: {}", directory, failure.message());
  const std::filesystem::path root(directory);
  nlohmann::json json;
  json["_class_name"] = class_name;
  json["kind"] = config_.kind;
  json["in_channels"] = config_.in_channels;
  json["sample_size"] = std::vector<long>{config_.height, config_.width};
  json["num_classes"] = config_.num_classes;
  json["hidden"] = config_.hidden;
  write_json((root / "config.json").string(), json);
  write_weights((root / "model.safetensors").string(), named_parameters());
}

} // namespace scoreact
