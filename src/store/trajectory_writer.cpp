#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "error/error.hpp"
#include "parallel/deadline.hpp"
#include "store/atomic_file.hpp"
#include "store/dimension_scales.hpp"
#include "store/disk_space.hpp"
#include "store/hdf5_values.hpp"
#include "store/trajectory_file.hpp"
#include "store/trajectory_layout.hpp"

namespace scoreact {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kMostBytesAtOnce = std::int64_t{1}
                                          << 30; // a transfer of 2 GiB a rank fails in some MPI stacks
/// Small enough that few chunks are shared by ranks (a shared one is sent to one rank, which compresses it),
/// large enough for a disk.
constexpr std::int64_t kChunkBytes = std::int64_t{1} << 18;
/// A rank whose part of a time is at least so large writes it itself; smaller parts are first collected on
/// few ranks.
constexpr std::int64_t kPartBytes = std::int64_t{1} << 18;

struct Meaning {
  std::string units, long_name;
};

/// The dataset with the coordinates along a dimension; every dimension has one.
std::string scale_of(const std::string& dimension) {
  return dimension == "time" ? "tau" : dimension == "sample" ? "sample_index" : dimension;
}

/// Names of the dimensions of a sample.
std::vector<std::string> sample_dimensions(std::size_t count) {
  if (count == 3)
    return {"channel", "height", "width"};
  if (count == 1)
    return {"coordinate"};
  std::vector<std::string> names;
  for (std::size_t n = 0; n < count; ++n)
    names.push_back(fmt::format("axis_{}", n));
  return names;
}

/// Writes datasets collectively, each whole or time by time, and notes whether MPI moved them collectively.
class Writer {
 public:
  Writer(const FileRanks& comm, hid_t file, fs::path path, const TrajectoryBlock& block,
         const TrajectoryLayout& layout, int compression)
      : comm_(comm), file_(file), path_(std::move(path)), block_(block), layout_(layout),
        compression_(compression),
        transfer_(check_hdf5(H5Pcreate(H5P_DATASET_XFER), path_, "make properties")) {
    check_hdf5(H5Pset_dxpl_mpio(transfer_.id(), H5FD_MPIO_COLLECTIVE), path_, "ask for collective transfers");
  }

