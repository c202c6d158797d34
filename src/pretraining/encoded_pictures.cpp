#include "pretraining/encoded_pictures.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace scoreact {

namespace {

constexpr long kEncodedTogether = 64; ///< pictures in one network call, wherever it runs

} // namespace

EncodedPictures encode_pictures(AutoencoderKL& autoencoder, const at::Tensor& pictures,
                                const Communicator& ranks) {
  torch::NoGradGuard no_grad;
  const at::Device device = autoencoder.parameters().front().device();
  const long count = pictures.size(0), factor = autoencoder.downscale();
  const long calls = (count + kEncodedTogether - 1) / kEncodedTogether;
  const long each =
      (calls + ranks.size() - 1) / ranks.size() * kEncodedTogether; // pictures of a rank, at most
  const std::vector<std::int64_t> shape = {each, 2 * autoencoder.latent_channels(), pictures.size(2) / factor,
                                           pictures.size(3) / factor};
  at::Tensor mine = at::zeros(shape, at::kFloat); // ranks at the end may have fewer
  const long begin = std::min(count, each * ranks.rank()), end = std::min(count, begin + each);
  ranks.together([&] {
    for (long first = begin; first < end; first += kEncodedTogether) {
      const long rows = std::min(kEncodedTogether, end - first);
      const at::Tensor pixels = pictures.narrow(0, first, rows).to(device, at::kFloat).div_(127.5).sub_(1.0);
      const auto [mean, logvar] = autoencoder.encode(pixels);
      mine.narrow(0, first - begin, rows).copy_(at::cat({mean, logvar}, 1));
    }
  });
  std::vector<std::int64_t> sizes = shape;
  sizes[0] = each * ranks.size();
  at::Tensor all = mine;
  if (ranks.size() > 1 && count > 0) {
    const std::vector<float> gathered =
        ranks.gather_floats(mine.data_ptr<float>(), static_cast<std::size_t>(mine.numel()));
    all = at::from_blob(const_cast<float*>(gathered.data()), sizes, at::kFloat).clone();
  }
  const auto halves = all.narrow(0, 0, count).to(device).chunk(2, 1);
  return {halves[0].contiguous(), halves[1].contiguous()};
}

} // namespace scoreact
