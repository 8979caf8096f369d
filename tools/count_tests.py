#!/usr/bin/env python3
"""Counts test cases, where Meson only counts test programs.

A doctest program is one test to Meson, and so is a Python one. Its closing line says how many
cases it ran; this script adds these lines up from Meson's testlog.json (one JSON object a line,
with the program's output). A test that prints no such line counts as one case by its result. What
doctest calls "skipped" was only filtered out, and is not counted; a case that unittest skipped is,
and so is a test that Meson reports as skipped.

A program that failed without a failed case (it crashed, hung, or a sanitizer spoke at its end)
counts as one failed case more, and so does a configuration that failed without a failed test (it
did not build, or matched no test).

What failed is shown once more above the counts: a long log may be all that is kept of a run, and of
that only its end.
"""

import argparse
import json
import os
import re
import sys
import tempfile

DOCTEST = re.compile(
    r'^\[doctest\] test cases:\s*(\d+) \|\s*(\d+) passed \|\s*(\d+) failed \|', re.MULTILINE)
# Printed by tests/support/cases.py.
UNITTEST = re.compile(
    r'^\[unittest\] test cases: (\d+) \| (\d+) passed \| (\d+) failed \| (\d+) skipped$',
    re.MULTILINE)
COLOUR = re.compile(r'\x1b\[[0-9;]*m')
# Both doctest and unittest draw such a line above each case that they report.
RULE = re.compile(r'^={70,}\n', re.MULTILINE)
FAILED_CASE = re.compile(r'\bERROR: |^(FAIL|ERROR): ', re.MULTILINE)
SANITIZER = re.compile(r'^SUMMARY: .*Sanitizer: .*', re.MULTILINE)
MOST_CASES, MOST_LINES = 5, 16


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f'{self.passed} passed, {self.failed} failed, {self.skipped} skipped'


def text_of(record):
    return COLOUR.sub('', (record.get('stdout') or '') + '\n' + (record.get('stderr') or ''))


def what_failed(record):
    """The beginnings of the reports of the first failed cases, as lines."""
    text = text_of(record)
    reports = [block.split('[doctest]')[0].strip() for block in RULE.split(text)[1:]
               if FAILED_CASE.search(block)]
    reports = list(dict.fromkeys(reports))  # A child that a test forked may repeat its output.
    lines = []
    for report in reports[:MOST_CASES]:
        lines += ['    ' + line for line in report.splitlines()[:MOST_LINES]]
    if len(reports) > MOST_CASES:
        lines.append(f'    and {len(reports) - MOST_CASES} more')
    return lines + ['    ' + line for line in SANITIZER.findall(text)]


def count_test(record):
    """The cases of one test: a record of testlog.json."""
    result = record.get('result', 'ERROR')
    text = text_of(record)
    if result in ('SKIP', 'IGNORED'):
        return Count(skipped=1)
    good = result in ('OK', 'EXPECTEDFAIL')
    summaries = [(*numbers, 0) for numbers in DOCTEST.findall(text)] + UNITTEST.findall(text)
    if not summaries:
        return Count(passed=1) if good else Count(failed=1)
    ran, passed, failed, skipped = (sum(map(int, column)) for column in zip(*summaries))
    if result == 'EXPECTEDFAIL':
        return Count(passed=ran)
    count = Count(passed, failed, skipped)
    if not good and count.failed == 0:
        count.failed = 1
    return count


def count_log(path):
    """The cases of a testlog.json, and a line for each test that failed or ran nothing."""
    total, remarks = Count(), []
    try:
        with open(path, encoding='utf-8', errors='replace') as log:
            lines = [line for line in log if line.strip()]
    except FileNotFoundError:
        return total, ['no test ran']
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:  # The run was killed while it wrote.
            remarks.append('the log ends in the middle of a line')
            total.failed += 1
            continue
        count = count_test(record)
        total.add(count)
        if count.failed:
            remarks.append('\n'.join(
                [f'{record["name"]}: {record["result"]}, {count.failed} failed',
                 *what_failed(record)]))
        elif not count.passed and not count.skipped:
            remarks.append(f'{record["name"]}: {record["result"]}, but it ran no case')
    return total, remarks


def count_configuration(name, status, path):
    """A configuration: what its log says, and its exit status, which may know of more."""
    count, remarks = count_log(path)
    nothing = not (count.passed or count.failed or count.skipped)
    if (status != 0 or nothing) and count.failed == 0:
        count.failed = 1
        if status != 0:
            remarks.append(f'failed with status {status} outside of its tests')
    return count, [f'{name}: {remark}' for remark in remarks]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--configuration', nargs=3, action='append', default=[],
                        metavar=('NAME', 'STATUS', 'TESTLOG'),
                        help='a test run: its name, exit status and testlog.json')
    parser.add_argument('--check', nargs=2, action='append', default=[],
                        metavar=('NAME', 'STATUS'),
                        help='a check that is no test: counts one by its exit status')
    parser.add_argument('--self-test', action='store_true', help='test this script')
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()

    total = Count()
    parts = [(name, *count_configuration(name, int(status), path))
             for name, status, path in arguments.configuration]
    for name, status in arguments.check:
        good = int(status) == 0
        parts.append((name, Count(passed=int(good), failed=int(not good)), []))
    for name, count, remarks in parts:
        total.add(count)
        for remark in remarks:
            print(remark)
    if len(parts) != 1 or arguments.check:
        width = max((len(name) for name, _, _ in parts), default=0)
        for name, count, _ in parts:
            print(f'{name:{width}}  {count}')
        print(total)
    else:
        # One configuration says its name, a whole run ends in the line for machines alone.
        print(f'{parts[0][0]}: {total}')
    return 1 if total.failed else 0


