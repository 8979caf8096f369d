#!/usr/bin/env python3
"""Style and layers as a test: what can be checked without a compiler.

    tidy.py SOURCE_ROOT    checks the tree
    tidy.py --self-test    checks the checks: each has a bad snippet that it must find, and a good
                           one that it must leave alone

Each finding is one line: `file:line: what is wrong; what to do`. The checks are heuristics on text.
They are meant to miss rather than to accuse: a finding is to be mended, not to be argued with. The
exceptions stand here by name, with their reason.
"""

import os
import re
import subprocess
import sys
from collections import namedtuple

# ---- the rules, as tables --------------------------------------------------------------------

# A room may use itself and the rooms named here; never the other way.
ROOMS = {'runtime': (), 'io': ('runtime',), 'net': ('io', 'runtime')}

# Inside a room: files below the first may not include what begins with the second.
NEVER_INCLUDES = [
    ('runtime/netpoll/', 'sched/', 'the netpoller does not know the scheduler',
     'return the task to wake, and let runtime/ schedule it'),
    ('runtime/pool/', 'sched/', 'the pool does not know the scheduler',
     'hand the job back, and let runtime/ schedule its task'),
    ('runtime/pool/', 'netpoll/', 'the pool does not know the netpoller',
     'hand the job back, and let runtime/ see to it'),
]

# Standard headers that cost more than a public header may ask of everybody who includes it.
DEAR_HEADERS = {'functional', 'iostream', 'thread', 'mutex', 'memory', 'regex'}
CHRONO_HEADERS = {'runtime/include/cove/runtime/time.hpp'}

PLATFORM_MACRO = re.compile(
    r'\b(_WIN32|_WIN64|WIN32|__MINGW\w*|__CYGWIN__|__linux__|__linux|__gnu_linux__|__ANDROID__|'
    r'__unix__|__unix|__APPLE__|__MACH__|BSD|__\w+BSD__|__DragonFly__|__sun)\b')
PLATFORM_IF_FILES = {'runtime/include/cove/runtime/detail/assert.hpp'}

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400
TEST_LINES_MAX = 650
LONG_FILES = {
    'tests/tidy.py': 'a list of checks, each with its examples; nothing in it knows its neighbour',
}

# What makes atomics, or asks what each order does: here it is a value, not a decision.
ORDERS_AS_VALUES = ('tests/support/stepping', 'tests/stepping/litmus_test.cpp')

# Names whose meaning the standard fixes; a docstring would only repeat it.
STANDARD_NAMES = {
    'await_ready', 'await_suspend', 'await_resume', 'begin', 'end', 'cbegin', 'cend', 'data',
    'size', 'empty', 'swap', 'what', 'has_value', 'value', 'value_or', 'error', 'get', 'reset',
    'release', 'make_error_code', 'name', 'message', 'hash'}

USERS = ('examples/', 'tests/', 'bench/')

# ---- reading ---------------------------------------------------------------------------------

Finding = namedtuple('Finding', 'path line text remedy')


class Source:
    """One file: its text, and for C++ the same text with comments, strings or both blanked out."""

    def __init__(self, path, text):
        self.path, self.text, self.lines = path, text, text.split('\n')
        if self.lines and self.lines[-1] == '':
            self.lines.pop()
        self.cpp = path.endswith(('.cpp', '.hpp'))
        self.public = self.cpp and '/include/' in path
        if self.cpp:
            self.code, self.bare = blank(text)
            self.code_lines = self.code.split('\n')[:len(self.lines)]

    def includes(self):
        """(line number, '<' or '"', what is included)"""
        for number, line in enumerate(self.code_lines, 1):
            if match := re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line):
                yield number, match[1], match[2]


TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<include>^[ \t]*#[ \t]*include[^\n]*)'
    r'|(?P<raw>R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)")'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<digits>\b[0-9][0-9a-fA-FxXbB]*(?:'[0-9a-fA-F]+)+)"
    r"|(?P<char>'(?:\\.|[^'\\\n])+')", re.DOTALL | re.MULTILINE)


def blank(text):
    """The text without comments, and the text without comments and string contents."""
    def spaces(string):
        return re.sub(r'[^\n]', ' ', string)

    def without_comments(match):
        return spaces(match[0]) if match['comment'] else match[0]

    def without_strings(match):
        if match['comment'] or match['include']:
            return spaces(match[0])
        if match['digits']:
            return match[0]
        return match[0][0] + spaces(match[0][1:-1]) + match[0][-1]

    return TOKEN.sub(without_comments, text), TOKEN.sub(without_strings, text)


