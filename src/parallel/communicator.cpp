#include "parallel/communicator.hpp"

#include "error/error.hpp"

#include <algorithm>

namespace scoreact {

Communicator::Communicator(MPI_Comm parent, double patience) : patience_(patience) {
  SCOREACT_CHECK_MPI(MPI_Comm_dup(parent, &handle_));
  SCOREACT_CHECK_MPI(MPI_Comm_rank(handle_, &rank_));
  SCOREACT_CHECK_MPI(MPI_Comm_size(handle_, &size_));
  others_ = std::make_unique<RollCall>(handle_, patience);
}

Communicator::~Communicator() {
  int finalised = 0;
  MPI_Finalized(&finalised);
  if (finalised == 0 && handle_ != MPI_COMM_NULL && !others_->broken())
    MPI_Comm_free(&handle_);
}

double Communicator::communication_time() const { return others_->seconds_waited(); }

void Communicator::sum(float* values, std::size_t count) const {
  if (size_ == 1)
    return;
  constexpr std::size_t kChunk = std::size_t{1} << 28; // MPI counts are ints
  for (std::size_t start = 0; start < count; start += kChunk) {
    const auto length = static_cast<int>(std::min(kChunk, count - start));
    MPI_Request request = MPI_REQUEST_NULL;
    SCOREACT_CHECK_MPI(
        MPI_Iallreduce(MPI_IN_PLACE, values + start, length, MPI_FLOAT, MPI_SUM, handle_, &request));
    others_->wait(request, "sum over ranks");
  }
}

double Communicator::maximum(double value) const {
  if (size_ == 1)
    return value;
  MPI_Request request = MPI_REQUEST_NULL;
  SCOREACT_CHECK_MPI(MPI_Iallreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, handle_, &request));
  others_->wait(request, "maximum over ranks");
  return value;
}

void Communicator::broadcast(std::string& text, int root) const {
  if (size_ == 1)
    return;
  long length = static_cast<long>(text.size());
  MPI_Request request = MPI_REQUEST_NULL;
  SCOREACT_CHECK_MPI(MPI_Ibcast(&length, 1, MPI_LONG, root, handle_, &request));
  others_->wait(request, "broadcast");
  text.resize(static_cast<std::size_t>(length));
  SCOREACT_CHECK_MPI(MPI_Ibcast(text.data(), static_cast<int>(length), MPI_CHAR, root, handle_, &request));
  others_->wait(request, "broadcast");
}

void Communicator::barrier() const {
  if (size_ == 1)
    return;
  MPI_Request request = MPI_REQUEST_NULL;
  SCOREACT_CHECK_MPI(MPI_Ibarrier(handle_, &request));
  others_->wait(request, "barrier");
}

std::vector<double> Communicator::gather_in_order(const std::vector<double>& block) const {
  if (size_ == 1)
    return block;
  const int mine = static_cast<int>(block.size());
  std::vector<int> counts(static_cast<std::size_t>(size_)), offsets(static_cast<std::size_t>(size_), 0);
  MPI_Request request = MPI_REQUEST_NULL;
  SCOREACT_CHECK_MPI(MPI_Iallgather(&mine, 1, MPI_INT, counts.data(), 1, MPI_INT, handle_, &request));
  others_->wait(request, "gather");
  int total = 0;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    offsets[r] = total;
    total += counts[r];
  }
  std::vector<double> all(static_cast<std::size_t>(total));
  SCOREACT_CHECK_MPI(MPI_Iallgatherv(block.data(), mine, MPI_DOUBLE, all.data(), counts.data(),
                                     offsets.data(), MPI_DOUBLE, handle_, &request));
  others_->wait(request, "gather");
  return all;
}

std::vector<float> Communicator::gather_floats(const float* block, std::size_t count) const {
  std::vector<float> all(count * static_cast<std::size_t>(size_));
  MPI_Request request = MPI_REQUEST_NULL;
  SCOREACT_CHECK_MPI(MPI_Iallgather(block, static_cast<int>(count), MPI_FLOAT, all.data(),
                                    static_cast<int>(count), MPI_FLOAT, handle_, &request));
  others_->wait(request, "exchange of gradients");
  return all;
}

void Communicator::wait_until(const std::function<bool()>& done, const char* what) const {
  others_->wait(done, what);
}

/// The failure of that rank, on every rank.
Failure Communicator::of_lowest(int failed_rank, const Failure& mine) const {
  std::string text = fmt::format("{} {} {}", static_cast<int>(mine.code), mine.rank, mine.message);
  broadcast(text, failed_rank);
  const std::size_t after_code = text.find(' '), after_rank = text.find(' ', after_code + 1);
  return {static_cast<ExitCode>(std::stoi(text)), std::stoi(text.substr(after_code + 1)),
          text.substr(after_rank + 1)};
}

void Communicator::agree(const Failure& mine) const {
  int failed = mine ? rank_ : size_;
  if (size_ > 1) {
    MPI_Request request = MPI_REQUEST_NULL;
    SCOREACT_CHECK_MPI(MPI_Iallreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MIN, handle_, &request));
    others_->wait(request, "agreement on the status");
  }
  if (failed < size_)
    throw AgreedError(of_lowest(failed, mine));
}

std::optional<Failure> Communicator::agree_within(double seconds, const Failure& mine) const {
  int failed = mine ? rank_ : size_;
  if (size_ > 1) {
    MPI_Request request = MPI_REQUEST_NULL;
    SCOREACT_CHECK_MPI(MPI_Iallreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MIN, handle_, &request));
    if (!others_->wait_at_most(seconds, request))
      return std::nullopt;
  }
  return failed < size_ ? of_lowest(failed, mine) : Failure{};
}

} // namespace scoreact
