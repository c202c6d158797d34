#include "parallel/shard.hpp"

#include "error/error.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace scoreact {
namespace {

constexpr long kMicroBatch = 3, kMicroBatches = 24, kTotal = kMicroBatch * kMicroBatches;

TEST(Shard, DealsContiguousBlocksOfWholeMicroBatches) {
  for (const int ranks : {1, 2, 4, 8}) {
    long next = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const Shard shard = make_shard(kTotal, kMicroBatch, rank, ranks, "key");
      EXPECT_EQ(shard.first, next);
      EXPECT_EQ(shard.total, kTotal);
      EXPECT_EQ(shard.count % kMicroBatch, 0);
      EXPECT_EQ(shard.first_micro_batch() * kMicroBatch, shard.first);
      EXPECT_EQ(shard.micro_batches() * ranks, shard.total_micro_batches());
      next += shard.count;
    }
    EXPECT_EQ(next, kTotal);
  }
}

TEST(Shard, NamesTheKeyWhenTheRanksDoNotDivideTheMicroBatches) {
  try {
    make_shard(12, 4, 0, 2, "sample.micro_batch_size");
    FAIL() << "3 micro-batches on 2 ranks";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_NE(std::string(error.what()).find("sample.micro_batch_size"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("2 ranks"), std::string::npos);
  }
  EXPECT_THROW(make_shard(10, 4, 0, 1, "key"), Error);
}

TEST(Minibatch, HoldsEveryMicroBatchOnceAndTheSameLeavesOnAnyNumberOfRanks) {
  for (const long of : {1L, 2L, 3L, 5L, 8L, 24L}) {
    using Leaf = std::pair<long, long>; // minibatch, leaf
    std::map<Leaf, long> alone;         // -> first sample
    for (const int ranks : {1, 2, 4, 8}) {
      std::map<Leaf, long> leaves;
      for (int rank = 0; rank < ranks; ++rank) {
        const Shard shard = make_shard(kTotal, kMicroBatch, rank, ranks, "key");
        for (long index = 0; index < of; ++index) {
          const Minibatch part = minibatch_of(shard, of, index);
          EXPECT_EQ(part.leaves, (kMicroBatches - index + of - 1) / of);
          for (long i = 0; i < part.count; ++i) {
            const long local = part.sample_of(i);
            EXPECT_GE(local, 0);
            EXPECT_LE(local + kMicroBatch, shard.count);
            EXPECT_TRUE(leaves.emplace(Leaf{index, part.first + i}, shard.first + local).second)
                << "leaf " << part.first + i << " lies on two ranks";
          }
        }
      }
      std::set<long> samples;
      for (const auto& [leaf, sample] : leaves)
        samples.insert(sample);
      EXPECT_EQ(samples.size(), static_cast<std::size_t>(kMicroBatches)) << of << " of, ranks " << ranks;
      EXPECT_EQ(leaves.size(), static_cast<std::size_t>(kMicroBatches));
      if (ranks == 1)
        alone = leaves;
      EXPECT_EQ(leaves, alone) << of << " minibatches, " << ranks << " ranks";
    }
  }
}

TEST(LargestDivisor, IsTheLargestWithinTheLimit) {
  for (long count = 1; count <= 40; ++count)
    for (long limit = 1; limit <= 45; ++limit) {
      const long found = largest_divisor(count, limit);
      EXPECT_EQ(count % found, 0);
      EXPECT_LE(found, limit);
      for (long d = found + 1; d <= std::min(count, limit); ++d)
        EXPECT_NE(count % d, 0) << count << " has the larger divisor " << d;
    }
  EXPECT_EQ(largest_divisor(12, 0), 1);
}

} // namespace
} // namespace scoreact
