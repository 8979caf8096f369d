"""Peers in languages that Meson is not asked for: each is built by its own tool, where that is."""

import os
import shutil
import subprocess

from .processes import Unavailable

# Where Debian keeps the sources of its Rust packages (librust-tokio-dev).
RUST_PACKAGES = '/usr/share/cargo/registry'


def run(command, folder, environment):
    if shutil.which(command[0]) is None:
        raise Unavailable(f'{command[0]} is missing')
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment},
                          capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ['no word'])[-1]
        raise Unavailable(f'{" ".join(command)}: {last}')


def build_go(source, folder):
    """Source and program are one folder's; the tool keeps what it makes meanwhile there, too."""
    program = os.path.join(folder, os.path.basename(source))
    run(['go', 'build', '-o', program, '.'], source,
        {'GO111MODULE': 'off', 'GOCACHE': os.path.join(folder, 'go-cache')})
    return program


def build_rust(source, folder):
    """From a copy, as cargo writes beside its manifest. Packages are the system's where it has
    any, else whatever cargo gets."""
    copy = os.path.join(folder, os.path.basename(source) + '.cargo')
    shutil.copytree(source, copy, dirs_exist_ok=True)
    if os.path.isdir(RUST_PACKAGES):
        os.makedirs(os.path.join(copy, '.cargo'), exist_ok=True)
        with open(os.path.join(copy, '.cargo', 'config.toml'), 'w', encoding='utf-8') as file:
            file.write('[source.crates-io]\nreplace-with = "system"\n'
                       f'[source.system]\ndirectory = "{RUST_PACKAGES}"\n')
    run(['cargo', 'build', '--release', '--quiet'], copy,
        {'CARGO_TARGET_DIR': os.path.join(copy, 'target')})
    return os.path.join(copy, 'target', 'release', os.path.basename(source))