def read_tree(root):
    """path -> Source of every file that is ours: what git knows or does not ignore."""
    def git(*arguments):
        return subprocess.run(['git', '-c', 'safe.directory=*', '-C', root, *arguments],
                              capture_output=True, text=True, check=True).stdout

    try:
        if os.path.realpath(git('rev-parse', '--show-toplevel').strip()) != os.path.realpath(root):
            raise OSError('the tree of another project')
        paths = git('ls-files', '-co', '--exclude-standard', '-z').split('\0')
    except (OSError, subprocess.CalledProcessError):
        paths = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if not f.startswith(('.', 'build', '__pycache__'))]
            paths += [os.path.relpath(os.path.join(folder, file), root) for file in files]
    tree = {}
    for path in sorted(set(path.replace(os.sep, '/') for path in paths)):
        file = os.path.join(root, path)
        if path and not path.startswith('subprojects/') and os.path.isfile(file):
            with open(file, encoding='utf-8', errors='replace', newline='') as opened:
                tree[path] = Source(path, opened.read())
    return tree


# A declaration at namespace or class scope: its text up to `{` or `;`, its lines, the character
# that ended it (`}` where a body follows), whether a user may name it, and the class around it.
Declaration = namedtuple('Declaration', 'head first last ends visible owner')


class Scope:
    def __init__(self, kind, reachable, visible, owner):
        self.kind, self.reachable, self.visible, self.owner = kind, reachable, visible, owner


def declarations(source):
    """Walks a C++ file by its braces. Says nothing at all where it loses count of them."""
    text = re.sub(r'^[ \t]*#(?:\\.|[^\n\\])*', lambda m: re.sub(r'[^\n]', ' ', m[0]),
                  source.bare, flags=re.MULTILINE | re.DOTALL)
    # A macro that stands alone on its line, such as a bracket of pragmas, declares nothing.
    text = re.sub(r'^COVE_[A-Z_]+$', lambda m: ' ' * len(m[0]), text, flags=re.MULTILINE)
    found, scopes = [], [Scope('namespace', True, True, None)]
    start, line, begin = 0, 1, 1  # Where the declaration that is being read begins.
    body = brackets = 0           # How deep we are in a body, and in parentheses.
    resume = False                # These braces are part of the declaration, which goes on.

    def end(head, ends):
        if head:
            scope = scopes[-1]
            found.append(Declaration(head, begin, line, ends, scope.visible, scope.owner))

    head = ''
    for index, char in enumerate(text):
        line += char == '\n'
        if body:
            body += (char == '{') - (char == '}')
            if body == 0 and not resume:
                end(head, '}')
                start = index + 1
            continue
        if not text[start:index].strip():
            begin = line
        brackets += (char in '([') - (char in ')]')
        if char == '{' and brackets:  # A braced default argument.
            body, resume = 1, True
        if brackets or char not in '{};:':
            continue
        raw = text[start:index].rstrip()
        head = ' '.join(raw.split())
        scope = scopes[-1]
        if char == ':':
            if scope.kind != 'class' or head not in ('public', 'private', 'protected'):
                continue
            scope.visible = scope.reachable and head == 'public'
        elif char == ';':
            end(head, ';')
        elif char == '}':
            if len(scopes) == 1:
                return []
            scopes.pop()
        elif match := re.search(r'\bnamespace\b\s*(?:\[\[.*\]\])?\s*([\w:]*)$', head):
            public = scope.visible and match[1] and match[1].split('::')[-1] != 'detail'
            scopes.append(Scope('namespace', public, public, None))
        elif head.startswith('extern') and '(' not in head:
            scopes.append(Scope('namespace', scope.visible, scope.visible, None))
        elif match := re.search(r'\b(class|struct|union)\s+([\w:]+)[^()=;]*$',
                                re.sub(r'\[\[.*?\]\]|\balignas\s*\(.*?\)', '', head)):
            end(head, '{')
            public = scope.visible and match[1] != 'class'
            scopes.append(Scope('class', scope.visible, public, match[2]))
        else:
            # Braces after a name in a constructor's list initialise a member; the body follows.
            resume = bool(re.search(r'\)\s*(noexcept\s*)?:(?!:)', head)) and (
                raw[-1].isalnum() or raw[-1] in '_>')
            body = 1
            continue
        start = index + 1
    return found if len(scopes) == 1 and not body else []


