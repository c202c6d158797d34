#include "store/run_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <string_view>

#include "error/error.hpp"
#include "store/atomic_file.hpp"
#include "store/dimension_scales.hpp"
#include "store/hdf5_file.hpp"

namespace scoreact {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "scoreact-run";
constexpr std::int64_t kFormatVersion = 1;

/// Behind the last byte of HDF5, where its readers don't look: this word and the CRC-32 of everything before
/// it as 8 hexadecimal digits. HDF5 (1.10.8) crashes on some damaged files instead of refusing them.
constexpr std::string_view kSealWord = "scoreact";
constexpr std::size_t kSealBytes = 16;

std::string seal_of(const char* bytes, std::size_t count) {
  const uLong sum = crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes), count);
  return fmt::format("{}{:08x}", kSealWord, sum);
}

/// Throws Error{data} if the file has a seal that does not fit. One without, edited by others, is let pass.
void require_unbroken_seal(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (bytes.size() < kSealBytes)
    return; // HDF5 will say what it is
  const std::size_t content = bytes.size() - kSealBytes;
  const std::string_view seal = std::string_view(bytes).substr(content);
  SCOREACT_REQUIRE(!seal.starts_with(kSealWord) || seal == seal_of(bytes.data(), content), ExitCode::data,
                   "{}: damaged, its bytes don't have the checksum that stands at its end", path.string());
}

Hdf5Group make_group(hid_t file, const fs::path& path, const char* name) {
  return Hdf5Group(check_hdf5(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), path,
                              "make group " + std::string(name)));
}

Hdf5Group open_group(hid_t file, const fs::path& path, const char* name) {
  const hid_t id = H5Gopen2(file, name, H5P_DEFAULT);
  SCOREACT_REQUIRE(id >= 0, ExitCode::data, "{}: no group '{}'", path.string(), name);
  return Hdf5Group(id);
}

const MetricInfo* find_info(const std::vector<MetricInfo>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const MetricInfo& info) { return info.name == name; });
  return found == all.end() ? nullptr : &*found;
}

void write_column(hid_t group, const fs::path& path, const MetricInfo& info,
                  const std::vector<double>& values, std::vector<std::int64_t> shape,
                  const std::vector<std::string>& dimensions) {
  const Hdf5Dataset dataset =
      Hdf5Values(group, path).write_dataset(info.name, {DType::f64, std::move(shape), values.data()});
  const Hdf5Values attributes(dataset.id(), path);
  attributes.write_attribute("units", info.units);
  attributes.write_attribute("long_name", info.long_name);
  attributes.write_dimensions(dimensions);
}

void write_evaluation(hid_t file, const fs::path& path, const EvaluationTable& table) {
  const Hdf5Group group = make_group(file, path, "evaluation");
  const Hdf5Values values(group.id(), path);
  const auto rows = static_cast<std::int64_t>(table.epochs.size());
  const auto columns = static_cast<std::int64_t>(table.steps.size());
  for (const auto& [name, value] : table.attributes)
    values.write_attribute(name, value);
  const Hdf5Dataset epoch = values.write_dataset("epoch", {DType::i64, {rows}, table.epochs.data()});
  Hdf5Values(epoch.id(), path).write_dimensions({"epoch"});
  const Hdf5Dataset steps = values.write_dataset("steps", {DType::i64, {columns}, table.steps.data()});
  Hdf5Values(steps.id(), path).write_dimensions({"setting"});
  const Hdf5Dataset solver = values.write_texts("solver", table.solvers);
  Hdf5Values(solver.id(), path).write_dimensions({"setting"});
  for (const auto& [name, numbers] : table.tables) {
    const MetricInfo* known = find_info(run_metrics(), name);
    write_column(group.id(), path, known != nullptr ? *known : MetricInfo{name, "1", name}, numbers,
                 {rows, columns}, {"epoch", "setting"});
  }
}

EvaluationTable read_evaluation(hid_t file, const fs::path& path) {
  EvaluationTable table;
  const Hdf5Group group = open_group(file, path, "evaluation");
  const Hdf5Values values(group.id(), path);
  table.attributes = values.read_attributes();
  table.epochs = values.integers("epoch");
  table.steps = values.integers("steps");
  table.solvers = values.texts("solver");
  for (const std::string& name : values.names()) {
    if (name != "epoch" && name != "steps" && name != "solver")
      table.tables[name] = values.doubles(name);
  }
  return table;
}

