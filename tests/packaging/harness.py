"""What the packaging tests share: running programs, and cases that are counted."""

import os
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from cases import closing_line  # noqa: E402

LIMIT_S = 300


class Failed(Exception):
    """What is wrong, in words for whoever reads the log."""


class Skipped(Exception):
    """Why a case says nothing on this machine."""


def run(*command, skip=None, **environment):
    """Its standard output; raises Skipped if it ends with the code `skip`, Failed if it fails."""
    done = subprocess.run(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors='replace', timeout=LIMIT_S,
                          check=False)
    if skip is not None and done.returncode == skip:
        raise Skipped(done.stdout.strip())
    if done.returncode != 0:
        raise Failed(f'{shlex.join(command)}\nended with {done.returncode}\n'
                     f'{done.stdout}{done.stderr}')
    return done.stdout


class Cases:
    """Runs cases, and ends in the closing line that tools/count_tests.py reads."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def run(self, name, case, *arguments):
        try:
            value = case(*arguments)
        except Skipped as why:
            self.skipped += 1
            print(f'skip  {name}: {why}', flush=True)
            return None
        except (Failed, OSError, subprocess.TimeoutExpired) as why:
            self.failed += 1
            print(f'FAIL  {name}: {why}', flush=True)
            return None
        self.passed += 1
        print(f'ok    {name}', flush=True)
        return value

    def close(self):
        print(closing_line(self.passed, self.failed, self.skipped))
        return 1 if self.failed else 0
