/** `npm run bench -- <name> [--json] [options]`: each bench measures Podyard beside a limit or a peer, in one run. */
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import type { Bench, Report } from './report.ts'

const benches: Readonly<Record<string, () => Promise<{ readonly bench: Bench }>>> = {
  'pods-create': () => import('./pods-create.ts'),
  'inventory-write': () => import('./inventory-write.ts'),
  'inventory-read': () => import('./inventory-read.ts'),
  pools: () => import('./pools.ts'),
  fill: () => import('./fill.ts'),
  watch: () => import('./watch.ts'),
  claims: () => import('./claims.ts'),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const name = positionals[0]
const load = name === undefined ? undefined : benches[name]
if (values.help || load === undefined) {
  const lines = await Promise.all(
    Object.entries(benches).map(async ([key, get]) => `  ${key.padEnd(16)} ${(await get()).bench.describe}`),
  )
  const usage = `Usage: npm run bench -- <name> [--json] [--quick] [--long] [--cluster]\n\n${lines.join('\n')}\n\n  --json           end with one line of JSON that holds the figures\n  --quick          fewer rounds and rows: to see that it runs, not to quote\n  --long           claims: ten minutes of churn\n  --cluster        claims: on a real control plane\n`
  if (name !== undefined && load === undefined) process.stderr.write(`No bench is called "${name}".\n\n`)
  process.stdout.write(usage)
  process.exit(values.help ? 0 : 2)
}

const { bench } = await load()
process.stdout.write(
  `${name}: ${bench.describe}\non ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, ${process.platform}\n\n`,
)
const report = await bench.run({
  quick: values.quick,
  long: values.long,
  cluster: values.cluster,
  progress: (line) => process.stderr.write(`${line}\n`),
})
print(report)
if (values.json)
  process.stdout.write(
    `${JSON.stringify({ bench: name, quick: values.quick, long: values.long, cluster: values.cluster, ...report.figures })}\n`,
  )
const missed = report.limits.filter((limit) => !(limit.figure <= limit.atMost))
for (const limit of missed) process.stderr.write(`${limit.name} is ${limit.figure}, the limit is ${limit.atMost}\n`)
process.exit(missed.length > 0 ? 1 : 0)

function print({ columns, rows, limits }: Report): void {
  const table = [columns, ...rows]
  const widths = columns.map((_, i) => Math.max(...table.map((row) => (row[i] ?? '').length)))
  for (const row of table)
    process.stdout.write(
      `${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')}\n`,
    )
  process.stdout.write('\n')
  for (const limit of limits)
    process.stdout.write(
      `${limit.figure <= limit.atMost ? 'held  ' : 'MISSED'}  ${limit.name} = ${limit.figure} (at most ${limit.atMost})\n`,
    )
}
