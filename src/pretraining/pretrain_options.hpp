#pragma once
/// Deck sections of `scoreact pretrain`: [data], [network] and [pretrain].
#include <string>
#include <vector>

namespace scoreact {

struct DataOptions {
  /// csv.gz (pixels..., label), IDX images (labels beside), CIFAR-10 binary, or a folder with metadata.jsonl
  std::string path = "";
  std::string format = "csv"; ///< csv | idx | cifar10 | imagefolder
  long height = 8;
  long width = 8;
  long channels = 1;
  double max_value = 16.0; ///< pixel value that maps to 1; 0 maps to -1
  long num_classes = 10;
  double test_fraction = 0.2;         ///< held out, the same rows for every network of a study
  double label_noise = 0.0;           ///< share of training labels replaced by a uniformly random other one
  std::string on_bad_item = "refuse"; ///< refuse | skip: pictures and lines of an imagefolder
};

struct NetworkOptions {
  std::string kind = "pixel_unet"; ///< pixel_unet | classifier_cnn | classifier_mlp
  std::vector<long> block_out_channels = {16, 32};
  std::vector<std::string> down_block_types = {"DownBlock2D", "DownBlock2D"};
  std::vector<std::string> up_block_types = {"UpBlock2D", "UpBlock2D"};
  long layers_per_block = 1;
  long norm_num_groups = 8;
  long hidden = 32; ///< classifier width
};

struct PretrainOptions {
  long iterations = 6000;
  long batch_size = 128;
  double learning_rate = 2e-3;
  double weight_decay = 1e-4;
  double ema_decay = 0.999;
  double label_dropout = 0.1;   ///< share of null labels, for classifier-free guidance
  double label_smoothing = 0.1; ///< classifier
  double input_noise =
      0.3;              ///< classifier: standard deviation of the noise augmentation, uniform in [0, this]
  long log_freq = 200;  ///< iterations a line of the log and a row of metrics
  std::string out = ""; ///< folder of the trained model; empty = RUN_DIR/model
};

} // namespace scoreact
