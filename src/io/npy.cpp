#include "io/npy.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cerrno>
#include <fstream>
#include <string>
#include <string_view>

#include "base/error.h"
#include "io/npy_header.h"

namespace strider {
namespace {

static_assert(std::endian::native == std::endian::little, "values go to the file as they are in memory");

template <typename T>
constexpr std::string_view kDtype;
template <>
constexpr std::string_view kDtype<float> = "<f4";
template <>
constexpr std::string_view kDtype<double> = "<f8";
template <>
constexpr std::string_view kDtype<std::int8_t> = "|i1";
template <>
constexpr std::string_view kDtype<std::int64_t> = "<i8";

[[noreturn]] void fail(const std::string& message, const std::filesystem::path& file) {
  throw Error(message, {.file = file.string(), .place = {}, .advice = "Write the array again with numpy.save."});
}

ParsedNpyHeader read_header(std::ifstream& stream, const std::filesystem::path& file) {
  std::string start(kNpyPrefix, '\0');
  stream.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(stream.gcount());
  const std::uint64_t bytes = npy_header_bytes(start, file, "the header");
  if (bytes > start.size() && bytes <= std::filesystem::file_size(file)) {
    const std::size_t read = start.size();
    start.resize(bytes);
    stream.read(start.data() + read, static_cast<std::streamsize>(bytes - read));
  }
  return parse_npy_header(start, file, "the header");
}

}  // namespace

template <typename T>
NpyWriter<T>::NpyWriter(const std::filesystem::path& file, const std::vector<std::int64_t>& shape) : file_(file) {
  file_.write(npy_header(kDtype<T>, shape));
  for (const std::int64_t size : shape) missing_ *= static_cast<std::uint64_t>(size);
}

template <typename T>
void NpyWriter<T>::write(std::span<const T> values) {
  if (values.size() > missing_) throw Error("More values than the shape of a .npy array has room for");
  missing_ -= values.size();
  file_.write({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

template <typename T>
Notices NpyWriter<T>::commit() {
  if (missing_ != 0) throw Error(fmt::format("A .npy array lacks {} values", missing_));
  return file_.commit();
}

template <typename T>
NpyArray<T> read_npy(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw system_error("Cannot read the array", errno, {.file = file.string(), .place = {}, .advice = {}});
  const ParsedNpyHeader parsed = read_header(stream, file);
  if (parsed.header.dtype != kDtype<T>) {
    fail(fmt::format("This array holds '{}' values, not '{}'", parsed.header.dtype, kDtype<T>), file);
  }
  if (parsed.header.fortran_order) fail("This array is in Fortran order, not in C order", file);
  const std::uint64_t there = std::filesystem::file_size(file) - parsed.bytes;
  if (there % sizeof(T) != 0 || there / sizeof(T) != parsed.count) {
    fail(fmt::format("The shape asks for {} values of {} bytes, but {} bytes follow the header", parsed.count,
                     sizeof(T), there),
         file);
  }
  NpyArray<T> array{parsed.header.shape, std::vector<T>(parsed.count)};
  stream.seekg(static_cast<std::streamoff>(parsed.bytes));
  stream.read(reinterpret_cast<char*>(array.values.data()), static_cast<std::streamsize>(there));
  if (static_cast<std::uint64_t>(stream.gcount()) != there) fail("The array is cut off", file);
  return array;
}

template class NpyWriter<float>;
template class NpyWriter<double>;
template class NpyWriter<std::int8_t>;
template class NpyWriter<std::int64_t>;
template NpyArray<float> read_npy(const std::filesystem::path&);
template NpyArray<double> read_npy(const std::filesystem::path&);
template NpyArray<std::int8_t> read_npy(const std::filesystem::path&);
template NpyArray<std::int64_t> read_npy(const std::filesystem::path&);

}  // namespace strider
