#include "pretraining/captioned_rows.hpp"

#include <torch/torch.h>

namespace scoreact {

CaptionedRows captioned_rows(const CaptionedPictures& all, const std::vector<long>& rows,
                             c10::Device device) {
  const at::Tensor whole = at::from_blob(const_cast<std::uint8_t*>(all.pixels.data()),
                                         {all.count(), all.channels, all.height, all.width}, at::kByte);
  const at::Tensor index = torch::tensor(std::vector<std::int64_t>(rows.begin(), rows.end()), at::kLong);
  CaptionedRows chosen{whole.index_select(0, index).to(device), {}, {}};
  for (const long row : rows) {
    chosen.captions.push_back(all.captions[static_cast<std::size_t>(row)]);
    chosen.names.push_back(all.names[static_cast<std::size_t>(row)]);
  }
  return chosen;
}

at::Tensor pixels_of(const at::Tensor& pictures, const at::Tensor& chosen) {
  return pictures.index_select(0, chosen).to(at::kFloat).div_(127.5).sub_(1.0);
}

} // namespace scoreact
