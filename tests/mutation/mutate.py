#!/usr/bin/env python3
"""Would the unit tests notice a mistake? Makes mistakes in headers, one at a time, and runs the test concerned.

    cmake --workflow --preset test          # once: the compile commands, the precompiled header and the kernels come from there
    python3 tests/mutation/mutate.py        # all targets; or some of: losses mixed_op discretizer sampler files checkpoints ...

A mistake is a flipped condition, another operator, another constant, a statement left out. All mistakes of a target are compiled at
once, each behind a number (sites.hpp), so that a mutant costs a run of the test and no compilation. A mutant is killed when the test
fails, dies, or takes ten times as long. What survives is printed.

Mutants handle files wrongly, too, so that root runs them as nobody, and each may take 8 GiB of address space.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGETS = {  # what is mutated, and by which test it is to be noticed
    "files": ("files_test", ["io/atomic_file.hpp", "io/checked_file.hpp", "io/generations.hpp", "io/manifest.hpp",
                             "io/configuration_text.hpp", "io/run_lock.hpp", "io/sha256.hpp"]),
    "safetensors_header": ("safetensors_header_test", ["io/safetensors_header.hpp", "io/json_cursor.hpp"]),
    "losses": ("loss_test", ["loss/da2s.hpp", "loss/entropy.hpp", "loss/separation.hpp", "loss/terms.hpp"]),
    "mixed_op": ("supernet_test", ["supernet/weights.hpp", "nn/mixed_op.hpp"]),
    "discretizer": ("discretize_test", ["discretize/cut.hpp", "discretize/discretize.hpp", "discretize/kept_set.hpp",
                                        "discretize/random_cut.hpp"]),
    "sampler": ("data_test", ["data/loader.hpp", "data/random.hpp"]),
    "checkpoints": ("checkpoint_test", ["io/checkpoints.hpp", "io/named_state.hpp", "io/random_state.hpp"]),
    "states": ("state_test", ["io/state.hpp"]),
}
LONG = {  # cases that take most of a test's time: only what survives the others meets them
    "files_test": "2*000 random bit flips*",
    "safetensors_header_test": "the largest header*,100*000 mutated files*",
    "checkpoint_test": "a failure at each call of a save*",
    "supernet_test": "logits and every gradient equal*,gradients of alpha and beta through the network*,a whole bilevel step*",
}
LEFT_OUT = {  # cases that compare the two ways to compute with each other, in minutes: whatever they kill does not count
    "supernet_test": "float32: the kernels err at most twice*,float32: of other networks*",
}
OPERATORS = {"+": "plus", "-": "minus", "*": "times", "/": "over", "%": "modulo", "<": "less", "<=": "less_equal", ">": "greater",
             ">=": "greater_equal", "==": "equal", "!=": "unequal", "&": "bit_and", "|": "bit_or", "^": "bit_xor"}
WRONG = {"plus": "-", "minus": "+", "times": "/", "over": "*", "modulo": "*", "less": "<=", "less_equal": "<", "greater": ">=",
         "greater_equal": ">", "equal": "!=", "unequal": "==", "bit_and": "|", "bit_or": "&", "bit_xor": "|"}


def masked(text):
    """The text with comments, preprocessor lines and the contents of literals blanked, every character in its place."""
    blank = lambda m: re.sub(r"[^\n]", " ", m)
    def replace(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] + "_" * (len(token) - 2) + token[-1]
        return blank(token)
    return re.sub(r"//[^\n]*|/\*.*?\*/|^[ \t]*#[^\n]*|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])'", replace, text,
                  flags=re.M | re.S)


def closing(text, opening):
    depth = 0
    for i in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return -1


def left_alone(text):
    """Spans that are compile time's, or no expressions."""
    spans = []
    for pattern in (r"\bstatic_assert\s*\(.*?\);", r"\bconstexpr\s+(?:[\w:]+(?:<[^;=]*?>)?[\s*]+)+\w+(?:\[\w*\])?\s*(?:=|\{)[^;]*;",
                    r"\btemplate\s*<.*?>\s", r"\bconcept\b[^;]*;", r"\brequires\b[^{;]*", r"\benum\b[^;]*;", r"\bif constexpr \([^\n]*",
                    r"\bcase\b[^:]*:", r"<[^<>;()\n]*\b\d+\b[^<>;()\n]*>", r"^\s+[\w:]+ \w+\[\w+\];", r"^\s*using\b[^;]*;",
                    r"= 0;(?=\s*(?://|$))(?<=const = 0;)"):
        spans += [m.span() for m in re.finditer(pattern, text, flags=re.M | re.S)]
    return spans


