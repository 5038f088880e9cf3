#!/usr/bin/env bash
# Builds @pulse/sdk as it would be published, installs it into fresh projects, one with the newest clients and one with the oldest, and runs the
# tests in each, with the newest also on the other runtimes that can be installed here; with PULSE_TEST_REQUIRE=1 on all of them. Run by sdk/test.sh.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

command -v npm >/dev/null && node -e 'process.exit(+process.versions.node.split(".")[0] < 20 ? 1 : 0)' || {
    echo "sdk/typescript: Node 20 or newer with npm is missing" >&2
    exit 77
}
export PULSE_REPOSITORY=$root

quiet() { "$@" >.cache/log 2>&1 || { cat .cache/log && exit 1; }; }

mkdir -p .cache
quiet npm ci --no-audit --no-fund
quiet node build.mjs
quiet node_modules/.bin/esbuild tests/inside.ts --bundle --format=esm --outfile=.cache/inside.mjs
rm -f .cache/*.tgz
quiet npm pack --pack-destination .cache
package=$(ls "$PWD"/.cache/*.tgz)

# install DIRECTORY PACKAGE... installs packages, unless just those are there.
install() {
    local dir=$1 && shift
    [ "$(cat "$dir/stamp" 2>/dev/null)" != "$*" ] || return 0
    rm -rf "$dir" && mkdir -p "$dir"
    echo '{ "private": true, "type": "module" }' >"$dir/package.json"
    npm install --prefix "$dir" --no-audit --no-fund "$@" >.cache/log 2>&1 && echo "$*" >"$dir/stamp"
}

# project NAME PACKAGE... makes a project with packages, and with the SDK's as it was just packed.
project() {
    local dir=.cache/$1 && shift
    install "$dir" "$@" || { cat .cache/log && exit 1; }
    rm -rf "$dir/tests" "$dir/testdata" "$dir/node_modules/@pulse"
    quiet npm install --prefix "$dir" --no-save --no-audit --no-fund "$package"
    cp -r tests testdata "$dir"
}

# runtime VARIABLE PACKAGE PATH... exports where the program of a runtime is, or says that there is none for this platform. The paths, which may be
# patterns, are those of the program itself: what npm links is a script that hides signals, unless the package's own script has run.
runtime() {
    local variable=$1 package=$2 dir=$PWD/.cache/${2%@*} path program
    shift 2
    if install "$dir" "$package"; then
        for path in "$@"; do
            for program in "$dir/node_modules/"$path; do
                "$program" --version >/dev/null 2>&1 && export "$variable=$program" && return
            done
        done
    fi
    echo "sdk/typescript: $package cannot be installed here: its tests are left out" >&2
    [ "${PULSE_TEST_REQUIRE:-}" != 1 ]
}

project newest openai@7.57.0 @anthropic-ai/sdk@1.14.0 @google/genai@3.3.0 typescript@5.9.3 @types/node@20.19.1 esbuild@0.28.2
project oldest openai@4.50.0 @anthropic-ai/sdk@0.30.0 @google/genai@1.0.0
runtime PULSE_BUN bun@1.4.5 bun/bin/bun.exe '@oven/*/bin/bun'
runtime PULSE_DENO deno@2.9.6 deno/deno '@deno/*/deno'
runtime PULSE_WORKERD workerd@1.20261117.1 workerd/bin/workerd '@cloudflare/*/bin/workerd'

echo "== newest"
rm -rf .cache/newest/examples && cp -r "$root/examples/typescript" .cache/newest/examples
(cd .cache/newest && node node_modules/typescript/bin/tsc -p tests/types && node node_modules/typescript/bin/tsc -p tests/types/examples.json && node --test --test-reporter=spec tests/*.test.mjs)
echo "== oldest"
(cd .cache/oldest && node --test --test-reporter=spec tests/clients.test.mjs tests/google.test.mjs)
