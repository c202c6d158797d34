#pragma once
/// What the tests of rewards on pictures share: folders with random networks, pictures, and the comparison of
/// gradients.
#include "fixtures/fixtures.hpp"
#include "rewards/reward.hpp"
#include "unit/models/parity.hpp"
#include "unit/store/temporary_folder.hpp"

#include <torch/torch.h>

namespace scoreact::testing_rewards {

inline const c10::Device cpu = c10::Device(c10::kCPU);
inline const std::vector<std::string> prompts = {"a cat", "two unicorns in a clearing", "café naïve"};

inline std::string fixture(const testing_store::TemporaryFolder& folder, const std::string& name) {
  FixtureOptions options;
  options.directory = (folder / name).string();
  make_fixture(name, options);
  return options.directory;
}

inline at::Tensor pictures() {
  return at::rand({4, 3, 80, 96}, at::detail::createCPUGenerator(3), at::kFloat) * 2 - 1;
}

inline const at::Tensor& chosen() {
  static const at::Tensor prompt = torch::tensor({2, 0, 1, 0}, at::kLong);
  return prompt;
}

/// The reward's gradient with respect to its images is that of `expression` over them.
template <class Expression>
void expect_gradient_of(Reward& reward, const at::Tensor& x, const Expression& expression) {
  const at::Tensor weights = torch::tensor({1.0f, -2.0f, 0.5f, 3.0f});
  const at::Tensor ours = x.clone().requires_grad_(true), theirs = x.clone().requires_grad_(true);
  const auto gradient = [&](const at::Tensor& value, const at::Tensor& of) {
    return torch::autograd::grad({(value * weights).sum()}, {of})[0];
  };
  const at::Tensor found = gradient(reward(ours, chosen()), ours);
  EXPECT_GT(found.norm().item<double>(), 0.0);
  EXPECT_LE(testing_parity::relative_error(found, gradient(expression(theirs), theirs)), 1e-5);
}

} // namespace scoreact::testing_rewards
