#include "rl/prompts.hpp"

#include "error/error.hpp"
#include "kernels/normal_noise.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <fstream>

namespace scoreact {

std::vector<std::string> prompt_texts(const PromptOptions& options) {
  std::vector<std::string> texts = options.list;
  if (options.file.empty())
    return texts;
  std::ifstream lines(options.file);
  SCOREACT_REQUIRE(lines, ExitCode::missing_input, "prompts.file: {}: no such file", options.file);
  const std::size_t listed = texts.size();
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r')
      line.pop_back();
    if (!line.empty())
      texts.push_back(line);
  }
  SCOREACT_REQUIRE(texts.size() > listed, ExitCode::data,
                   "prompts.file: {}: expected a prompt a line, found none", options.file);
  return texts;
}

Prompts::Prompts(const PromptOptions& options, long num_prompts)
    : classes_(options.classes), random_(options.cycle == "random") {
  if (classes_.empty())
    for (long c = 0; c < std::max(num_prompts, 1L); ++c)
      classes_.push_back(c);
  for (const long c : classes_)
    SCOREACT_REQUIRE(c >= 0 && c < std::max(num_prompts, 1L), ExitCode::data,
                     "prompts.classes: expected labels from 0 to {}, which the model knows, found {}",
                     std::max(num_prompts, 1L) - 1, c);
}

at::Tensor Prompts::draw(const Shard& shard, const RolloutKey& key) const {
  if (!random_)
    return in_turn(shard.first, shard.count);
  at::Tensor prompt = at::empty({shard.count}, at::kLong);
  auto* values = prompt.data_ptr<std::int64_t>();
  const double n = static_cast<double>(classes_.size());
  for (long i = 0; i < shard.count; ++i) {
    const double u =
        kernels::uniform_at({key.seed, key.epoch, 0, kernels::Purpose::prompt}, shard.first + i, 0);
    values[i] = classes_[static_cast<std::size_t>(u * n)];
  }
  return prompt;
}

at::Tensor Prompts::in_turn(long first, long count) const {
  at::Tensor prompt = at::empty({count}, at::kLong);
  for (long i = 0; i < count; ++i)
    prompt.data_ptr<std::int64_t>()[i] = classes_[static_cast<std::size_t>(first + i) % classes_.size()];
  return prompt;
}

} // namespace scoreact
