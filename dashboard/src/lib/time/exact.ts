/** RFC 3339 with microseconds, which Date would cut, as milliseconds with a fraction. */
export function milliseconds(time: string): number {
  const micros = /\.\d{3}(\d{1,3})/.exec(time)?.[1]
  return Date.parse(time) + (micros ? Number(micros.padEnd(3, '0')) / 1000 : 0)
}
