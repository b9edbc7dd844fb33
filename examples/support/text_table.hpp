// One table, four forms: plain text for a terminal, Markdown, CSV, JSON.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "csv.hpp"

namespace support {

struct text_table {
  std::string title;
  std::vector<std::string> above;  ///< scale, conditions: said before the table, one line each
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> below;                  ///< what can be claimed, what is missing
  nlohmann::json data = nlohmann::json::object();  ///< the numbers behind it, every seed, for the JSON form
};

namespace detail {
/// Columns on a screen: bytes that continue a UTF-8 character take none.
inline std::size_t shown_width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}
inline std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, shown_width(text)), ' ');
}
inline std::string without_bars(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}
}  // namespace detail

inline std::string to_plain(const text_table& table) {
  std::vector<std::size_t> widths;
  for (const auto& column : table.columns) widths.push_back(detail::shown_width(column));
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], detail::shown_width(row[i]));
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i)
      text += (i == 0 ? "" : " | ") + detail::padded(cells[i], widths[i]);
    return text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  };
  std::string text = table.title + "\n";
  for (const auto& note : table.above) text += note + "\n";
  text += "\n" + line(table.columns);
  std::size_t all = 3 * (widths.size() - 1);
  for (auto width : widths) all += width;
  text += std::string(all, '-') + "\n";
  for (const auto& row : table.rows) text += line(row);
  if (!table.below.empty()) text += "\n";
  for (const auto& note : table.below) text += note + "\n";
  return text;
}

inline std::string to_markdown(const text_table& table) {
  const auto line = [](const std::vector<std::string>& cells) {
    std::string text = "|";
    for (const auto& cell : cells) text += " " + detail::without_bars(cell) + " |";
    return text + "\n";
  };
  std::string text = "### " + table.title + "\n\n";
  for (const auto& note : table.above) text += note + "\n";
  text += "\n" + line(table.columns);
  text += line(std::vector<std::string>(table.columns.size(), "---"));
  for (const auto& row : table.rows) text += line(row);
  if (!table.below.empty()) text += "\n";
  for (const auto& note : table.below) text += "- " + note + "\n";
  return text;
}

inline std::string to_csv(const text_table& table) {
  const auto line = [](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) text += (i == 0 ? "" : ",") + csv_field(cells[i]);
    return text + "\r\n";
  };
  std::string text = line(table.columns);
  for (const auto& row : table.rows) text += line(row);
  return text;
}

inline nlohmann::json to_json(const text_table& table) {
  return {{"title", table.title}, {"above", table.above}, {"columns", table.columns},
          {"rows", table.rows},   {"below", table.below}, {"data", table.data}};
}

}  // namespace support