# ---- checks ----------------------------------------------------------------------------------

EXAMPLES = []  # (check, bad, good); a check may have several pairs


def check(bad, good=None):
    """Registers a check with a tree that it must find fault with, and one that it must not."""
    def register(function):
        EXAMPLES.append((function, bad, good or {}))
        return function
    return register


def cpp_files(tree):
    return [source for source in tree.values() if source.cpp]


@check(bad={'io/a.cpp': '#include <cove/net/tcp.hpp>\n'},
       good={'net/a.cpp': '#include <cove/io/x.hpp>\n#include <cove/runtime.hpp>\n'})
def rooms_use_only_lower_rooms(tree):
    for source in cpp_files(tree):
        room = source.path.split('/')[0]
        for line, form, what in source.includes():
            used = re.match(r'cove/(\w+)', what) if form == '<' else re.match(r'(\w+)/', what)
            if room in ROOMS and used and used[1] in ROOMS and used[1] not in (room, *ROOMS[room]):
                yield Finding(source.path, line, f'{room}/ includes <{what}>',
                              f'{room}/ may use: {" ".join((room, *ROOMS[room]))}; move the shared '
                              'part down')


@check(bad={'runtime/netpoll/a.cpp': '#include "sched/worker.hpp"\n'},
       good={'runtime/sched/a.cpp': '#include "sched/worker.hpp"\n'})
def layers_inside_a_room(tree):
    for source in cpp_files(tree):
        for folder, prefix, why, remedy in NEVER_INCLUDES:
            if source.path.startswith(folder):
                for line, _, what in source.includes():
                    if what.startswith(prefix):
                        yield Finding(source.path, line, f'includes "{what}": {why}', remedy)


@check(bad={'net/a.cpp': '#include "../runtime/x.hpp"\n'}, good={'net/a.cpp': '#include "x.hpp"\n'})
def no_include_goes_up(tree):
    for source in cpp_files(tree):
        for line, _, what in source.includes():
            if '../' in what:
                yield Finding(source.path, line, f'includes "{what}"',
                              'name it from the room, as "netpoll/slot.hpp", or <cove/...>')


@check(bad={'net/include/cove/net/a.hpp': '#pragma once\n#include <sys/socket.h>\n'},
       good={'net/a.hpp': '#pragma once\n#include <sys/socket.h>\n',
             'net/include/cove/net/a.hpp': '#include <span>\n#include <cove/io/b.hpp>\n'})
def public_headers_include_no_system_header(tree):
    for source in cpp_files(tree):
        for line, form, what in source.includes():
            foreign = what.endswith('.h') or (form == '<' and '/' in what and
                                              not what.startswith('cove/'))
            if source.public and foreign:
                yield Finding(source.path, line, f'a public header includes <{what}>',
                              'move what needs it into the .cpp')


@check(bad={'io/include/cove/io/a.hpp': '#pragma once\n#include <functional>\n'},
       good={'io/a.hpp': '#pragma once\n#include <functional>\n'})
@check(bad={'io/include/cove/io/a.hpp': '#pragma once\n#include <chrono>\n'},
       good={path: '#pragma once\n#include <chrono>\n' for path in CHRONO_HEADERS})
def public_headers_are_cheap(tree):
    for source in cpp_files(tree):
        for line, _, what in source.includes():
            if not source.public:
                continue
            if what in DEAR_HEADERS:
                yield Finding(source.path, line, f'a public header includes <{what}>',
                              'hide what needs it behind a declaration')
            if what == 'chrono' and source.path not in CHRONO_HEADERS:
                yield Finding(source.path, line, 'a public header includes <chrono>',
                              'include <cove/runtime/time.hpp> if time is the subject')


@check(bad={'io/a.cpp': '#if defined(_WIN32)\n#endif\n'},
       good={'io/a.cpp': '// #ifdef _WIN32\n#ifdef __clang__\n#endif\n'})
def no_platform_conditionals(tree):
    for source in cpp_files(tree):
        for line, code in enumerate(source.code_lines, 1):
            if not re.match(r'\s*#\s*(if|ifdef|ifndef|elif)\b', code):
                continue
            if (match := PLATFORM_MACRO.search(code)) and source.path not in PLATFORM_IF_FILES:
                yield Finding(source.path, line, f'a conditional on {match[1]}',
                              'write one file a platform and let meson.build choose')


