#!/usr/bin/env python3
"""bench/readiness with a handful of rounds: every way works, the tables and the plot are made. It
looks at no figure but that there is one.

    readiness_test.py READINESS BUILD
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml


class TestReadiness(unittest.TestCase):
    def test_all_ways(self):
        with tempfile.TemporaryDirectory() as folder:
            figures, plot = os.path.join(folder, 'out.json'), os.path.join(folder, 'out.svg')
            done = subprocess.run(
                [sys.executable, *sys.argv[1:2], '--build', sys.argv[2], '--rounds', '1',
                 '--milliseconds', '0', '--watched', '10,30', '--json', figures, '--svg', plot],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(figures, encoding='utf-8') as file:
                found = json.load(file)
            root = xml.parse(plot).getroot()
        refused = {(each['by'], each['how']) for each in found['missing']}
        self.assertLessEqual(refused, {('raw', 'io_uring'), ('cove', 'io_uring')}, found['missing'])
        points = {(each['by'], each['how'], each['share'], each['watched']): each['ns']
                  for each in found['points']}
        self.assertEqual(len(points), (11 - len(refused)) * 3 * 2, 'ways, shares, numbers')
        self.assertTrue(all(ns > 0 for ns in points.values()))
        lines = root.findall('.//{*}g[@class="lines"]/{*}path')
        self.assertEqual(len(lines), (11 - len(refused)) * 3, 'a line for each way and panel')
        self.assertIn('| epoll |', done.stdout)


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    unittest.main(argv=sys.argv[:1])
