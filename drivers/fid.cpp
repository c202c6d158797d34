/// scoreact fid A [B]: the Frechet inception distance between two sets of pictures, or the statistics of one.
#include "command.hpp"
#include "evaluation/picture_statistics.hpp"
#include "parallel/stopwatch.hpp"
#include "run/network_setup.hpp"
#include "run/progress.hpp"

#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace scoreact {
namespace {

using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

bool is_statistics(const std::string& where) { return fs::path(where).extension() == ".npz"; }

/// Where pytorch-fid and every torch.hub user finds it after the first download; "" if it isn't there.
std::string downloaded_weights() {
  const char* const torch_home = std::getenv("TORCH_HOME");
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  const fs::path root = torch_home ? fs::path(torch_home)
                        : cache    ? fs::path(cache) / "torch"
                                   : fs::path(home ? home : "/") / ".cache" / "torch";
  const fs::path file = root / "hub" / "checkpoints" / (std::string(InceptionFid::kStem) + ".pth");
  return fs::exists(file) ? file.string() : "";
}

/// One side of the distance.
struct Side {
  std::string path;
  GaussianFit fit;                ///< on rank 0
  std::optional<long> pictures{}; ///< unknown for statistics from a file
};

class Comparison {
 public:
  Comparison(const FidRequest& request, const Invocation& invocation, const Communicator& ranks)
      : request_(request), ranks_(ranks), device_(device_of(invocation.device_id)),
        quiet_(invocation.quiet || invocation.json || !ranks.root()) {}

  Side side(const std::string& path) {
    if (is_statistics(path)) {
      Side read{path, ranks_.together([&] { return ranks_.root() ? read_statistics(path) : GaussianFit{}; })};
      return read;
    }
    const auto pictures = ranks_.together([&] { return std::shared_ptr<PictureSet>(open_pictures(path)); });
    if (!network_)
      network_ = ranks_.together([&] { return InceptionFid::load(weights(), device_); });
    const FeatureExtractor extractor{*network_, device_, input_convention(request_.input_convention),
                                     request_.dims, request_.batch};
    Progress progress("picture", pictures->count(), quiet_);
    Side computed{
        path,
        picture_statistics(*pictures, extractor, ranks_,
                           [&](long done) { progress.show(done, fs::path(path).filename().string()); }),
        pictures->count()};
    warn_of_few(computed);
    return computed;
  }

  const std::string& weights() {
    if (weights_.empty())
      weights_ = request_.weights.empty() ? downloaded_weights() : request_.weights;
    SCOREACT_REQUIRE(!weights_.empty(), ExitCode::usage,
                     "fid: expected --weights with {}.pth (or its folder); it was not found in the cache of "
                     "PyTorch either",
                     InceptionFid::kStem);
    return weights_;
  }
  const std::string& weights_used() const { return weights_; }

 private:
  void warn_of_few(const Side& side) const {
    if (ranks_.root() && *side.pictures < request_.dims)
      fmt::print(stderr,
                 "scoreact: warning: {}: {} pictures are fewer than the {} dimensions of the features: the "
                 "distance is far too large and not comparable\n",
                 side.path, *side.pictures, request_.dims);
  }

  const FidRequest& request_;
  const Communicator& ranks_;
  c10::Device device_;
  bool quiet_;
  std::string weights_;
  std::shared_ptr<InceptionFid> network_;
};

json described(const Side& side) {
  return {{"path", side.path}, {"pictures", side.pictures ? json(*side.pictures) : json(nullptr)}};
}

} // namespace

ExitCode run_fid(const Invocation& invocation) {
  const FidRequest& request = invocation.fid;
  const Communicator ranks(MPI_COMM_WORLD, invocation.patience);
  const Stopwatch clock;
  SCOREACT_REQUIRE(!request.other.empty() || !request.save_stats.empty(), ExitCode::usage,
                   "fid: expected a second set of pictures to compare with, or --save-stats");
  Comparison comparison(request, invocation, ranks);
  const Side a = comparison.side(invocation.target);
  if (!request.save_stats.empty())
    ranks.together([&] {
      if (ranks.root())
        write_statistics(request.save_stats, a.fit);
    });
  json answer{{"a", described(a)},
              {"dims", request.dims},
              {"input_convention", request.input_convention},
              {"weights", comparison.weights_used()}};
  if (!request.other.empty()) {
    const Side b = comparison.side(request.other);
    answer["b"] = described(b);
    answer["fid"] = ranks.together([&] {
      const double distance = ranks.root() ? frechet_distance(a.fit, b.fit) : 0.0;
      SCOREACT_REQUIRE(std::isfinite(distance), ExitCode::data,
                       "fid: the distance is {}: the statistics of {} or of {} are not finite", distance,
                       a.path, b.path);
      return distance;
    });
  }
  answer["weights"] = comparison.weights_used();
  answer["seconds"] = clock.elapsed();
  if (ranks.root()) {
    if (invocation.json)
      fmt::print("{}\n", answer.dump());
    else if (request.other.empty())
      fmt::print("statistics of {}: {}\n", a.path, request.save_stats);
    else
      fmt::print("FID {:.6f}   ({} input, {} dimensions)\n", answer["fid"].get<double>(),
                 request.input_convention, request.dims);
  }
  ranks.barrier();
  return ExitCode::success;
}

} // namespace scoreact
