#include "rewards/prompt_rows.hpp"

#include "error/error.hpp"

#include <torch/torch.h>

namespace scoreact {

at::Tensor prompt_rows(const at::Tensor& table, const at::Tensor& prompt, const std::string& reward) {
  SCOREACT_REQUIRE(prompt.defined(), ExitCode::data,
                   "reward.kind = {}: this reward judges how well an image fits its prompt, but this model "
                   "has no prompts",
                   reward);
  return table.index_select(0, prompt.to(table.device()));
}

} // namespace scoreact
