#pragma once
/// Mean and covariance of Inception's features over a set of pictures: one side of the FID. The ranks share
/// the pictures; the result has the same bits on any number of them.
#include "data/picture_set.hpp"
#include "evaluation/frechet.hpp"
#include "models/inception/inception_fid.hpp"
#include "models/inception/inception_input.hpp"
#include "parallel/communicator.hpp"

#include <functional>

namespace scoreact {

struct FeatureExtractor {
  const InceptionFid& network;
  c10::Device device;
  InputConvention convention = InputConvention::pytorch_fid;
  long dims = 2048; ///< one of InceptionFid::kDims
  long batch = 50;  ///< pictures in one call of the network on one rank, as pytorch-fid
};

/// Collective; `pictures` is the same set on every rank. `show` hears how many pictures are done. The fit is
/// on rank 0, elsewhere it is empty. Throws Error{data} for fewer than 2 pictures, and what reading throws.
GaussianFit picture_statistics(const PictureSet& pictures, const FeatureExtractor&, const Communicator&,
                               const std::function<void(long)>& show);

/// Features [last - first, dims] fp32 of pictures first .. last - 1, which may differ in size.
at::Tensor picture_features(const PictureSet& pictures, long first, long last, const FeatureExtractor&);

/// The fit in a .npz file with mu [d] and sigma [d, d], as pytorch-fid, TTUR and EDM keep it. Throws
/// Error{missing_input | data}.
GaussianFit read_statistics(const std::string& path);
/// float64. Throws Error{io}.
void write_statistics(const std::string& path, const GaussianFit&);

} // namespace scoreact
