#pragma once
/// Pictures with captions as training takes them: bytes in a tensor, captions beside.
#include "data/image_folder.hpp"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace scoreact {

struct CaptionedRows {
  at::Tensor pictures;                      ///< [n, C, H, W] uint8
  std::vector<std::string> captions, names; ///< [n]
  long count() const { return static_cast<long>(captions.size()); }
};

/// The rows `rows` of `all`, in their order; pictures on `device`.
CaptionedRows captioned_rows(const CaptionedPictures& all, const std::vector<long>& rows,
                             c10::Device device = c10::Device(c10::kCPU));

/// Rows `chosen` [B] int64 of pictures [n, C, H, W] uint8 as fp32 in [-1, 1]: byte / 127.5 - 1.
at::Tensor pixels_of(const at::Tensor& pictures, const at::Tensor& chosen);

} // namespace scoreact
