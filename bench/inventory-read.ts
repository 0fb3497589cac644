import type { InventoryPage } from '@podyard/contract'
import type pg from 'pg'
import { parseFilter } from '../packages/server/src/inventory/filter/parse.ts'
import { cursorAfter } from '../packages/server/src/inventory/list-cursor.ts'
import { filterTypes } from '../packages/server/src/inventory/list-fields.ts'
import { checkPage } from '../packages/server/src/inventory/list-page.ts'
import { countSql, keptCountSql, type ListQuery, pageSql } from '../packages/server/src/inventory/list-sql.ts'
import { textView } from '../packages/server/src/inventory/view-text.ts'
import { measureExport } from './inventory-export.ts'
import { fillInventory, million, onStage, type Sizes } from './inventory-stage.ts'
import type { LoadClient } from './load-client.ts'
import { type Bench, type BenchOptions, median, type Report, round } from './report.ts'

/**
 * Lists of pods over HTTP beside the same SQL run directly by a program with the same driver, both one at a time and in
 * turn, so that a slow phase of the machine hits both. HTTP ends when the whole body is there as text, SQL when the driver has its
 * rows. Every look asks for something else, so that nothing is answered from what the one before left behind. At the end all
 * of it is read by cursor, and exported.
 */
export const bench: Bench = {
  describe: 'lists of pods over HTTP beside the same SQL run directly, among a million pods and two million containers',
  run: (options) =>
    onStage(2, async ({ sql, http, url }) => {
      const sizes: Sizes = options.quick ? { ...million, pods: 50_000, workloads: 500, nodes: 200 } : million
      await fillInventory(sql, sizes, options.progress)
      return measure(options, sizes, sql, http, url)
    }),
}

type Look = {
  readonly filter?: object
  readonly page: InventoryPage
}
type Case = {
  readonly name: string
  /** Its filter leaves few rows: held to a p99 of its own. */
  readonly selective: boolean
  look(n: number): Look
}

const atom = (field: string, operator: string, value: unknown) => ({ field, operator, value })
const label = (key: string, value: string) => atom('labels', 'filter_object', atom(key, 'equal', value))
const and = (...rules: object[]) => ({ condition: 'AND', rules })

/** Numbers that are spread over 1 to `n`, the same ones in every run. */
const spreadOver = (n: number, i: number) => 1 + ((i * 7_919) % n)