def self_test():
    summary = ('[doctest] test cases: {:2} | {:2} passed | {:2} failed |{}\n'
               '[doctest] assertions: 90 | 90 passed | 0 failed |')
    good = summary.format(10, 10, 0, ' 3 skipped')
    python = '[unittest] test cases: {} | {} passed | {} failed | {} skipped\n'
    cases = [
        # result, stdout, stderr, (passed, failed, skipped)
        ('OK', good, None, (10, 0, 0)),
        ('OK', '\x1b[0;36m' + good, None, (10, 0, 0)),
        ('OK', good + '\n' + good, None, (20, 0, 0)),
        ('OK', '', good, (10, 0, 0)),
        ('FAIL', summary.format(10, 8, 2, ''), None, (8, 2, 0)),
        ('FAIL', good, None, (10, 1, 0)),
        ('FAIL', 'Segmentation fault', None, (0, 1, 0)),
        ('TIMEOUT', '', None, (0, 1, 0)),
        ('ERROR', None, None, (0, 1, 0)),
        ('UNEXPECTEDPASS', '', None, (0, 1, 0)),
        ('EXPECTEDFAIL', '', None, (1, 0, 0)),
        ('EXPECTEDFAIL', summary.format(10, 8, 2, ''), None, (10, 0, 0)),
        ('SKIP', '', None, (0, 0, 1)),
        ('OK', 'a shell script that says [doctest] in a line', None, (1, 0, 0)),
        ('OK', summary.format(0, 0, 0, ' 7 skipped'), None, (0, 0, 0)),
        ('OK', python.format(40, 39, 0, 1), None, (39, 0, 1)),
        ('FAIL', python.format(40, 38, 2, 0), None, (38, 2, 0)),
        ('FAIL', python.format(40, 40, 0, 0), None, (40, 1, 0)),
        ('OK', 'it says ' + python.format(40, 40, 0, 0), None, (1, 0, 0)),
        ('OK', '[unittest] test cases: 40 | 40 passed | 0 failed |', None, (1, 0, 0)),
    ]
    wrong = []

    def expect(what, is_, should):
        if is_ != should:
            wrong.append(f'{what}: {is_} instead of {should}')

    def numbers(count):
        return (count.passed, count.failed, count.skipped)

    for result, out, err, should in cases:
        record = {'name': 'cove:unit / x', 'result': result, 'stdout': out, 'stderr': err}
        expect(f'{result} {out!r}', numbers(count_test(record)), should)

    doctest_rule, unittest_rule = '=' * 79 + '\n', '=' * 70 + '\n'
    quiet = doctest_rule + 'a_test.cpp:3:\nTEST CASE:  a warning\n\na_test.cpp:4: WARNING: x\n'
    loud = doctest_rule + 'a_test.cpp:5:\nTEST CASE:  bad\n\na_test.cpp:6: ERROR: CHECK( x )\n'
    python_failure = unittest_rule + 'FAIL: test_it (a.b)\n' + '-' * 70 + '\nTraceback\n'
    race = 'WARNING: ThreadSanitizer: data race\nSUMMARY: ThreadSanitizer: data race a.cpp:3\n'
    for out, err, should in [
            ('', None, []),
            (quiet + loud, None, ['a_test.cpp:5:', 'TEST CASE:  bad', '',
                                  'a_test.cpp:6: ERROR: CHECK( x )']),
            (None, python_failure, ['FAIL: test_it (a.b)', '-' * 70, 'Traceback']),
            (good, race, ['SUMMARY: ThreadSanitizer: data race a.cpp:3']),
    ]:
        record = {'name': 'x', 'result': 'FAIL', 'stdout': out, 'stderr': err}
        expect(f'what failed of {out!r}', [line[4:] for line in what_failed(record)], should)
    expect('the lines of one that is repeated', len(what_failed({'stdout': loud * 9})), 4)
    loud_ones = [loud + f'{number}\n' * 50 for number in range(9)]
    many = what_failed({'stdout': ''.join(loud_ones)})
    expect('the lines of many', len(many), MOST_CASES * MOST_LINES + 1)

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'testlog.json')
        expect('no log', numbers(count_configuration('x', 0, path)[0]), (0, 1, 0))
        with open(path, 'w', encoding='utf-8') as log:
            log.write(json.dumps({'name': 'a', 'result': 'OK', 'stdout': good}) + '\n')
        expect('a log', numbers(count_configuration('x', 0, path)[0]), (10, 0, 0))
        expect('a bad status', numbers(count_configuration('x', 1, path)[0]), (10, 1, 0))
        with open(path, 'a', encoding='utf-8') as log:
            log.write('{"name": "b", "res')
        expect('a torn log', numbers(count_configuration('x', 1, path)[0]), (10, 1, 0))
    for line in wrong:
        print(line)
    print('count_tests self-test:', 'failed' if wrong else 'passed')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
