#include "parallel/shard.hpp"

#include "error/error.hpp"

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

long largest_divisor(long count, long limit) {
  for (long d = limit < count ? limit : count; d > 1; --d)
    if (count % d == 0)
      return d;
  return 1;
}

} // namespace scoreact
