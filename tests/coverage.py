#!/usr/bin/env python3
"""Which lines and conditions of the headers do the tests run? Adds up what clang's counters have written and fails below the floors.

    cmake --workflow --preset sanitize      # runs the tests, then this
    python3 tests/coverage.py build/sanitize --missed 'io/.*'      # the conditions that were never true, or never false

A condition has two branches, true and false; instances of a template count as one. Nothing is left out. What only the compiler evaluates
(constant expressions) does not count as run.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

PROJECT = pathlib.Path(__file__).resolve().parent.parent
TREES = {"": PROJECT / "include/crispnas", "support/": PROJECT / "examples/support"}  # how their headers are named here
FLOORS = [  # headers, lines, branches
    ("all headers of the library", r"(?!support/).*", 95, 85),
    ("parsers", r"genotype/(reader|text|literal|nas_bench_201)\.hpp|genotype/dialects/.*|data/(idx_header|cifar_records)\.hpp", 0, 100),
    ("files and checkpoints", r"io/.*", 0, 100),
    ("parsers of the programs", r"support/(bounded_json|gzip|image_folder|jpeg|ledger|nas_bench_table|table_scale)\.hpp", 0, 100),
    # Not stop_signals.hpp: a second signal ends the process, and with it what was counted.
    ("checkpoints of the programs", r"support/(keeper|run_keeper|unfinished_run)\.hpp", 0, 100),
]


def counted(build):
    """What llvm-cov says about each header."""
    counts = sorted((build / "coverage").glob("*.profraw"))
    if not counts:
        sys.exit(f"There are no counts in {build / 'coverage'}. Run the tests first.")
    merged = build / "coverage/merged.profdata"
    subprocess.run(["llvm-profdata", "merge", "--sparse", *counts, "-o", merged], check=True)
    programs = (build / "coverage.programs").read_text().split("\n")[:-1]
    objects = [a for p in programs[1:] for a in ("--object", p)]
    said = subprocess.run(["llvm-cov", "export", f"--instr-profile={merged}", programs[0], *objects, *TREES.values()], check=True,
                          capture_output=True)
    return {name_of(f["filename"]): f for f in json.loads(said.stdout)["data"][0]["files"]}


def name_of(path):
    return next(prefix + str(pathlib.Path(path).relative_to(tree)) for prefix, tree in TREES.items() if pathlib.Path(path).is_relative_to(tree))


def path_of(name):
    return TREES["support/"] / name.removeprefix("support/") if name.startswith("support/") else TREES[""] / name


def missed(name, file):
    """Prints the conditions of a header that were never true or never false."""
    source = path_of(name).read_text().splitlines()
    sides = {}
    for line, column, end_line, end_column, true, false, *_ in file["branches"]:
        place = sides.setdefault((line, column, end_line, end_column), [0, 0])
        place[0] += true
        place[1] += false
    for (line, column, end_line, end_column), (true, false) in sorted(sides.items()):
        text = source[line - 1][column - 1:end_column - 1 if end_line == line else None]
        if true and false or text == "true":  # while (true)
            continue
        never = " or ".join(side for side, count in (("true", true), ("false", false)) if not count)
        print(f"  {name}:{line}: never {never}: {text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path, help="a build folder of the preset sanitize, whose tests have run")
    parser.add_argument("--missed", metavar="REGEX", help="list the missed conditions of these headers")
    arguments = parser.parse_args()
    files = counted(arguments.build.resolve())
    folders = sorted({name.split("/")[0] for name in files if "/" in name})
    low = False
    for what, pattern, *floors in [(f + "/", f + "/.*", 0, 0) for f in folders] + FLOORS:
        summaries = [f["summary"] for name, f in files.items() if re.fullmatch(pattern, name)]
        words = []
        for kind, floor in zip(("lines", "branches"), floors):
            count = sum(s[kind]["count"] for s in summaries)
            covered = sum(s[kind]["covered"] for s in summaries)
            percent = 100 * covered / max(count, 1)
            words.append(f"{kind} {percent:.1f} % ({covered} of {count})" + (f", at least {floor} %" if percent < floor else ""))
            low |= percent < floor
        print(f"{what}: {'; '.join(words)}")
    if arguments.missed:
        for name, file in sorted(files.items()):
            if re.fullmatch(arguments.missed, name):
                missed(name, file)
    sys.exit(1 if low else 0)


if __name__ == "__main__":
    main()
