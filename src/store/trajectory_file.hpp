#pragma once
/// trajectories/epoch_000012.h5: one epoch's trajectories, written by all ranks together, complete or absent,
/// with the same content for any number of ranks. Quantities as in docs/mathematics.md section 2; K steps, B
/// samples of all ranks together. Datasets: docs/files.md.
#include <mpi.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "store/run_file.hpp"

namespace scoreact {

/// One rank's part. Arrays are in host memory, C order, not owned; B is this rank's sample count. Optional
/// ones are null on every rank or on none.
struct TrajectoryBlock {
  std::int64_t steps = 0;                 ///< K
  std::int64_t samples = 0;               ///< B of this rank, may be 0
  std::int64_t first_sample = 0;          ///< position of this rank's first sample among those of all ranks
  std::vector<std::int64_t> sample_shape; ///< [C, H, W] or [d]

  const float* states = nullptr;           ///< x [K+1, B, ...], from noise to data
  const float* action = nullptr;           ///< [K, B, ...], scores
  const float* mean = nullptr;             ///< optional, mu [K, B, ...], scores
  const float* mean_pre = nullptr;         ///< optional, mu_pre [K, B, ...], scores
  const double* log_prob = nullptr;        ///< [K, B], nats, summed over the elements
  const double* kl_step = nullptr;         ///< [K, B], nats, the Girsanov term
  const double* kl_chain_step = nullptr;   ///< [K, B], nats, the exact one of the chain
  const double* train_weight = nullptr;    ///< [K, B], inverse probability that the sample is trained at it
  const float* advantage = nullptr;        ///< optional [K, B]
  const float* value = nullptr;            ///< optional [K, B]
  const float* value_difference = nullptr; ///< optional [K, B], the value term of a difference advantage
  const float* value_gradient = nullptr;   ///< optional [K, B, ...], grad V at the states
  const float* reward = nullptr;           ///< [B]
  const std::int64_t* sample_index = nullptr; ///< [B], global
  std::vector<std::string> prompts;           ///< [B]

  // The same on every rank; rank 0's are written:
  std::vector<double> tau;      ///< [K+1]
  std::vector<double> abar;     ///< [K+1]
  std::vector<double> weight;   ///< [K], g^2 dtau over the step: log(abar[k+1] / abar[k])
  std::vector<double> keep;     ///< [K]
  std::vector<double> push;     ///< [K]
  std::vector<double> spread;   ///< [K]
  std::vector<double> girsanov; ///< [K]
  std::vector<double> drift;    ///< [K], 1/2 (1 + chi^2) g^2 dt
  std::vector<double> s_a;      ///< [K], standard deviation of the action in score units
  std::string solver;
  double eta = 0;
  double lambda = 0;     ///< weight of the KL term, reward units per nat
  Attributes attributes; ///< deck, versions, epoch, ...
};

/// Collective over `comm`; every rank calls, also one without samples. `compression`: gzip level, 0 for none.
/// `patience`: seconds after which a rank that still waits inside HDF5 ends the run; 0: never.
/// Returns whether MPI moved all data in truly collective transfers (HDF5 falls back silently). Throws on all
/// ranks alike: Error{io} naming the file, Error{internal} if the blocks do not fit together. No file is left
/// behind then, an older one is intact.
bool write_trajectory_file(const std::filesystem::path& path, const TrajectoryBlock& block, MPI_Comm comm,
                           int compression = 0, double patience = 0);

/// Reads such a file, one time at a time, so that files larger than memory can be looked at.
class TrajectoryFile {
 public:
  /// Throws Error{missing_input}, Error{data}.
  explicit TrajectoryFile(const std::filesystem::path& path);
  ~TrajectoryFile();
  TrajectoryFile(TrajectoryFile&&) noexcept;
  TrajectoryFile& operator=(TrajectoryFile&&) noexcept;

  std::int64_t steps() const;
  std::int64_t samples() const;
  const std::vector<std::int64_t>& sample_shape() const;
  const Attributes& attributes() const;

  std::vector<std::string> names() const;
  bool contains(const std::string& name) const;
  std::vector<std::int64_t> shape(const std::string& name) const;
  std::string units(const std::string& name) const;
  /// Row `time` of a dataset whose first dimension is the time: everything after it, flat. Throws
  /// Error{data}.
  std::vector<float> floats_at(const std::string& name, std::int64_t time) const;
  std::vector<double> doubles_at(const std::string& name, std::int64_t time) const;
  /// A whole dataset, flat. Throws Error{data}.
  std::vector<double> doubles(const std::string& name) const;
  std::vector<std::int64_t> integers(const std::string& name) const;
  std::vector<std::string> prompts() const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

} // namespace scoreact
