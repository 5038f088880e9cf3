import { expect, it } from 'vitest'
import { parseFilter } from './filter'
import { selectionOf } from './selection'

it.each([
  ['status:error model:gpt-4o', { status: 'error', model: 'gpt-4o' }, []],
  ['has:error', { status: 'error' }, []],
  ['status:ok', { status: 'success' }, []],
  ['model:a model:b', { model: 'a' }, ['model stands twice']],
  ['-model:a', {}, ['the list takes one whole value of model']],
  ['model:gpt*', {}, ['the list takes one whole value of model']],
  ['cost>1 "x"', {}, ['the list cannot select by cost yet', '"x": the list does not search in texts yet']],
])('%s', (text, selection, problems) => expect(selectionOf(parseFilter(text).terms)).toEqual({ selection, problems }))