MetricInfo read_info(hid_t group, const fs::path& path, const std::string& name) {
  const Hdf5Dataset dataset(
      check_hdf5(H5Dopen2(group, name.c_str(), H5P_DEFAULT), path, "open '" + name + "'"));
  const Hdf5Values attributes(dataset.id(), path);
  return {name, attributes.read_text_attribute("units", "1"),
          attributes.read_text_attribute("long_name", name)};
}

} // namespace

RunFile RunFile::create(const fs::path& path, const Attributes& attributes,
                        const std::vector<MetricInfo>& metrics) {
  SCOREACT_REQUIRE(find_info(metrics, "epoch") != nullptr, ExitCode::internal,
                   "a run file needs the metric 'epoch'");
  RunFile file;
  file.path_ = path;
  file.attributes_ = attributes;
  file.attributes_["format"] = kFormat;
  file.attributes_["format_version"] = kFormatVersion;
  file.metrics_ = metrics;
  for (const MetricInfo& info : metrics)
    file.columns_[info.name];
  file.write();
  return file;
}

RunFile RunFile::open(const fs::path& path) {
  RunFile run;
  run.path_ = path;
  require_unbroken_seal(path);
  const Hdf5File file = open_hdf5(path);
  const Hdf5Values root(file.id(), path);
  run.attributes_ = root.read_attributes();
  const std::string format = root.read_text_attribute("format", "none");
  SCOREACT_REQUIRE(format == kFormat, ExitCode::data, "{}: expected format '{}', found '{}'", path.string(),
                   kFormat, format);
  const auto version = std::get_if<std::int64_t>(&run.attributes_["format_version"]);
  SCOREACT_REQUIRE(version != nullptr && *version == kFormatVersion, ExitCode::data,
                   "{}: format_version is not {}, the one that this version reads", path.string(),
                   kFormatVersion);

  const Hdf5Group metrics = open_group(file.id(), path, "metrics");
  const Hdf5Values columns(metrics.id(), path);
  for (const std::string& name : columns.names()) {
    run.metrics_.push_back(read_info(metrics.id(), path, name));
    run.columns_[name] = columns.doubles(name);
  }
  SCOREACT_REQUIRE(run.columns_.contains("epoch"), ExitCode::data, "{}: no dataset '/metrics/epoch'",
                   path.string());
  const Hdf5Group resource_group = open_group(file.id(), path, "resources");
  const Hdf5Values resources(resource_group.id(), path);
  for (const std::string& name : resources.names())
    run.resources_[name] = resources.doubles(name);
  const auto rows = static_cast<std::size_t>(run.epochs());
  for (const auto* group : {&run.columns_, &run.resources_}) {
    for (const auto& [name, values] : *group) {
      SCOREACT_REQUIRE(values.size() == rows, ExitCode::data, "{}: '{}' has {} rows, 'epoch' {}",
                       path.string(), name, values.size(), rows);
    }
  }
  if (root.contains("prompts"))
    run.prompts_ = root.texts("prompts");
  if (root.contains("evaluation"))
    run.set_evaluation(read_evaluation(file.id(), path));
  return run;
}

void RunFile::truncate_to(long epochs) {
  SCOREACT_REQUIRE(epochs >= 0 && epochs <= this->epochs(), ExitCode::data,
                   "{}: holds {} epochs, the checkpoint to go on from is of epoch {}", path_.string(),
                   this->epochs(), epochs);
  const std::vector<double>& numbers = columns_.at("epoch");
  const double last = epochs > 0 ? numbers[static_cast<std::size_t>(epochs) - 1] : 0.0;
  for (auto* group : {&columns_, &resources_}) {
    for (auto& [name, values] : *group)
      values.resize(static_cast<std::size_t>(epochs));
  }
  const std::size_t width = evaluation_.steps.size();
  for (std::size_t row = evaluation_.epochs.size(); row-- > 0;) {
    if (static_cast<double>(evaluation_.epochs[row]) <= last)
      continue;
    evaluation_.epochs.erase(evaluation_.epochs.begin() + static_cast<std::ptrdiff_t>(row));
    for (auto& [name, values] : evaluation_.tables) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * width);
      values.erase(begin, begin + static_cast<std::ptrdiff_t>(width));
    }
  }
}

