#pragma once
/// HDF5 identifiers that close themselves, and errors that say which file and why. HDF5's own printing of
/// errors is switched off: its innermost reason goes into ours instead.
#include <hdf5.h>

#include <filesystem>
#include <string>
#include <utility>

namespace scoreact {

/// True once closing something has failed (a full disk, say). HDF5 keeps such a file in its tables, tries
/// again when MPI is finalised, and crashes (1.10.8): the process has to end without that.
bool hdf5_must_not_be_finalised();
/// Remembers why closing failed: HDF5 writes a small dataset only when it is closed, in a destructor that
/// cannot throw. close_written() does.
void note_closing(herr_t status);

template <herr_t (*Close)(hid_t)> class Hdf5Handle {
 public:
  Hdf5Handle() = default;
  explicit Hdf5Handle(hid_t id) : id_(id) {}
  ~Hdf5Handle() { close(); }
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    if (this != &other) {
      close();
      id_ = std::exchange(other.id_, H5I_INVALID_HID);
    }
    return *this;
  }
  hid_t id() const { return id_; }
  void close() {
    const hid_t id = std::exchange(id_, H5I_INVALID_HID);
    if (id >= 0)
      note_closing(Close(id));
  }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

using Hdf5File = Hdf5Handle<H5Fclose>;
using Hdf5Group = Hdf5Handle<H5Gclose>;
using Hdf5Dataset = Hdf5Handle<H5Dclose>;
using Hdf5Space = Hdf5Handle<H5Sclose>;
using Hdf5Type = Hdf5Handle<H5Tclose>;
using Hdf5Attribute = Hdf5Handle<H5Aclose>;
using Hdf5Properties = Hdf5Handle<H5Pclose>;

/// Switches HDF5's printing off; every function below and every opening of a file does it.
void silence_hdf5();

/// The reason of the last failure as HDF5 tells it, innermost first; "" if it tells none.
std::string hdf5_reason();

/// Returns `result` if it is not negative, else throws Error{io}: "FILE: cannot WHAT: REASON".
template <class Result>
Result check_hdf5(Result result, const std::filesystem::path& file, const std::string& what);
extern template hid_t check_hdf5<hid_t>(hid_t, const std::filesystem::path&, const std::string&);
extern template herr_t check_hdf5<herr_t>(herr_t, const std::filesystem::path&, const std::string&);

/// Closes a file that was written. Throws Error{io} when that fails, or when closing one of its datasets did:
/// then something of it was not written.
void close_written(Hdf5File& file, const std::filesystem::path& path);

} // namespace scoreact
