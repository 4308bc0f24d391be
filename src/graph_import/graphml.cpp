#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <pugixml.hpp>
#include <sstream>

#include "base/error.h"
#include "data/text_lines.h"
#include "graph_import/readers.h"

namespace strider {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGraphmlAdvice = "Write the graph again, with networkx.write_graphml for example.";

[[noreturn]] void fail(const std::string& message, const fs::path& file, const std::string& place = {}) {
  throw Error(message, {.file = file.string(), .place = place, .advice = kGraphmlAdvice});
}

std::string text_of(const fs::path& file) {
  TextLines lines(file, "graph");
  std::string text;
  std::string_view line;
  while (lines.next(&line)) {
    text += line;
    text += '\n';
  }
  return text;
}

// Pretty printers put values on lines of their own.
std::string_view value_text(std::string_view value) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = value.find_first_not_of(kSpace);
  return first == std::string_view::npos ? std::string_view()
                                         : value.substr(first, value.find_last_not_of(kSpace) + 1 - first);
}

std::string line_at(const std::string& text, std::ptrdiff_t offset) {
  const auto end = text.begin() + std::min<std::ptrdiff_t>(offset, std::ssize(text));
  return fmt::format("line {}", 1 + std::count(text.begin(), end, '\n'));
}

}  // namespace

NamedEdges read_graphml(const fs::path& file) {
  const std::string text = text_of(file);
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size());
  if (!parsed) fail(fmt::format("This is no XML: {}", parsed.description()), file, line_at(text, parsed.offset));
  const pugi::xml_node root = document.child("graphml");
  const pugi::xml_node graph = root.child("graph");
  if (!graph) fail("There is no graph in it", file);
  const auto place_of = [&](const pugi::xml_node& node) { return line_at(text, node.offset_debug()); };
  if (const pugi::xml_node second = graph.next_sibling("graph")) {
    fail("There are several graphs in it", file, place_of(second));
  }

  NamedEdges read;
  const std::string by_default = graph.attribute("edgedefault").as_string("undirected");
  read.is_directed = by_default == "directed";
  std::string weight_key;
  std::string_view default_weight = "1";  // as networkx takes it
  for (const pugi::xml_node key : root.children("key")) {
    const std::string_view holder = key.attribute("for").as_string("all");
    if (std::strcmp(key.attribute("attr.name").as_string(), "weight") != 0) continue;
    if (holder != "edge" && holder != "all") continue;
    weight_key = key.attribute("id").as_string();
    if (const pugi::xml_node value = key.child("default")) default_weight = value.child_value();
  }
  read.is_weighted = !weight_key.empty();

  NamePlaces places;
  for (const pugi::xml_node node : graph.children("node")) {
    const std::string_view id = node.attribute("id").as_string();
    if (id.empty()) fail("A node without an id", file, place_of(node));
    const std::size_t before = places.size();
    places.place_of(id);
    if (places.size() == before) fail(fmt::format("The node {} is there twice", id), file, place_of(node));
    if (node.child("graph")) fail("A graph within a node is not read", file, place_of(node));
  }
  if (graph.child("hyperedge")) {
    fail("A hyperedge is no edge between two nodes", file, place_of(graph.child("hyperedge")));
  }
  const std::size_t declared = places.size();
  for (const pugi::xml_node node : graph.children("edge")) {
    const std::string_view source = node.attribute("source").as_string(), target = node.attribute("target").as_string();
    if (source.empty() || target.empty()) fail("An edge without source and target", file, place_of(node));
    if (const pugi::xml_attribute own = node.attribute("directed"); own && own.as_bool() != read.is_directed) {
      fail(fmt::format("An edge that is {}directed in a graph of {} edges", own.as_bool() ? "" : "not ", by_default),
           file, place_of(node));
    }
    Edge edge{.from = places.place_of(source), .to = 0};
    edge.to = places.place_of(target);
    if (places.size() > declared) {
      fail(fmt::format("The edge from {} to {} has an end that is no node", source, target), file, place_of(node));
    }
    if (read.is_weighted) {
      std::string_view weight = default_weight;
      for (const pugi::xml_node data : node.children("data")) {
        if (weight_key == data.attribute("key").as_string()) weight = data.child_value();
      }
      const std::optional<double> value = weight_of(value_text(weight));
      // The place is looked for in an error alone: it counts the lines before.
      edge.weight = value ? *value : parse_weight(weight, file, place_of(node), fmt::format("{} {}", source, target));
    }
    read.edges.push_back(edge);
  }
  if (places.size() == 0) fail("There is no node in it", file);
  read.nodes = places.size();
  read.names = places.take_names();
  return read;
}

}  // namespace strider
