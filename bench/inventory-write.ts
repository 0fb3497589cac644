import { clusterLevel, type Level, namespaceLevel, nodeLevel, podLevel, workloadLevel } from './inventory-levels.ts'
import {
  call,
  clock,
  fillInventory,
  fillNamespaces,
  fillNodes,
  fillWorkloads,
  million,
  onStage,
  type Sizes,
  type Stage,
} from './inventory-stage.ts'
import { type Bench, type BenchOptions, median, type Report, round, spread } from './report.ts'

const clients = 8

/**
 * Full batches of every level over HTTP, 8 clients at once, beside bare SQL on 8 connections that writes the same rows
 * (events included) into the same database. Two forms of bare SQL are tried, and the quicker one is the peer: the one
 * statement that Podyard itself uses, and one plain insert per table. Its rows are prepared outside the clock, its ids are
 * drawn beforehand, and it checks nothing. First on empty tables, then on a million rows in each (two million containers).
 *
 * A cluster is created alone: what a call adds to its 0.3 ms of SQL is told apart from the batches.
 */
export const bench: Bench = {
  describe:
    'full batches of every level over HTTP beside bare SQL that writes the same rows; empty and with a million rows',
  run: (options) =>
    onStage(clients, async (stage) => {
      const report = await measureLevels(options, stage, [
        nodeLevel,
        namespaceLevel,
        workloadLevel,
        podLevel,
        clusterLevel,
      ])
      return { ...report, limits: [...report.limits, { name: 'deadlocks', figure: await deadlocks(stage), atMost: 0 }] }
    }),
}

/** What every level stands on, and nothing else. */
const bare: Sizes = { pods: 0, containersPerPod: 2, namespaces: 1, workloads: 1, nodes: 1, hosts: million.hosts }

/** Rounds that are not counted: until then the server's own code is still being compiled. */
const warmUps = 3

type Way = { readonly name: string; run(batches: number): Promise<number> }

/** Measures levels on empty tables and on full ones; figures are the worst level's and each one's. */
export async function measureLevels(options: BenchOptions, stage: Stage, levels: readonly Level[]): Promise<Report> {
  const { sql } = stage
  const rounds = options.quick ? 3 : 9
  const rows: string[][] = []
  const figures: Record<string, number> = {}
  const medians = new Map<string, number>()
  const batched = levels.filter((level) => level.size > 1)
  for (const state of ['empty', 'million'] as const) {
    const count = state === 'empty' ? 0 : options.quick ? 50_000 : 1_000_000
    await fillInventory(sql, state === 'empty' ? bare : { ...million, pods: count }, options.progress)
    for (const level of levels) {
      if (state === 'million') await fillUp(stage, level, count)
      const batches = level.size === 1 ? 400 : options.quick ? 16 : 48
      const ways = waysOf(stage, level)
      const ms = new Map<string, number[]>(ways.map((way) => [way.name, []]))
      for (let r = -warmUps; r < rounds; r += 1)
        for (const way of ways) {
          if (state === 'empty') await empty(stage, level)
          await sql.query('checkpoint')
          const took = (await way.run(batches)) / batches
          if (r >= 0) ms.get(way.name)?.push(took)
        }
      options.progress(`${state}: ${level.name}s measured`)
      const [overHttp = [], ...peers] = [...ms.values()]
      const peer = peers.reduce((best, next) => (median(next) < median(best) ? next : best))
      medians.set(`${level.name} ${state}`, median(overHttp))
      if (level.size === 1) figures[`${level.name}_added_ms_${state}`] = round(median(overHttp) - median(peer))
      else figures[`ratio_${level.name}_${state}`] = round(median(overHttp) / median(peer))
      for (const [name, values] of ms)
        rows.push([
          `${level.name}, ${state === 'empty' ? 'empty' : `${count.toLocaleString('en')} rows`}: ${name}`,
          spread(values, 2),
          Math.round((level.size * 1000) / median(values)).toLocaleString('en'),
          round(median(values) / median(peer)).toFixed(2),
        ])
    }
  }
  const worst = (state: string) =>
    Math.max(...batched.map((level) => figures[`ratio_${level.name}_${state}`] ?? Number.NaN))
  const growth = batched.map(({ name }) => (medians.get(`${name} million`) ?? 0) / (medians.get(`${name} empty`) ?? 0))
  const all = {
    ratio: Math.max(worst('empty'), worst('million')),
    ratio_empty: worst('empty'),
    ratio_million: worst('million'),
    // How much slower a batch is on full tables; bare SQL gets slower as well.
    growth: round(Math.max(...growth)),
    ...figures,
  }
  return {
    columns: ['level and way', 'ms a batch, median (min-max)', 'rows/s', 'times the quicker bare SQL'],
    rows,
    figures: all,
    limits: [
      { name: 'ratio_empty', figure: all.ratio_empty, atMost: 1.6 },
      { name: 'ratio_million', figure: all.ratio_million, atMost: 1.6 },
    ],
  }
}