@check(bad={'io/a.cpp': '// ' + 'x' * 98 + '\n'},
       good={'io/a.cpp': '// ' + 'ü' * 97 + '\n// https://' + 'x' * 100 + '\n',
             'README.md': 'x' * 200 + '\n'})
def lines_fit(tree):
    for source in tree.values():
        if source.cpp or source.path.endswith(('.py', 'meson.build', 'meson_options.txt')) or \
                source.path.startswith(('tools/', '.ci/')) and not source.path.endswith('.query'):
            if source.path.endswith('.md'):
                continue
            for number, line in enumerate(source.lines, 1):
                if len(line) > COLUMNS_MAX and not re.search(r'https?://', line):
                    yield Finding(source.path, number, f'{len(line)} columns',
                                  f'break the line at {COLUMNS_MAX}')


@check(bad={'io/a.cpp': 'int x;\n' * (FILE_LINES_MAX + 1)},
       good={'io/a.cpp': 'int x;\n' * FILE_LINES_MAX, 'tests/a.cpp': 'int x;\n' * TEST_LINES_MAX})
def files_are_one_noun(tree):
    for source in tree.values():
        limit = TEST_LINES_MAX if source.path.startswith('tests/') else FILE_LINES_MAX
        if (source.cpp or source.path.endswith('.py')) and len(source.lines) > limit \
                and source.path not in LONG_FILES:
            yield Finding(source.path, limit + 1, f'{len(source.lines)} lines',
                          f'look for the second noun in it; the limit is {limit}')


LONG_BODY = '  f();\n' * (FUNCTION_LINES_MAX - 2) + '}\n'


@check(bad={'io/a.cpp': 'namespace c {\n\nx::x(int a)\n    : a_{a}, b_(1) {\n' + LONG_BODY + '}\n'},
       good={'io/a.cpp': 'void f(x a = {}) {\n' + LONG_BODY +
                         'const int table[] = {\n' + '  1,\n' * 90 + '};\n',
             'tests/a.cpp': 'TEST_CASE("a { sentence") {\n' + LONG_BODY})
def functions_fit_a_screen(tree):
    for source in cpp_files(tree):
        if not source.path.endswith('.cpp'):
            continue
        for item in declarations(source):
            length = item.last - item.first + 1
            if item.ends == '}' and '(' in item.head and '=' not in item.head.split('(')[0] \
                    and length > FUNCTION_LINES_MAX:
                yield Finding(source.path, item.first, f'a function of {length} lines',
                              f'split it where it changes its subject; {FUNCTION_LINES_MAX} fit a '
                              'screen')


@check(bad={'io/a.hpp': '#ifndef A\n#define A\n#endif\n'},
       good={'io/a.hpp': '// Why.\n#pragma once\n'})
def headers_are_read_once(tree):
    for source in cpp_files(tree):
        if source.path.endswith('.hpp') and not re.match(r'\s*#pragma once\n', source.code + '\n'):
            yield Finding(source.path, 1, 'a header without #pragma once',
                          'make it the first line of code')


@check(bad={'io/a.cpp': '#include <span>\n#include "a.hpp"\n', 'io/a.hpp': '#pragma once\n'},
       good={'io/a.cpp': '// Why.\n#include "a.hpp"\n', 'io/a.hpp': '#pragma once\n',
             'io/b_posix.cpp': '#include <cove/io/b.hpp>\n', 'io/c.cpp': '#include <span>\n',
             'io/include/cove/io/b.hpp': '#pragma once\n'})
def own_header_comes_first(tree):
    for source in cpp_files(tree):
        if not source.path.endswith('.cpp'):
            continue
        folder, stem = os.path.split(source.path[:-4])
        room = source.path.split('/')[0]
        for name in (stem, re.sub(r'_[a-z0-9]+$', '', stem)):
            public = f'{room}/include/cove/{room}'
            own = [path for path in (f'{folder}/{name}.hpp', f'{public}/{name}.hpp',
                                     f'{public}/detail/{name}.hpp') if path in tree]
            first = next(source.includes(), None)
            if own and (first is None or not any(path.endswith('/' + first[2]) for path in own)):
                yield Finding(source.path, first[0] if first else 1, 'its own header is not first',
                              f'include {os.path.basename(own[0])} first: that proves it complete')
            if own:
                break


