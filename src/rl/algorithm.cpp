#include "rl/algorithm.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

#include <fmt/ranges.h>

namespace scoreact {

#define SCOREACT_ALGORITHM(name, what) std::unique_ptr<Algorithm> make_##name(const AlgorithmContext&);
#include "rl/algorithms.inc"
#undef SCOREACT_ALGORITHM

namespace {

using Maker = std::unique_ptr<Algorithm> (*)(const AlgorithmContext&);

const std::map<std::string, Maker> kAlgorithms = {
#define SCOREACT_ALGORITHM(name, what) {#name, make_##name},
#include "rl/algorithms.inc"
#undef SCOREACT_ALGORITHM
};

} // namespace

std::vector<std::string> algorithm_names() {
  std::vector<std::string> names;
  for (const auto& [name, maker] : kAlgorithms)
    names.push_back(name);
  return names;
}

std::unique_ptr<Algorithm> make_algorithm(const AlgorithmContext& context) {
  const auto found = kAlgorithms.find(context.algorithm.name);
  SCOREACT_REQUIRE(found != kAlgorithms.end(), ExitCode::data,
                   "algorithm.name: expected one of {}, found \"{}\"", fmt::join(algorithm_names(), ", "),
                   context.algorithm.name);
  return found->second(context);
}

std::vector<double> gather_samples(const at::Tensor& per_sample, const Communicator& ranks) {
  const at::Tensor host = per_sample.to(at::kDouble).to(at::kCPU).contiguous();
  return ranks.gather_in_order({host.data_ptr<double>(), host.data_ptr<double>() + host.numel()});
}

double global_std(const at::Tensor& time_by_sample, const Communicator& ranks) {
  std::vector<double> all = gather_samples(time_by_sample.t().flatten(), ranks);
  return at::from_blob(all.data(), {static_cast<long>(all.size())}, at::kDouble).std(false).item<double>();
}

} // namespace scoreact
