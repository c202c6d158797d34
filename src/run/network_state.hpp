#pragma once
/// Weights and the state of their optimiser, into the arrays of a checkpoint and back, bit for bit.
#include "models/host_arrays.hpp"
#include "optim/flat_adamw.hpp"
#include "store/checkpoint.hpp"

#include <string>
#include <utility>
#include <vector>

namespace scoreact {

/// Adds the moments (and the moving average) and the number of updates to the arrays of optimizer.h5, each
/// name with `prefix` in front.
void add_optimizer(HostArrays&, FlatAdamW&, const std::string& prefix);

/// Copies the tensors of `file` into `named`. Throws Error{data} naming the tensor that is missing or has
/// another shape or type; `where` is the file in the message.
void restore_weights(const SafetensorsFile& file,
                     const std::vector<std::pair<std::string, at::Tensor>>& named, const std::string& where);

/// What add_optimizer added. Throws Error{data} if it belongs to another network.
void restore_optimizer(const LoadedCheckpoint&, FlatAdamW&, const std::string& prefix);

} // namespace scoreact
