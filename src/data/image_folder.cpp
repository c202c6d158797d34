#include "data/image_folder.hpp"

#include "data/picture_file.hpp"
#include "data/pillow_resize.hpp"
#include "error/error.hpp"
#include "store/json_text.hpp"
#include "store/mapped_file.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string_view>

namespace scoreact {
namespace {

namespace fs = std::filesystem;

struct Line {
  fs::path file;
  std::string text, name;
};

std::string string_at(const nlohmann::json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  SCOREACT_REQUIRE(found != object.end(), ExitCode::data, "{}: expected the key \"{}\", found {}", where, key,
                   json_excerpt(object));
  SCOREACT_REQUIRE(found->is_string() && !found->get_ref<const std::string&>().empty(), ExitCode::data,
                   "{}: {}: expected a text, found {}", where, key, json_excerpt(*found));
  return found->get<std::string>();
}

Line parse_line(std::string_view text, const std::string& where) {
  const nlohmann::json object = parse_json(text, where);
  SCOREACT_REQUIRE(object.is_object(), ExitCode::data, "{}: expected a JSON object, found {}", where,
                   json_excerpt(object));
  Line line{string_at(object, "file_name", where), string_at(object, "text", where), ""};
  line.name = object.contains("name") ? string_at(object, "name", where) : line.text;
  const fs::path normal = line.file.lexically_normal();
  SCOREACT_REQUIRE(line.file.is_relative() && *normal.begin() != "..", ExitCode::data,
                   "{}: file_name: expected a path within the folder, found \"{}\"", where,
                   line.file.string());
  return line;
}

/// [height, width, 3] of the asked size: scaled to cover it, centre cut out.
Picture fitted(const Picture& picture, long height, long width) {
  if (picture.height == height && picture.width == width) {
    return picture;
  }
  const double scale = std::max(static_cast<double>(height) / static_cast<double>(picture.height),
                                static_cast<double>(width) / static_cast<double>(picture.width));
  const auto scaled = [scale](long edge, long least) {
    return std::max(std::lround(scale * static_cast<double>(edge)), least);
  };
  const long tall = scaled(picture.height, height), wide = scaled(picture.width, width);
  const std::vector<std::uint8_t> covering = pillow_resize(
      picture.pixels.data(), picture.height, picture.width, 3, tall, wide, ResizeFilter::bicubic);
  const long top = (tall - height) / 2, left = (wide - width) / 2;
  Picture cut{height, width, {}};
  for (long y = 0; y < height; ++y) {
    const auto row = covering.begin() + 3 * ((top + y) * wide + left);
    cut.pixels.insert(cut.pixels.end(), row, row + 3 * width);
  }
  return cut;
}

void append(CaptionedPictures& all, const Picture& picture, Line line) {
  for (std::size_t channel = 0; channel < 3; ++channel) {
    for (std::size_t i = channel; i < picture.pixels.size(); i += 3) {
      all.pixels.push_back(picture.pixels[i]);
    }
  }
  all.captions.push_back(std::move(line.text));
  all.names.push_back(std::move(line.name));
}

/// What is wrong with a picture, said with the line that names it.
Picture read_named_picture(const fs::path& path, const std::string& where) {
  try {
    return read_picture(path);
  } catch (const Error& error) {
    SCOREACT_FAIL(ExitCode::data, "{}: {}", where, error.what());
  }
}

} // namespace

CaptionedPictures read_image_folder(const DataOptions& options) {
  SCOREACT_REQUIRE(options.channels == 3, ExitCode::data,
                   "data.format = imagefolder: pictures are read as RGB; data.channels says {}",
                   options.channels);
  const fs::path folder(options.path), metadata = folder / "metadata.jsonl";
  SCOREACT_REQUIRE(
      fs::is_regular_file(metadata), ExitCode::missing_input,
      "{}: no such file; expected a folder of pictures with captions in metadata.jsonl: one object a "
      "line with file_name and text",
      metadata.string());
  CaptionedPictures all;
  all.height = options.height;
  all.width = options.width;
  const MappedFile file(metadata);
  std::string_view rest(file.data(), file.size());
  for (long number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    const std::string where = fmt::format("{}:{}", metadata.string(), number);
    try {
      Line line = parse_line(text, where);
      const Picture picture = read_named_picture(folder / line.file, where);
      append(all, fitted(picture, options.height, options.width), std::move(line));
    } catch (const Error& error) {
      if (options.on_bad_item == "refuse") {
        throw;
      }
      all.skipped.emplace_back(error.what());
    }
  }
  SCOREACT_REQUIRE(all.count() > 0, ExitCode::data, "{}: no picture that can be used; {} bad lines{}",
                   metadata.string(), all.skipped.size(),
                   all.skipped.empty() ? "" : ", the first: " + all.skipped.front());
  return all;
}

} // namespace scoreact
