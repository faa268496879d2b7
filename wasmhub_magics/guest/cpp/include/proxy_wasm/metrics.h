// Counters, gauges and histograms, with or without tags.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../proxy_wasm_externs.h"
#include "log.h"

inline WasmResult defineMetric(MetricType type, std::string_view name, uint32_t *metric) {
  return proxy_define_metric(type, name.data(), name.size(), metric);
}
inline WasmResult incrementMetric(uint32_t metric, int64_t offset) { return proxy_increment_metric(metric, offset); }
inline WasmResult recordMetric(uint32_t metric, uint64_t value) { return proxy_record_metric(metric, value); }
inline WasmResult getMetric(uint32_t metric, uint64_t *value) { return proxy_get_metric(metric, value); }

// The value of a tag as it stands in a metric's name.
template <typename T> std::string toString(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_constructible_v<std::string, T>) {
    return std::string(value);
  } else {
    return std::to_string(value);
  }
}

struct MetricTag {
  enum class TagType : uint32_t { String = 0, Int = 1, Bool = 2 };
  std::string name;
  TagType tagType;
};

// A family of metrics: one for each set of values of its tags, named tag.value.tag.value.name. Each is defined when
// it is first used.
struct MetricBase {
  MetricBase(MetricType type, const std::string &name) : type(type), name(name) {}
  MetricBase(MetricType type, const std::string &name, const std::vector<MetricTag> &tags)
      : type(type), name(name), tags(tags) {}
  MetricBase(MetricType type, const std::string &name, const std::vector<MetricTag> &tags,
             std::string field_separator, std::string value_separator)
      : type(type), name(name), tags(tags), field_separator(std::move(field_separator)),
        value_separator(std::move(value_separator)) {}

  MetricType type;
  std::string name;
  std::string prefix;
  std::vector<MetricTag> tags;
  std::unordered_map<std::string, uint32_t> metric_ids;
  std::string field_separator = ".";
  std::string value_separator = ".";

  std::string prefixWithFields(const std::vector<std::string> &fields);
  uint32_t resolveFullName(const std::string &full_name);
  uint32_t resolveWithFields(const std::vector<std::string> &fields);
  void partiallyResolveWithFields(const std::vector<std::string> &fields);
  std::string nameFromIdSlow(uint32_t id);

protected:
  uint64_t read(uint32_t metric) {
    uint64_t value = 0;
    CHECK_RESULT(getMetric(metric, &value));
    return value;
  }
};

// A metric whose tags are told at run time.
struct Metric : public MetricBase {
  using MetricBase::MetricBase;

  template <typename... Fields> void increment(int64_t offset, Fields... fields) {
    incrementMetric(resolve(fields...), offset);
  }
  template <typename... Fields> void record(uint64_t value, Fields... fields) {
    recordMetric(resolve(fields...), value);
  }
  template <typename... Fields> uint64_t get(Fields... fields) { return read(resolve(fields...)); }
  template <typename... Fields> uint32_t resolve(Fields... fields) { return resolveWithFields({toString(fields)...}); }
  template <typename... Fields> Metric partiallyResolve(Fields... fields) {
    Metric rest(*this);
    rest.metric_ids.clear();
    rest.partiallyResolveWithFields({toString(fields)...});
    return rest;
  }
};

// The name of a tag that has values of one type.
template <typename T> struct MetricTagDescriptor {
  MetricTagDescriptor(std::string_view name) : name(name) {}
  MetricTagDescriptor(const char *name) : name(name) {}
  using type = T;
  std::string_view name;
};

template <typename T> MetricTag toMetricTag(const MetricTagDescriptor<T> &of) {
  using Kind = MetricTag::TagType;
  if constexpr (std::is_same_v<T, bool>) {
    return {std::string(of.name), Kind::Bool};
  } else if constexpr (std::is_arithmetic_v<T>) {
    return {std::string(of.name), Kind::Int};
  } else {
    return {std::string(of.name), Kind::String};
  }
}

template <typename T> struct StringToStringView {
  using type = std::conditional_t<std::is_same_v<T, std::string>, std::string_view, T>;
};

