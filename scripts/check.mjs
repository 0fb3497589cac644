/**
 * `npm run check`: everything that can be told without a database or a process, in under a minute: format and lint,
 * types, import directions, the lock file, unit tests. Two lanes, since the types take about as long as all the rest.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = (name) => join(root, 'node_modules/.bin', name)
const node = process.execPath
const npm = process.env.npm_execpath?.endsWith('.js') ? [node, process.env.npm_execpath] : ['npm']

/** Folders of tests and benches that have a tsconfig of their own: they import sources by their path. */
const alsoTyped = [
  'bench',
  'e2e',
  'test/cluster',
  'test/control-plane',
  ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}/test`),
]
  .filter((folder) => existsSync(join(root, folder, 'tsconfig.json')))
  .map((folder) => ({ name: `types of ${folder}`, command: [bin('tsc'), '-p', folder] }))

const lanes = [
  [{ name: 'types', command: [bin('tsc'), '-b'] }, ...alsoTyped],
  [
    { name: 'format and lint', command: [bin('biome'), 'check', '--error-on-warnings', '.'] },
    { name: 'import directions', command: [node, 'scripts/import-directions.mjs'] },
    // npm leaves an optional package that it cannot fetch out of the lock in silence, and then `npm ci` refuses it.
    { name: 'lock file', command: [...npm, 'ci', '--dry-run', '--no-audit', '--no-fund', '--loglevel=error'] },
    {
      name: 'unit tests',
      command: [node, 'node_modules/vitest/vitest.mjs', 'run', '--no-color', '--project', 'unit', '--maxWorkers=1'],
    },
  ],
]

function run({ name, command: [program, ...args] }) {
  return new Promise((resolve) => {
    const startedAt = performance.now()
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk
      })
    const end = (problem) => {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)
      console.log(`${seconds} s  ${problem === undefined ? 'ok    ' : 'failed'}  ${name}`)
      if (problem !== undefined) console.log(`${output.trimEnd()}\n${problem}`)
      resolve(problem === undefined)
    }
    child.on('error', (error) => end(error.message))
    child.on('close', (code, signal) => end(code === 0 ? undefined : `${name} ended with ${signal ?? code}`))
  })
}

async function runLane(lane) {
  const results = []
  for (const step of lane) results.push(await run(step))
  return results
}

const startedAt = performance.now()
const results = (await Promise.all(lanes.map(runLane))).flat()
const failed = results.filter((ok) => !ok).length
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
console.log(`${seconds} s  check: ${failed === 0 ? 'all fine' : `${failed} of ${results.length} steps failed`}`)
process.exitCode = failed === 0 ? 0 : 1
