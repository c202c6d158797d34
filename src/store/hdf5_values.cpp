#include "store/hdf5_values.hpp"

#include <algorithm>

#include "error/error.hpp"

namespace scoreact {

namespace {

namespace fs = std::filesystem;

Hdf5Space space_of(const std::vector<std::int64_t>& shape, const fs::path& file) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return Hdf5Space(check_hdf5(
      extents.empty() ? H5Screate(H5S_SCALAR)
                      : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
      file, "make a data space"));
}

Hdf5Attribute make_attribute(hid_t place, const fs::path& file, const std::string& name, hid_t type,
                             hid_t space) {
  if (H5Aexists(place, name.c_str()) > 0)
    check_hdf5(H5Adelete(place, name.c_str()), file, "replace attribute '" + name + "'");
  return Hdf5Attribute(check_hdf5(H5Acreate2(place, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT),
                                  file, "make attribute '" + name + "'"));
}

/// Strings of either kind that HDF5 put into `raw` as variable-length ones.
std::vector<std::string> take_texts(std::vector<char*>& raw, hid_t type, hid_t space) {
  std::vector<std::string> result;
  for (const char* text : raw)
    result.emplace_back(text == nullptr ? "" : text);
  H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw.data());
  return result;
}

std::vector<std::string> split_fixed(const std::vector<char>& raw, std::size_t width) {
  std::vector<std::string> result;
  for (std::size_t at = 0; width > 0 && at + width <= raw.size(); at += width) {
    const char* const begin = raw.data() + at;
    result.emplace_back(begin, std::find(begin, begin + width, '\0'));
  }
  return result;
}

std::size_t points(hid_t space) {
  return static_cast<std::size_t>(std::max<hssize_t>(0, H5Sget_simple_extent_npoints(space)));
}

} // namespace

Hdf5Properties timeless_dataset(const fs::path& file) {
  Hdf5Properties properties(check_hdf5(H5Pcreate(H5P_DATASET_CREATE), file, "make properties"));
  check_hdf5(H5Pset_obj_track_times(properties.id(), false), file, "switch time stamps off");
  return properties;
}

hid_t hdf5_type(DType dtype) {
  switch (dtype) {
  case DType::f32:
    return H5T_NATIVE_FLOAT;
  case DType::f64:
    return H5T_NATIVE_DOUBLE;
  case DType::i32:
    return H5T_NATIVE_INT32;
  case DType::i64:
    return H5T_NATIVE_INT64;
  case DType::u8:
    return H5T_NATIVE_UINT8;
  default:
    SCOREACT_FAIL(ExitCode::internal, "no HDF5 type for {}", name_of(dtype));
  }
}

Hdf5Type utf8_type(std::size_t bytes) {
  Hdf5Type type(check_hdf5(H5Tcopy(H5T_C_S1), "HDF5", "make a string type"));
  check_hdf5(H5Tset_size(type.id(), bytes == 0 ? H5T_VARIABLE : bytes), "HDF5", "size a string type");
  check_hdf5(H5Tset_cset(type.id(), H5T_CSET_UTF8), "HDF5", "make a string type UTF-8");
  if (bytes > 0)
    check_hdf5(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), "HDF5", "pad a string type");
  return type;
}

void Hdf5Values::write_attribute(const std::string& name, const AttributeValue& value) const {
  const Hdf5Space space = space_of({}, file_);
  const auto write = [&](hid_t type, const void* data) {
    const Hdf5Attribute attribute = make_attribute(place_, file_, name, type, space.id());
    check_hdf5(H5Awrite(attribute.id(), type, data), file_, "write attribute '" + name + "'");
  };
  if (const auto* text = std::get_if<std::string>(&value)) {
    const Hdf5Type type = utf8_type(0);
    const char* const pointer = text->c_str();
    write(type.id(), &pointer);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    write(H5T_NATIVE_INT64, integer);
  } else {
    write(H5T_NATIVE_DOUBLE, &std::get<double>(value));
  }
}

