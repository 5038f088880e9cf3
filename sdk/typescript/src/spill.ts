import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import process from "node:process";
import type { Kept, Leftover, Spill } from "./runtime.js";
import { quietly } from "./warn.js";

const linesPerFile = 100;
const ending = ".ndjson";
// Begins the random part of this process's files: in a container another process had its number before.
const token = Math.random().toString(36).slice(2, 10);
const foreignAfter = 3_600_000; // a file of a process that cannot be asked for is left behind if nobody wrote to it for as long

/** One file: a line with the resource and the scope, then a line for each span. It goes when all of its spans are settled. */
class File implements Kept {
  private lines = 0;
  private open = 0;
  private fd: number | undefined;

  constructor(
    private readonly name: string,
    head?: string,
  ) {
    if (head === undefined) return;
    this.fd = openSync(name, "ax", 0o600);
    writeSync(this.fd, head + "\n");
  }

  get full() {
    return this.lines >= linesPerFile || this.fd === undefined;
  }

  write(json: string) {
    writeSync(this.fd!, json + "\n");
    this.hold();
    if (this.full) this.close();
  }

  hold() {
    this.lines++;
    this.open++;
  }

  settle() {
    if (--this.open > 0) return;
    this.close();
    quietly(() => unlinkSync(this.name));
  }

  private close() {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }
}

/** Keeps spans in files of a directory until they are settled, so that they outlive the process. */
export function spillTo(directory: string): Spill {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const fresh = () => path.join(directory, `${hostname()}-${process.pid}-${token}${Math.random().toString(36).slice(2, 10)}${ending}`);
  let file: File | undefined;
  return {
    write(head, json) {
      if (!file || file.full) file = new File(fresh(), head);
      file.write(json);
      return file;
    },
    leftovers() {
      const names = readdirSync(directory).filter((name) => name.endsWith(ending) && isLeft(path.join(directory, name)));
      const age = (name: string) => statSync(path.join(directory, name)).mtimeMs;
      return names.sort((a, b) => age(a) - age(b)).flatMap((name) => quietly(() => claim(path.join(directory, name), fresh())) ?? []);
    },
  };
}

/** Whether the process that wrote a file is gone. */
function isLeft(name: string): boolean {
  const [, host, pid, random] = /^(.*)-(\d+)-([^-]*)$/.exec(path.basename(name, ending)) ?? [];
  const old = () => Date.now() - statSync(name).mtimeMs > foreignAfter;
  if (host !== hostname()) return old();
  if (Number(pid) === process.pid) return !random!.startsWith(token);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ESRCH" || (code !== "EPERM" && old()); // Deno may not let one ask
  }
}

/** Makes a file this process's own, so that no other sends it too, and reads it. A last line that is torn is left out. */
function claim(name: string, own: string): Leftover[] {
  renameSync(name, own);
  const [head, ...lines] = readFileSync(own, "utf8").split("\n").filter(isJSON);
  const file = new File(own);
  if (head === undefined || lines.length === 0) {
    unlinkSync(own);
    return [];
  }
  return lines.map((json) => {
    file.hold();
    return { head, json, kept: file };
  });
}

function isJSON(line: string): boolean {
  try {
    return typeof JSON.parse(line) === "object";
  } catch {
    return false;
  }
}
