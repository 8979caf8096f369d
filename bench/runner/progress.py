"""What a person who waits sees, and how a signal ends a measurement."""

import sys


def say(text, keep=False):
    """Progress goes to stderr, on one line where that is a terminal."""
    if keep or not sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)
    else:
        print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)


def stop(signal_number, _):
    """Unwinds as Ctrl-C does, through everything that ends a process."""
    sys.exit(128 + signal_number)