function casesOf({ pods, workloads, nodes }: Sizes): readonly Case[] {
  const page = { limit: 100 }
  const count = { enable_count: true }
  const app = (n: number) => label('app', `web-${spreadOver(500, n) - 1}`)
  const ip = (n: number) => {
    const i = spreadOver(pods, n)
    return `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
  }
  return [
    { name: 'by label, 100 rows', selective: true, look: (n) => ({ filter: app(n), page }) },
    { name: 'by ip', selective: true, look: (n) => ({ filter: atom('ip', 'equal', ip(n)), page }) },
    {
      name: 'by workload, 100 rows',
      selective: true,
      look: (n) => ({
        filter: and(atom('ref.kind', 'equal', 'deployment'), atom('ref.id', 'equal', spreadOver(workloads, n))),
        page,
      }),
    },
    {
      name: 'by host, 100 rows',
      selective: true,
      look: (n) => ({ filter: atom('bk_host_id', 'equal', spreadOver(nodes, n)), page }),
    },
    { name: 'count of all', selective: false, look: () => ({ page: count }) },
    { name: 'count by label', selective: false, look: (n) => ({ filter: app(n), page: count }) },
    {
      name: 'count by two labels',
      selective: false,
      look: (n) => ({ filter: and(app(n), label('env', 'prod')), page: count }),
    },
    {
      name: 'deep page by cursor, 500 rows',
      selective: false,
      look: (n) => ({ page: { limit: 500, cursor: cursorAfter('pod', spreadOver(pods - 500, n)) } }),
    },
  ]
}

type Sql = { readonly text: string; readonly values: readonly unknown[] }

/** The statement that Podyard runs for the look. */
function sqlOf(look: Look): Sql {
  const parsed =
    look.filter && parseFilter(look.filter, { dialect: 'current', fields: filterTypes('pod'), maxDepth: 4 })
  if (parsed?.ok === false) throw new Error('the bench has a bad filter')
  const query: ListQuery = {
    object: 'pod',
    kind: undefined,
    business: 1,
    pod: 0,
    rule: parsed?.rule,
    caller: { user: 'admin', tenant: '0' },
  }
  const page = checkPage(look.page, 'pod')
  if (page.kind === 'count') return keptCountSql(query) ?? countSql(query)
  return pageSql(query, page, textView('pod').columns)
}

/** The characters of the answer. */
async function send(http: LoadClient, path: string, body: object): Promise<number> {
  const { text } = await http.send('POST', `/api/v3${path}`, body)
  if (!text.slice(0, 40).includes('"result":true')) throw new Error(`${path}: ${text.slice(0, 500)}`)
  return text.length
}

async function clock(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

const percentile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN

/** A list that takes SQL less than this is held when HTTP adds at most so much. */
const shortSqlMs = 2
const mayAddMs = 1.5

async function measure(
  options: BenchOptions,
  sizes: Sizes,
  sql: pg.Pool,
  http: LoadClient,
  url: string,
): Promise<Report> {
  const rounds = options.quick ? 100 : 400
  const rows: string[][] = []
  const figures: Record<string, number> = {}
  let worst = 0
  let worstP99 = 0
  for (const one of casesOf(sizes)) {
    const overHttp: number[] = []
    const direct: number[] = []
    let bytes = 0
    for (let n = -20; n < rounds; n += 1) {
      const look = one.look(n + 1_000)
      const statement = sqlOf(look)
      const runs = [
        async () => {
          const ms = await clock(async () => {
            bytes = await send(http, '/findmany/kube/pod', { bk_biz_id: 1, ...look })
          })
          if (n >= 0) overHttp.push(ms)
        },
        async () => {
          const ms = await clock(() => sql.query(statement.text, statement.values as unknown[]))
          if (n >= 0) direct.push(ms)
        },
      ]
      // In turn first and second: whoever comes second finds the rows in memory.
      for (const run of n % 2 === 0 ? runs : runs.reverse()) await run()
    }
    const [http50, sql50] = [median(overHttp), median(direct)]
    const isShort = sql50 < shortSqlMs
    const held = isShort && http50 - sql50 <= mayAddMs
    const ratio = held ? 1 : round(http50 / sql50)
    worst = Math.max(worst, ratio)
    const p99 = round(percentile(overHttp, 0.99), 1)
    if (one.selective) worstP99 = Math.max(worstP99, p99)
    rows.push([
      one.name,
      sql50.toFixed(2),
      http50.toFixed(2),
      isShort ? `+${(http50 - sql50).toFixed(2)} ms` : (http50 / sql50).toFixed(2),
      round(percentile(direct, 0.99), 1).toFixed(1),
      p99.toFixed(1),
      Math.round(bytes / 1024).toLocaleString('en'),
    ])
    options.progress(`${one.name}: ${http50.toFixed(2)} ms, SQL ${sql50.toFixed(2)} ms`)
  }
  figures.ratio = worst
  figures.p99_ms = worstP99
  for (const [name, path, body] of caches) {
    const ms: number[] = []
    for (let n = 0; n < (options.quick ? 20 : 60); n += 1) ms.push(await clock(() => send(http, path, body)))
    figures[`${name}_ms`] = round(median(ms))
    rows.push([`cache: ${name}`, '', median(ms).toFixed(2), '', '', percentile(ms, 0.99).toFixed(1), ''])
  }
  const scan = await scanAll(http, sizes)
  figures.scan_rows_per_s = Math.round(scan.rowsPerSecond)
  figures.scan_growth_mb = Math.round(scan.growthBytes / 2 ** 20)
  rows.push([
    `all ${scan.rows.toLocaleString('en')} pods by cursor: ${figures.scan_rows_per_s.toLocaleString('en')} rows/s, Podyard grew by ${figures.scan_growth_mb} MB`,
    ...Array(6).fill(''),
  ])
  const exported = await measureExport(url)
  const mib = (bytes: number) => Math.round(bytes / 2 ** 20)
  figures.export_seconds = round(exported.seconds, 1)
  figures.export_growth_mb = mib(exported.mostBytes - exported.earlyBytes)
  rows.push([
    `podyard export: ${mib(exported.fileBytes).toLocaleString('en')} MB in ${figures.export_seconds} s, ${mib(exported.earlyBytes)} MB resident after a tenth, ${mib(exported.mostBytes)} MB at most`,
    ...Array(6).fill(''),
  ])
  return {
    columns: ['list', 'SQL, ms', 'HTTP, ms', 'HTTP beside SQL', 'SQL p99', 'HTTP p99', 'KB'],
    rows,
    figures,
    limits: [
      { name: 'ratio', figure: worst, atMost: 1.5 },
      { name: 'p99_ms', figure: worstP99, atMost: 30 },
      { name: 'scan_growth_mb', figure: figures.scan_growth_mb, atMost: 100 },
      { name: 'export_growth_mb', figure: figures.export_growth_mb, atMost: 100 },
    ],
  }
}

const caches = [
  ['label_keys', '/cache/findmany/kube/pod/label/key', { bk_biz_id: 1 }],
  ['label_values', '/cache/findmany/kube/pod/label/value', { bk_biz_id: 1, key: 'app' }],
  ['topology', '/cache/find/biz/kube/topo', { bk_biz_id: 1 }],
  ['pods_of_cluster', '/find/kube/topo_node/pod/count', { bk_biz_id: 1, resource_info: [{ kind: 'cluster', id: 1 }] }],
  [
    'hosts_of_cluster',
    '/find/kube/topo_node/host/count',
    { bk_biz_id: 1, resource_info: [{ kind: 'cluster', id: 1 }] },
  ],
] as const

/** Reads every pod, page by page, and looks at the memory of Podyard's process. */
async function scanAll(http: LoadClient, { pods }: Sizes) {
  const before = await residentBytes(http)
  let most = before
  let rows = 0
  const startedAt = performance.now()
  for (let cursor = ''; ; ) {
    const { text } = await http.send('POST', '/api/v3/findmany/kube/pod', {
      bk_biz_id: 1,
      page: { cursor, limit: 500 },
    })
    const { data } = JSON.parse(text) as {
      readonly data: { readonly info: readonly object[]; readonly next_cursor: string }
    }
    rows += data.info.length
    cursor = data.next_cursor
    if (rows % 25_000 < 500) most = Math.max(most, await residentBytes(http))
    if (cursor === '') break
  }
  if (rows !== pods) throw new Error(`the scan found ${rows} of ${pods} pods`)
  return { rows, rowsPerSecond: (rows * 1000) / (performance.now() - startedAt), growthBytes: most - before }
}

async function residentBytes(http: LoadClient): Promise<number> {
  const { text } = await http.send('GET', '/metrics')
  const found = /^process_resident_memory_bytes (\S+)$/m.exec(text)
  return Number(found?.[1])
}
