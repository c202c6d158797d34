#include "evaluation/known_noise.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <cmath>
#include <random>
#include <utility>

namespace scoreact {
namespace {

/// NumPy's legacy generator: two 32-bit draws make a number in [0, 1), and normal ones come in pairs.
class LegacyNormal {
 public:
  explicit LegacyNormal(std::uint32_t seed) : bits_(seed) {}

  double operator()() {
    if (has_second_) {
      has_second_ = false;
      return second_;
    }
    double x, y, square;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = std::sqrt(-2 * std::log(square) / square);
    second_ = factor * x;
    has_second_ = true;
    return factor * y;
  }

 private:
  double uniform() {
    const auto high = static_cast<double>(bits_() >> 5U), low = static_cast<double>(bits_() >> 6U);
    return (high * 67108864 + low) / 9007199254740992; // 2^26, 2^53
  }

  std::mt19937 bits_;
  double second_ = 0;
  bool has_second_ = false;
};

} // namespace

at::Generator torch_generator(std::uint64_t seed) { return at::detail::createCPUGenerator(seed); }

at::Tensor torch_noise(at::Generator generator, const std::vector<std::int64_t>& shape) {
  return at::randn(shape, std::move(generator), at::TensorOptions().dtype(at::kFloat));
}

at::Tensor numpy_noise(std::uint32_t seed, const std::vector<std::int64_t>& shape) {
  LegacyNormal draw(seed);
  at::Tensor noise = at::empty(shape, at::kFloat);
  float* const values = noise.data_ptr<float>();
  for (std::int64_t i = 0; i < noise.numel(); ++i)
    values[i] = static_cast<float>(draw());
  return noise;
}

} // namespace scoreact
