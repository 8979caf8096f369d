"""Runs cases of unittest, and ends in a line that tools/count_tests.py adds up.

    [unittest] test cases: 40 | 39 passed | 0 failed | 1 skipped
"""

import unittest


def closing_line(passed, failed, skipped):
    return (f'[unittest] test cases: {passed + failed + skipped} | {passed} passed | '
            f'{failed} failed | {skipped} skipped')


class CountedResult(unittest.TextTestResult):
    """Counts a case once, however many of its parts failed, and calls it by its sentence if it has
    one (an attribute `sentence` of the method)."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.passed += 1

    def getDescription(self, test):
        method = getattr(test, getattr(test, '_testMethodName', ''), None)
        return getattr(method, 'sentence', None) or super().getDescription(test)

    def counts(self):
        bad = [test for test, _ in self.failures + self.errors] + self.unexpectedSuccesses
        failed = len({getattr(test, 'test_case', test).id() for test in bad})
        skipped = len(self.skipped)
        return self.passed, failed, skipped


def run_cases(suite):
    """True if all is well, and there was something to run."""
    result = unittest.TextTestRunner(verbosity=2, resultclass=CountedResult).run(suite)
    print(closing_line(*result.counts()), flush=True)
    return result.wasSuccessful() and result.testsRun > 0