void RunFile::record(const std::map<std::string, double>& metrics,
                     const std::map<std::string, double>& resources) {
  for (const MetricInfo& info : metrics_) {
    SCOREACT_REQUIRE(metrics.contains(info.name), ExitCode::internal, "epoch {}: metric '{}' was not given",
                     epochs() + 1, info.name);
  }
  for (const auto& [name, value] : metrics) {
    SCOREACT_REQUIRE(columns_.contains(name), ExitCode::internal, "epoch {}: metric '{}' was not declared",
                     epochs() + 1, name);
  }
  const auto rows = static_cast<std::size_t>(epochs());
  const auto before = resources_;
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [name, value] : resources)
    resources_[name].resize(rows, kUnknown);
  for (auto& [name, values] : resources_) {
    const auto found = resources.find(name);
    values.push_back(found == resources.end() ? kUnknown : found->second);
  }
  for (auto& [name, values] : columns_)
    values.push_back(metrics.at(name));
  try {
    write();
  } catch (...) {
    for (auto& [name, values] : columns_)
      values.pop_back();
    resources_ = before;
    throw;
  }
}

long RunFile::epochs() const { return static_cast<long>(columns_.at("epoch").size()); }

const std::vector<double>& RunFile::column(const std::string& name) const {
  for (const auto* group : {&columns_, &resources_}) {
    if (const auto found = group->find(name); found != group->end())
      return found->second;
  }
  SCOREACT_FAIL(ExitCode::data, "{}: no column '{}'", path_.string(), name);
}

void RunFile::set_attribute(const std::string& name, AttributeValue value) {
  attributes_[name] = std::move(value);
}

void RunFile::set_evaluation(EvaluationTable table) {
  SCOREACT_REQUIRE(table.steps.size() == table.solvers.size(), ExitCode::internal,
                   "evaluation: {} step counts, {} solvers", table.steps.size(), table.solvers.size());
  for (const char* name : {"reward_mean", "reward_stderr", "kl_path"}) {
    SCOREACT_REQUIRE(table.tables.contains(name), ExitCode::internal, "evaluation: table '{}' was not given",
                     name);
  }
  const std::size_t expected = table.epochs.size() * table.steps.size();
  for (const auto& [name, values] : table.tables) {
    SCOREACT_REQUIRE(values.size() == expected, ExitCode::internal,
                     "evaluation: table '{}' has {} values, expected {}", name, values.size(), expected);
  }
  evaluation_ = std::move(table);
}

void RunFile::write() const {
  auto image = build_hdf5_image(path_, [this](hid_t file) {
    const Hdf5Values root(file, path_);
    for (const auto& [name, value] : attributes_)
      root.write_attribute(name, value);
    if (!prompts_.empty()) {
      const Hdf5Dataset prompts = root.write_texts("prompts", prompts_);
      Hdf5Values(prompts.id(), path_).write_dimensions({"prompt"});
    }
    const Hdf5Group metrics = make_group(file, path_, "metrics");
    for (const MetricInfo& info : metrics_) {
      write_column(metrics.id(), path_, info, columns_.at(info.name), {epochs()}, {"epoch"});
    }
    const Hdf5Group resources = make_group(file, path_, "resources");
    for (const auto& [name, values] : resources_) {
      const MetricInfo* known = find_info(run_resources(), name);
      write_column(resources.id(), path_, known != nullptr ? *known : MetricInfo{name, "1", name}, values,
                   {epochs()}, {"epoch"});
    }
    std::vector<ScaledDimension> scaled;
    for (const MetricInfo& info : metrics_) {
      if (info.name != "epoch")
        scaled.push_back({"metrics/epoch", "metrics/" + info.name, 0});
    }
    for (const auto& [name, values] : resources_)
      scaled.push_back({"metrics/epoch", "resources/" + name, 0});
    if (!evaluation_.empty()) {
      write_evaluation(file, path_, evaluation_);
      for (const auto& [name, values] : evaluation_.tables) {
        scaled.push_back({"evaluation/epoch", "evaluation/" + name, 0});
        scaled.push_back({"evaluation/steps", "evaluation/" + name, 1});
      }
    }
    write_dimension_scales(file, path_, scaled);
  });
  const std::string seal = seal_of(reinterpret_cast<const char*>(image.data()), image.size());
  const auto* const sealed = reinterpret_cast<const std::byte*>(seal.data());
  image.insert(image.end(), sealed, sealed + seal.size());
  write_atomically(path_, image);
}

} // namespace scoreact
