#include "pretraining/train_two_towers.hpp"

#include "error/error.hpp"
#include "models/clip/clip_pixels.hpp"
#include "models/clip/clip_tokens.hpp"
#include "models/json_file.hpp"
#include "pretraining/training_batches.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>
#include <unordered_map>

namespace scoreact {
namespace {

namespace fs = std::filesystem;

const double kLargestLog = std::log(100.0); ///< of the scale, as Radford et al. clip it
constexpr long kTogetherInData = 4;         ///< rows of a batch that are neighbours in the data
constexpr long kPairsTogether = 256;        ///< rows in one network call outside of training

at::Tensor unit_rows(const at::Tensor& x) { return x / x.norm(2, 1, /*keepdim=*/true); }

} // namespace

at::Tensor contrastive_losses(const at::Tensor& images, const at::Tensor& texts, const at::Tensor& scale,
                              const at::Tensor& group) {
  const long count = images.size(0);
  const at::Tensor same = group.unsqueeze(0) == group.unsqueeze(1);
  const at::Tensor own = at::eye(count, same.options());
  const at::Tensor logits =
      (scale * at::matmul(images, texts.t()))
          .masked_fill(same.logical_and(own.logical_not()), -std::numeric_limits<double>::infinity());
  const auto cross_entropy = [](const at::Tensor& rows) { return -at::log_softmax(rows, 1).diagonal(); };
  return 0.5 * (cross_entropy(logits) + cross_entropy(logits.t()));
}

at::Tensor blurred(const at::Tensor& x, const at::Tensor& share) {
  const at::Tensor wide = at::replication_pad2d(x, {1, 1, 1, 1});
  const auto smooth = [](const at::Tensor& y, long axis) {
    const long length = y.size(axis) - 2;
    return 0.25 * (y.narrow(axis, 0, length) + 2 * y.narrow(axis, 1, length) + y.narrow(axis, 2, length));
  };
  const at::Tensor part = share.view({-1, 1, 1, 1});
  return (1 - part) * x + part * smooth(smooth(wide, 2), 3);
}

at::Tensor groups_of(const std::vector<std::string>& texts) {
  std::unordered_map<std::string, std::int64_t> numbers;
  std::vector<std::int64_t> groups;
  for (const std::string& text : texts) {
    groups.push_back(numbers.try_emplace(text, static_cast<std::int64_t>(numbers.size())).first->second);
  }
  return torch::tensor(groups, at::kLong);
}

at::Tensor drawn_rows(std::uint64_t seed, long iteration, long first, long count, long rows, long range) {
  if (range == 0) {
    return random_integers(seed, iteration, 0, first, count, rows);
  }
  const at::Tensor row = at::arange(first, first + count, at::kLong);
  const long start = first - first % kTogetherInData;
  const at::Tensor leaders = random_integers(seed, iteration, 0, start, first + count - start, rows);
  const at::Tensor place = row.remainder(kTogetherInData);
  const at::Tensor leader = leaders.index_select(0, row - place - start);
  const at::Tensor away = random_integers(seed, iteration, 3, first, count, 2 * range + 1) - range;
  return (leader + away * place.ne(0)).remainder(rows);
}

TwoTowersTask::TwoTowersTask(std::shared_ptr<Clip> clip, std::string tokenizer, CaptionedRows training,
                             CaptionedRows held_out, const PretrainOptions& options, std::uint64_t seed)
    : clip_(std::move(clip)), tokenizer_folder_(std::move(tokenizer)), tokenizer_(tokenizer_folder_),
      training_(std::move(training)), held_out_(std::move(held_out)), options_(options), seed_(seed) {
  const ClipConfig& config = clip_->config();
  SCOREACT_REQUIRE(static_cast<long>(tokenizer_.size()) <= config.text.vocab_size, ExitCode::data,
                   "{}: this tokenizer knows {} tokens; the text tower's vocabulary has {}",
                   tokenizer_folder_, tokenizer_.size(), config.text.vocab_size);
  SCOREACT_REQUIRE(training_.pictures.size(2) == config.vision.image_size &&
                       training_.pictures.size(3) == config.vision.image_size,
                   ExitCode::data, "the vision tower takes pictures of {} x {}, found {} x {}",
                   config.vision.image_size, config.vision.image_size, training_.pictures.size(2),
                   training_.pictures.size(3));
  tokens_ = tokens_of(training_.captions);
  group_ = groups_of(training_.captions);
}

std::vector<ParameterGroup> TwoTowersTask::parameters() { return {{clip_->named_parameters().pairs()}}; }

at::Tensor TwoTowersTask::tokens_of(const std::vector<std::string>& texts) const {
  return clip_tokens(tokenizer_, texts, clip_->config().text.max_position_embeddings)
      .to(training_.pictures.device());
}

at::Tensor TwoTowersTask::text_embeddings(const at::Tensor& tokens) const {
  return unit_rows(clip_->text_embeds(tokens));
}

at::Tensor TwoTowersTask::image_embeddings(const at::Tensor& pixels) const {
  return unit_rows(clip_->image_embeds(clip_pixel_values(pixels, clip_->config().vision.image_size)));
}

at::Tensor TwoTowersTask::chosen_rows(const BatchRows& rows) const {
  return drawn_rows(seed_, rows.iteration, rows.first, rows.count, training_.count(),
                    options_.neighbour_rows);
}

at::Tensor TwoTowersTask::augmented(const at::Tensor& pixels, const BatchRows& rows) const {
  const auto up_to = [&](double most, long what) {
    return (most * random_uniform(seed_, rows.iteration, what, rows.first, rows.count)).to(pixels.device());
  };
  const at::Tensor noise = random_normal_like(pixels, seed_, rows.iteration, rows.first);
  return blurred(pixels, up_to(options_.blur, 2)) +
         up_to(options_.input_noise, 1).view({-1, 1, 1, 1}) * noise;
}

TwoTowersTask::Embedded TwoTowersTask::embed(const BatchRows& rows) {
  const at::Tensor chosen = chosen_rows(rows).to(training_.pictures.device());
  const at::Tensor pixels = augmented(pixels_of(training_.pictures, chosen), rows);
  return {rows, image_embeddings(pixels), text_embeddings(tokens_.index_select(0, chosen))};
}

void TwoTowersTask::prepare(long iteration, const Shard& shard, const Communicator& ranks) {
  embedded_.clear();
  {
    torch::NoGradGuard no_grad;
    at::Tensor scale = clip_->logit_scale();
    scale.clamp_max_(kLargestLog);
  }
  std::vector<at::Tensor> mine;
  ranks.together([&] {
    for (long i = 0; i < shard.micro_batches(); ++i) {
      embedded_.push_back(embed({iteration, shard.first + i * shard.micro_batch, shard.micro_batch}));
      mine.push_back(at::cat({embedded_.back().images, embedded_.back().texts}, 1).detach());
    }
  });
  const at::Tensor block = at::cat(mine).to(at::kCPU).contiguous();
  std::vector<float> gathered =
      ranks.gather_floats(block.data_ptr<float>(), static_cast<std::size_t>(block.numel()));
  const at::Tensor all = at::from_blob(gathered.data(), {shard.total, block.size(1)}, at::kFloat)
                             .to(tokens_.device(), at::kFloat, false, true);
  const auto halves = all.chunk(2, 1);
  const at::Tensor images = halves[0].contiguous().requires_grad_(true);
  const at::Tensor texts = halves[1].contiguous().requires_grad_(true);
  const at::Tensor log_scale = clip_->logit_scale().detach().clone().requires_grad_(true);
  const at::Tensor group = group_.index_select(0, chosen_rows({iteration, 0, shard.total})).to(all.device());
  const at::Tensor losses = contrastive_losses(images, texts, log_scale.exp(), group);
  losses.mean().backward();
  losses_ = losses.detach();
  to_images_ = images.grad();
  to_texts_ = texts.grad();
  to_log_ = log_scale.grad();
}

at::Tensor TwoTowersTask::loss(const BatchRows& rows) {
  const auto found = std::find_if(embedded_.begin(), embedded_.end(), [&rows](const Embedded& each) {
    return each.rows.iteration == rows.iteration && each.rows.first == rows.first &&
           each.rows.count == rows.count;
  });
  SCOREACT_REQUIRE(found != embedded_.end(), ExitCode::internal,
                   "rows {} .. {} of iteration {} have not been prepared", rows.first,
                   rows.first + rows.count - 1, rows.iteration);
  const auto part = [&rows](const at::Tensor& of_batch) {
    return of_batch.narrow(0, rows.first, rows.count);
  };
  // The batch's gradient is the mean of that of its micro-batches, weighted by their rows; the scale's stands
  // in each of them.
  const double share = static_cast<double>(rows.count) / static_cast<double>(losses_.size(0));
  const at::Tensor linear =
      ((found->images * part(to_images_)).sum() + (found->texts * part(to_texts_)).sum()) / share +
      clip_->logit_scale() * to_log_;
  found->images.reset(); // the graph is the caller's now
  found->texts.reset();
  return linear - linear.detach() + part(losses_).mean();
}

std::vector<MetricInfo> TwoTowersTask::figures() const {
  if (held_out_.count() < 2) {
    return {};
  }
  return {{"name_top1", "1", "share of held-out pictures whose own name is the nearest of all of theirs"},
          {"cosine_own", "1", "mean cosine of held-out pictures and their captions"},
          {"cosine_other", "1", "mean cosine of held-out pictures and the next one's caption"}};
}

std::vector<double> TwoTowersTask::held_out() {
  if (held_out_.count() < 2) {
    return {};
  }
  torch::NoGradGuard no_grad;
  const auto texts_of = [this](const std::vector<std::string>& texts) {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& tokens : tokens_of(texts).split(kPairsTogether)) {
      parts.push_back(text_embeddings(tokens));
    }
    return at::cat(parts);
  };
  std::vector<at::Tensor> parts;
  for (const at::Tensor& bytes : held_out_.pictures.split(kPairsTogether)) {
    const at::TensorOptions index = at::TensorOptions(at::kLong).device(bytes.device());
    parts.push_back(image_embeddings(pixels_of(bytes, at::arange(bytes.size(0), index))));
  }
  const at::Tensor images = at::cat(parts), captions = texts_of(held_out_.captions);
  const std::set<std::string> different(held_out_.names.begin(), held_out_.names.end());
  const std::vector<std::string> names(different.begin(), different.end());
  std::vector<std::int64_t> own;
  for (const std::string& name : held_out_.names) {
    own.push_back(std::lower_bound(names.begin(), names.end(), name) - names.begin());
  }
  const at::Tensor nearest = at::matmul(images, texts_of(names).t()).argmax(1).to(at::kCPU);
  const auto mean = [](const at::Tensor& x) { return x.to(at::kDouble).mean().item<double>(); };
  return {mean(nearest == torch::tensor(own, at::kLong)), mean((images * captions).sum(1)),
          mean((images * captions.roll(1, 0)).sum(1))};
}

