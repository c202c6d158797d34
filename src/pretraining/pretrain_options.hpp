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
  /// pixel_unet | classifier_cnn | classifier_mlp | text_to_image | autoencoder_kl | autoencoder_kl_decoder |
  /// clip
  std::string kind = "pixel_unet";
  std::vector<long> block_out_channels = {16, 32};
  std::vector<std::string> down_block_types = {"DownBlock2D", "DownBlock2D"};
  std::vector<std::string> up_block_types = {"UpBlock2D", "UpBlock2D"};
  long layers_per_block = 1;
  long norm_num_groups = 8;
  long hidden = 32; ///< classifier width
  long heads = 8;   ///< of the transformers of a text-to-image U-Net, in each block

  // Text encoder; the defaults are those of Stable Diffusion 1.5.
  long text_hidden = 768; ///< also the width of the U-Net's cross-attention
  long text_intermediate = 3072;
  long text_layers = 12;
  long text_heads = 12;
  long text_positions = 77;   ///< tokens of a text, start and end included
  long vocab_size = 49408;    ///< of a tokenizer that is made from the captions
  std::string tokenizer = ""; ///< folder of one that is there; empty: made from the captions
  /// clip, text_to_image: folder of a trained one to go on from, with its shape and tokenizer
  std::string start = "";
  std::string vae = ""; ///< folder of the frozen AutoencoderKL, or of that whose decoder is trained

  long latent_channels = 4; ///< autoencoder

  // Vision tower of a CLIP; the defaults are those of ViT-B/32.
  long vision_hidden = 768;
  long vision_intermediate = 3072;
  long vision_layers = 12;
  long vision_heads = 12;
  long patch_size = 32;
  long projection_dim = 512; ///< of both towers' embeddings
};

struct PretrainOptions {
  long iterations = 6000;
  long batch_size = 128;      ///< of an update, all ranks together
  long micro_batch_size = 32; ///< of one network call: at most four ranks with a batch of 128, at little cost
  double learning_rate = 2e-3;
  long warmup_steps = 100; ///< of linear warm-up, then a half cosine to 0; at most a tenth of the iterations
  double weight_decay = 1e-4;
  double ema_decay = 0.999;
  double text_learning_rate = 1e-3; ///< of the text encoder, peak
  double caption_dropout = 0.1;     ///< share of empty captions (Ho and Salimans 2022)
  double min_snr_gamma = 5.0;       ///< Hang et al. 2023; 0 = unweighted
  double label_dropout = 0.1;       ///< share of null labels, for classifier-free guidance
  double label_smoothing = 0.1;     ///< classifier
  double input_noise =
      0.3;           ///< classifier, clip: standard deviation of the noise augmentation, uniform in [0, this]
  double blur = 0.5; ///< clip: share of the blurred picture that is mixed in, uniform in [0, this]
  /// clip: three in four rows of a batch lie at most so many rows from the first of their four in the data's
  /// order; 0: every row is drawn from all of them
  long neighbour_rows = 0;
  double mse_weight = 2; ///< autoencoder: of the mean squared error, beside a mean absolute error of weight 1
  double gradient_weight = 0.25; ///< autoencoder: of the error of neighbouring pixels' differences
  double kl_weight = 5e-4;       ///< autoencoder: of the KL of a latent number to N(0, 1), mean over them
  long log_freq = 200;           ///< iterations a line of the log and a row of metrics
  long save_freq = 1000;         ///< iterations between checkpoints, 0 = only the last
  long eval_freq = 0;            ///< iterations between held-out figures, 0 = only at the end
  long sample_freq = 0;          ///< iterations between grids of samples, 0 = never
  std::string out = "";          ///< folder of the trained model; empty = RUN_DIR/model
};

} // namespace scoreact