  /// [times, B, tail...], or [B, tail...] if times is nothing. `type` is both in memory and in the file: a
  /// conversion would make the transfer independent.
  void by_sample(const std::string& name, hid_t type, const void* data, std::optional<std::int64_t> times,
                 const std::vector<std::int64_t>& tail, const Meaning& meaning) {
    std::vector<hsize_t> extents;
    if (times)
      extents.push_back(static_cast<hsize_t>(*times));
    extents.push_back(static_cast<hsize_t>(layout_.samples));
    extents.insert(extents.end(), tail.begin(), tail.end());
    std::vector<std::string> dimensions{"sample"};
    if (times)
      dimensions.insert(dimensions.begin(), *times == block_.steps ? "step" : "time");
    for (const std::string& name_of : sample_dimensions(tail.size()))
      dimensions.push_back(name_of);
    const std::int64_t element =
        static_cast<std::int64_t>(H5Tget_size(type)) *
        std::accumulate(tail.begin(), tail.end(), std::int64_t{1}, std::multiplies<>());
    const Hdf5Dataset dataset = create(name, type, extents, times.has_value(), element, dimensions, meaning);
    const bool large_parts = layout_.least_samples * element >= kPartBytes;
    check_hdf5(H5Pset_dxpl_mpio_collective_opt(transfer_.id(), large_parts ? H5FD_MPIO_INDIVIDUAL_IO
                                                                           : H5FD_MPIO_COLLECTIVE_IO),
               path_, "choose how ranks share the writing");

    const std::int64_t rows = times.value_or(1);
    const std::int64_t stride = block_.samples * element; // bytes of one time in memory
    if (rows * layout_.most_samples * element <= kMostBytesAtOnce) {
      transfer(dataset, name, type, extents, times.has_value(), 0, rows, 0, block_.samples, data);
      return;
    }
    const std::int64_t piece = std::max<std::int64_t>(1, kMostBytesAtOnce / element);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t first = 0; first < layout_.most_samples; first += piece) {
        const std::int64_t count = std::clamp<std::int64_t>(block_.samples - first, 0, piece);
        const char* const from = static_cast<const char*>(data) + row * stride + first * element;
        transfer(dataset, name, type, extents, times.has_value(), row, 1, first, count,
                 count > 0 ? from : nullptr);
      }
    }
  }

  /// The same on all ranks: rank 0 writes it, the others only make the dataset.
  void by_time(const std::string& name, const std::vector<double>& values, const Meaning& meaning) {
    const bool at_steps = values.size() == static_cast<std::size_t>(block_.steps);
    along(at_steps ? "step" : "time", name, H5T_NATIVE_DOUBLE, values.size(), values.data(), meaning);
  }
  /// 0, 1, ... along a dimension that has no other coordinates.
  void numbers(const std::string& dimension, std::int64_t count, const std::string& long_name) {
    std::vector<std::int64_t> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 0);
    along(dimension, dimension, H5T_NATIVE_INT64, values.size(), values.data(), {"1", long_name});
  }
  void along(const std::string& dimension, const std::string& name, hid_t type, std::size_t count,
             const void* values, const Meaning& meaning) {
    const Hdf5Dataset dataset = create(name, type, {count}, false, kChunkBytes, {dimension}, meaning);
    comm_.together([&] {
      if (comm_.rank() == 0)
        check_hdf5(H5Dwrite(dataset.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), path_,
                   "write '" + name + "'");
    });
  }

  /// After the last dataset: the coordinates along the dimensions that have some.
  void attach_scales() {
    comm_.together([&] { write_dimension_scales(file_, path_, scaled_); });
  }

  bool collective() const { return collective_; }

 private:
  Hdf5Dataset create(const std::string& name, hid_t type, const std::vector<hsize_t>& extents, bool has_time,
                     std::int64_t element, const std::vector<std::string>& dimensions,
                     const Meaning& meaning) {
    Hdf5Dataset dataset;
    comm_.together([&] {
      const Hdf5Space space(
          check_hdf5(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), path_,
                     "make a data space"));
      const Hdf5Properties creation = timeless_dataset(path_);
      check_hdf5(H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER), path_, "switch filling off");
      // small per-sample numbers stay contiguous; states in chunks of one time x some samples
      const bool large = extents.size() > 2;
      if (large || (compression_ > 0 && has_time)) {
        std::vector<hsize_t> chunk = extents;
        chunk[0] = 1;
        chunk[1] =
            std::min(extents[1], static_cast<hsize_t>(std::max<std::int64_t>(1, kChunkBytes / element)));
        check_hdf5(H5Pset_chunk(creation.id(), static_cast<int>(chunk.size()), chunk.data()), path_,
                   "set chunks");
        if (compression_ > 0) {
          check_hdf5(H5Pset_shuffle(creation.id()), path_, "set the shuffle filter");
          check_hdf5(H5Pset_deflate(creation.id(), static_cast<unsigned>(compression_)), path_,
                     "set the gzip filter");
        }
      }
      dataset = Hdf5Dataset(check_hdf5(
          H5Dcreate2(file_, name.c_str(), type, space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT), path_,
          "make '" + name + "'"));
      const Hdf5Values attributes(dataset.id(), path_);
      attributes.write_attribute("units", meaning.units);
      attributes.write_attribute("long_name", meaning.long_name);
      attributes.write_dimensions(dimensions);
    });
    for (unsigned d = 0; d < dimensions.size(); ++d) {
      if (scale_of(dimensions[d]) != name)
        scaled_.push_back({scale_of(dimensions[d]), name, d});
    }
    return dataset;
  }

  void transfer(const Hdf5Dataset& dataset, const std::string& name, hid_t type,
                const std::vector<hsize_t>& extents, bool has_time, std::int64_t row, std::int64_t rows,
                std::int64_t first, std::int64_t count, const void* data) {
    std::vector<hsize_t> start(extents.size(), 0), size = extents;
    const std::size_t sample = has_time ? 1 : 0;
    if (has_time) {
      start[0] = static_cast<hsize_t>(row);
      size[0] = static_cast<hsize_t>(rows);
    }
    const std::int64_t of_all = block_.first_sample + first;
    start[sample] = static_cast<hsize_t>(of_all);
    size[sample] = static_cast<hsize_t>(count);
    write(dataset, name, type, start, size, data);
  }

  void write(const Hdf5Dataset& dataset, const std::string& name, hid_t type,
             const std::vector<hsize_t>& start, const std::vector<hsize_t>& size, const void* data) {
    comm_.together([&] {
      const bool nothing = std::find(size.begin(), size.end(), hsize_t{0}) != size.end();
      const Hdf5Space in_file(check_hdf5(H5Dget_space(dataset.id()), path_, "read a data space"));
      const std::vector<hsize_t> one(size.size(), 1);
      const Hdf5Space in_memory(
          check_hdf5(H5Screate_simple(static_cast<int>(size.size()), (nothing ? one : size).data(), nullptr),
                     path_, "make a data space"));
      if (nothing) {
        check_hdf5(H5Sselect_none(in_file.id()), path_, "select nothing");
        check_hdf5(H5Sselect_none(in_memory.id()), path_, "select nothing");
      } else {
        check_hdf5(
            H5Sselect_hyperslab(in_file.id(), H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr),
            path_, "select this rank's part");
      }
      const double unread = 0; // HDF5 wants an address also for nothing
      check_hdf5(H5Dwrite(dataset.id(), type, in_memory.id(), in_file.id(), transfer_.id(),
                          nothing ? &unread : data),
                 path_, "write '" + name + "'");
      std::uint32_t here = 0, anywhere = 0;
      check_hdf5(H5Pget_mpio_no_collective_cause(transfer_.id(), &here, &anywhere), path_,
                 "ask how it was written");
      collective_ = collective_ && anywhere == H5D_MPIO_COLLECTIVE;
    });
  }

  const FileRanks& comm_;
  hid_t file_;
  fs::path path_;
  const TrajectoryBlock& block_;
  const TrajectoryLayout& layout_;
  int compression_;
  Hdf5Properties transfer_;
  std::vector<ScaledDimension> scaled_;
  bool collective_ = true;
};