/** As many rows in the level's own table as there are pods. */
async function fillUp({ sql }: Stage, { name }: Level, count: number): Promise<void> {
  const { namespaces, workloads, nodes, hosts } = million
  if (name === 'node') await fillNodes(sql, count - nodes, false, hosts)
  else if (name === 'namespace') await fillNamespaces(sql, count - namespaces)
  else if (name === 'workload') await fillWorkloads(sql, count - workloads, namespaces)
  if (['node', 'namespace', 'workload'].includes(name)) await sql.query(`vacuum analyze ${name}`)
}

/** Empties the level's table but for the rows that the other levels stand on. */
async function empty({ sql }: Stage, { name, tables }: Level): Promise<void> {
  await sql.query('truncate event')
  if (name === 'pod') await sql.query(`truncate ${tables.join(', ')}`)
  else {
    await sql.query(`delete from ${name} where name like $1`, [`%-${process.pid}-%`])
    await sql.query('truncate history')
    await sql.query(`vacuum ${name}`)
  }
}

async function deadlocks({ sql }: Stage): Promise<number> {
  const { rows } = await sql.query<{ deadlocks: string }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return Number(rows[0]?.deadlocks)
}

function waysOf(stage: Stage, level: Level): readonly Way[] {
  return [viaHttp(stage, level), viaStatement(stage, level), viaPlainInserts(stage, level)]
}

function viaHttp({ http }: Stage, level: Level): Way {
  return {
    name: 'Podyard over HTTP',
    run(batches) {
      const bodies = Array.from({ length: batches }, () => JSON.stringify(level.body()))
      return clock(
        clients,
        bodies.map((body) => () => call(http, 'POST', level.path, body)),
      )
    },
  }
}

async function prepareViews({ sql }: Stage, level: Level, batches: number) {
  const first = await level.draw(sql, batches)
  return Array.from({ length: batches }, (_, i) => level.views(first + i * level.size))
}

function viaStatement(stage: Stage, level: Level): Way {
  return {
    name: 'bare SQL, one statement',
    async run(batches) {
      const values = (await prepareViews(stage, level, batches)).map(level.statementValues)
      return clock(
        clients,
        values.map((v) => () => stage.sql.query({ ...level.statement, values: v as unknown[] })),
      )
    },
  }
}

function viaPlainInserts(stage: Stage, level: Level): Way {
  return {
    name: 'bare SQL, an insert per table',
    async run(batches) {
      const texts = (await prepareViews(stage, level, batches)).map((views) =>
        level.plain.map(({ rows }) => JSON.stringify(rows(views))),
      )
      return clock(
        clients,
        texts.map((values) => async () => {
          const client = await stage.sql.connect()
          try {
            await client.query('begin')
            for (const [i, { text }] of level.plain.entries())
              await client.query({ name: `plain-${level.name}-${i}`, text, values: [values[i]] })
            await client.query('commit')
          } finally {
            client.release()
          }
        }),
      )
    },
  }
}