void Hdf5Values::write_attribute(const std::string& name, const std::vector<double>& values) const {
  const Hdf5Space space = space_of({static_cast<std::int64_t>(values.size())}, file_);
  const Hdf5Attribute attribute = make_attribute(place_, file_, name, H5T_NATIVE_DOUBLE, space.id());
  check_hdf5(H5Awrite(attribute.id(), H5T_NATIVE_DOUBLE, values.data()), file_,
             "write attribute '" + name + "'");
}

void Hdf5Values::write_dimensions(const std::vector<std::string>& names) const {
  std::string joined;
  std::vector<const char*> pointers;
  for (const std::string& name : names) {
    joined += (joined.empty() ? "" : ", ") + name;
    pointers.push_back(name.c_str());
  }
  write_attribute("dimensions", joined);
  const Hdf5Type type = utf8_type(0);
  const Hdf5Space space = space_of({static_cast<std::int64_t>(names.size())}, file_);
  const Hdf5Attribute labels = make_attribute(place_, file_, "DIMENSION_LABELS", type.id(), space.id());
  check_hdf5(H5Awrite(labels.id(), type.id(), pointers.data()), file_, "write dimension labels");
}

Attributes Hdf5Values::read_attributes() const {
  Attributes result;
  struct Names {
    std::vector<std::string> all;
  } found;
  const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
    static_cast<Names*>(out)->all.emplace_back(name);
    return 0;
  };
  check_hdf5(H5Aiterate2(place_, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &found), file_,
             "list attributes");
  for (const std::string& name : found.all) {
    const Hdf5Attribute attribute(
        check_hdf5(H5Aopen(place_, name.c_str(), H5P_DEFAULT), file_, "open attribute '" + name + "'"));
    const Hdf5Type type(check_hdf5(H5Aget_type(attribute.id()), file_, "read a type"));
    const Hdf5Space space(check_hdf5(H5Aget_space(attribute.id()), file_, "read a data space"));
    if (points(space.id()) != 1)
      continue; // lists are read where they are needed
    const std::string what = "read attribute '" + name + "'";
    switch (H5Tget_class(type.id())) {
    case H5T_INTEGER: {
      std::int64_t value = 0;
      check_hdf5(H5Aread(attribute.id(), H5T_NATIVE_INT64, &value), file_, what);
      result[name] = value;
      break;
    }
    case H5T_FLOAT: {
      double value = 0;
      check_hdf5(H5Aread(attribute.id(), H5T_NATIVE_DOUBLE, &value), file_, what);
      result[name] = value;
      break;
    }
    case H5T_STRING:
      if (H5Tis_variable_str(type.id()) > 0) {
        std::vector<char*> raw(1, nullptr);
        check_hdf5(H5Aread(attribute.id(), type.id(), raw.data()), file_, what);
        result[name] = take_texts(raw, type.id(), space.id()).front();
      } else {
        constexpr std::size_t longest = 1 << 24;
        const std::size_t width = H5Tget_size(type.id());
        SCOREACT_REQUIRE(width > 0 && width <= longest, ExitCode::data,
                         "{}: attribute '{}' has {} bytes, expected 1 to {}; the file is damaged",
                         file_.string(), name, width, longest);
        std::vector<char> raw(width);
        check_hdf5(H5Aread(attribute.id(), type.id(), raw.data()), file_, what);
        result[name] = split_fixed(raw, raw.size()).front();
      }
      break;
    default:
      break; // not one of ours
    }
  }
  return result;
}

std::string Hdf5Values::read_text_attribute(const std::string& name, const std::string& otherwise) const {
  const Attributes all = read_attributes();
  const auto found = all.find(name);
  const auto* text = found == all.end() ? nullptr : std::get_if<std::string>(&found->second);
  return text == nullptr ? otherwise : *text;
}

