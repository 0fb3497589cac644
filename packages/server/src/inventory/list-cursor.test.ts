import { expect, test } from 'vitest'
import { cursorAfter, idOfCursor } from './list-cursor.ts'

test('a cursor leads back to its id, in its own list only', () => {
  for (const id of [1, 42, Number.MAX_SAFE_INTEGER]) expect(idOfCursor('pod', cursorAfter('pod', id))).toBe(id)
  expect(idOfCursor('node', cursorAfter('pod', 1))).toBeUndefined()
  expect(idOfCursor('workload/job', cursorAfter('workload/deployment', 1))).toBeUndefined()
  expect(idOfCursor('pod', '')).toBe(0)
})

test.each([
  'x',
  '0',
  'null',
  ' ',
  `${cursorAfter('pod', 1)}=`,
  `${cursorAfter('pod', 1)} `,
  Buffer.from('1 pod -1').toString('base64url'),
  Buffer.from('1 pod 9007199254740993').toString('base64url'),
  Buffer.from('1 pod 01').toString('base64url'),
  Buffer.from('2 pod 1').toString('base64url'),
  'x'.repeat(100_000),
])('%.20s is no cursor', (text) => expect(idOfCursor('pod', text)).toBeUndefined())