@check(bad={'io/a.cpp': 'int x;\n\n\n\n\n\n\nx.load(std::memory_order_seq_cst);\n'},
       good={'io/a.cpp': '// Pairs with the store in g().\n\n\n\n\nx(std::memory_order_seq_cst);\n'
                         'y(std::memory_order_seq_cst);  // As above.\n',
             'tests/support/stepping.cpp': 'f(std::memory_order_seq_cst);\n'})
def seq_cst_says_why(tree):
    for source in cpp_files(tree):
        if source.path.startswith(ORDERS_AS_VALUES):
            continue
        for number, code in enumerate(source.code_lines, 1):
            if re.search(r'memory_order(_|::)seq_cst', code):
                near = range(max(number - 5, 1), number + 1)
                if all(source.lines[n - 1] == source.code_lines[n - 1].rstrip('\n') for n in near):
                    yield Finding(source.path, number, 'seq_cst without a reason',
                                  'say with what it pairs and why acquire and release are too weak')


UNFINISHED = re.compile(r'\b(FIX' 'ME|XX' 'X|TO' r'DO(?!\([a-z0-9_/ -]+\): ))\b')


@check(bad={'io/a.cpp': '// FIX' 'ME later\n'},
       good={'io/a.cpp': '// TO' 'DO(netpoll): later\n', 'CONTRIBUTING.md': 'TO' 'DO\n'})
def todos_name_their_area(tree):
    for source in tree.values():
        if source.cpp or source.path.endswith(('.py', 'meson.build')) or \
                source.path.startswith(('tools/', '.ci/')):
            for number, line in enumerate(source.lines, 1):
                if match := UNFINISHED.search(line):
                    yield Finding(source.path, number, f'a bare {match[1]}',
                                  'do it, or write TO' 'DO(area): and a sentence')


@check(bad={'tests/b.cpp': 'using namespace a;\n'})
@check(bad={'io/a.cpp': 'void f() {\n  using namespace std;\n}\n'},
       good={'tests/a.cpp': 'using namespace std::chrono_literals;\nvoid f() {\n'
                            '  using namespace cove;\n}\n'})
def no_using_namespace(tree):
    for source in cpp_files(tree):
        for number, code in enumerate(source.code_lines, 1):
            match = re.match(r'(\s*)using\s+namespace\s+([\w:]+)', code)
            if not match:
                continue
            user = source.path.startswith(USERS) and source.path.endswith('.cpp')
            own = source.path.startswith('tests/') and match[2] == 'cove::test'
            if not (user and (match[1] or own or match[2].endswith('literals'))):
                yield Finding(source.path, number, f'using namespace {match[2]}',
                              'name what you use; in tests and examples inside a function')


@check(bad={'runtime/a.cpp': 'void f() { std::cout << 1; }\n'},
       good={'examples/a.cpp': 'void f() { std::cout << 1; }\n'})
def rooms_print_nothing(tree):
    for source in cpp_files(tree):
        for number, code in enumerate(source.code_lines, 1):
            if re.search(r'\bstd::cout\b', code) and not source.path.startswith(USERS):
                yield Finding(source.path, number, 'a library prints', 'return it, or log it')


THREAD_SLEEP = re.compile(
    r'\bthis_thread::sleep_(for|until)\b|(?<![\w.>:])(::)?(u|nano)?sleep\s*\(')


@check(bad={'tests/a.cpp': 'std::this_thread::sleep_for(1ms);\n'},
       good={'tests/a.cpp': 'co_await cove::this_task::sleep_for(1ms);\n'
                            'usleep(1);  // tidy: allow (the subject is a thread that sleeps)\n'})
def tests_do_not_sleep(tree):
    for source in cpp_files(tree):
        for number, code in enumerate(source.code_lines, 1):
            if source.path.startswith('tests/') and 'tidy: allow' not in source.lines[number - 1] \
                    and THREAD_SLEEP.search(code):
                yield Finding(source.path, number, 'a test sleeps',
                              'wait for an event, or use virtual time')


@check(bad={'README.md': '```cpp\nint a;\n```\n',
            'examples/echo_server.cpp': '// [readme]\nint b;\n// readme]\n'},
       good={'README.md': '# x\n```sh\nls\n```\n```cpp\nint a;\n```\n```cpp\nb\n```\n',
             'examples/echo_server.cpp': '// [readme\nint a;\n// readme]\nint main() {}\n'})