def sites_of(text):
    """(begin, end, replacement with {n} for the number, what it does), not overlapping in a harmful way."""
    code = masked(text)
    spans = left_alone(code)
    free = lambda at: not any(a <= at < b for a, b in spans)
    edits = []  # (position, length removed, inserted, description); several edits of one site share a description
    for match in re.finditer(r"(?<=\S) (\+|-|\*|/|%|<=|>=|==|!=|<|>|&|\||\^|&&|\|\|)(?=\s+\S)", code):
        op, at = match.group(1), match.start(1)
        if not free(at):
            continue
        before, after = code[:at].rstrip()[-1:], code[at + len(op):].lstrip()[:1]
        if op == "&&":
            edits.append([(at, 0, "&& !mutation::on({n}) ")])
            what = "&& -> false"
        elif op == "||":
            edits.append([(at, 0, "|| mutation::on({n}) ")])
            what = "|| -> true"
        else:
            if op in "+/" and '"' in (before, after):
                continue  # texts and paths
            name = OPERATORS[op]
            edits.append([(at, 0, f"{op} mutation::{name}{{{{{{n}}}}}} ")])
            what = f"{op} -> {WRONG[name]}"
        edits[-1].append(what)
    number = r"(?<![\w.'])(0x[0-9a-fA-F.]+p[+-]?\d+|\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+|0x[0-9a-fA-F']+|\d[\d']*)([uUlL]*|f)(?![\w.'])"
    for match in re.finditer(number, code):
        if not free(match.start()) or re.search(r"\b(?:const = |get<)$", code[:match.start()]):
            continue
        literal = match.group(0)
        real = re.search(r"[.p]|^\d+e", literal) is not None
        wrong = ("1.0" if float.fromhex(literal) == 0 else f"({literal} * 1.5)") if real and literal.startswith("0x") else \
                ("1.0" if real and float(literal.rstrip("f")) == 0 else f"({literal} * 1.5)" if real else f"({literal} + 1)")
        edits.append([(match.start(), len(literal), f"mutation::constant({{n}}, {literal}, {wrong})"), f"{literal} -> {wrong}"])
    for match in re.finditer(r"\b(true|false)\b", code):
        if free(match.start()):
            edits.append([(match.start(), len(match.group(0)), f"mutation::flip({{n}}, {match.group(0)})"), f"not {match.group(0)}"])
    for match in re.finditer(r"\b(?:if|while) \(", code):
        begin = match.end() - 1
        end = closing(code, begin)
        condition = code[begin + 1:end]
        if re.fullmatch(r"[^&|<>=!]* [=!]= [^&|<>=!]*", condition.replace("->", "")):
            continue  # the same as the other operator
        if not free(match.start()) or ";" in condition or re.search(r"[^=!<>]=[^=]", condition) or condition == "true":
            continue
        edits.append([(begin + 1, 0, "mutation::flip({n}, static_cast<bool>("), (end, 0, "))"), f"not ({text[begin + 1:end]})"])
    path = r"\*?(?!return|throw|if|for|while|using|else|delete|co_|static_assert)[A-Za-z_][\w:]*(?:(?:\.|->)\w+|\[[^\]\n]*\]|\([^\n]*?\))*"
    statement = re.compile(rf"(?<=[;{{}}])\s*\n(\s+)((?:{path} (?:=|[-+*/|&^]=) [^\n]*|{path}\)?|\+\+{path}|{path}\+\+);)$", re.M)
    for match in statement.finditer(code):
        body = match.group(2)
        if not free(match.start(2)) or re.search(r"= (delete|default);$", body) or body.count("(") != body.count(")") or body.count("{") != body.count("}"):
            continue
        if not re.search(r"=|\)|\+\+", body) or re.match(r"[\w:]+ ?\([^()]*\)( const)?;$", body) and "{" in body:
            continue
        edits.append([(match.start(2), 0, "if (!mutation::on({n})) "), f"without {text[match.start(2):match.end(2)]}"])
    return edits


