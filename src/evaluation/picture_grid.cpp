#include "evaluation/picture_grid.hpp"

#include "store/png.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace scoreact {
namespace {

/// A column a prompt up to so many of them; else, and without prompts, the usual number.
constexpr long kWidest = 16, kUsual = 8;

} // namespace

void write_pictures(const std::filesystem::path& path, const at::Tensor& images, long columns) {
  const at::Tensor bytes = (images.detach().to(at::kCPU) / 2 + 0.5)
                               .clamp(0, 1)
                               .mul(255)
                               .round()
                               .to(at::kByte)
                               .permute({0, 2, 3, 1})
                               .contiguous();
  const long width = bytes.size(2);
  write_png_grid(path, bytes.data_ptr<std::uint8_t>(), bytes.size(0), bytes.size(1), width, bytes.size(3),
                 columns, std::max(1L, 32 / width));
}

void write_progress_pictures(const std::filesystem::path& path, ScorePolicy& policy, const StepTable& table,
                             const std::vector<ActionStep>& actions, const Prompts& prompts,
                             const at::Device& device, long count, long together, std::uint64_t seed) {
  const auto different = static_cast<long>(prompts.all().size());
  const long columns = std::min(count, different > 1 && different <= kWidest ? different : kUsual);
  const at::Tensor images = draw(policy, table, actions, {count, std::min(together, count), 0, count},
                                 prompts.in_turn(0, count).to(device), {seed, 0});
  if (images.dim() == 4)
    write_pictures(path, policy.network().to_pixels(images), columns);
}

} // namespace scoreact
