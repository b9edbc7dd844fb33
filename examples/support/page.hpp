// A page that needs nothing but itself: HTML with styles and pictures inside, for light and dark screens, wide and narrow ones, and
// without scripts. `page("Title", "what it is").section("Heading", html_table(...)).text()`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chart.hpp"
#include "markup.hpp"

namespace support {

namespace detail {

// Colours that people who see colours differently tell apart (Okabe and Ito); lines are darker on light pages, lighter on dark ones.
inline constexpr std::string_view page_styles = R"css(
:root{color-scheme:light dark;--page:#f6f7f8;--card:#fff;--ink:#1b2127;--soft:#5a6570;--edge:#dde2e7;
--good:#00734f;--blue:#0072b2;--red:#c94f00;--green:#00855f;--pink:#a8487f;--gold:#9a6a00;--grey:#6b747c;
--op0:#e69f00;--op1:#f0e442;--op2:#cc79a7;--op3:#0072b2;--op4:#56b4e9;--op5:#009e73;--op6:#d55e00;--op7:#8c959d}
@media(prefers-color-scheme:dark){:root{--page:#121518;--card:#1b1f24;--ink:#e7eaed;--soft:#a2adb7;--edge:#333b43;
--good:#4fd0a0;--blue:#62b8f0;--red:#ff9152;--green:#3dcfa0;--pink:#e89ac6;--gold:#efbc4a;--grey:#9ba5ae;--op3:#2b87c8}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1240px;margin:0 auto;padding:28px 16px 60px}
h1{font-size:27px;line-height:1.2;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:19px;margin:36px 0 10px}h3{font-size:15px;margin:18px 0 8px}
p{margin:0 0 10px;max-width:78ch}.soft,figcaption{color:var(--soft)}
svg{display:block;height:auto}svg:not(.cell){width:100%;overflow:visible}svg:not(.cell) text{font-size:12px}
.tiles{display:flex;flex-wrap:wrap;gap:10px;margin:18px 0 0}
.tile{background:var(--card);border:1px solid var(--edge);border-radius:8px;padding:10px 16px;flex:1 1 130px}
.tile b{display:block;font-size:25px;line-height:1.25;font-variant-numeric:tabular-nums}.tile span{color:var(--soft);font-size:13px}
.charts,.small{display:grid;gap:12px}
.charts{grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr))}
.small{grid-template-columns:repeat(auto-fill,minmax(min(46%,222px),1fr));gap:8px;margin:0 0 8px}
figure{margin:0;background:var(--card);border:1px solid var(--edge);border-radius:8px;padding:10px 12px;min-width:0;display:flex;flex-direction:column}figure>svg{margin-top:auto}
figcaption{font-size:13px;margin:0 0 6px}figcaption b{color:var(--ink);font-size:14px;display:block}
.small figure{padding:7px 9px}.small figcaption{font-size:12px;line-height:1.4;overflow-wrap:anywhere}
.small figcaption b{font-size:13px}
.small .cut{border-style:dashed}.small .cut>svg{opacity:.85}sub{line-height:0}.small .kept{border:2px solid var(--good);padding:6px 8px}.mark{color:var(--good);font-weight:600}
.share{stroke:var(--card);stroke-width:.7}
.legend{display:flex;flex-wrap:wrap;gap:3px 14px;margin:0 0 6px;padding:0;list-style:none;font-size:13px;color:var(--ink)}
.legend li{display:flex;align-items:center;gap:6px}.legend svg{width:22px;height:10px;flex:none}
.small .legend{font-size:12px;gap:1px 9px;margin:0}.small .legend svg{width:16px}
.wide{overflow-x:auto;padding:10px 12px;background:var(--card);border:1px solid var(--edge);border-radius:8px;margin:0 0 12px}
.cell,.wide img{display:block;max-width:max(100%,660px);height:auto;margin:0 auto}
table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums}caption{text-align:left;color:var(--soft);margin:0 0 6px}
th,td{text-align:right;padding:4px 12px;border-bottom:1px solid var(--edge);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0;white-space:normal}thead th{color:var(--soft);font-weight:600}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr));gap:0 24px;margin:0;font-size:14px}
dl div{display:flex;justify-content:space-between;gap:12px;border-bottom:1px solid var(--edge);padding:4px 0}
dt{color:var(--soft)}dd{margin:0;text-align:right;overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--edge);border-radius:8px;padding:10px 12px;margin:0 0 12px;font-size:13px;white-space:pre-wrap;overflow-wrap:anywhere}
details{margin:12px 0}summary{cursor:pointer;font-weight:600}details .wide{margin-top:10px}
@media print{main{max-width:none}figure,.wide{break-inside:avoid}}
)css";

}  // namespace detail

