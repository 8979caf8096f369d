#!/usr/bin/env python3
"""Compiles every public header alone and twice, and keeps the dearest one within its budget.

    headers.py COMPILER [ARGUMENT...] -- INCLUDE_ROOT...

A header that compiles alone can be included in any order; twice proves its guard. The budget is
counted in non-blank preprocessed lines, because these repeat exactly where seconds do not, and
every file that talks TCP pays it.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

BUDGET_HEADER = 'cove/net/tcp.hpp'
BUDGET_LINES = 28000
# <chrono> alone is 11 000 lines; deadlines enter through <cove/runtime/time.hpp>.
BUDGET_WITHOUT = ('chrono',)


def public_headers(roots):
    for root in roots:
        for folder, _, files in os.walk(root):
            for file in files:
                # What ends in _inl is the second half of the header that includes it.
                if file.endswith('.hpp') and not file.endswith('_inl.hpp'):
                    yield os.path.relpath(os.path.join(folder, file), root).replace(os.sep, '/')


def compile_text(command, text):
    return subprocess.run(command + ['-x', 'c++', '-'], input=text, text=True, capture_output=True,
                          errors='replace', check=False)


def check_alone(command, header):
    line = f'#include <{header}>\n'
    run = compile_text(command + ['-fsyntax-only'], line + line)
    return None if run.returncode == 0 else f'{header} does not compile alone:\n{run.stderr}'


def check_budget(command):
    """What is wrong with the budget's header, and how many lines it has."""
    line = f'#include <{BUDGET_HEADER}>\n'
    run, files = compile_text(command + ['-E', '-P'], line), compile_text(command + ['-M'], line)
    if run.returncode != 0 or files.returncode != 0:
        return [f'{BUDGET_HEADER} does not compile:\n{run.stderr}'], 0
    count = sum(1 for text in run.stdout.split('\n') if text.strip())
    wrong = []
    if count >= BUDGET_LINES:
        wrong.append(f'{BUDGET_HEADER}: {count} preprocessed lines; the budget is {BUDGET_LINES}')
    for name in BUDGET_WITHOUT:
        if any(os.path.basename(file) == name for file in files.stdout.split()):
            wrong.append(f'{BUDGET_HEADER} pulls in <{name}>; move what needs it elsewhere')
    return wrong, count


def main():
    if '--' not in sys.argv[2:]:
        sys.exit('usage: ' + __doc__.split('\n')[2].strip())
    split = sys.argv.index('--', 2)
    compiler, roots = sys.argv[1:split], sys.argv[split + 1:]
    for root in roots:
        if not os.path.isdir(root):
            sys.exit(f'headers: there is no folder "{root}"')
    command = compiler + ['-std=c++20'] + [f'-I{root}' for root in roots]
    headers = sorted(set(public_headers(roots)))
    if not headers:
        sys.exit('headers: found none')
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [text for text in pool.map(lambda h: check_alone(command, h), headers) if text]
    more, count = check_budget(command)
    for text in wrong + more:
        print(text)
    print(f'headers: {len(headers)} compiled alone, {len(wrong)} failed; '
          f'{BUDGET_HEADER} has {count} lines of {BUDGET_LINES}')
    return 1 if wrong or more else 0


if __name__ == '__main__':
    sys.exit(main())
