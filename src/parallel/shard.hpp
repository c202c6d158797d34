#pragma once
/// How the samples of an epoch lie on the ranks: contiguous blocks of whole micro-batches, so that
/// micro-batch j is the same set of samples, and the same network call, on any number of ranks.
namespace scoreact {

struct Shard {
  long total = 0;                                            ///< samples of the epoch, all ranks together
  long micro_batch = 0;                                      ///< samples a network call
  long first = 0;                                            ///< global number of this rank's first sample
  long count = 0;                                            ///< samples of this rank
  long micro_batches() const { return count / micro_batch; } ///< of this rank
  long first_micro_batch() const { return first / micro_batch; } ///< global number of this rank's first one
  long total_micro_batches() const { return total / micro_batch; }
};

/// Deals `total` samples to `ranks`. Throws Error{data} naming `key` when the ranks do not divide the
/// micro-batches.
Shard make_shard(long total, long micro_batch, int rank, int ranks, const char* key);

/// One of `of` equal minibatches of an epoch: the micro-batches j with j % of == index, wherever they lie.
/// Leaf l is micro-batch l * of + index, so leaves and their order are the same on any number of ranks; a
/// rank may hold none.
struct Minibatch {
  long leaves = 0; ///< micro-batches of the minibatch, all ranks together
  long first = 0;  ///< number of this rank's first leaf
  long count = 0;  ///< leaves of this rank
  long first_sample = 0, stride = 0;
  long sample_of(long i) const {
    return first_sample + i * stride;
  } ///< local number of the i-th leaf's first sample
};
Minibatch minibatch_of(const Shard&, long of, long index);

/// Largest divisor of `count` that is at most `limit` (at least 1).
long largest_divisor(long count, long limit);

} // namespace scoreact
