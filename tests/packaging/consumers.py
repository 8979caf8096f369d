#!/usr/bin/env python3
"""Builds and runs a user's program against cove in every way that the readme names.

    consumers.py SOURCE_ROOT BUILD_ROOT MESON -- COMPILER [ARGUMENT...]

BUILD_ROOT is a build of cove; it is installed into a folder of its own, which is then moved as a
packager would. The other kind of library, shared or static, comes out of the one build that
compiles cove once more, as a subproject, and is installed from there.
"""

import json
import os
import re
import shlex
import shutil
import sys
import tempfile

from harness import Cases, Failed, run

CONSUMER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'consumer')


def find_one(folder, name):
    """The folder below the given one that holds the file called `name`."""
    found = [path for path, _, files in os.walk(folder) if name in files]
    if len(found) != 1:
        raise Failed(f'{folder} holds {name} {len(found)} times; once is right')
    return found[0]


class Installed:
    """An install tree of cove, and what is asked of it."""

    def __init__(self, kind, prefix, work, tools):
        self.kind, self.prefix, self.work, self.tools = kind, prefix, work, tools
        self.pkgconfig = find_one(prefix, 'cove.pc')
        self.environment = {
            'CXX': shlex.join(tools.compiler), 'PKG_CONFIG_PATH': self.pkgconfig,
            'LD_LIBRARY_PATH': os.path.dirname(self.pkgconfig)}

    def run(self, *command):
        return run(*command, **self.environment)

    def expect_echo(self, *program):
        said = self.run(*program)
        if said != 'hello, cove\n':
            raise Failed(f'{program[0]} printed {said!r}')

    def folder(self, way):
        path = os.path.join(self.work, f'{way}-{self.kind}')
        os.makedirs(path)
        return path

    def build_by_hand(self):
        program = os.path.join(self.folder('by-hand'), 'consumer')
        static = ['--static'] if self.kind == 'static' else []
        flags = shlex.split(self.run('pkg-config', *static, '--cflags', '--libs', 'cove'))
        self.run(*self.tools.compiler, '-std=c++20', os.path.join(CONSUMER, 'main.cpp'), *flags,
                 '-o', program)
        self.expect_echo(program)

    def build_with_cmake(self):
        folder = self.folder('cmake')
        self.run('cmake', '-S', CONSUMER, '-B', folder, f'-DCMAKE_PREFIX_PATH={self.prefix}')
        self.run('cmake', '--build', folder)
        self.expect_echo(os.path.join(folder, 'consumer'))

    def refuse_other_versions(self):
        """CMake takes this minor version and no other, older or newer."""
        for version, fits in (('0.1', True), ('0.1.0', True), ('0.1.99', False), ('0.0', False),
                              ('0.2', False), ('1.0', False)):
            self.check_version(version, fits)

    def check_version(self, version, fits):
        script = os.path.join(self.work, 'version.cmake')
        config = os.path.join(find_one(self.prefix, 'coveConfig.cmake'), 'coveConfigVersion.cmake')
        major, minor = version.split('.')[:2]
        with open(script, 'w', encoding='utf-8') as text:
            text.write(f'set(PACKAGE_FIND_VERSION {version})\n'
                       f'set(PACKAGE_FIND_VERSION_MAJOR {major})\n'
                       f'set(PACKAGE_FIND_VERSION_MINOR {minor})\n'
                       f'include("{config}")\n'
                       'message(STATUS "fits: ${PACKAGE_VERSION_COMPATIBLE}")\n')
        if ('fits: TRUE' in run('cmake', '-P', script)) != fits:
            raise Failed(f'version {version} should {"" if fits else "not "}fit')

    def build_with_meson(self):
        folder = self.folder('meson')
        self.run(*self.tools.meson, 'setup', '--wrap-mode=nofallback', folder, CONSUMER)
        self.run('ninja', '-C', folder)
        self.expect_echo(os.path.join(folder, 'consumer'))


class Tools:
    def __init__(self, source, build, meson, compiler):
        self.source, self.build, self.meson, self.compiler = source, build, [meson], compiler


