#include "models/inception/inception_fid.hpp"

#include "error/error.hpp"

#include <fmt/ranges.h>
#include <torch/torch.h>

#include <algorithm>
#include <filesystem>

namespace scoreact {

namespace {

using inception::BranchSpec;
using inception::Pool;

std::vector<BranchSpec> block_a(long pool_features) {
  return {{Pool::none, {{"branch1x1", 64}}},
          {Pool::none, {{"branch5x5_1", 48}, {"branch5x5_2", 64, 5, 5}}},
          {Pool::none, {{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, 3, 3}, {"branch3x3dbl_3", 96, 3, 3}}},
          {Pool::average, {{"branch_pool", pool_features}}}};
}

std::vector<BranchSpec> block_b() {
  return {{Pool::none, {{"branch3x3", 384, 3, 3, 2, false}}},
          {Pool::none,
           {{"branch3x3dbl_1", 64}, {"branch3x3dbl_2", 96, 3, 3}, {"branch3x3dbl_3", 96, 3, 3, 2, false}}},
          {Pool::halving, {}}};
}

std::vector<BranchSpec> block_c(long inner) {
  return {{Pool::none, {{"branch1x1", 192}}},
          {Pool::none, {{"branch7x7_1", inner}, {"branch7x7_2", inner, 1, 7}, {"branch7x7_3", 192, 7, 1}}},
          {Pool::none,
           {{"branch7x7dbl_1", inner},
            {"branch7x7dbl_2", inner, 7, 1},
            {"branch7x7dbl_3", inner, 1, 7},
            {"branch7x7dbl_4", inner, 7, 1},
            {"branch7x7dbl_5", 192, 1, 7}}},
          {Pool::average, {{"branch_pool", 192}}}};
}

std::vector<BranchSpec> block_d() {
  return {{Pool::none, {{"branch3x3_1", 192}, {"branch3x3_2", 320, 3, 3, 2, false}}},
          {Pool::none,
           {{"branch7x7x3_1", 192},
            {"branch7x7x3_2", 192, 1, 7},
            {"branch7x7x3_3", 192, 7, 1},
            {"branch7x7x3_4", 192, 3, 3, 2, false}}},
          {Pool::halving, {}}};
}

std::vector<BranchSpec> block_e(Pool pool) {
  return {{Pool::none, {{"branch1x1", 320}}},
          {Pool::none, {{"branch3x3_1", 384}}, {{"branch3x3_2a", 384, 1, 3}, {"branch3x3_2b", 384, 3, 1}}},
          {Pool::none,
           {{"branch3x3dbl_1", 448}, {"branch3x3dbl_2", 384, 3, 3}},
           {{"branch3x3dbl_3a", 384, 1, 3}, {"branch3x3dbl_3b", 384, 3, 1}}},
          {pool, {{"branch_pool", 192}}}};
}

/// Behind which of the Mixed blocks 768 numbers are taken: Mixed_6e.
constexpr std::size_t kBlocksTo768 = 8;

std::string weight_file(const std::string& where) {
  const std::filesystem::path path(where);
  if (!std::filesystem::is_directory(path))
    return where;
  for (const char* ending : {".safetensors", ".pth"})
    if (const auto file = path / (std::string(InceptionFid::kStem) + ending); std::filesystem::exists(file))
      return file.string();
  SCOREACT_FAIL(ExitCode::missing_input, "{}: expected {}.pth or {}.safetensors in this folder", where,
                InceptionFid::kStem, InceptionFid::kStem);
}

} // namespace

std::shared_ptr<inception::BasicConv> InceptionFid::add_conv(long in, const inception::ConvSpec& spec) {
  return register_module(spec.name, std::make_shared<inception::BasicConv>(in, spec));
}

InceptionFid::InceptionFid() {
  stem_ = {add_conv(3, {"Conv2d_1a_3x3", 32, 3, 3, 2, false}),
           add_conv(32, {"Conv2d_2a_3x3", 32, 3, 3, 1, false}), add_conv(32, {"Conv2d_2b_3x3", 64, 3, 3}),
           add_conv(64, {"Conv2d_3b_1x1", 80}), add_conv(80, {"Conv2d_4a_3x3", 192, 3, 3, 1, false})};
  long channels = 192;
  const auto add_block = [&](const char* name, const std::vector<BranchSpec>& branches) {
    blocks_.push_back(register_module(name, std::make_shared<inception::MixedBlock>(channels, branches)));
    channels = blocks_.back()->out_channels();
  };
  add_block("Mixed_5b", block_a(32));
  add_block("Mixed_5c", block_a(64));
  add_block("Mixed_5d", block_a(64));
  add_block("Mixed_6a", block_b());
  add_block("Mixed_6b", block_c(128));
  add_block("Mixed_6c", block_c(160));
  add_block("Mixed_6d", block_c(160));
  add_block("Mixed_6e", block_c(192));
  add_block("Mixed_7a", block_d());
  add_block("Mixed_7b", block_e(Pool::average));
  add_block("Mixed_7c", block_e(Pool::maximum)); // as the graph of 2015 has it
  const auto last = register_module("fc", std::make_shared<torch::nn::Module>("fc"));
  fc_weight_ = last->register_parameter("weight", torch::empty({1008, channels}), false);
  fc_bias_ = last->register_parameter("bias", torch::zeros({1008}), false);
}

std::shared_ptr<InceptionFid> InceptionFid::load(const std::string& where, c10::Device device) {
  const std::string file = weight_file(where);
  auto network = std::make_shared<InceptionFid>();
  std::map<std::string, at::Tensor> found = read_weights(file);
  std::erase_if(found, [](const auto& item) { return item.first.ends_with(".num_batches_tracked"); });
  load_tensors(network->named_tensors(), std::move(found), file);
  network->to(device);
  network->fold();
  return network;
}

NamedTensors InceptionFid::named_tensors() const {
  NamedTensors named;
  for (const auto& item : named_parameters())
    named.emplace_back(item.key(), item.value());
  for (const auto& item : named_buffers())
    named.emplace_back(item.key(), item.value());
  return named;
}

void InceptionFid::fold() {
  for (const auto& module : modules())
    if (auto* conv = dynamic_cast<inception::BasicConv*>(module.get()))
      conv->fold();
}

at::Tensor InceptionFid::features(const at::Tensor& x, long dims) const {
  SCOREACT_REQUIRE(x.dim() == 4 && x.size(1) == 3 && x.size(2) == kSize && x.size(3) == kSize,
                   ExitCode::internal, "Inception: expected pictures of 3 x {} x {}, found [{}]", kSize,
                   kSize, fmt::join(x.sizes().vec(), ", "));
  SCOREACT_REQUIRE(std::find(kDims.begin(), kDims.end(), dims) != kDims.end(), ExitCode::internal,
                   "Inception: expected one of {} dimensions, found {}", fmt::join(kDims, ", "), dims);
  const auto halved = [](const at::Tensor& y) { return at::max_pool2d(y, {3, 3}, {2, 2}); };
  const auto averaged = [](const at::Tensor& y) { return y.mean(at::IntArrayRef{2, 3}); };
  at::Tensor y = x;
  for (std::size_t i = 0; i < 3; ++i)
    y = stem_[i]->forward(y);
  y = halved(y);
  if (dims == 64)
    return averaged(y);
  y = halved(stem_[4]->forward(stem_[3]->forward(y)));
  if (dims == 192)
    return averaged(y);
  for (std::size_t i = 0; i < (dims == 768 ? kBlocksTo768 : blocks_.size()); ++i)
    y = blocks_[i]->forward(y);
  return averaged(y);
}

at::Tensor InceptionFid::logits(const at::Tensor& features) const {
  return at::linear(features, fc_weight_, fc_bias_);
}

} // namespace scoreact
