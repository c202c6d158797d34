#include "store/dimension_scales.hpp"

#include <map>

#include "error/error.hpp"

namespace scoreact {

namespace {

namespace fs = std::filesystem;

/// An entry of REFERENCE_LIST: `dimension` of the dataset lies along the scale.
struct Reference {
  hobj_ref_t dataset;
  int dimension;
  int padding; ///< named, so that it is zero in the file
};

class Scales {
 public:
  Scales(hid_t place, const fs::path& file) : place_(place), file_(file) {}

  void mark_as_scale(const std::string& name, std::vector<Reference> references) const {
    const Hdf5Dataset scale = open(name);
    write_text(scale.id(), "CLASS", "DIMENSION_SCALE");
    write_text(scale.id(), "NAME", name.substr(name.find_last_of('/') + 1));
    const Hdf5Type type(
        check_hdf5(H5Tcreate(H5T_COMPOUND, sizeof(Reference)), file_, "make a type of references"));
    check_hdf5(H5Tinsert(type.id(), "dataset", HOFFSET(Reference, dataset), H5T_STD_REF_OBJ), file_,
               "make a type of references");
    check_hdf5(H5Tinsert(type.id(), "dimension", HOFFSET(Reference, dimension), H5T_NATIVE_INT), file_,
               "make a type of references");
    write(scale.id(), "REFERENCE_LIST", type.id(), references.size(), references.data());
  }

  /// `scales[d]`: references to the scales of dimension d.
  void put_along(const std::string& name, std::map<unsigned, std::vector<hobj_ref_t>> scales) const {
    const Hdf5Dataset dataset = open(name);
    const Hdf5Space space(check_hdf5(H5Dget_space(dataset.id()), file_, "read a data space"));
    const auto rank = static_cast<std::size_t>(H5Sget_simple_extent_ndims(space.id()));
    SCOREACT_REQUIRE(scales.rbegin()->first < rank, ExitCode::internal,
                     "{}: '{}' has {} dimensions, a scale is given for number {}", file_.string(), name, rank,
                     scales.rbegin()->first);
    std::vector<hvl_t> lists(rank, hvl_t{0, nullptr});
    for (auto& [dimension, references] : scales)
      lists[dimension] = {references.size(), references.data()};
    const Hdf5Type type(check_hdf5(H5Tvlen_create(H5T_STD_REF_OBJ), file_, "make a type of references"));
    write(dataset.id(), "DIMENSION_LIST", type.id(), lists.size(), lists.data());
  }

  hobj_ref_t reference_to(const std::string& name) const {
    hobj_ref_t reference = 0;
    check_hdf5(H5Rcreate(&reference, place_, name.c_str(), H5R_OBJECT, -1), file_, "refer to '" + name + "'");
    return reference;
  }

 private:
  Hdf5Dataset open(const std::string& name) const {
    return Hdf5Dataset(check_hdf5(H5Dopen2(place_, name.c_str(), H5P_DEFAULT), file_, "open '" + name + "'"));
  }

  void write(hid_t place, const char* name, hid_t type, hsize_t count, const void* data) const {
    const Hdf5Space space(check_hdf5(H5Screate_simple(1, &count, nullptr), file_, "make a data space"));
    write(place, name, type, space, data);
  }

  void write(hid_t place, const char* name, hid_t type, const Hdf5Space& space, const void* data) const {
    const std::string what = std::string("make attribute '") + name + "'";
    const Hdf5Attribute attribute(
        check_hdf5(H5Acreate2(place, name, type, space.id(), H5P_DEFAULT, H5P_DEFAULT), file_, what));
    check_hdf5(H5Awrite(attribute.id(), type, data), file_, what);
  }

  /// The specification wants strings of fixed size that end with a zero.
  void write_text(hid_t place, const char* name, const std::string& text) const {
    const Hdf5Type type(check_hdf5(H5Tcopy(H5T_C_S1), file_, "make a string type"));
    check_hdf5(H5Tset_size(type.id(), text.size() + 1), file_, "size a string type");
    const Hdf5Space space(check_hdf5(H5Screate(H5S_SCALAR), file_, "make a data space"));
    write(place, name, type.id(), space, text.c_str());
  }

  hid_t place_;
  const fs::path& file_;
};

} // namespace

void write_dimension_scales(hid_t place, const fs::path& file, const std::vector<ScaledDimension>& scaled) {
  const Scales scales(place, file);
  std::map<std::string, std::vector<Reference>> of_scale;
  std::map<std::string, std::map<unsigned, std::vector<hobj_ref_t>>> of_dataset;
  for (const ScaledDimension& one : scaled) {
    of_scale[one.scale].push_back(
        {scales.reference_to(one.along), static_cast<int>(one.dimension), /*padding*/ 0});
    of_dataset[one.along][one.dimension].push_back(scales.reference_to(one.scale));
  }
  for (const auto& [name, references] : of_scale)
    scales.mark_as_scale(name, references);
  for (const auto& [name, along] : of_dataset)
    scales.put_along(name, along);
}

} // namespace scoreact