def option(build, name):
    with open(os.path.join(build, 'meson-info/intro-buildoptions.json'), encoding='utf-8') as text:
        return next(entry['value'] for entry in json.load(text) if entry['name'] == name)


def install_and_move(tools, work):
    """The build's own install tree, in a place that it was not configured for."""
    staging, prefix = os.path.join(work, 'staging'), os.path.join(work, 'moved')
    run(*tools.meson, 'install', '-C', tools.build, '--no-rebuild', '--destdir', staging)
    shutil.move(staging + option(tools.build, 'prefix'), prefix)
    file = os.path.join(find_one(prefix, 'cove.pc'), 'cove.pc')
    with open(file, encoding='utf-8') as old:
        text = re.sub(r'(?m)^prefix=.*', f'prefix={prefix}', old.read())
    with open(file, 'w', encoding='utf-8') as new:
        new.write(text)
    return prefix


def headers_below(root):
    return {os.path.relpath(os.path.join(folder, file), root)
            for folder, _, files in os.walk(root) for file in files}


def check_headers(tools, prefix):
    """Installed is what the rooms keep in their include roots, and nothing else."""
    public = set().union(*(headers_below(os.path.join(tools.source, room, 'include'))
                           for room in ('runtime', 'io', 'net')))
    installed = headers_below(os.path.join(prefix, 'include'))
    if installed != public:
        raise Failed(f'missing: {sorted(public - installed)}\n'
                     f'too many: {sorted(installed - public)}')


def build_as_subproject(tools, work, kind):
    """The consumer with cove as its part, in a cheap build; and that build's install tree."""
    project, prefix = os.path.join(work, 'project'), os.path.join(work, 'prefix')
    folder = os.path.join(work, 'subproject')
    shutil.copytree(CONSUMER, project)
    os.mkdir(os.path.join(project, 'subprojects'))
    os.symlink(tools.source, os.path.join(project, 'subprojects', 'cove'))
    environment = {'CXX': shlex.join(tools.compiler)}
    said = run(*tools.meson, 'setup', '--force-fallback-for=cove', f'--prefix={prefix}',
               '--buildtype=plain', f'-Dcove:default_library={kind}', folder, project,
               **environment)
    for what in ('examples', 'tests', 'benchmarks'):
        if not re.search(rf'\b{what} *: False', said):
            raise Failed(f'a subproject should not build its {what}:\n{said}')
    run('ninja', '-C', folder, **environment)
    if run(os.path.join(folder, 'consumer')) != 'hello, cove\n':
        raise Failed('the consumer printed something else')
    run(*tools.meson, 'install', '-C', folder, '--no-rebuild')
    return prefix


def run_installed(cases, installed):
    kind = installed.kind
    cases.run(f'{kind}: pkg-config and a compiler call', installed.build_by_hand)
    cases.run(f'{kind}: find_package of CMake', installed.build_with_cmake)
    cases.run(f'{kind}: dependency of Meson through pkg-config', installed.build_with_meson)


def main():
    if len(sys.argv) < 6 or sys.argv[4] != '--':
        sys.exit('usage: ' + __doc__.split('\n')[2].strip())
    tools = Tools(*sys.argv[1:4], sys.argv[5:])
    kind = 'static' if option(tools.build, 'default_library') == 'static' else 'shared'
    other = 'shared' if kind == 'static' else 'static'
    cases = Cases()
    with tempfile.TemporaryDirectory(prefix='cove-consumers-') as work:
        if prefix := cases.run('an install tree can be moved', install_and_move, tools, work):
            cases.run('exactly the public headers are installed', check_headers, tools, prefix)
            installed = Installed(kind, prefix, work, tools)
            cases.run('CMake takes this minor version alone', installed.refuse_other_versions)
            run_installed(cases, installed)
        if prefix := cases.run(f'{other}: a subproject of Meson', build_as_subproject, tools, work,
                               other):
            run_installed(cases, Installed(other, prefix, work, tools))
    return cases.close()


if __name__ == '__main__':
    sys.exit(main())
