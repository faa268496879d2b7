// IP and path allow list: "/health 10.0.0.0/8 192.168.1.7".
//
// x-forwarded-for counts, so let nobody but your own load balancer reach this proxy, or leave it out.
#include <charconv>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "proxy_wasm_intrinsics.h"

// An IPv4 address as a number.
static std::optional<uint32_t> address(std::string_view text) {
  uint32_t found = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t part;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part);
    if (error != std::errc()) return std::nullopt;
    found = found << 8 | part;
    text.remove_prefix(end - text.data());
    if (i < 3) {
      if (!text.starts_with('.')) return std::nullopt;
      text.remove_prefix(1);
    }
  }
  return text.empty() ? std::optional(found) : std::nullopt;
}

class Plugin : public RootContext {
public:
  explicit Plugin(uint32_t id, std::string_view root_id) : RootContext(id, root_id) {}

  bool onConfigure(size_t size) override {
    std::istringstream words(getBufferBytes(WasmBufferType::PluginConfiguration, 0, size)->toString());
    for (std::string word; words >> word;) {
      if (word.starts_with('/')) {
        paths.insert(word);
        continue;
      }
      size_t slash = word.find('/');
      auto start = address(word.substr(0, slash));
      int bits = slash == std::string::npos ? 32 : atoi(word.c_str() + slash + 1);
      if (!start || bits < 0 || bits > 32) return false;
      uint32_t mask = bits ? ~0u << (32 - bits) : 0;
      ranges.emplace_back(*start & mask, mask);
    }
    return true;
  }

  std::set<std::string> paths;
  std::vector<std::pair<uint32_t, uint32_t>> ranges;
};

class AllowList : public Context {
public:
  explicit AllowList(uint32_t id, RootContext *root) : Context(id, root), plugin_(static_cast<Plugin *>(root)) {}

  FilterHeadersStatus onRequestHeaders(uint32_t, bool) override {
    std::string path = getRequestHeader(":path")->toString();
    if (plugin_->paths.contains(path.substr(0, path.find('?')))) return FilterHeadersStatus::Continue;
    if (auto client = address(client_address())) {
      for (auto &[start, mask] : plugin_->ranges)
        if ((*client & mask) == start) return FilterHeadersStatus::Continue;
    }
    sendLocalResponse(403, "", "forbidden\n", {});
    return FilterHeadersStatus::StopIteration;
  }

private:
  static std::string client_address() {
    std::string forwarded = getRequestHeader("x-forwarded-for")->toString(), peer;
    if (forwarded.empty()) {
      getValue({"source", "address"}, &peer);
      return peer.substr(0, peer.find(':'));
    }
    std::string last = forwarded.substr(forwarded.rfind(',') + 1); // of "client, proxy, proxy"
    return last.substr(std::min(last.find_first_not_of(' '), last.size()));
  }

  Plugin *plugin_;
};

static RegisterContextFactory allow_list(CONTEXT_FACTORY(AllowList), ROOT_FACTORY(Plugin));
