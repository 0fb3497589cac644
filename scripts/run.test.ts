import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { staleReason } from './run.mjs'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

type Entry = { version?: string; integrity?: string; link?: boolean; optional?: boolean; os?: unknown; cpu?: unknown }

const locked: Readonly<Record<string, Entry>> = {
  '': {},
  'packages/own': { version: '0.1.0' },
  'node_modules/own': { link: true },
  'node_modules/pg': { version: '8.0.0', integrity: 'sha512-a' },
  'node_modules/pg/node_modules/inner': { version: '1.0.0', integrity: 'sha512-b' },
  'node_modules/for-others': { version: '1.0.0', os: ['!linux', '!darwin', '!win32', 'aix'] },
  'node_modules/for-another-cpu': { version: '1.0.0', cpu: 'mips' },
  'node_modules/optional': { version: '1.0.0', optional: true },
}
const { '': _root, 'packages/own': _own, ...rest } = locked
const { 'node_modules/for-others': _a, 'node_modules/for-another-cpu': _b, 'node_modules/optional': _c, ...here } = rest

/** What is said of a folder where `installed` is npm's record, and the folders of `present` are there. */
function reason(installed: Readonly<Record<string, Entry>> | undefined, present = Object.keys(here)) {
  const folder = mkdtempSync(join(tmpdir(), 'podyard-stale-'))
  folders.push(folder)
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: locked }))
  for (const path of present) mkdirSync(join(folder, path), { recursive: true })
  if (installed !== undefined)
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }))
  return staleReason(folder)
}

test('nothing to do when all that fits this machine is there as locked', () => {
  expect(reason(here)).toBeUndefined()
})

test.each([
  ['never installed, or interrupted', undefined, 'packages are not installed yet'],
  ['missing', { ...here, 'node_modules/pg': undefined }, 'node_modules/pg is missing'],
  ['nested and missing', { ...here, 'node_modules/pg/node_modules/inner': undefined }, 'inner is missing'],
  ['of another version', { ...here, 'node_modules/pg': { version: '7.0.0' } }, 'pg is 7.0.0, locked 8.0.0'],
  ['of another content', { ...here, 'node_modules/pg': { version: '8.0.0', integrity: 'x' } }, 'node_modules/pg is'],
  ['a copy, not a link', { ...here, 'node_modules/own': {} }, 'node_modules/own is another'],
])('%s', (_name, installed, expected) => {
  expect(reason(installed as never)).toContain(expected)
})

test('a folder that was deleted by hand', () => {
  expect(reason(here, ['node_modules/own', 'node_modules/pg'])).toBe('node_modules/pg/node_modules/inner was removed')
})
