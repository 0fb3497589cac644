import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { checkDirections } from './import-directions.mjs'

const trees: string[] = []
afterAll(() => {
  for (const tree of trees) rmSync(tree, { recursive: true, force: true })
})

/** A sound source tree, with some files of another text. */
const sound: Readonly<Record<string, string>> = {
  'contract/src/index.ts': `export type Pool = { id: string }`,
  'simulator/src/index.ts': `import { createServer } from 'node:http'\nexport const start = () => createServer()`,
  'cli/src/main.ts': `const { serve } = await import('@podyard/server')\nserve()`,
  'server/src/index.ts': `export { serve } from './main.ts'`,
  'server/src/main.ts': `import { startApp } from './app.ts'\nexport const serve = () => startApp()`,
  'server/src/app.ts': `import { start } from '@podyard/simulator'
    import { createPool } from './pools/pool-service.ts'
    import { sync } from './sync/syncer.ts'
    export const startApp = () => [start, createPool, sync]`,
  'server/src/pools/pool-service.ts': `import { insert } from './pool-store.ts'\nexport const createPool = () => insert`,
  'server/src/pools/pool-store.ts': `import { open } from '../store/database.ts'\nexport const insert = open`,
  'server/src/pools/plan.ts': `import { scale } from './scale.ts'
    import type { Row } from '../store/database.ts'
    export const plan = (row: Row) => scale(row)`,
  'server/src/pools/scale.ts': `export const scale = (n: unknown) => n`,
  'server/src/sync/syncer.ts': `import { createPool } from '../pools/pool-service.ts'\nexport const sync = createPool`,
  'server/src/store/database.ts': `import pg from 'pg'\nexport type Row = object\nexport const open = pg`,
  'server/src/errors.ts': `export const errors = {}`,
}

function problemsWith(changed: Readonly<Record<string, string>>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'podyard-directions-'))
  trees.push(root)
  for (const [file, text] of Object.entries({ ...sound, ...changed })) {
    const path = join(root, 'packages', file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  return checkDirections(root, { pureFiles: ['packages/server/src/pools/plan.ts', 'packages/contract/src'] }).problems
}

test('a sound tree has no problems', () => {
  expect(problemsWith({})).toEqual([])
})

const s = 'packages/server/src'
test.each<[string, Record<string, string>, string]>([
  [
    'upwards',
    {
      'server/src/store/database.ts': `import { createPool } from '../pools/pool-service.ts'\nexport const open = createPool`,
    },
    `${s}/store/database.ts -> ${s}/pools/pool-service.ts: upwards`,
  ],
  [
    'upwards by a type',
    {
      'server/src/store/database.ts': `import type { X } from '../app.ts'\nexport type Row = X\nexport const open = 1`,
    },
    `${s}/store/database.ts -> ${s}/app.ts: upwards`,
  ],
  [
    'upwards by import()',
    { 'server/src/errors.ts': `export const errors = () => import('./store/database.ts')` },
    `${s}/errors.ts -> ${s}/store/database.ts: upwards`,
  ],
  [
    'upwards by a re-export',
    { 'server/src/errors.ts': `export { open } from './store/database.ts'` },
    `${s}/errors.ts -> ${s}/store/database.ts: upwards`,
  ],
  [
    "another capability's store",
    { 'server/src/sync/syncer.ts': `import { insert } from '../pools/pool-store.ts'\nexport const sync = insert` },
    `${s}/sync/syncer.ts -> ${s}/pools/pool-store.ts: another capability's store`,
  ],
  [
    'a circle of capabilities',
    {
      'server/src/pools/pool-service.ts': `import { x } from '../sync/other.ts'\nexport const createPool = x`,
      'server/src/sync/other.ts': `export const x = 1`,
    },
    `pools (${s}/pools/pool-service.ts) -> sync (${s}/sync/syncer.ts) -> pools: capabilities in a circle`,
  ],
  [
    'a pure file that reaches I/O through another file',
    { 'server/src/pools/scale.ts': `import { open } from '../store/database.ts'\nexport const scale = open` },
    `${s}/pools/plan.ts -> ${s}/pools/scale.ts -> ${s}/store/database.ts -> pg: a pure file reaches I/O`,
  ],
  [
    'a pure file that reads a file',
    { 'server/src/pools/plan.ts': `import { readFile } from 'node:fs/promises'\nexport const plan = readFile` },
    `${s}/pools/plan.ts -> node:fs/promises: a pure file reaches I/O`,
  ],
  [
    'a pure file that waits',
    { 'server/src/pools/plan.ts': `export const plan = async (x: Promise<1>) => await x` },
    `${s}/pools/plan.ts: await in a pure file`,
  ],
  [
    'a pure file that reads the clock',
    { 'server/src/pools/plan.ts': `export const plan = () => Date.now()` },
    `${s}/pools/plan.ts: Date.now() in a pure file`,
  ],
  [
    'the contract importing ours',
    { 'contract/src/index.ts': `import '@podyard/server'` },
    `packages/contract/src/index.ts -> ${s}/index.ts: contract must not import server`,
  ],
  [
    'the simulator importing the server',
    { 'simulator/src/index.ts': `import { serve } from '@podyard/server'\nexport const start = serve` },
    `packages/simulator/src/index.ts -> ${s}/index.ts: simulator must not import server`,
  ],
  [
    'a package reached by a path',
    { 'cli/src/main.ts': `import { startApp } from '../../server/src/app.ts'\nstartApp()` },
    `packages/cli/src/main.ts -> ${s}/app.ts: not through the package`,
  ],
  [
    'the simulator known below app',
    {
      'server/src/pools/pool-service.ts': `import { start } from '@podyard/simulator'\nexport const createPool = start`,
    },
    `${s}/pools/pool-service.ts -> packages/simulator/src/index.ts: only app imports the simulator`,
  ],
  [
    'the environment read below main',
    { 'server/src/app.ts': `export const startApp = () => process.env.HOME` },
    `${s}/app.ts: process.env is main's`,
  ],
  [
    'a file in no layer',
    { 'server/src/misc/things.ts': `export {}` },
    `${s}/misc/things.ts: misc is in no layer of import-directions.mjs`,
  ],
  [
    'an import of nothing',
    { 'server/src/app.ts': `export * from './gone.ts'` },
    `${s}/app.ts -> ${s}/gone.ts: does not exist`,
  ],
  [
    'a package that nobody knows',
    { 'extra/src/index.ts': `export {}` },
    'packages/extra: not known to import-directions.mjs',
  ],
])('finds %s', (_name, changed, problem) => {
  expect(problemsWith(changed)).toContain(problem)
})

test('a list of pure files that names a missing one, or a tree without files, is not green', () => {
  const root = mkdtempSync(join(tmpdir(), 'podyard-directions-'))
  trees.push(root)
  mkdirSync(join(root, 'packages'))
  expect(checkDirections(root, { pureFiles: ['packages/server/src/pools/plan.ts'] }).problems).toHaveLength(2)
})

test('looks at the files of this project', () => {
  const { files } = checkDirections(dirname(dirname(fileURLToPath(import.meta.url))))
  expect(files).toBeGreaterThan(50)
}, 30_000)
