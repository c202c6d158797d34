#include "parallel/failure.hpp"

#include <filesystem>
#include <new>

namespace scoreact {

Failure failure_of(const std::exception_ptr& thrown, int rank) {
  try {
    std::rethrow_exception(thrown);
  } catch (const AgreedError& error) {
    return error.failure();
  } catch (const Error& error) {
    return {error.code(), rank, error.what()};
  } catch (const std::filesystem::filesystem_error& error) {
    return {ExitCode::io, rank, error.what()};
  } catch (const std::bad_alloc&) {
    return {ExitCode::internal, rank, "out of memory"};
  } catch (const std::exception& error) {
    const std::string text = error.what();
    return {ExitCode::internal, rank, text.substr(0, text.find("\nException raised from "))};
  } catch (...) {
    return {ExitCode::internal, rank, "unknown exception"};
  }
}

} // namespace scoreact