void TwoTowersTask::save(const std::string& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot create this folder: {}", folder, failure.message());
  const fs::path root(folder);
  write_clip_config(clip_->config(), (root / "config.json").string());
  write_weights((root / "model.safetensors").string(), parameters().front().tensors);
  const long size = clip_->config().vision.image_size;
  write_json((root / "preprocessor_config.json").string(),
             {{"crop_size", {{"height", size}, {"width", size}}},
              {"do_center_crop", true},
              {"do_convert_rgb", true},
              {"do_normalize", true},
              {"do_rescale", true},
              {"do_resize", true},
              {"image_mean", {0.48145466, 0.4578275, 0.40821073}},
              {"image_processor_type", "CLIPImageProcessor"},
              {"image_std", {0.26862954, 0.26130258, 0.27577711}},
              {"resample", 3},
              {"rescale_factor", 1.0 / 255},
              {"size", {{"shortest_edge", size}}}});
  for (const char* name : {"vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"}) {
    if (fs::exists(fs::path(tokenizer_folder_) / name)) {
      fs::copy_file(fs::path(tokenizer_folder_) / name, root / name, fs::copy_options::overwrite_existing,
                    failure);
      SCOREACT_REQUIRE(!failure, ExitCode::io, "{}: cannot write this file: {}", (root / name).string(),
                       failure.message());
    }
  }
}

} // namespace scoreact