/// The attributes of rank 0, on every rank: HDF5 wants the same arguments everywhere.
Attributes common_attributes(const FileRanks& comm, const TrajectoryBlock& block) {
  json packed = json::object();
  const auto pack = [&](const std::string& name, const AttributeValue& value) {
    std::visit([&](const auto& plain) { packed[name] = plain; }, value);
  };
  for (const auto& [name, value] : block.attributes)
    pack(name, value);
  pack("format", std::string("scoreact-trajectories"));
  pack("format_version", std::int64_t{1});
  pack("solver", block.solver);
  pack("eta", block.eta);
  pack("lambda", block.lambda);
  std::string text = comm.rank() == 0 ? packed.dump() : "";
  std::int64_t length = static_cast<std::int64_t>(text.size());
  SCOREACT_CHECK_MPI(MPI_Bcast(&length, 1, MPI_INT64_T, 0, comm.get()));
  text.resize(static_cast<std::size_t>(length));
  SCOREACT_CHECK_MPI(MPI_Bcast(text.data(), static_cast<int>(length), MPI_CHAR, 0, comm.get()));
  Attributes result;
  const json received = json::parse(text); // items() only refers to it: it has to outlive the loop
  for (const auto& [name, value] : received.items()) {
    if (value.is_string())
      result[name] = value.get<std::string>();
    else if (value.is_number_integer())
      result[name] = value.get<std::int64_t>();
    else
      result[name] =
          value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>(); // no NaN in JSON
  }
  return result;
}

