"""Is a report a page that opens anywhere? python page_test.py FOLDER...: each has report.html, report.json, weights.csv, metrics.csv.

The page is well-formed XML and HTML, asks nothing of the network, has no scripts, names every picture; CSV and JSON agree.
"""
import csv
import json
import math
import re
import sys
import xml.etree.ElementTree
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "img"}  # elements that never hold others
SVG = "{http://www.w3.org/2000/svg}"


class Outline(HTMLParser):
    """Elements nest, and none of them or of their attributes leads outside."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.counts = {}

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form", "a"}, tag
        for name, value in attributes:
            if (tag, name) == ("img", "src"):
                assert value.startswith("data:image/svg+xml;base64,"), value[:40]
                continue
            assert name not in {"src", "href", "xlink:href", "srcset", "action", "data"}, name
            assert not name.startswith("on"), name
            assert name == "xmlns" or "//" not in value, value
            assert name != "style" or "url(" not in value, value
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes something else"


def check_page(text):
    outline = Outline()
    outline.feed(text)
    outline.close()
    assert not outline.open, f"left open: {outline.open}"
    assert outline.counts["html"] == outline.counts["h1"] == 1
    tree = xml.etree.ElementTree.fromstring(text)
    for style in tree.iter("style"):
        assert not re.search(r"@import|url\(|//", style.text), "a style that leads outside"
    pictures = [e for e in tree.iter() if e.tag in ("svg", f"{SVG}svg") and e.get("aria-hidden") != "true"]
    assert len(pictures) > 10
    for picture in pictures:
        assert picture.get("role") == "img" and next(iter(picture)).text.strip(), "a picture without a name"
        for number in re.findall(r"nan|inf\b", " ".join(" ".join(e.attrib.values()) for e in picture.iter())):
            raise AssertionError(f"{number} in a picture")
    return len(pictures)


def check_numbers(folder):
    report = json.loads((folder / "report.json").read_text())
    history = report["history"]
    with open(folder / "weights.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    with open(folder / "metrics.csv", newline="") as file:
        metrics = list(csv.DictReader(file))
    assert [int(m["epoch"]) for m in metrics] == [e["epoch"] for e in history["epochs"]]
    edges = sum(len(list_of) for list_of in history["edges"].values())
    assert len(rows) == edges * len(metrics), "a row for each epoch, cell and edge"
    for row in rows:
        cell = history["epochs"][int(row["epoch"]) - 1]["weights"][row["cell"]]
        edge = history["edges"][row["cell"]].index([int(row["from"]), int(row["to"])])
        ops = [float(row[op]) for op in history["ops"]]
        assert math.isclose(sum(ops), 1.0, abs_tol=1e-4)
        assert all(math.isclose(a, b, abs_tol=1e-5) for a, b in zip(ops, cell["ops"][edge]))
        assert (row["edge_weight"] == "") == ("edges" not in cell)
        if "edges" in cell:
            assert math.isclose(float(row["edge_weight"]), cell["edges"][edge], abs_tol=1e-5)
    for row, epoch in zip(metrics, history["epochs"]):
        assert math.isclose(float(row["held_out_after"]), epoch["held_out_after"], abs_tol=0.01)
    return len(rows)


def main():
    for name in sys.argv[1:]:
        folder = Path(name)
        text = (folder / "report.html").read_text(encoding="utf-8")
        report = json.loads((folder / "report.json").read_text())
        for word in (report["command"], report["genotype"]):
            assert word.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("'", "&#39;") in text
        print(f"{name}: {check_page(text)} named pictures, {check_numbers(folder)} rows of weights, as they should be")


if __name__ == "__main__":
    main()
