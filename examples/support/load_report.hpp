#pragma once

#include <nlohmann/json.hpp>

#include <cstdio>
#include <string>

#include "load.hpp"

namespace cove::examples {

/// The results of a load for programs; print_report() shows the same to people.
inline nlohmann::ordered_json make_report(const load_plan& plan, const tally& results,
                                          unsigned opened, std::chrono::duration<double> took) {
  histogram latency;
  results.merge_latency(latency);
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
  nlohmann::ordered_json report;
  report["connections"] = opened;
  report["connections_asked"] = plan.connections;
  report["size_bytes"] = plan.size;
  report["depth"] = plan.depth;
  report["seconds"] = took.count();
  report["requests"] = results.answers();
  report["requests_per_second"] = static_cast<double>(results.answers()) / took.count();
  report["lost"] = results.lost();
  report["corrupted"] = results.corrupted();
  report["latency_us"]["p50"] = us(latency.percentile(0.5));
  report["latency_us"]["p90"] = us(latency.percentile(0.9));
  report["latency_us"]["p99"] = us(latency.percentile(0.99));
  report["latency_us"]["max"] = us(latency.max());
  report["errors"] = nlohmann::ordered_json::object();
  for (const auto& [why, count] : results.errors()) report["errors"][why] = count;
  return report;
}

inline void print_report(const nlohmann::ordered_json& report) {
  const auto number = [&](const char* name) { return report[name].get<unsigned long long>(); };
  const auto us = [&](const char* name) { return report["latency_us"][name].get<double>(); };
  std::printf("connections  %llu of %llu\n", number("connections"), number("connections_asked"));
  std::printf("requests     %llu in %.2f s: %.0f/s\n", number("requests"),
              report["seconds"].get<double>(), report["requests_per_second"].get<double>());
  std::printf("latency      p50 %.0f µs, p90 %.0f µs, p99 %.0f µs, max %.0f µs\n", us("p50"),
              us("p90"), us("p99"), us("max"));
  std::printf("lost         %llu\ncorrupted    %llu\n", number("lost"), number("corrupted"));
  for (const auto& [why, count] : report["errors"].items())
    std::printf("error        %llu x %s\n", count.get<unsigned long long>(), why.c_str());
}

}  // namespace cove::examples