def mutate(text, sites):
    """sites: (number, edits)."""
    flat = sorted(((at, -i, length, new.replace("{n}", str(n)).replace("{{", "{").replace("}}", "}"))
                   for i, (n, edits) in enumerate(sites) for at, length, new in edits), key=lambda e: (-e[0], -e[2], e[1]))
    for at, _, length, new in flat:
        text = text[:at] + new + text[at + length:]
    header = text.index("#pragma once\n") + len("#pragma once\n")
    line = text.count("\n", 0, header) + 1
    return text[:header] + f"#include <sites.hpp>\n#line {line}\n" + text[header:]


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_test(program, folder, extra, seconds, long_cases=True):
    """Whether it passes, and what it says."""
    left_out = [LEFT_OUT.get(program.name), None if long_cases else LONG[program.name]]
    arguments = ["-tce=" + ",".join(filter(None, left_out))] if any(left_out) else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder), **extra}
    who = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        done = subprocess.run([program, "--abort-after=1", *arguments], env=environment, cwd=folder, timeout=seconds, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, preexec_fn=limits, **who)
        return done.returncode == 0, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return False, "takes too long"


def build(test, build_folder, scratch):
    """The compile and the link command of a test, with the mutated headers before the others. Returns what the compiler said."""
    commands = json.loads((build_folder / "compile_commands.json").read_text())
    entry = next(c for c in commands if pathlib.Path(c["file"]).stem == test)
    compile_command = [a for a in shlex.split(entry["command"])]
    while "ccache" in compile_command[0] or "cmake" in compile_command[0] or compile_command[0] in ("-E", "env") or \
            "=" in compile_command[0]:
        compile_command.pop(0)
    # Errors of a place that cannot be mutated are found by their lines, so there is to be no limit to them.
    compile_command[1:1] = ["-I", str(scratch / "include"), "-I", str(ROOT / "tests/mutation"), "-w", "-fmax-errors=0"]
    at = compile_command.index("-o") + 1
    original = compile_command[at]
    compile_command[at] = str(scratch / f"{test}.o")
    said = subprocess.run(compile_command, cwd=entry["directory"], stderr=subprocess.PIPE, text=True)
    if said.returncode != 0:
        return said.stderr
    link = subprocess.run(["ninja", "-t", "commands", "-s", f"tests/{test}"], cwd=build_folder, capture_output=True, text=True).stdout
    link = next(l for l in link.splitlines() if original in l and f"-o tests/{test} " in l)
    link = re.search(r"&& (\S*(?:c\+\+|g\+\+|clang\+\+)\S* .*?) &&", link).group(1)
    link = link.replace(original, str(scratch / f"{test}.o")).replace(f"-o tests/{test} ", f"-o {scratch / test} ")
    subprocess.run(shlex.split(link), cwd=build_folder, check=True)
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="*", help=", ".join(TARGETS))
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/test", help="a build folder of the preset test")
    parser.add_argument("--sample", type=int, default=0, help="at most so many mutants a target")
    parser.add_argument("--minutes", type=float, default=1e9, help="at most so long a target")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    arguments = parser.parse_args()
    unknown = [t for t in arguments.targets if t not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    all_killed = all_run = 0
    for target in arguments.targets or TARGETS:
        test, headers = TARGETS[target]
        sites = {}  # number -> (header, line, edits, description)
        for header in headers:
            text = (ROOT / "include/crispnas" / header).read_text()
            for *edits, what in sites_of(text):
                sites[len(sites)] = (header, text.count("\n", 0, edits[0][0]) + 1, edits, " ".join(what.split()))
        if arguments.list:
            for number, (header, line, _, what) in sites.items():
                print(f"{number:4} {header}:{line}: {what}")
            continue
        with contextlib.ExitStack() as stack:
            scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crispnas-mutation-")))
            scratch.chmod(0o755)
            for attempt in range(8):
                for header in headers:
                    to = scratch / "include/crispnas" / header
                    to.parent.mkdir(parents=True, exist_ok=True)
                    text = (ROOT / "include/crispnas" / header).read_text()
                    to.write_text(mutate(text, [(n, s[2]) for n, s in sites.items() if s[0] == header]))
                errors = build(test, arguments.build.resolve(), scratch)
                if not errors:
                    break
                wrong = {(h, int(line)) for h, line in re.findall(r"include/crispnas/([\w/.]+hpp):(\d+):\d+: (?:error|note|  )", errors)} | \
                        {(h, int(line)) for h, line in re.findall(r"include/crispnas/([\w/.]+hpp):(\d+)", errors)}
                left = {n: s for n, s in sites.items() if (s[0], s[1]) not in wrong}
                if len(left) == len(sites):
                    sys.exit(f"{target}: the mutated headers do not compile:\n{errors[:4000]}")
                print(f"{target}: {len(sites) - len(left)} places left out (they do not compile): " +
                      ", ".join(f"{h}:{l}" for h, l in sorted(wrong)), flush=True)
                sites = left
            else:
                sys.exit(f"{target}: the mutated headers do not compile.")
            memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where bringing files to the disk costs nothing
            runs = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crispnas-mutation-", dir=memory)))
            runs.chmod(0o777)
            reached = runs / "reached"
            start = time.monotonic()
            passes, said = run_test(scratch / test, runs, {"CRISPNAS_MUTANT_REACHED": str(reached)}, 1200)
            seconds = time.monotonic() - start
            if not passes:
                sys.exit(f"{target}: {test} fails without a mutant:\n{said[-3000:]}")
            seen = set(reached.read_text().split()) if reached.exists() else set()
            sites = {n: s for n, s in sites.items() if f"-{n}" not in seen}
            numbers = list(sites)
            random.Random(1).shuffle(numbers)  # whatever is run is a fair sample
            numbers = numbers[:arguments.sample or None]
            print(f"{target}: {len(sites)} mutants; {test} takes {seconds:.1f} s", flush=True)
            killed, ran = {}, {}
            start = time.monotonic()
            for number in numbers:
                if time.monotonic() - start > 60 * arguments.minutes:
                    break
                header, line, _, what = sites[number]
                if str(number) in seen:
                    mutant = {"CRISPNAS_MUTANT": str(number)}
                    passes = test not in LONG or run_test(scratch / test, runs, mutant, 10 * seconds + 10, long_cases=False)[0]
                    if passes:
                        passes, _ = run_test(scratch / test, runs, mutant, 10 * seconds + 10)
                else:
                    passes = True
                ran[header] = ran.get(header, 0) + 1
                killed[header] = killed.get(header, 0) + (not passes)
                if passes:
                    note = " (never reached)" if str(number) not in seen else ""
                    print(f"  SURVIVED {header}:{line}: {what}{note}", flush=True)
                for left_over in runs.iterdir():
                    if left_over != reached:
                        shutil.rmtree(left_over, ignore_errors=True) if left_over.is_dir() else left_over.unlink()
            for header in sorted(ran):
                print(f"  {header}: {killed[header]} of {ran[header]} killed", flush=True)
            print(f"{target}: {sum(killed.values())} of {sum(ran.values())} killed, of {len(sites)}", flush=True)
            all_killed += sum(killed.values())
            all_run += sum(ran.values())
    if not arguments.list and all_run:
        print(f"{all_killed} of {all_run} mutants killed ({100 * all_killed / all_run:.1f} %)")


if __name__ == "__main__":
    main()
