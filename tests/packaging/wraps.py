#!/usr/bin/env python3
"""Checks subprojects/*.wrap: the files alone, or by building a program with each library.

    wraps.py SOURCE_ROOT                                    checks the files
    wraps.py SOURCE_ROOT MESON -- COMPILER [ARGUMENT...]    builds and runs the programs in wraps/

Tests download nothing. The second form takes the libraries from $COVE_WRAP_MIRRORS, a folder that
holds a git repository NAME for each NAME.wrap, and is skipped where there is none. A mirror without
the pinned commit lends its newest one, so a copy of a distribution's sources will do.
"""

import configparser
import glob
import os
import re
import shlex
import shutil
import sys
import tempfile

from harness import Cases, Failed, run

SKIP = 77  # What Meson, and a program in wraps/, calls a test that says nothing here.
PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'wraps')
# Asked for by no meson.build yet: the program to compare with comes later.
AHEAD = {'asio'}


class Wrap:
    """One file, with the section that says where from and the one that says what for."""

    def __init__(self, path):
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.overlay = os.path.join(os.path.dirname(path), 'packagefiles', self.name)
        parser = configparser.ConfigParser(interpolation=None)
        try:
            with open(path, encoding='utf-8') as text:
                parser.read_file(text)
            self.source, self.provide = dict(parser['wrap-git']), dict(parser['provide'])
        except (configparser.Error, KeyError) as why:
            raise Failed(f'{path} is no wrap-git with a [provide]: {why}') from why

    def check(self, asked):
        source = self.source
        self.expect(re.match(r'https://[^\s@]+\.git$', source.get('url', '')), 'an https url')
        self.expect(re.fullmatch(r'[0-9a-f]{40}', source.get('revision', '')),
                    'a commit of 40 hex digits: tags can be moved')
        self.expect(source.get('depth') == '1', 'depth = 1')
        self.expect(source.get('patch_directory') == self.name,
                    f'patch_directory = {self.name}')
        self.expect(os.path.isfile(os.path.join(self.overlay, 'meson.build')),
                    f'{self.overlay}/meson.build')
        self.expect(self.names(), 'dependency_names in [provide]')
        for name in self.names():
            self.expect(name in asked | AHEAD, f'a meson.build that asks for "{name}"')

    def names(self):
        return [name.strip() for name in self.provide.get('dependency_names', '').split(',')
                if name.strip()]

    def expect(self, good, what):
        if not good:
            raise Failed(f'{self.name}.wrap lacks {what}')


def find_wraps(root):
    paths = sorted(glob.glob(os.path.join(root, 'subprojects', '*.wrap')))
    if not paths:
        raise Failed('subprojects/ holds no wrap')
    return {wrap.name: wrap for wrap in map(Wrap, paths)}


def asked_for(root):
    """The names in each dependency('...') of the project and of the overlays."""
    names = set()
    for folder, folders, files in os.walk(root):
        # Build folders hold no meson.build of ours, and what was downloaded asks for itself.
        folders[:] = [name for name in folders if not name.startswith(('.', 'build'))]
        if os.path.basename(folder) == 'subprojects':
            folders[:] = ['packagefiles']
        if 'meson.build' in files and folder != PROGRAMS:
            with open(os.path.join(folder, 'meson.build'), encoding='utf-8') as text:
                names.update(re.findall(r"\bdependency\(\s*'([^']+)'", text.read()))
    return names


def check_overlays(root, wraps):
    overlays = set(os.listdir(os.path.join(root, 'subprojects', 'packagefiles')))
    if unused := overlays - set(wraps):
        raise Failed(f'no wrap uses packagefiles/{{{",".join(sorted(unused))}}}')


def check_files(cases, root):
    if wraps := cases.run('every wrap can be read', find_wraps, root):
        asked = asked_for(root)
        for wrap in wraps.values():
            cases.run(f'{wrap.name}: pinned, with an overlay, and asked for', wrap.check, asked)
        cases.run('every overlay belongs to a wrap', check_overlays, root, wraps)


def has_commit(repository, commit):
    try:
        run('git', '-C', repository, 'cat-file', '-e', f'{commit}^{{commit}}')
    except Failed:
        return False
    return True


def lay_out(root, wraps, mirrors, project):
    """A project of the programs with a copy of the wraps, each pinned to what its mirror has."""
    shutil.copytree(PROGRAMS, project)
    subprojects = os.path.join(project, 'subprojects')
    shutil.copytree(os.path.join(root, 'subprojects', 'packagefiles'),
                    os.path.join(subprojects, 'packagefiles'))
    for wrap in wraps.values():
        mirror = os.path.join(mirrors, wrap.name)
        pinned = taken = wrap.source['revision']
        if not has_commit(mirror, pinned):
            taken = run('git', '-C', mirror, 'rev-parse', 'HEAD').strip()
            print(f'      {wrap.name}: the mirror has {taken[:12]} in place of {pinned[:12]}')
        with open(os.path.join(root, 'subprojects', f'{wrap.name}.wrap'), encoding='utf-8') as old:
            text = old.read().replace(pinned, taken)
        with open(os.path.join(subprojects, f'{wrap.name}.wrap'), 'w', encoding='utf-8') as new:
            new.write(text)


def redirect(wraps, mirrors):
    """The environment in which git goes to the mirrors, and nowhere else."""
    environment = {'GIT_CONFIG_COUNT': str(len(wraps)), 'GIT_ALLOW_PROTOCOL': 'file'}
    for number, wrap in enumerate(wraps.values()):
        mirror = os.path.join(os.path.abspath(mirrors), wrap.name)
        environment[f'GIT_CONFIG_KEY_{number}'] = f'url.file://{mirror}.insteadOf'
        environment[f'GIT_CONFIG_VALUE_{number}'] = wrap.source['url']
    return environment


def build_and_run(name, build):
    run('ninja', '-C', build, f'with-{name}')
    run(os.path.join(build, f'with-{name}'), skip=SKIP)


def configure(root, mirrors, work, meson, compiler):
    """The build folder of a project that takes all its libraries from the wraps."""
    project, build = os.path.join(work, 'project'), os.path.join(work, 'build')
    wraps = find_wraps(root)
    lay_out(root, wraps, mirrors, project)
    run(meson, 'setup', '--wrap-mode=forcefallback', '--buildtype=plain', build, project,
        CXX=shlex.join(compiler), **redirect(wraps, mirrors))
    return build


def build_programs(cases, root, mirrors, meson, compiler):
    with tempfile.TemporaryDirectory(prefix='cove-wraps-') as work:
        if build := cases.run('a project takes its libraries from the wraps', configure, root,
                              mirrors, work, meson, compiler):
            for name in ('asio', 'doctest', 'liburing', 'spdlog'):
                cases.run(f'{name}: a program is built and runs', build_and_run, name, build)


def main():
    building = sys.argv[3:4] == ['--'] and len(sys.argv) > 4
    if len(sys.argv) != 2 and not building:
        sys.exit('usage:\n' + '\n'.join(__doc__.split('\n')[2:4]))
    cases = Cases()
    if building:
        mirrors = os.environ.get('COVE_WRAP_MIRRORS')
        if not mirrors:
            print('skipped: COVE_WRAP_MIRRORS names no folder of git repositories')
            return SKIP
        build_programs(cases, sys.argv[1], mirrors, sys.argv[2], sys.argv[4:])
    else:
        check_files(cases, sys.argv[1])
    return cases.close()


if __name__ == '__main__':
    sys.exit(main())
