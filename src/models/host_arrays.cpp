#include "models/host_arrays.hpp"

#include "error/error.hpp"

namespace scoreact {

namespace {

DType dtype_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
  case at::kFloat:
    return DType::f32;
  case at::kDouble:
    return DType::f64;
  case at::kLong:
    return DType::i64;
  case at::kByte:
    return DType::u8;
  default:
    SCOREACT_FAIL(ExitCode::internal, "a tensor of type {} cannot be written to a file",
                  toString(tensor.scalar_type()));
  }
}

} // namespace

void HostArrays::add(const std::string& name, const at::Tensor& tensor) {
  kept_.push_back(tensor.detach().to(at::kCPU).contiguous());
  const at::Tensor& host = kept_.back();
  arrays_.push_back({name, {dtype_of(host), host.sizes().vec(), host.data_ptr()}});
}

void HostArrays::add(const std::vector<std::pair<std::string, at::Tensor>>& named,
                     const std::string& prefix) {
  for (const auto& [name, tensor] : named)
    add(prefix + name, tensor);
}

} // namespace scoreact
