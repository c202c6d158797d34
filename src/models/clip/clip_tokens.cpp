#include "models/clip/clip_tokens.hpp"

#include <ATen/ops/tensor.h>

#include <cstdint>

namespace scoreact {

at::Tensor clip_tokens(const ClipTokenizer& tokenizer, const std::vector<std::string>& texts, long length) {
  std::vector<std::int64_t> ids;
  for (const std::string& text : texts) {
    const std::vector<std::int64_t> row = tokenizer.encode(text, length);
    ids.insert(ids.end(), row.begin(), row.end());
  }
  return at::tensor(ids, at::kLong).view({static_cast<std::int64_t>(texts.size()), length});
}

} // namespace scoreact
