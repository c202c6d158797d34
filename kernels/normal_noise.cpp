#include "kernels/normal_noise.hpp"

#include <cmath>
#include <numbers>

#include "kernels/detail/normal_noise_kernel.hpp"

namespace scoreact::kernels {

namespace {
void require_step(NoiseKey key) { detail::require(key.step < 1u << 24, "noise: step must be below 2^24"); }

std::uint32_t word_of(const Philox4& words, std::uint32_t element) {
  const std::uint32_t all[4] = {words.word0, words.word1, words.word2, words.word3};
  return all[element % 4];
}
} // namespace

void normal_noise(Stream stream, NoiseKey key, std::int64_t first_sample, Rows<float> noise) {
  require_step(key);
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::fill_noise<detail::Normal>(exec, "scoreact::normal_noise", key, first_sample,
                                       detail::matrix<Exec>(noise));
  });
}

void uniform_noise(Stream stream, NoiseKey key, std::int64_t first_sample, Rows<float> noise) {
  require_step(key);
  detail::on_execution_space(stream, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    detail::fill_noise<detail::Uniform>(exec, "scoreact::uniform_noise", key, first_sample,
                                        detail::matrix<Exec>(noise));
  });
}

double uniform_at(NoiseKey key, std::int64_t sample, std::uint32_t element) {
  require_step(key);
  return word_of(detail::random_words(detail::row_counter(key, sample), element / 4), element) * 0x1p-32;
}

double normal_at(NoiseKey key, std::int64_t sample, std::uint32_t element) {
  require_step(key);
  const Philox4 words = detail::random_words(detail::row_counter(key, sample), element / 4);
  const std::uint32_t first = element % 4 < 2 ? words.word0 : words.word2;
  const std::uint32_t second = element % 4 < 2 ? words.word1 : words.word3;
  // The uniform numbers are rounded to float32, as in the kernel; all that follows is double.
  const float u = static_cast<float>(static_cast<std::int32_t>(first >> 1)) * 0x1p-31f + 0x1p-32f;
  const float turn = static_cast<float>(static_cast<std::int32_t>(second)) * 0x1p-32f;
  const double radius = std::sqrt(-2 * std::log(static_cast<double>(u)));
  const double angle = 2 * std::numbers::pi * turn;
  return radius * (element % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

} // namespace scoreact::kernels
