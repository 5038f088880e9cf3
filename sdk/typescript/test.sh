#!/usr/bin/env bash
# Builds @pulse/sdk as it would be published, installs it into fresh projects, one with the newest clients and one with the oldest, and runs the
# tests in each. Run by sdk/test.sh.
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

# project NAME PACKAGE... makes a project with packages, and with the SDK's as it was just packed.
project() {
    local dir=.cache/$1 && shift
    mkdir -p "$dir"
    if [ "$(cat "$dir/stamp" 2>/dev/null)" != "$*" ]; then
        rm -rf "$dir" && mkdir -p "$dir"
        echo '{ "private": true, "type": "module" }' >"$dir/package.json"
        quiet npm install --prefix "$dir" --no-audit --no-fund "$@"
        echo "$*" >"$dir/stamp"
    fi
    rm -rf "$dir/tests" "$dir/testdata" "$dir/node_modules/@pulse/sdk"
    mkdir -p "$dir/node_modules/@pulse/sdk"
    tar -xzf "$package" -C "$dir/node_modules/@pulse/sdk" --strip-components 1
    cp -r tests testdata "$dir"
}

project newest openai@7.57.0 @anthropic-ai/sdk@1.14.0 @google/genai@3.3.0 typescript@5.9.3 @types/node@20.19.1
project oldest openai@4.50.0 @anthropic-ai/sdk@0.30.0

echo "== newest"
rm -rf .cache/newest/examples && cp -r "$root/examples/typescript" .cache/newest/examples
(cd .cache/newest && node node_modules/typescript/bin/tsc -p tests/types && node node_modules/typescript/bin/tsc -p tests/types/examples.json && node --test --test-reporter=spec tests/*.test.mjs)
echo "== oldest"
(cd .cache/oldest && node --test --test-reporter=spec tests/clients.test.mjs)
