import { visible } from '../text/visible'

/** The names of API keys by their ids. A key that is not there was deleted. */
export type KeyNames = ReadonlyMap<string, string>

const shownOfId = 8

/** A value of a field as people read it: API keys are known by an id and read by a name. */
export function labelOf(field: string, value: string, keys: KeyNames | undefined): string {
  if (field !== 'key') return visible(value)
  const short = visible(value.slice(0, shownOfId))
  return keys === undefined ? `key ${short}` : (keys.get(value) ?? `deleted key ${short}`)
}

/** Names that are told apart: what two keys are called has a part of their ids behind it. */
export function keyNames(keys: readonly { id: string; name: string }[]): KeyNames {
  const times = new Map<string, number>()
  for (const key of keys) times.set(key.name, (times.get(key.name) ?? 0) + 1)
  return new Map(keys.map((key) => [key.id, (times.get(key.name) ?? 0) > 1 ? `${visible(key.name)} · ${key.id.slice(0, shownOfId)}` : visible(key.name)]))
}
