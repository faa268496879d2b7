// Bytes that came from the proxy, and the form in which lists of pairs cross over.
#pragma once

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

// Old filters call the type of a text so.
using StringView = std::string_view;

// Names and values of headers, trailers or metadata.
using HeaderStringPairs = std::vector<std::pair<std::string, std::string>>;

// Bytes that the proxy handed over; they are freed with this.
class WasmData {
public:
  WasmData(const char *data, size_t size) : data_(data), size_(size) {}
  ~WasmData() { ::free(const_cast<char *>(data_)); }
  WasmData(const WasmData &) = delete;
  WasmData &operator=(const WasmData &) = delete;

  const char *data() { return data_; }
  size_t size() { return size_; }
  std::string_view view() { return {data_, size_}; }
  std::string toString() { return std::string(view()); }

  // The pairs of a header map; names and values lie inside of the data and live as long.
  std::vector<std::pair<std::string_view, std::string_view>> pairs();

  // A message of Protocol Buffers.
  template <typename Message> Message proto() {
    Message message;
    message.ParseFromArray(data_, static_cast<int>(size_));
    return message;
  }

private:
  const char *data_;
  size_t size_;
};
using WasmDataPtr = std::unique_ptr<WasmData>;

// The size that pairs have in the form in which the proxy takes them.
template <typename Pairs> size_t pairsSize(const Pairs &pairs) {
  size_t size = sizeof(uint32_t);
  for (const auto &[name, value] : pairs) size += 2 * sizeof(uint32_t) + name.size() + value.size() + 2;
  return size;
}

// Write pairs in that form: how many, all sizes, then names and values each ended by NUL.
template <typename Pairs> void marshalPairs(const Pairs &pairs, char *out) {
  auto number = [&out](size_t value) {
    auto number = static_cast<uint32_t>(value);
    memcpy(out, &number, sizeof number);
    out += sizeof number;
  };
  auto text = [&out](std::string_view text) {
    memcpy(out, text.data(), text.size());
    out[text.size()] = 0;
    out += text.size() + 1;
  };
  number(pairs.size());
  for (const auto &[name, value] : pairs) number(name.size()), number(value.size());
  for (const auto &[name, value] : pairs) text(name), text(value);
}

// The same in memory of its own, which the caller frees; a null pointer for no pairs.
template <typename Pairs> void exportPairs(const Pairs &pairs, const char **out, size_t *size) {
  *out = nullptr;
  *size = 0;
  if (pairs.empty()) return;
  *size = pairsSize(pairs);
  auto *memory = static_cast<char *>(::malloc(*size));
  marshalPairs(pairs, memory);
  *out = memory;
}

inline void MakeHeaderStringPairsBuffer(const HeaderStringPairs &pairs, void **out, size_t *size) {
  const char *memory;
  exportPairs(pairs, &memory, size);
  *out = const_cast<char *>(memory);
}

namespace proxy_wasm {
// Pairs in the form in which the proxy takes them, for the time of one call.
class Pairs {
public:
  explicit Pairs(const HeaderStringPairs &pairs) { MakeHeaderStringPairsBuffer(pairs, &data, &size); }
  ~Pairs() { ::free(data); }
  Pairs(const Pairs &) = delete;
  Pairs &operator=(const Pairs &) = delete;

  void *data;
  size_t size;
};
} // namespace proxy_wasm

// Hashes of pairs and triples, for the keys of unordered maps.
struct PairHash {
  template <typename A, typename B> size_t operator()(const std::pair<A, B> &of) const {
    return std::hash<A>()(of.first) + std::hash<B>()(of.second);
  }
};

struct Tuple3Hash {
  template <typename A, typename B, typename C> size_t operator()(const std::tuple<A, B, C> &of) const {
    return std::hash<A>()(std::get<0>(of)) + std::hash<B>()(std::get<1>(of)) + std::hash<C>()(std::get<2>(of));
  }
};
