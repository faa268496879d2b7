// What a throw becomes: Envoy's filters have no exceptions to catch, so it ends the filter, and the log says why.
// The code of catch blocks is left out by the compiler. All is weak: a filter may have its own.
#include <cstdlib>
#include <exception>
#include <string>
#include <typeinfo>

#include "proxy_wasm_externs.h"

namespace __cxxabiv1 {
// What the types of the C++ ABI are on the inside: asks whether a catch of this type takes what was thrown.
class __attribute__((visibility("hidden"))) __shim_type_info : public std::type_info {
public:
  ~__shim_type_info() override;
  virtual void noop1() const;
  virtual void noop2() const;
  virtual bool can_catch(const __shim_type_info *thrown, void *&object) const = 0;
};
} // namespace __cxxabiv1

namespace {
// "St12out_of_range" and "7Refused" in the words of the source; other names as they are.
std::string readable(std::string_view name) {
  std::string made;
  if (name.starts_with("St")) {
    made = "std::";
    name.remove_prefix(2);
  }
  size_t length = 0, at = 0;
  for (; at < name.size() && name[at] >= '0' && name[at] <= '9'; at++) length = length * 10 + (name[at] - '0');
  return at && at + length == name.size() ? made.append(name.substr(at)) : made.append(name);
}
} // namespace

extern "C" [[gnu::weak]] void *__cxa_allocate_exception(size_t size) noexcept { return malloc(size); }

extern "C" [[gnu::weak]] void __cxa_free_exception(void *object) noexcept { free(object); }

extern "C" [[gnu::weak, noreturn]] void __cxa_throw(void *object, std::type_info *type, void (*)(void *)) {
  std::string line = "the filter threw " + readable(type->name());
  auto *wanted = reinterpret_cast<const __cxxabiv1::__shim_type_info *>(&typeid(std::exception));
  auto *thrown = reinterpret_cast<const __cxxabiv1::__shim_type_info *>(type);
  if (wanted->can_catch(thrown, object)) line.append(": ").append(static_cast<std::exception *>(object)->what());
  proxy_log(LogLevel::critical, line.data(), line.size());
  abort();
}

extern "C" [[gnu::weak, noreturn]] void __cxa_rethrow() {
  constexpr std::string_view line = "the filter threw again what it had caught";
  proxy_log(LogLevel::critical, line.data(), line.size());
  abort();
}