/// A table whose first column names the rows. Cells are words, not markup.
inline std::string html_table(const std::string& caption, const std::vector<std::string>& columns,
                              const std::vector<std::vector<std::string>>& rows) {
  std::string html = "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"" + markup(caption) +
                     "\"><table><caption>" + markup(caption) + "</caption><thead><tr>";
  for (const auto& column : columns) html += "<th scope=\"col\">" + markup(column) + "</th>";
  html += "</tr></thead><tbody>\n";
  for (const auto& row : rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      html += (i == 0 ? "<th scope=\"row\">" : "<td>") + markup(row[i]) + (i == 0 ? "</th>" : "</td>");
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

/// Names and values, as of a configuration.
inline std::string html_facts(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string html = "<dl>";
  for (const auto& [name, value] : pairs)
    html += "<div><dt>" + markup(name) + "</dt><dd>" + markup(value) + "</dd></div>\n";
  return html + "</dl>\n";
}

inline std::string html_paragraph(const std::string& words) { return "<p>" + markup(words) + "</p>\n"; }
inline std::string html_code(const std::string& text) { return "<pre>" + markup(text) + "</pre>\n"; }

/// Shown on demand.
inline std::string html_folded(const std::string& heading, const std::string& html) {
  return "<details><summary>" + markup(heading) + "</summary>\n" + html + "</details>\n";
}

/// What the lines of a chart are.
inline std::string html_legend(const std::vector<series>& lines) {
  std::string html = "<ul class=\"legend\">";
  for (const auto& s : lines) {
    html += fmt::format(
        "<li><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\"><path d=\"M1 5H21\" style=\"stroke:{};"
        "stroke-width:{}{}\"/></svg>{}</li>",
        s.color, s.width + 1, s.dash.empty() ? "" : ";stroke-dasharray:" + s.dash, markup(s.name));
  }
  return html + "</ul>\n";
}

/// A chart with heading and legend.
inline std::string chart_figure(const std::string& title, const axis& y_axis,
                                const std::vector<series>& lines, bool shaded = false) {
  return "<figure><figcaption><b>" + markup(title) + "</b></figcaption>" + html_legend(lines) +
         line_plot(title, y_axis, lines, shaded) + "</figure>\n";
}

/// What is wider than a telephone, such as a drawn cell, and is then scrolled.
inline std::string html_wide(const std::string& words, const std::string& html) {
  return "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"" + markup(words) + "\">" + html +
         "</div>\n";
}

/// A picture of its own, an SVG file put into the page: its styles stay in it. `words` are for who cannot see it.
inline std::string html_picture(const std::string& words, std::string_view svg) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string base64;
  for (std::size_t i = 0; i < svg.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, svg.size() - i);
    unsigned bits = 0;
    for (std::size_t b = 0; b < 3; ++b)
      bits = bits << 8 | (b < count ? static_cast<unsigned char>(svg[i + b]) : 0U);
    for (std::size_t d = 0; d < 4; ++d) base64 += d <= count ? digits[bits >> (18 - 6 * d) & 0x3fU] : '=';
  }
  return html_wide(words,
                   "<img alt=\"" + markup(words) + "\" src=\"data:image/svg+xml;base64," + base64 + "\"/>");
}

class page {
 public:
  /// `about`: a sentence under the title.
  page(const std::string& title, const std::string& about)
      : text_(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
            markup(title) + "</title>\n<style>" + std::string(detail::page_styles) +
            "</style>\n</head>\n<body>\n<main>\n<h1>" + markup(title) + "</h1>\n<p class=\"soft\">" +
            markup(about) + "</p>\n") {}

  page& add(const std::string& html) {
    text_ += html;
    return *this;
  }
  page& section(const std::string& heading, const std::string& html) {
    return add("<section>\n<h2>" + markup(heading) + "</h2>\n" + html + "</section>\n");
  }
  std::string text() const { return text_ + "</main>\n</body>\n</html>\n"; }

 private:
  std::string text_;
};

}  // namespace support