// One metric, found before.
struct SimpleCounter {
  SimpleCounter(uint32_t id) : metric_id(id) {}
  void increment(int64_t offset) { incrementMetric(metric_id, offset); }
  void record(int64_t offset) { increment(offset); }
  uint64_t get() {
    uint64_t value = 0;
    CHECK_RESULT(getMetric(metric_id, &value));
    return value;
  }
  void operator++() { increment(1); }
  void operator++(int) { increment(1); }

  uint32_t metric_id;
};

struct SimpleGauge {
  SimpleGauge(uint32_t id) : metric_id(id) {}
  void record(uint64_t value) { recordMetric(metric_id, value); }
  uint64_t get() {
    uint64_t value = 0;
    CHECK_RESULT(getMetric(metric_id, &value));
    return value;
  }

  uint32_t metric_id;
};

struct SimpleHistogram {
  SimpleHistogram(uint32_t id) : metric_id(id) {}
  void record(int64_t value) { recordMetric(metric_id, static_cast<uint64_t>(value)); }

  uint32_t metric_id;
};

namespace proxy_wasm {
// What counters, gauges and histograms with tags of known types have in common.
template <template <typename...> class Kind, MetricType kind, typename Simple, typename... Tags>
struct Tagged : public MetricBase {
  explicit Tagged(std::string_view name, MetricTagDescriptor<Tags>... tags)
      : MetricBase(kind, std::string(name), {toMetricTag(tags)...}) {}

  static Kind<Tags...> *New(std::string_view name, MetricTagDescriptor<Tags>... tags) {
    return new Kind<Tags...>(name, tags...);
  }

  Simple resolve(Tags... tags) { return Simple(resolveWithFields({toString(tags)...})); }

  // The family with more tags, for these values of the present ones.
  template <typename... More>
  Kind<More...> *extendAndResolve(Tags... tags, MetricTagDescriptor<More>... more) {
    auto *made = Kind<More...>::New(name, more...);
    made->prefix = prefixWithFields({toString(tags)...});
    return made;
  }
};
} // namespace proxy_wasm

template <typename... Tags>
struct Counter : public proxy_wasm::Tagged<Counter, MetricType::Counter, SimpleCounter, Tags...> {
  using proxy_wasm::Tagged<Counter, MetricType::Counter, SimpleCounter, Tags...>::Tagged;

  void increment(int64_t offset, Tags... tags) { this->resolve(tags...).increment(offset); }
  void record(int64_t offset, Tags... tags) { increment(offset, tags...); }
  uint64_t get(Tags... tags) { return this->resolve(tags...).get(); }
};

template <typename... Tags>
struct Gauge : public proxy_wasm::Tagged<Gauge, MetricType::Gauge, SimpleGauge, Tags...> {
  using proxy_wasm::Tagged<Gauge, MetricType::Gauge, SimpleGauge, Tags...>::Tagged;

  void record(int64_t value, typename StringToStringView<Tags>::type... tags) {
    recordMetric(this->resolveWithFields({toString(tags)...}), static_cast<uint64_t>(value));
  }
  uint64_t get(Tags... tags) { return this->resolve(tags...).get(); }
};

template <typename... Tags>
struct Histogram : public proxy_wasm::Tagged<Histogram, MetricType::Histogram, SimpleHistogram, Tags...> {
  using proxy_wasm::Tagged<Histogram, MetricType::Histogram, SimpleHistogram, Tags...>::Tagged;

  void record(int64_t value, typename StringToStringView<Tags>::type... tags) {
    recordMetric(this->resolveWithFields({toString(tags)...}), static_cast<uint64_t>(value));
  }
};

// Counter<int> jobs("jobs", MetricTagDescriptor<int>("kind")) needs no list of types.
template <typename... Tags> Counter(std::string_view, MetricTagDescriptor<Tags>...) -> Counter<Tags...>;
template <typename... Tags> Gauge(std::string_view, MetricTagDescriptor<Tags>...) -> Gauge<Tags...>;
template <typename... Tags> Histogram(std::string_view, MetricTagDescriptor<Tags>...) -> Histogram<Tags...>;
