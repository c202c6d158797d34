#pragma once
/// Does with a model folder what the original test of a golden does, and measures how far the result is off.
#include "evaluation/golden_table.hpp"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <optional>

namespace scoreact {

struct GoldenResult {
  std::vector<double> expected, found;
  double difference = 0; ///< as the golden measures it; NaN if a number is
};

/// Runs goldens on one model folder. A pipeline is loaded once for all goldens of its prompt.
class GoldenRunner {
 public:
  /// @param files folder of the user's files, may be empty
  GoldenRunner(std::string model, std::string files, c10::Device device);
  ~GoldenRunner();
  /// The first file that the golden needs and that is not there.
  std::optional<std::string> missing_file(const Golden&) const;
  /// Throws Error{missing_input | data}, also if the folder holds another kind of model.
  GoldenResult run(const Golden&);

 private:
  at::Tensor drawn(const Golden&); ///< [H, W, channels] in [0, 1]
  std::vector<double> rewards_of(const Golden&);

  struct Loaded; ///< the pipeline that the last golden ran on
  std::string model_, files_;
  c10::Device device_;
  std::unique_ptr<Loaded> loaded_;
};

} // namespace scoreact