namespace {

Hdf5Dataset make_dataset(hid_t place, const fs::path& file, const std::string& name, hid_t type,
                         const std::vector<std::int64_t>& shape) {
  const Hdf5Space space = space_of(shape, file);
  const Hdf5Properties creation = timeless_dataset(file);
  const Hdf5Properties link(check_hdf5(H5Pcreate(H5P_LINK_CREATE), file, "make properties"));
  check_hdf5(H5Pset_create_intermediate_group(link.id(), 1), file, "allow groups");
  check_hdf5(H5Pset_char_encoding(link.id(), H5T_CSET_UTF8), file, "make names UTF-8");
  return Hdf5Dataset(
      check_hdf5(H5Dcreate2(place, name.c_str(), type, space.id(), link.id(), creation.id(), H5P_DEFAULT),
                 file, "make dataset '" + name + "'"));
}

Hdf5Dataset open_dataset(hid_t place, const fs::path& file, const std::string& name) {
  const hid_t id = H5Dopen2(place, name.c_str(), H5P_DEFAULT);
  SCOREACT_REQUIRE(id >= 0, ExitCode::data, "{}: no dataset '{}'", file.string(), name);
  return Hdf5Dataset(id);
}

/// Elements of a dataset. Throws Error{data} if its bytes in the file cannot hold so many: a damaged header
/// must not make us ask for all memory.
std::size_t elements_of(hid_t dataset, const fs::path& file, const std::string& name) {
  const Hdf5Space space(check_hdf5(H5Dget_space(dataset), file, "read a data space"));
  const std::size_t count = points(space.id());
  if (count == 0)
    return 0;
  const Hdf5Type type(check_hdf5(H5Dget_type(dataset), file, "read a type"));
  const Hdf5Properties creation(check_hdf5(H5Dget_create_plist(dataset), file, "read properties"));
  const Hdf5File whole(check_hdf5(H5Iget_file_id(dataset), file, "find the file"));
  hsize_t file_size = 0;
  check_hdf5(H5Fget_filesize(whole.id(), &file_size), file, "measure the file");
  // deflate makes at most 1032 bytes of one (zlib.net, technical details)
  const hsize_t expansion = H5Pget_nfilters(creation.id()) > 0 ? 1032 : 1;
  const hsize_t stored = std::min<hsize_t>(H5Dget_storage_size(dataset), file_size);
  const std::size_t width = std::max<std::size_t>(H5Tget_size(type.id()), 1);
  SCOREACT_REQUIRE(
      count <= stored * expansion / width, ExitCode::data,
      "{}: dataset '{}': {} elements of {} bytes cannot lie in its {} bytes; the file is damaged",
      file.string(), name, count, width, stored);
  return count;
}

template <class T>
std::vector<T> read_numbers(hid_t place, const fs::path& file, const std::string& name, hid_t memory_type,
                            bool integers_only) {
  const Hdf5Dataset dataset = open_dataset(place, file, name);
  const Hdf5Type type(check_hdf5(H5Dget_type(dataset.id()), file, "read a type"));
  const H5T_class_t kind = H5Tget_class(type.id());
  SCOREACT_REQUIRE(kind == H5T_INTEGER || (kind == H5T_FLOAT && !integers_only), ExitCode::data,
                   "{}: dataset '{}' does not hold {}", file.string(), name,
                   integers_only ? "integers" : "numbers");
  std::vector<T> values(elements_of(dataset.id(), file, name));
  check_hdf5(H5Dread(dataset.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), file,
             "read '" + name + "'");
  return values;
}

} // namespace

Hdf5Dataset Hdf5Values::write_dataset(const std::string& name, const ArrayView& array) const {
  const hid_t type = hdf5_type(array.dtype);
  Hdf5Dataset dataset = make_dataset(place_, file_, name, type, array.shape);
  if (array.numel() > 0) {
    check_hdf5(H5Dwrite(dataset.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.data), file_,
               "write '" + name + "'");
  }
  return dataset;
}

Hdf5Dataset Hdf5Values::write_texts(const std::string& name, const std::vector<std::string>& texts) const {
  const Hdf5Type type = utf8_type(0);
  Hdf5Dataset dataset =
      make_dataset(place_, file_, name, type.id(), {static_cast<std::int64_t>(texts.size())});
  std::vector<const char*> pointers;
  for (const std::string& text : texts)
    pointers.push_back(text.c_str());
  if (!texts.empty()) {
    check_hdf5(H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()), file_,
               "write '" + name + "'");
  }
  return dataset;
}

