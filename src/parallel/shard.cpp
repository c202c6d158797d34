#include "parallel/shard.hpp"

#include "error/error.hpp"

#include <algorithm>

namespace scoreact {

Shard make_shard(long total, long micro_batch, int rank, int ranks, const char* key) {
  SCOREACT_REQUIRE(total > 0 && micro_batch > 0 && total % micro_batch == 0, ExitCode::data,
                   "{}: {} samples are not a whole number of micro-batches of {}", key, total, micro_batch);
  const long micro_batches = total / micro_batch;
  SCOREACT_REQUIRE(
      micro_batches % ranks == 0, ExitCode::data,
      "{}: {} samples in micro-batches of {} make {} micro-batches, which {} ranks do not divide; "
      "use a smaller micro-batch or another number of ranks",
      key, total, micro_batch, micro_batches, ranks);
  const long each = total / ranks;
  return {total, micro_batch, each * rank, each};
}

Minibatch minibatch_of(const Shard& shard, long of, long index) {
  const auto leaves_below = [&](long micro_batch) {
    return (micro_batch - index + of - 1) / of;
  }; // leaves l with l*of+index < it
  Minibatch part;
  part.leaves = leaves_below(shard.total_micro_batches());
  part.first = std::max(0L, leaves_below(shard.first_micro_batch()));
  part.count = std::max(0L, leaves_below(shard.first_micro_batch() + shard.micro_batches())) - part.first;
  part.first_sample = (part.first * of + index) * shard.micro_batch - shard.first;
  part.stride = of * shard.micro_batch;
  return part;
}

long largest_divisor(long count, long limit) {
  for (long d = limit < count ? limit : count; d > 1; --d)
    if (count % d == 0)
      return d;
  return 1;
}

} // namespace scoreact