def readme_shows_the_tested_example(tree):
    readme, example = tree.get('README.md'), tree.get('examples/echo_server.cpp')
    if not readme and not example:
        return
    shown = re.search(r'^```cpp\n(.*?)^```', readme.text if readme else '', re.M | re.S)
    tested = re.search(r'^// \[readme[^\n]*\n(.*?)^// readme\]', example.text if example else '',
                       re.M | re.S)
    if not shown:
        yield Finding('README.md', 1, 'no ```cpp block', 'show examples/echo_server.cpp')
    elif not tested:
        yield Finding('examples/echo_server.cpp', 1, 'no part between [readme and readme]',
                      'mark what README.md shows')
    elif shown[1] != tested[1]:
        line = readme.text[:shown.start(1)].count('\n') + 1
        for mine, theirs in zip(shown[1].split('\n'), tested[1].split('\n')):
            if mine != theirs:
                break
            line += 1
        yield Finding('README.md', line, 'differs from examples/echo_server.cpp',
                      'copy the part between its marks')


@check(bad={'docs/a.md': '```cpp\nint a;\n```\n', 'tests/docs/a.cpp': '// [a\nint b;\n// a]\n'},
       good={'docs/a.md': '```cpp\nint a;\n```\n', 'tests/docs/a.cpp': '// [a\nint a;\n// a]\n'})
def docs_show_tested_code(tree):
    tested = {part[2] for source in cpp_files(tree) if source.path.startswith(USERS)
              for part in re.finditer(r'^// \[(\w+)\n(.*?)^// \1\]', source.text, re.M | re.S)}
    for source in tree.values():
        if not source.path.startswith('docs/') or not source.path.endswith('.md'):
            continue
        for shown in re.finditer(r'^```cpp\n(.*?)^```', source.text, re.M | re.S):
            if shown[1] not in tested:
                yield Finding(source.path, source.text[:shown.start()].count('\n') + 1,
                              'a block that no test has',
                              'mark the part of the test that it shows: // [name ... // name]')


@check(bad={'io/a.cpp': '', 'io/meson.build': "files('b.cpp')  # 'a.cpp'\n"},
       good={'tests/io/a_test.cpp': '', 'tests/meson.build': "foreach name : ['io/a', 'io/b']\n"})
def every_source_is_built(tree):
    named = {}
    for path, source in tree.items():
        if os.path.basename(path) == 'meson.build':
            text = re.sub(r"^((?:[^'#\n]|'[^'\n]*')*)#.*", r'\1', source.text, flags=re.M)
            named[os.path.dirname(path)] = set(re.findall(r"'([^'\n]*)'", text))
    for source in cpp_files(tree):
        if not source.path.endswith('.cpp'):
            continue
        parts, built = source.path.split('/'), False
        for up in range(len(parts)):
            relative = '/'.join(parts[up:])
            stem = re.sub(r'\.cpp$', '', relative)
            base = stem.split('/')[-1]
            names = {relative, stem, base, base + '.cpp', re.sub(r'_[a-z]+$', '', stem),
                     re.sub(r'_[a-z]+$', '', base)}
            built = built or bool(names & named.get('/'.join(parts[:up]), set()))
        if not built:
            yield Finding(source.path, 1, 'no meson.build names it', 'add it there, or delete it')


DOCUMENTED = """#pragma once
/// Why.
template <class T = decltype(f(1))>
class a : public b<T> {
 public:
  a(int x);
  ~a() {}
  /// Says of both.
  int f(int);
  int f();
  int size() const { return 1; }
  bool operator==(const a&) const;
  using type = void (*)(int);

 private:
  int g();
  struct hidden {
    int h();
  };
};
class c;
template <class T>
a(T) -> a<T>;
inline constexpr int n = f(1);
namespace detail {
int h();
}
"""


@check(bad={'io/include/cove/io/a.hpp': '/// Why.\nclass a {\n public:\n  int f(x y = {1});\n};\n'},
       good={'io/include/cove/io/a.hpp': DOCUMENTED,
             'io/include/cove/io/detail/a.hpp': '#pragma once\nint f();\n'})
def public_names_have_docstrings(tree):
    for source in cpp_files(tree):
        if not source.public or '/detail/' in source.path:
            continue
        covered = 0  # The last line of a documented group, which ends at an empty line.
        for item in declarations(source):
            above = source.lines[item.first - 2].strip() if item.first > 1 else ''
            if above.startswith('///') or item.first - 1 == covered or \
                    '///<' in source.lines[item.last - 1]:
                covered = 0 if item.ends == '{' else item.last
            elif (name := name_to_document(item)) is not None:
                yield Finding(source.path, item.first, f'{name} has no docstring',
                              'write /// above it: what it does, Errors, Cancellation, Threads')


