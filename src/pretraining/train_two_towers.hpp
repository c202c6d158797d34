#pragma once
/// Contrastive training of CLIP's two towers (Radford et al. 2021, figure 3) on pictures with captions. The
/// result is a folder of a CLIPModel, which reward.kind = clip_score takes as reward.
#include "models/clip/clip.hpp"
#include "pretraining/captioned_rows.hpp"
#include "pretraining/pretrain_options.hpp"
#include "pretraining/training_task.hpp"
#include "text/clip_tokenizer.hpp"

#include <memory>
#include <string>

namespace scoreact {

/// Loss of each row, [B]: mean of the cross-entropies of image i among all texts and of text i among all
/// images, logits scale * cosine. Rows of the same group as row i (equal captions) are no wrong answers: they
/// are left out of its sums.
/// @param images, texts [B, width] of norm 1; scale a scalar tensor; group [B] int64
at::Tensor contrastive_losses(const at::Tensor& images, const at::Tensor& texts, const at::Tensor& scale,
                              const at::Tensor& group);

/// (1 - share) x + share blur(x) with the binomial kernel (1 2 1) / 4 along both axes, edges repeated; x [B,
/// C, H, W], share [B] in [0, 1].
at::Tensor blurred(const at::Tensor& x, const at::Tensor& share);

/// Numbers of the different texts in their order of appearance: equal texts have equal numbers, [n] int64.
at::Tensor groups_of(const std::vector<std::string>& texts);

/// Rows of the data for rows first .. first + count - 1 of a batch, [count] int64 in [0, rows). With range 0
/// each is drawn from all of them. Otherwise the batch consists of fours: the first of each is drawn so, and
/// the other three lie uniformly within `range` rows of it (round the end of the data). Where neighbours in
/// the data are alike, the captions of a four are the ones that are hardest to tell apart: hard negatives,
/// which an evenly drawn batch of a hundred seldom has.
at::Tensor drawn_rows(std::uint64_t seed, long iteration, long first, long count, long rows, long range);

class TwoTowersTask : public TrainingTask {
 public:
  /// `tokenizer`: its folder; the files are copied beside the network. Pictures are as large as the vision
  /// tower wants them. Throws Error{data} for others and for a vocabulary that is larger than the text
  /// tower's.
  TwoTowersTask(std::shared_ptr<Clip>, std::string tokenizer, CaptionedRows training, CaptionedRows held_out,
                const PretrainOptions&, std::uint64_t seed);

  std::vector<ParameterGroup> parameters() override;
  /// Embeds this rank's rows, gathers the whole batch's embeddings, and keeps the loss's gradient to them.
  void prepare(long iteration, const Shard&, const Communicator&) override;
  /// These rows' mean loss, with a graph that gives the gradient of the whole batch's loss through them.
  at::Tensor loss(const BatchRows&) override;
  /// name_top1: share of held-out pictures to which, of all their different names, their own is nearest;
  /// cosine_own: mean cosine of picture and caption, cosine_other: of picture and the next row's caption.
  std::vector<MetricInfo> figures() const override;
  std::vector<double> held_out() override;
  /// config.json, model.safetensors (fp32), preprocessor_config.json and the tokenizer: a CLIPModel's folder.
  void save(const std::string& folder) override;

 private:
  struct Embedded {
    BatchRows rows;
    at::Tensor images, texts; ///< [count, width] of norm 1, with graph
  };
  Embedded embed(const BatchRows&);
  at::Tensor augmented(const at::Tensor& pixels, const BatchRows&) const;
  at::Tensor chosen_rows(const BatchRows&) const;
  at::Tensor tokens_of(const std::vector<std::string>& texts) const;
  at::Tensor text_embeddings(const at::Tensor& tokens) const;
  at::Tensor image_embeddings(const at::Tensor& pixels) const;

  std::shared_ptr<Clip> clip_;
  std::string tokenizer_folder_;
  ClipTokenizer tokenizer_;
  CaptionedRows training_, held_out_;
  at::Tensor tokens_, group_; ///< of the training rows: [n, length], [n]
  PretrainOptions options_;
  std::uint64_t seed_;

  // Of the batch that was prepared last.
  std::vector<Embedded> embedded_;           ///< this rank's micro-batches
  at::Tensor losses_;                        ///< [B]
  at::Tensor to_images_, to_texts_, to_log_; ///< gradient of the mean loss: [B, width] twice, []
};

} // namespace scoreact
