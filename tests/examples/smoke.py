#!/usr/bin/env python3
"""The examples do what their first comment says, and say clearly what is wrong.

    smoke.py FOLDER              tests the examples that are built in FOLDER
    smoke.py FOLDER NAME...      tests these; one that is not built is a failure

The cases stand in one_shot.py, echo.py, services.py and files.py.

Exits with 77 if a tool is missing (curl for http_hello and static_files, socat for echo_server).
"""

import os
import shutil
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '../support')]
import contracts  # noqa: E402
import echo  # noqa: E402
import files  # noqa: E402
import one_shot  # noqa: E402
import services  # noqa: E402
from cases import run_cases  # noqa: E402


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    contracts.FOLDER, names = sys.argv[1], sys.argv[2:]
    cases = {case.program: case
             for case in (one_shot.TestHello, echo.TestEchoServer, echo.TestEchoClient,
                          services.TestHttpHello, one_shot.TestTimeout, one_shot.TestWorkerPool,
                          services.TestChatServer, services.TestGracefulShutdown,
                          files.TestFileCopy, files.TestGzipPool, files.TestRunMany,
                          files.TestStaticFiles)}
    if unknown := set(names) - set(cases):
        print(f'there is no example called {" or ".join(unknown)}', file=sys.stderr)
        return 2
    suite, missing = unittest.TestSuite(), set()
    for name in names or (name for name in cases if os.path.exists(contracts.example(name))):
        tool = getattr(cases[name], 'needs', None)
        if tool and not shutil.which(tool):
            missing.add(tool)
        else:
            suite.addTest(unittest.defaultTestLoader.loadTestsFromTestCase(cases[name]))
    failed = suite.countTestCases() and not run_cases(suite)
    if missing:
        print('left out for want of:', ', '.join(sorted(missing)))
    return 1 if failed else 77 if missing or not suite.countTestCases() else 0


if __name__ == '__main__':
    sys.exit(main())
