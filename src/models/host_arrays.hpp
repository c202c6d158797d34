#pragma once
/// Tensors as named arrays of the torch-free file writers. Keeps the host copies alive.
#include "store/array.hpp"

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace scoreact {

class HostArrays {
 public:
  void add(const std::string& name,
           const at::Tensor&); ///< fp32, fp64, int64 or uint8; copied to the host if need be
  void add(const std::vector<std::pair<std::string, at::Tensor>>& named, const std::string& prefix = "");
  const std::vector<NamedArray>& arrays() const { return arrays_; }

 private:
  std::vector<at::Tensor> kept_;
  std::vector<NamedArray> arrays_;
};

} // namespace scoreact
