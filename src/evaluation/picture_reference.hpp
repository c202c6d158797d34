#pragma once
/// Real pictures that drawn ones are compared with by their Frechet distance, in pixels or in the features of
/// Inception (then it is the FID).
#include "evaluation/evaluate_options.hpp"
#include "evaluation/frechet.hpp"
#include "models/inception/inception_fid.hpp"
#include "parallel/communicator.hpp"
#include "pretraining/pretrain_options.hpp"

#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <vector>

namespace scoreact {

/// Pixels [n, C, H, W] fp32 in about [-1, 1] -> [n, d]: what the distance sees of a picture.
using PictureFeatures = std::function<at::Tensor(const at::Tensor& pixels)>;

struct PictureReference {
  PictureFeatures features;
  GaussianFit fit; ///< on rank 0
};

/// The reference that the deck names, or nothing. Without evaluate.inception: pixels, pictures in the [data]
/// formats, of the size that the model draws. With it: the features of Inception in pytorch-fid's convention,
/// anything that `scoreact fid` takes. Collective. Throws Error{missing_input | data}.
std::unique_ptr<PictureReference> open_reference(const EvaluateOptions&, const DataOptions&,
                                                 const std::vector<long>& pixel_shape, c10::Device,
                                                 const Communicator&);

/// Inception's features of pixels, rounded to 8 bits first, as if they had been written to a file; grey
/// becomes RGB.
PictureFeatures inception_features(std::shared_ptr<InceptionFid>);

} // namespace scoreact
