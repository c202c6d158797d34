#include "store/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "error/error.hpp"

namespace scoreact {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  SCOREACT_REQUIRE(descriptor >= 0, ExitCode::missing_input, "{}: cannot open it: {}", path.string(),
                   std::strerror(errno));
  struct stat status {};
  const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  size_ = regular ? static_cast<std::size_t>(status.st_size) : 0;
  if (size_ > 0)
    address_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0);
  const int reason = errno;
  ::close(descriptor);
  SCOREACT_REQUIRE(regular, ExitCode::missing_input, "{}: not a regular file", path.string());
  SCOREACT_REQUIRE(address_ != MAP_FAILED, ExitCode::io, "{}: cannot map it: {}", path.string(),
                   std::strerror(reason));
}

MappedFile::~MappedFile() {
  if (size_ > 0)
    ::munmap(address_, size_);
}

} // namespace scoreact
