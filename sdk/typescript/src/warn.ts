const told = new Set<string>();

/** Tells the program's log of a trouble, once of each kind. */
export function warnOnce(kind: string, message: string) {
  if (told.has(kind)) return;
  told.add(kind);
  try {
    console.warn(`pulse: ${message}`);
  } catch {
    // The program has a console of its own.
  }
}

/** Runs what must never be felt by the program. */
export function quietly<T>(fn: () => T): T | undefined {
  try {
    return fn();
  } catch (error) {
    warnOnce("internal", `a span could not be recorded: ${reasonOf(error)}`);
    return undefined;
  }
}

/** Whatever was thrown may be anything. */
function reasonOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return typeof error;
  }
}
