#include "parallel/communicator.hpp"

#include "error/error.hpp"

#include <algorithm>

namespace scoreact {

Communicator::Communicator(MPI_Comm parent) {
  SCOREACT_CHECK_MPI(MPI_Comm_dup(parent, &handle_));
  SCOREACT_CHECK_MPI(MPI_Comm_rank(handle_, &rank_));
  SCOREACT_CHECK_MPI(MPI_Comm_size(handle_, &size_));
}

Communicator::~Communicator() {
  int finalised = 0;
  MPI_Finalized(&finalised);
  if (finalised == 0 && handle_ != MPI_COMM_NULL)
    MPI_Comm_free(&handle_);
}

void Communicator::sum(float* values, std::size_t count) const {
  if (size_ == 1)
    return;
  constexpr std::size_t kChunk = std::size_t{1} << 28; // MPI counts are ints
  for (std::size_t start = 0; start < count; start += kChunk) {
    const auto length = static_cast<int>(std::min(kChunk, count - start));
    SCOREACT_CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, values + start, length, MPI_FLOAT, MPI_SUM, handle_));
  }
}

double Communicator::maximum(double value) const {
  SCOREACT_CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, handle_));
  return value;
}

void Communicator::broadcast(std::string& text, int root) const {
  long length = static_cast<long>(text.size());
  SCOREACT_CHECK_MPI(MPI_Bcast(&length, 1, MPI_LONG, root, handle_));
  text.resize(static_cast<std::size_t>(length));
  SCOREACT_CHECK_MPI(MPI_Bcast(text.data(), static_cast<int>(length), MPI_CHAR, root, handle_));
}

void Communicator::barrier() const { SCOREACT_CHECK_MPI(MPI_Barrier(handle_)); }

std::vector<double> Communicator::gather_in_order(const std::vector<double>& block) const {
  if (size_ == 1)
    return block;
  const int mine = static_cast<int>(block.size());
  std::vector<int> counts(static_cast<std::size_t>(size_)), offsets(static_cast<std::size_t>(size_), 0);
  SCOREACT_CHECK_MPI(MPI_Allgather(&mine, 1, MPI_INT, counts.data(), 1, MPI_INT, handle_));
  int total = 0;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    offsets[r] = total;
    total += counts[r];
  }
  std::vector<double> all(static_cast<std::size_t>(total));
  SCOREACT_CHECK_MPI(MPI_Allgatherv(block.data(), mine, MPI_DOUBLE, all.data(), counts.data(), offsets.data(),
                                    MPI_DOUBLE, handle_));
  return all;
}

std::vector<float> Communicator::gather_floats(const float* block, std::size_t count) const {
  std::vector<float> all(count * static_cast<std::size_t>(size_));
  SCOREACT_CHECK_MPI(MPI_Allgather(block, static_cast<int>(count), MPI_FLOAT, all.data(),
                                   static_cast<int>(count), MPI_FLOAT, handle_));
  return all;
}

} // namespace scoreact
