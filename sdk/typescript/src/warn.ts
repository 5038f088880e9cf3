const told = new Set<string>();

/** Tells the program's log of a trouble, once of each kind. */
export function warnOnce(kind: string, message: string) {
  if (told.has(kind)) return;
  told.add(kind);
  console.warn(`pulse: ${message}`);
}

/** Runs what must never be felt by the program. */
export function quietly<T>(fn: () => T): T | undefined {
  try {
    return fn();
  } catch (error) {
    warnOnce("internal", `a span could not be recorded: ${String(error)}`);
    return undefined;
  }
}
