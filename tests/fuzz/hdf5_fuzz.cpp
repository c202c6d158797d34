/// HDF5 files: run.h5, trajectories and optimizer.h5. Input: the file, read as each of them.
#include "fuzz/result_or_error.hpp"
#include "fuzz/scratch_folder.hpp"
#include "store/hdf5_file.hpp"
#include "store/hdf5_values.hpp"
#include "store/run_file.hpp"
#include "store/trajectory_file.hpp"

namespace {

using namespace scoreact;
using fuzz::result_or_error;

void read_run(const std::filesystem::path& path) {
  result_or_error([&] {
    RunFile run = RunFile::open(path);
    for (const MetricInfo& info : run.metrics())
      fuzz::require(run.column(info.name).size() == static_cast<std::size_t>(run.epochs()),
                    "columns have a row an epoch");
    run.truncate_to(run.epochs() / 2);
  });
}

void read_trajectories(const std::filesystem::path& path) {
  result_or_error([&] {
    const TrajectoryFile file(path);
    for (const std::string& name : file.names()) {
      result_or_error([&] { file.units(name); });
      result_or_error([&] { file.floats_at(name, 0); });
      result_or_error([&] { file.doubles_at(name, file.steps()); });
      result_or_error([&] { file.doubles(name); });
      result_or_error([&] { file.integers(name); });
    }
    file.prompts();
  });
}

/// As checkpoints and `scoreact inspect` read: any name, any type.
void read_values(const std::filesystem::path& path) {
  result_or_error([&] {
    const Hdf5File file = open_hdf5(path);
    const Hdf5Values values(file.id(), path);
    values.read_attributes();
    for (const std::string& name : values.names()) {
      result_or_error([&] { values.dtype(name); });
      result_or_error([&] { values.shape(name); });
      result_or_error([&] { values.floats(name); });
      result_or_error([&] { values.texts(name); });
    }
    values.contains("policy/steps");
    result_or_error([&] { values.integers("policy/steps"); });
  });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::ScratchFolder folder;
  static const auto path = folder / "input.h5";
  fuzz::put_bytes(path, fuzz::as_text(data, size));
  read_values(path);
  read_run(path);
  read_trajectories(path);
  return 0;
}