/// Upper bound of the file's size in bytes: datasets in whole chunks, and room for what HDF5 adds.
std::int64_t space_needed(const TrajectoryBlock& block, const TrajectoryLayout& layout) {
  const std::int64_t element = static_cast<std::int64_t>(sizeof(float)) *
                               std::accumulate(block.sample_shape.begin(), block.sample_shape.end(),
                                               std::int64_t{1}, std::multiplies<>());
  const std::int64_t in_chunk =
      std::min(layout.samples, std::max<std::int64_t>(1, kChunkBytes / element)); // samples
  const std::int64_t chunks = (layout.samples + in_chunk - 1) / in_chunk;         // of one time
  const std::int64_t times = block.steps + 1;
  const std::int64_t states = 2 + (block.mean != nullptr) + (block.mean_pre != nullptr) +
                              (block.value_gradient != nullptr); // datasets
  constexpr std::int64_t kNumbers = 9;                           // datasets of numbers a sample, at most
  std::int64_t text = layout.samples * layout.prompt_bytes;
  for (const auto& [name, value] : block.attributes)
    if (const auto* words = std::get_if<std::string>(&value))
      text += static_cast<std::int64_t>(words->size());
  constexpr std::int64_t kOverhead = 96 << 10, kOverheadOfChunk = 512;
  return times * states * chunks * (in_chunk * element + kOverheadOfChunk) +
         times * kNumbers * layout.samples * static_cast<std::int64_t>(sizeof(double)) + text + kOverhead;
}

bool write_content(const FileRanks& comm, hid_t file, const fs::path& path, const TrajectoryBlock& block,
                   const TrajectoryLayout& layout, int compression) {
  const Attributes attributes = common_attributes(comm, block);
  std::vector<double> exploration = block.s_a;
  SCOREACT_CHECK_MPI(
      MPI_Bcast(exploration.data(), static_cast<int>(exploration.size()), MPI_DOUBLE, 0, comm.get()));
  comm.together([&] {
    const Hdf5Values root(file, path);
    for (const auto& [name, value] : attributes)
      root.write_attribute(name, value);
    root.write_attribute("s_a", exploration);
  });

  Writer writer(comm, file, path, block, layout, compression);
  writer.by_time("tau", block.tau, {"1", "noise time of the states: 1 is noise, 0 is data"});
  writer.numbers("step", block.steps, "number of the step from state k to state k + 1");
  const std::vector<std::string> dimensions = sample_dimensions(block.sample_shape.size());
  for (std::size_t n = 0; n < dimensions.size(); ++n)
    writer.numbers(dimensions[n], block.sample_shape[n], "number along the dimension");
  writer.by_time("abar", block.abar, {"1", "cumulative signal power at the states"});
  writer.by_time("weight", block.weight, {"1", "g^2 dtau over the step, log(abar[k+1] / abar[k])"});
  writer.by_time("keep", block.keep, {"1", "x[k+1] = keep x[k] + push action + spread noise"});
  writer.by_time("push", block.push, {"1", "factor of the action in the step"});
  writer.by_time("spread", block.spread, {"1", "factor of the noise in the step"});
  writer.by_time("girsanov", block.girsanov, {"nat", "kl_step = girsanov |mu - mu_pre|^2"});
  writer.by_time("drift", block.drift,
                 {"1", "advantage = drift (action - mu) . value_gradient - its KL cost"});
  writer.by_time("s_a", block.s_a, {"score", "standard deviation of the action"});

  const std::int64_t steps = block.steps;
  const auto& shape = block.sample_shape;
  writer.by_sample("x", H5T_NATIVE_FLOAT, block.states, steps + 1, shape, {"1", "states from noise to data"});
  writer.by_sample("action", H5T_NATIVE_FLOAT, block.action, steps, shape, {"score", "action"});
  if (block.mean != nullptr) {
    writer.by_sample("mu", H5T_NATIVE_FLOAT, block.mean, steps, shape, {"score", "score of the policy"});
  }
  if (block.mean_pre != nullptr) {
    writer.by_sample("mu_pre", H5T_NATIVE_FLOAT, block.mean_pre, steps, shape,
                     {"score", "score of the pretrained model"});
  }
  const auto narrowed = [&](const double* values) {
    const std::int64_t count = values == nullptr ? 0 : steps * block.samples;
    return std::vector<float>(values, values + count);
  };
  writer.by_sample("log_prob", H5T_NATIVE_DOUBLE, block.log_prob, steps, {},
                   {"nat", "log density of the action, summed over the elements of the sample"});
  writer.by_sample("kl_step", H5T_NATIVE_FLOAT, narrowed(block.kl_step).data(), steps, {},
                   {"nat", "path KL of the step, Girsanov"});
  writer.by_sample("kl_chain_step", H5T_NATIVE_FLOAT, narrowed(block.kl_chain_step).data(), steps, {},
                   {"nat", "exact KL of the step of the chain"});
  writer.by_sample("train_weight", H5T_NATIVE_DOUBLE, block.train_weight, steps, {},
                   {"1", "inverse probability that the sample is trained at the step, 0: it was not"});
  if (block.advantage != nullptr) {
    writer.by_sample("advantage", H5T_NATIVE_FLOAT, block.advantage, steps, {}, {"reward", "advantage"});
  }
  if (block.value != nullptr) {
    writer.by_sample("value", H5T_NATIVE_FLOAT, block.value, steps, {}, {"reward", "value of the state"});
  }
  if (block.value_difference != nullptr) {
    writer.by_sample("value_difference", H5T_NATIVE_FLOAT, block.value_difference, steps, {},
                     {"reward", "value term of the advantage, its KL cost left out"});
  }
  if (block.value_gradient != nullptr) {
    writer.by_sample("value_gradient", H5T_NATIVE_FLOAT, block.value_gradient, steps, shape,
                     {"reward", "gradient of the value by the state"});
  }
  writer.by_sample("reward", H5T_NATIVE_FLOAT, block.reward, std::nullopt, {},
                   {"reward", "reward of the final state"});
  writer.by_sample("sample_index", H5T_NATIVE_INT64, block.sample_index, std::nullopt, {},
                   {"1", "index of the sample among those of all ranks"});
  const auto width = static_cast<std::size_t>(layout.prompt_bytes);
  std::string prompts(block.prompts.size() * width, '\0');
  for (std::size_t n = 0; n < block.prompts.size(); ++n)
    block.prompts[n].copy(prompts.data() + n * width, width);
  const Hdf5Type text = utf8_type(width); // of fixed size: parallel HDF5 cannot write variable strings
  writer.by_sample("prompt", text.id(), prompts.data(), std::nullopt, {},
                   {"1", "prompt or class of the sample"});
  writer.attach_scales();
  return writer.collective();
}

} // namespace

