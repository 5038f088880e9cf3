// Builds dist: one file for each way of loading the package, and the types.
import { execFileSync } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

process.chdir(import.meta.dirname);
rmSync("dist", { recursive: true, force: true });
const common = { bundle: true, target: "es2022", minify: true, logLevel: "warning" };
await build({ ...common, entryPoints: ["src/node.ts"], outfile: "dist/node.js", format: "esm", platform: "node" });
await build({ ...common, entryPoints: ["src/node.ts"], outfile: "dist/node.cjs", format: "cjs", platform: "node" });
await build({ ...common, entryPoints: ["src/index.ts"], outfile: "dist/index.js", format: "esm", platform: "neutral" });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc"], { stdio: "inherit" });
// The types are the same for CommonJS, whose compilers ask the nearest package.json what they are.
cpSync("dist/types", "dist/types-cjs", { recursive: true });
writeFileSync("dist/types-cjs/package.json", '{ "type": "commonjs" }\n');
