#!/usr/bin/env python3
"""Check a Promela model, and that the check would notice if the model were wrong.

    run.py MODEL.pml [--spin spin] [--cc gcc] [--workdir DIR] [--all] [--only NAME]

The model says in comment lines what is to be run:

    // configuration: NAME -DFLAG ...     none of these: one configuration without flags
    // cycles: NAME -DFLAG ...            one that is searched for endless runs instead
    // larger: NAME -DFLAG ...            one that takes long: only with --all, or named by --only
    // mutants: A B C@NAME                C is tried in configuration NAME, the others in the first

Every configuration must pass with all its states searched; under "cycles" no run may go on for
ever, if every process that can always move does, without passing a progress label.  Every mutant,
built with -DMUTANT_A, must be refuted by an assertion, an invalid end state or such a run; any
other failure is none of its merits.
A line is printed for each.  Exits with 0, with 1 if something is not as it must be, and with 77
if spin or the compiler is missing.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

DEPTH = 100_000
MEMORY_MB = 2000
SEARCH_SECONDS = 300

# What pan says when it gave up before it had seen everything.
TRUNCATED = ("max search depth too small", "reached -DMEMLIM", "out of memory", "hash table full",
             "Search not completed")
REFUTED = re.compile(r"^pan:1: ((?:assertion violated|invalid end state|non-progress cycle).*)$",
                     re.MULTILINE)

# How to build a verifier and how to run it, for each kind of configuration.
STATES = (["-DSAFETY"], [])
CYCLES = (["-DNP", "-DNFAIR=3"], ["-l", "-f"])
QUESTIONS = {"configuration": STATES, "larger": STATES, "cycles": CYCLES}


class Broken(Exception):
    """The run says nothing about the model."""


def read_plan(text):
    """The configurations, name to (kind, flags), and the mutants, (name, configuration)."""
    configurations = {}
    for kind, name, flags in re.findall(r"^// (configuration|cycles|larger):\s*(\S+)(.*)$", text,
                                        re.MULTILINE):
        configurations[name] = (kind, flags.split())
    configurations = configurations or {"model": ("configuration", [])}
    mutants = []
    for line in re.findall(r"^// mutants:(.*)$", text, re.MULTILINE):
        for word in line.split():
            name, _, where = word.partition("@")
            where = where or next(iter(configurations))
            if where not in configurations:
                raise Broken(f"mutant {name} names the unknown configuration {where}")
            if not re.search(rf"\bMUTANT_{name}\b", text):
                raise Broken(f"mutant {name} does not occur in the model")
            mutants.append((name, where))
    return configurations, mutants


def execute(command, directory):
    try:
        done = subprocess.run(command, cwd=directory, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SEARCH_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Broken(f"{command[0]} took more than {SEARCH_SECONDS} s") from None
    return done.returncode, done.stdout


def search(options, model, kind, flags, optimize, directory):
    """Builds the verifier and runs it; returns its report."""
    build, run = QUESTIONS[kind]
    directory.mkdir(parents=True, exist_ok=True)
    # Spin preprocesses with gcc, whatever the compiler is, if it is not told.
    code, output = execute([options.spin, f"-P{options.cc} -E -x c", *flags, "-a", str(model)],
                           directory)
    if code != 0 or not (directory / "pan.c").exists():
        raise Broken("spin: " + output.strip())
    code, output = execute([options.cc, optimize, "-w", *build, "-DCOLLAPSE",
                            f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"], directory)
    if code != 0:
        raise Broken(f"{options.cc}: " + output.strip())
    _, output = execute([str(directory / "pan"), *run, "-b", f"-m{DEPTH}"], directory)
    if not re.search(r"errors: \d+", output):
        raise Broken("pan: " + output.strip()[-400:])
    return output


def number(pattern, report):
    found = re.search(pattern, report)
    return found.group(1) if found else "?"


def judge_configuration(report):
    for sign in TRUNCATED:
        if sign in report and not REFUTED.search(report):
            raise Broken(sign)
    if not re.search(r"errors: 0$", report, re.MULTILINE):
        refuted = REFUTED.search(report)
        raise Broken(refuted.group(1) if refuted else "errors, but none that is understood")
    states = int(float(number(r"([0-9.e+]+) states, stored", report)))
    depth = number(r"depth reached (\d+)", report)
    memory = number(r"([0-9.]+)\s+total actual memory usage", report)
    return f"{states} states, depth {depth}, {memory} MB"


def judge_mutant(report):
    refuted = REFUTED.search(report)
    if not refuted:
        raise Broken("passed, and must not")
    return "refuted: " + refuted.group(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--spin", default="spin")
    parser.add_argument("--cc", default="gcc")
    parser.add_argument("--workdir", type=pathlib.Path, help="kept; without it a temporary one")
    parser.add_argument("--all", action="store_true", help="the larger configurations too")
    parser.add_argument("--only", help="this configuration or mutant alone")
    options = parser.parse_args()

    for tool in (options.spin, options.cc):
        if not shutil.which(tool):
            print(f"skipped: {tool} is not installed")
            return 77

    model = options.model.resolve()
    try:
        configurations, mutants = read_plan(model.read_text(encoding="utf-8"))
    except (Broken, OSError) as error:
        print(f"FAIL  {options.model}: {error}")
        return 1

    # A verifier takes longer to optimize than it saves, most of all if it ends at the first error.
    runs = [(name, kind, flags, "-Og", judge_configuration)
            for name, (kind, flags) in configurations.items()
            if kind != "larger" or options.all or options.only == name]
    for name, where in mutants:
        kind, flags = configurations[where]
        runs.append((name, kind, [f"-DMUTANT_{name}", *flags], "-O0", judge_mutant))
    runs = [run for run in runs if options.only in (None, run[0])]
    if not runs:
        print(f"FAIL  nothing is called {options.only}")
        return 1

    failures = 0
    with tempfile.TemporaryDirectory(prefix="model-") as temporary:
        workdir = (options.workdir or pathlib.Path(temporary)).resolve()
        for name, kind, flags, optimize, judge in runs:
            began = time.monotonic()
            try:
                report = search(options, model, kind, flags, optimize, workdir / name)
                verdict, text = "ok   ", judge(report)
            except Broken as reason:
                failures += 1
                verdict, text = "FAIL ", str(reason)
            print(f"{verdict} {name}: {text} ({time.monotonic() - began:.1f} s)", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