def name_to_document(item):
    """The name of a declaration that has to have a docstring; None where that is not plain."""
    head = re.sub(r'\[\[.*?\]\]', ' ', item.head)
    while head != (head := re.sub(r'<[^<>]*>', ' ', head.replace('->', ' '))):
        pass  # Template parameters and arguments, from inside out.
    head = re.sub(r'\btemplate\b', ' ', head).strip()
    if not item.visible or item.head.startswith('template <>') or \
            re.match(r'(using|typedef|friend|static_assert)\b', head) or \
            re.search(r'\boperator\b|= *(default|delete)$|\b(override|final)$', head):
        return None
    if match := re.match(r'(class|struct|union|enum class|enum|concept) +([\w:]+)', head):
        forward = item.ends == ';' and match[1] != 'concept'
        return None if forward or '::' in match[2] else match[2]
    head = re.sub(r'\b(requires|noexcept|decltype|explicit|alignas) *\(', '(', head)
    call = re.search(r'([~\w:]+) *\(', head)
    if not call or '=' in head[:call.start()]:
        return None
    name = call[1]
    plain = re.fullmatch(r'[a-z]\w*', name) and name != item.owner and call.start() > 0
    return f'{name}()' if plain and name not in STANDARD_NAMES else None


@check(bad={'CHANGELOG.md': '# Changelog\n\n## Unreleased\n\n### New\n- things\n'},
       good={'CHANGELOG.md': '# Changelog\n\nProse.\n\n## Unreleased\n\n### Added\n\n- net: x\n'
                             '  y\n\n## 0.1.0 - 2030-01-31\n\n### Fixed\n\n- runtime, io: x\n'})
def changelog_keeps_its_form(tree):
    source = tree.get('CHANGELOG.md')
    if not source:
        return
    release = kind = None
    for number, line in enumerate(source.lines, 1):
        if number == 1 and line != '# Changelog':
            yield Finding(source.path, 1, 'no title', 'begin with "# Changelog"')
        if line.startswith('## '):
            release, kind = line, None
            if not re.match(r'## (Unreleased|\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d)$', line):
                yield Finding(source.path, number, f'"{line}"', 'write "## 1.2.3 - 2030-01-31"')
        elif line.startswith('### '):
            kind = line
            if not re.match(r'### (Added|Changed|Deprecated|Removed|Fixed|Security|Documented)$',
                            line):
                yield Finding(source.path, number, f'"{line}"', 'use Added, Changed, Fixed, ...')
        elif line.startswith('- '):
            if not (release and kind) or not re.match(r'- [a-z0-9_/.]+(, [a-z0-9_/.]+)*: \S', line):
                yield Finding(source.path, number, 'not a line of the change log',
                              'write "- room: what changed" under Added, Changed or Fixed')
        elif kind and line and not line.startswith('  '):
            yield Finding(source.path, number, 'text outside of a list',
                          'indent it by two, or begin it with "- room: "')


# ---- running ---------------------------------------------------------------------------------

def run(tree):
    checks = {function for function, _, _ in EXAMPLES}
    found = [finding for function in checks for finding in function(tree)]
    for finding in sorted(found):
        print(f'{finding.path}:{finding.line}: {finding.text}; {finding.remedy}')
    print(f'tidy: {len(tree)} files, {len(checks)} checks, {len(found)} findings')
    return 1 if found else 0


def self_test():
    wrong = []
    for function, bad, good in EXAMPLES:
        for snippets, expected in ((bad, True), (good, False)):
            tree = {path: Source(path, text) for path, text in snippets.items()}
            found = list(function(tree))
            if bool(found) != expected:
                wrong.append(f'{function.__name__}: {found if found else "missed its bad snippet"}')
    print('\n'.join(wrong + [f'tidy self-test: {len(EXAMPLES)} pairs, {len(wrong)} wrong']))
    return 1 if wrong else 0


if __name__ == '__main__':
    if sys.argv[1:] == ['--self-test']:
        sys.exit(self_test())
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit('usage: tidy.py SOURCE_ROOT | --self-test')
    sys.exit(run(read_tree(sys.argv[1])))