bool write_trajectory_file(const fs::path& path, const TrajectoryBlock& block, MPI_Comm original,
                           int compression, double patience) {
  silence_hdf5();
  int rank = 0;
  SCOREACT_CHECK_MPI(MPI_Comm_rank(original, &rank));
  const Deadline deadline(
      patience, rank,
      fmt::format("{}: not written within {:g} s (run.communication_timeout); another rank "
                  "failed or is stuck in it",
                  path.string(), patience));
  const FileRanks comm(original);
  const TrajectoryLayout layout = agree_on_layout(comm, path, block);
  fs::path temporary = path;
  temporary += ".tmp";
  const auto reserve = [&] {
    if (comm.rank() == 0)
      reserve_space(temporary, space_needed(block, layout));
  };
  bool collective = false;
  try {
    Hdf5File file;
    comm.together(reserve); // before there is an HDF5 file that would have to be closed
    comm.together([&] {
      const Hdf5Properties access(check_hdf5(H5Pcreate(H5P_FILE_ACCESS), path, "make properties"));
      check_hdf5(H5Pset_fapl_mpio(access.id(), comm.get(), MPI_INFO_NULL), path, "set up parallel access");
      file = Hdf5File(check_hdf5(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), path,
                                 "create it"));
    });
    comm.together(reserve); // making the file has given it back
    collective = write_content(comm, file.id(), path, block, layout, compression);
    comm.together([&] { check_hdf5(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), path, "bring it to the disk"); });
    comm.together([&] { close_written(file, path); });
    comm.together([&] {
      if (comm.rank() != 0)
        return;
      release_reserve(temporary);
      sync_file(temporary);
      rename_durably(temporary, path);
    });
  } catch (...) {
    std::error_code ignored; // the first error is the one to report
    if (comm.rank() == 0)
      fs::remove(temporary, ignored);
    throw;
  }
  return collective;
}

} // namespace scoreact
