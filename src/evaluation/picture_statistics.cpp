#include "evaluation/picture_statistics.hpp"

#include "error/error.hpp"
#include "store/npz_file.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>

namespace scoreact {

at::Tensor picture_features(const PictureSet& pictures, long first, long last,
                            const FeatureExtractor& extractor) {
  torch::NoGradGuard no_grad;
  if (first == last)
    return at::empty({0, extractor.dims});
  std::vector<at::Tensor> inputs;
  for (long i = first; i < last; ++i) {
    Picture picture = pictures.picture(i);
    const at::Tensor values =
        at::from_blob(picture.pixels.data(), {1, picture.height, picture.width, 3}, at::kByte)
            .to(extractor.device)
            .permute({0, 3, 1, 2})
            .to(at::kFloat, /*non_blocking=*/false, /*copy=*/true, at::MemoryFormat::Contiguous);
    inputs.push_back(inception_input(values, extractor.convention));
  }
  return extractor.network.features(at::cat(inputs), extractor.dims).to(at::kCPU);
}

GaussianFit picture_statistics(const PictureSet& pictures, const FeatureExtractor& extractor,
                               const Communicator& ranks, const std::function<void(long)>& show) {
  const long count = pictures.count(), dims = extractor.dims;
  SCOREACT_REQUIRE(count >= 2, ExitCode::data, "Frechet distance: expected at least 2 pictures, found {}",
                   count);
  GaussianSums sums;
  // Batch j is the same pictures on any number of ranks, and goes to rank j % ranks: what the ranks bring in
  // one round, put one behind the other, is in the order of the pictures.
  const long stride = extractor.batch * ranks.size();
  for (long done = 0; done < count; done += stride) {
    const long first = std::min(count, done + extractor.batch * ranks.rank());
    const long last = std::min(count, first + extractor.batch);
    const std::vector<double> mine = ranks.together([&] {
      const at::Tensor features =
          picture_features(pictures, first, last, extractor).to(at::kDouble).contiguous();
      return std::vector<double>(features.data_ptr<double>(), features.data_ptr<double>() + features.numel());
    });
    std::vector<double> all = ranks.gather_in_order(mine);
    const long rows = static_cast<long>(all.size()) / dims;
    if (ranks.root())
      for (long row = 0; row < rows; row += extractor.batch)
        sums.add(at::from_blob(all.data() + row * dims, {std::min(extractor.batch, rows - row), dims},
                               at::kDouble));
    show(done + rows);
  }
  return ranks.root() ? sums.fit() : GaussianFit{};
}

GaussianFit read_statistics(const std::string& path) {
  const NpzFile file(path);
  SCOREACT_REQUIRE(file.contains("mu") && file.contains("sigma"), ExitCode::data,
                   "{}: expected the arrays mu and sigma, found {}", path, fmt::join(file.names(), ", "));
  NpyNumbers mu = file.numbers("mu"), sigma = file.numbers("sigma");
  const bool fits = mu.shape.size() == 1 && mu.shape[0] > 0 &&
                    sigma.shape == std::vector<std::int64_t>{mu.shape[0], mu.shape[0]};
  SCOREACT_REQUIRE(fits, ExitCode::data, "{}: expected mu [d] and sigma [d, d], found mu [{}] and sigma [{}]",
                   path, fmt::join(mu.shape, ", "), fmt::join(sigma.shape, ", "));
  return {at::from_blob(mu.values.data(), mu.shape, at::kDouble).clone(),
          at::from_blob(sigma.values.data(), sigma.shape, at::kDouble).clone()};
}

void write_statistics(const std::string& path, const GaussianFit& fit) {
  const at::Tensor mean = fit.mean.contiguous(), covariance = fit.covariance.contiguous();
  write_npz(path, {{"mu", {DType::f64, mean.sizes().vec(), mean.data_ptr()}},
                   {"sigma", {DType::f64, covariance.sizes().vec(), covariance.data_ptr()}}});
}

} // namespace scoreact
