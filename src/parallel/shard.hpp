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

/// Largest divisor of `count` that is at most `limit` (at least 1).
long largest_divisor(long count, long limit);

} // namespace scoreact
