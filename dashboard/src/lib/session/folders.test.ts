import { expect, it } from 'vitest'
import { byFolder } from './folders'

it('groups by folder in the order of the list', () => {
  const session = (id: string, folder: string | null, errors: number, costNanoUsd: string | null) => ({ id, folder, durationMs: 1000, toolCalls: 2, files: 1, errors, tokens: costNanoUsd === null ? null : 5, costNanoUsd })
  const folders = byFolder([session('1', '/b', 1, '7'), session('2', null, 0, null), session('3', '/a', 0, null), session('4', '/b', 2, '5')])
  expect(folders.map((f) => [f.folder, f.sessions.map((s) => s.id).join(''), f.errors, f.durationMs, f.tokens, f.costNanoUsd])).toEqual([
    ['/b', '14', 3, 2000, 10, 12],
    [null, '2', 0, 1000, null, null],
    ['/a', '3', 0, 1000, null, null],
  ])
})
