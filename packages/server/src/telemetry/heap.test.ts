import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

/** Keeps what it makes for a while, so that it survives collections; prints the size of the young generation in MiB. */
const program = (first: string) => `
  import { setImmediate as turn } from 'node:timers/promises'
  import { getHeapSpaceStatistics } from 'node:v8'
  ${first}
  let kept = []
  for (let i = 0; i < 80; i += 1) {
    for (let j = 0; j < 10_000; j += 1) kept.push({ text: 'x' + j, more: [i] })
    if (i % 20 === 0) kept = []
    await turn()
  }
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
  process.stdout.write(String(young.space_size / 2 ** 20))
`
const youngMiB = async (first: string) => {
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program(first)])
  return Number(stdout)
}

test('the young generation stays small', async () => {
  const heap = fileURLToPath(new URL('./heap.ts', import.meta.url))
  const [free, kept] = await Promise.all([
    youngMiB(''),
    youngMiB(`import { keepHeapSmall } from ${JSON.stringify(heap)}\nkeepHeapSmall()`),
  ])
  // It may double once more before it is seen.
  expect(kept).toBeLessThanOrEqual(32)
  expect(free).toBeGreaterThan(kept)
}, 120_000)
