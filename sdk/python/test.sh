#!/usr/bin/env bash
# Builds pulse-sdk as it would be published, installs it into fresh environments, the wheel into one with the newest clients and the sdist into
# one with the oldest and the oldest Python that is here, and runs the tests in each. Run by sdk/test.sh.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
cache=$PWD/.cache

# The first of the given commands that is a Python of at least 3.9 with venv.
python_of() {
    for candidate in "$@"; do
        "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))' 2>/dev/null && echo "$candidate" && return
    done
    return 1
}

python=$(python_of python3 python) || {
    echo "sdk/python: Python 3.9 or newer with venv is missing" >&2
    exit 77
}
oldest=$(python_of "${PYTHON_OLDEST:-python3.9}" "$(pyenv prefix 3.9 2>/dev/null || true)/bin/python" "$python")

# environment NAME PYTHON REQUIREMENTS makes a virtual environment, unless it is there with just that.
environment() {
    local stamp
    stamp="$("$2" -V) $(cat "$3")"
    if [ "$(cat "$cache/$1/stamp" 2>/dev/null)" != "$stamp" ]; then
        rm -rf "${cache:?}/$1"
        "$2" -m venv "$cache/$1"
        "$cache/$1/bin/python" -m pip install --quiet --disable-pip-version-check -r "$3"
        echo "$stamp" >"$cache/$1/stamp"
    fi
}

mkdir -p "$cache"
printf 'build\nhatchling\n' >"$cache/build.txt"
environment build "$python" "$cache/build.txt"
environment newest "$python" tests/requirements-newest.txt
environment oldest "$oldest" tests/requirements-oldest.txt

rm -rf dist
"$cache/build/bin/python" -m build --no-isolation --outdir dist . >"$cache/build.log" 2>&1 || { cat "$cache/build.log" && exit 1; }

# reinstall NAME FILE installs what was built into an environment.
reinstall() { "$cache/$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$2"; }
reinstall newest dist/*.whl
reinstall oldest dist/*.tar.gz

echo "== types"
"$cache/newest/bin/python" -m mypy --no-error-summary src tests testdata/journey.py "$root"/examples/python/*.py
# As a program sees it that has installed the package.
(cd "$cache" && "$cache/newest/bin/python" -m mypy --strict --no-error-summary "$root"/examples/python/*.py)

for name in newest oldest; do
    echo "== $name: $("$cache/$name/bin/python" -V)"
    "$cache/$name/bin/python" -m pytest tests
done