bool Hdf5Values::contains(const std::string& name) const {
  // H5Lexists fails on a path whose groups are absent: go down group by group
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    if (slash > 0 && H5Lexists(place_, name.substr(0, slash).c_str(), H5P_DEFAULT) <= 0)
      return false;
  }
  return H5Lexists(place_, name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> Hdf5Values::names() const {
  std::vector<std::string> result;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  check_hdf5(H5Literate(place_, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &result), file_,
             "list a group");
  return result;
}

std::vector<std::string> Hdf5Values::datasets() const {
  std::vector<std::string> result;
  const auto collect = [](hid_t place, const char* name, const H5L_info_t*, void* out) -> herr_t {
    const hid_t object = H5Oopen(place, name, H5P_DEFAULT);
    if (object >= 0 && H5Iget_type(object) == H5I_DATASET)
      static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    if (object >= 0)
      H5Oclose(object);
    return 0;
  };
  check_hdf5(H5Lvisit(place_, H5_INDEX_NAME, H5_ITER_INC, collect, &result), file_, "list a file");
  return result;
}

std::vector<std::int64_t> Hdf5Values::shape(const std::string& name) const {
  const Hdf5Dataset dataset = open_dataset(place_, file_, name);
  elements_of(dataset.id(), file_, name);
  const Hdf5Space space(check_hdf5(H5Dget_space(dataset.id()), file_, "read a data space"));
  std::vector<hsize_t> extents(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space.id()))));
  H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr);
  return {extents.begin(), extents.end()};
}

std::vector<float> Hdf5Values::floats(const std::string& name) const {
  return read_numbers<float>(place_, file_, name, H5T_NATIVE_FLOAT, false);
}
std::vector<double> Hdf5Values::doubles(const std::string& name) const {
  return read_numbers<double>(place_, file_, name, H5T_NATIVE_DOUBLE, false);
}
std::vector<std::int64_t> Hdf5Values::integers(const std::string& name) const {
  return read_numbers<std::int64_t>(place_, file_, name, H5T_NATIVE_INT64, true);
}

std::vector<std::string> Hdf5Values::texts(const std::string& name) const {
  const Hdf5Dataset dataset = open_dataset(place_, file_, name);
  const Hdf5Type type(check_hdf5(H5Dget_type(dataset.id()), file_, "read a type"));
  SCOREACT_REQUIRE(H5Tget_class(type.id()) == H5T_STRING, ExitCode::data,
                   "{}: dataset '{}' does not hold strings", file_.string(), name);
  const Hdf5Space space(check_hdf5(H5Dget_space(dataset.id()), file_, "read a data space"));
  const std::size_t count = elements_of(dataset.id(), file_, name);
  if (H5Tis_variable_str(type.id()) > 0) {
    std::vector<char*> raw(count, nullptr);
    check_hdf5(H5Dread(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.data()), file_,
               "read '" + name + "'");
    return take_texts(raw, type.id(), space.id());
  }
  const std::size_t width = H5Tget_size(type.id());
  std::vector<char> raw(count * width);
  check_hdf5(H5Dread(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.data()), file_,
             "read '" + name + "'");
  return split_fixed(raw, width);
}

DType Hdf5Values::dtype(const std::string& name) const {
  const Hdf5Dataset dataset = open_dataset(place_, file_, name);
  const Hdf5Type type(check_hdf5(H5Dget_type(dataset.id()), file_, "read a type"));
  for (const DType candidate : {DType::f32, DType::f64, DType::i32, DType::i64, DType::u8}) {
    if (H5Tequal(type.id(), hdf5_type(candidate)) > 0)
      return candidate;
  }
  SCOREACT_FAIL(ExitCode::data, "{}: dataset '{}' has a type that scoreact does not write", file_.string(),
                name);
}

} // namespace scoreact
