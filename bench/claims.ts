import { setTimeout as delay } from 'node:timers/promises'
import { type Claim, type ClaimBody, claim, closedLoop, openLoop, quantile } from './claims-load.ts'
import { type Add, bareRow, type Part, part, report } from './claims-report.ts'
import { type ClaimStage, onClaimStage, until } from './claims-stage.ts'
import { startStock } from './claims-stock.ts'
import { type Bench, type BenchOptions, median, round } from './report.ts'

/**
 * Claims over HTTP: alone, 300 at once, in an open loop at several rates, in a batch, and as many as there can be; with pods
 * that a driver makes ready at the database, then with pods that a cluster makes anew: the simulator in a process of its own,
 * or with `--cluster` a real control plane, which lets everything else on the machine go first, as if it had machines of its
 * own. Windows of ten seconds; the worst one counts. Beside every load runs a bare commit 50 times a second: a limit of p99
 * is what the server may add to the p99 of that. Every run ends with a look at the database: no pod held twice, no claim that
 * was answered and is not there, none that is there and was not answered.
 */
export const bench: Bench = {
  describe: 'claims over HTTP: alone, 300 at once, 45 to 500 a second with refill, batch, peak; --long, --cluster',
  async run(options) {
    const parts: Part[] = []
    const add = (part: Part) => {
      parts.push(part)
      options.progress(`${part.row.join('  ')}`)
    }
    if (options.cluster) {
      await onClaimStage('control plane', { ...options, lean: true }, (stage) => onCluster(stage, options, add))
      if (!options.quick) await onClaimStage('control plane', options, (stage) => onLoadedCluster(stage, add))
    } else {
      await onClaimStage('database', options, (stage) => onDatabase(stage, options, add))
      if (!options.long) await onClaimStage('simulator', options, (stage) => onSimulator(stage, options, add))
    }
    return report(parts)
  },
}

const exclusive = (pool: string): ClaimBody => ({ pool })
const shared = (pool: string): ClaimBody => ({
  pool,
  schedule_policy: 'shared',
  resources: { requests: { cpu: '1m', memory: '1Mi' } },
})

/** @param pauseMs between an answer and the next claim */
async function alone(stage: ClaimStage, body: ClaimBody, count: number, pauseMs = 5): Promise<Claim[]> {
  const claims: Claim[] = []
  for (let i = 0; i < count; i += 1) {
    claims.push(await claim(stage.http, body))
    await delay(pauseMs)
  }
  return claims
}

const atOnce = (stage: ClaimStage, body: ClaimBody, count: number): Promise<Claim[]> =>
  Promise.all(Array.from({ length: count }, () => claim(stage.http, body)))

async function onDatabase(stage: ClaimStage, { quick, long, progress }: BenchOptions, add: Add): Promise<void> {
  const stock = await startStock(stage, 60)
  const seconds = quick ? 5 : 60
  const all: Claim[] = []
  const note = (claims: Claim[]) => {
    for (const one of claims) all.push(one)
    return claims
  }
  try {
    const pool = stock.pools[0] ?? ''
    await stock.fill([pool], 3_000)
    // Until then the server's own code is still being compiled, and the log of the database finds no file to use again.
    await recycleLog(stage)
    await atOnce(stage, exclusive(pool), 300).then(note)
    const stopWarm = stock.keepFull([pool], 3_000)
    await openLoop(stage.http, { perSecond: 500, seconds: quick ? 6 : 15, body: () => stock.claimOn(pool) }).then(note)
    await stopWarm()
    await marksWritten(stage, all)
    if (long) {
      await stock.fill([pool], 100_000)
      const stop = stock.keepFull([pool], 100_000)
      const claims = note(await openLoop(stage.http, { perSecond: 500, seconds: 600, body: () => stock.claimOn(pool) }))
      await stop()
      const minutes = [...Map.groupBy(claims, (c) => Math.floor((c.at - (claims[0]?.at ?? 0)) / 60_000)).values()]
      minutes.forEach((minute, i) => {
        add(part(stage, `minute ${i + 1} of ten at 500/s, 100,000 ready`, minute))
      })
      const p50 = minutes.map((minute) =>
        quantile(
          minute.map((c) => c.ms),
          0.5,
        ),
      )
      add({
        row: bareRow('last minute beside the first'),
        limits: [['churn_ratio', round((p50.at(-1) ?? Number.NaN) / (p50[0] ?? Number.NaN)), 1.5]],
      })
      await checkLedger(stage, all, add)
      return
    }

    add(
      part(stage, 'alone', note(await alone(stage, exclusive(pool), quick ? 300 : 1_000)), {
        key: 'alone',
        p50: 3,
        p99: 10,
      }),
    )
    const slowest: number[] = []
    for (let i = 0; i < (quick ? 5 : 15); i += 1) {
      await stock.exactly(pool, 300)
      const claims = note(await atOnce(stage, exclusive(pool), 300))
      slowest.push(Math.max(...claims.map((c) => c.ms)))
    }
    add({
      row: bareRow('300 at once, 300 ready: until the last', '300', '', '', '', median(slowest).toFixed(0)),
      limits: [['at_once_ms', round(median(slowest)), 150]],
    })
    await stock.fill([pool], 2_000)
    const stop = stock.keepFull([pool], 2_000)
    for (const perSecond of [45, 200, 500]) {
      const claims = note(await openLoop(stage.http, { perSecond, seconds, body: () => stock.claimOn(pool) }))
      add(part(stage, `${perSecond}/s, driver at the database`, claims, { key: `rate_${perSecond}`, p50: 5, p99: 20 }))
    }
    await stop()
    await marksWritten(stage, all)
    const apiWrites = await stage.counter('podyard_kube_requests_total', (labels) => labels.includes('verb="patch"'))
    add({
      row: bareRow('API writes per exclusive claim'),
      limits: [['api_writes_per_claim', round(apiWrites / instances(all)), 1]],
    })

    const batches: number[] = []
    for (let i = 0; i < (quick ? 3 : 9); i += 1) {
      await stock.fill([pool], 1_000)
      const one = await claim(stage.http, { pool, count: 1_000 })
      note([one])
      batches.push(one.ms)
    }
    add({
      row: bareRow('a batch of 1,000', '1,000', median(batches).toFixed(0), '', '', Math.max(...batches).toFixed(0)),
      limits: [['batch_ms', round(median(batches)), 150]],
    })

    await stock.fill([pool], quick ? 40_000 : 100_000)
    const peak = note(await closedLoop(stage.http, { clients: 64, seconds: quick ? 4 : 10, body: exclusive(pool) }))
    const perSecond = peak.length / (quick ? 4 : 10)
    const peakPart = part(stage, '64 clients without a pause', peak)
    add({ ...peakPart, limits: [['peak_limit_ratio', round(5_000 / perSecond), 1]] })
    // The patches of that many pods are a load of their own, which is not what is measured next.
    await marksWritten(stage, all)

    const depths: number[] = []
    for (const depth of [100, 100_000]) {
      await stock.exactly(pool, depth)
      const end = stock.keepFull([pool], depth)
      const claims = note(
        await openLoop(stage.http, { perSecond: 200, seconds: quick ? 5 : 20, body: () => stock.claimOn(pool) }),
      )
      await end()
      depths.push(
        quantile(
          claims.map((c) => c.ms),
          0.5,
        ),
      )
      add(part(stage, `200/s, ${depth.toLocaleString('en')} ready`, claims))
    }
    const many = stock.pools.slice(1, 51)
    await stock.fill(many, 400)
    const endMany = stock.keepFull(many, 400)
    const spreadOut = note(
      await openLoop(stage.http, {
        perSecond: 500,
        seconds: quick ? 5 : 20,
        body: (i) => stock.claimOn(many[i % 50] ?? ''),
      }),
    )
    await endMany()
    add(part(stage, '500/s over 50 pools', spreadOut, { key: 'fifty_pools', p50: 5, p99: 20 }))
    add({
      row: bareRow('100,000 ready beside 100'),
      limits: [['depth_ratio', round((depths[1] ?? Number.NaN) / (depths[0] ?? Number.NaN)), 1.5]],
    })

    const writesBefore = await stage.counter('podyard_kube_requests_total', (labels) => labels.includes('verb="patch"'))
    const sharing = stock.pools[51] ?? ''
    await stock.fill([sharing], 500)
    const sharedClaims = note(await openLoop(stage.http, { perSecond: 500, seconds, body: () => shared(sharing) }))
    add(part(stage, '500/s shared, without labels', sharedClaims, { key: 'shared_500', p50: 5, p99: 20 }))
    const writes = await stage.counter('podyard_kube_requests_total', (labels) => labels.includes('verb="patch"'))
    add({
      row: bareRow('API writes of shared claims'),
      limits: [['api_writes_shared', writes - writesBefore, 0]],
    })
    await checkLedger(stage, all, add)
  } finally {
    progress('the driver ends')
    await stock.stop()
  }
}

async function onSimulator(stage: ClaimStage, { quick }: BenchOptions, add: Add): Promise<void> {
  await makePools(stage, [{ id: 'refill', size: 600 }])
  await readyPods(stage, 600)
  const all = await alone(stage, exclusive('refill'), 100)
  await readyPods(stage, 600)
  const claims = await openLoop(stage.http, {
    perSecond: 150,
    seconds: quick ? 10 : 60,
    body: () => exclusive('refill'),
  })
  add(part(stage, '150/s, refilled by the simulator', claims, { key: 'refill_150', p50: 5, p99: 20 }))
  await checkLedger(stage, [...all, ...claims], add)
}

/**
 * Pods that do not mind where they are. With the built-in template and the spread over nodes that pools have by default 45 a
 * second are all that a control plane can make anew on two cores.
 */
const anywhere = '{"podAntiAffinity":{}}'

async function onCluster(stage: ClaimStage, { quick }: BenchOptions, add: Add): Promise<void> {
  await makePools(stage, [
    { id: 'refill', size: 300, affinities: anywhere },
    { id: 'sharing', size: 50, cpu: '2', memory: '4Gi', affinities: anywhere },
  ])
  await readyPods(stage, 350)
  const all: Claim[] = []
  const note = (claims: Claim[]) => {
    for (const one of claims) all.push(one)
    return claims
  }
  note(await alone(stage, exclusive('refill'), 100))
  await readyPods(stage, 350)
  // 100 claims a second would be what the control plane can refill at most: no client would be alone there.
  const quiet = note(await alone(stage, exclusive('refill'), 600, 100))
  add(part(stage, 'alone', quiet, { key: 'alone', p50: 3, p99: 10 }))
  const slowest: number[] = []
  for (let i = 0; i < (quick ? 2 : 5); i += 1) {
    await readyPods(stage, 350)
    await delay(2_000) // the control plane still works off what the claims before left it
    slowest.push(Math.max(...note(await atOnce(stage, exclusive('refill'), 300)).map((c) => c.ms)))
  }
  add({
    row: bareRow('300 at once, 300 ready: until the last', '300', '', '', '', median(slowest).toFixed(0)),
    limits: [['at_once_ms', round(median(slowest)), 150]],
  })
  await readyPods(stage, 350)
  await delay(2_000)
  const seconds = quick ? 10 : 60
  const claims = note(await openLoop(stage.http, { perSecond: 45, seconds, body: () => exclusive('refill') }))
  const refill = part(stage, '45/s exclusive, refilled by the control plane', claims, {
    key: 'refill_45',
    p50: 8,
    p99: 60,
  })
  const cold = claims.filter((c) => c.status === 200 && !c.warm).length
  add({ ...refill, limits: [...refill.limits, ['refill_45_cold', cold, 0]] })
  await readyPods(stage, 350)
  await marksWritten(stage, all)
  await delay(2_000)
  const sharedClaims = note(await openLoop(stage.http, { perSecond: 500, seconds, body: () => shared('sharing') }))
  add(part(stage, '500/s shared, without labels', sharedClaims, { key: 'shared_500', p50: 5, p99: 20 }))
  await checkLedger(stage, all, add)
}

/** For the record: pods as they are when nobody wishes anything, at a rate that takes all of a machine with two cores. */
async function onLoadedCluster(stage: ClaimStage, add: Add): Promise<void> {
  await makePools(stage, [{ id: 'refill', size: 300 }])
  await readyPods(stage, 300)
  const all = await alone(stage, exclusive('refill'), 100)
  await readyPods(stage, 300)
  await delay(2_000)
  const claims = await openLoop(stage.http, { perSecond: 45, seconds: 60, body: () => exclusive('refill') })
  add(part(stage, '45/s exclusive, pods of the built-in template', claims))
  await checkLedger(stage, [...all, ...claims], add)
}

type BenchPool = {
  readonly id: string
  readonly size: number
  readonly cpu?: string
  readonly memory?: string
  readonly affinities?: string
}

/** Their pods are small unless it is said, so that the nodes have room for all that are ever claimed: nobody releases one. */
async function makePools(stage: ClaimStage, pools: readonly BenchPool[]) {
  const { status, text } = await stage.http.send('POST', '/serverless/v1/podpools', {
    pools: pools.map(({ id, size, cpu = '100m', memory = '256Mi', affinities = '' }) => ({
      id,
      size,
      affinities,
      image: 'runtime-manager:v1',
      resources: { requests: { cpu, memory }, limits: { cpu, memory } },
    })),
  })
  if (status !== 200) throw new Error(`the pools were refused: ${status} ${text}`)
}

const readyPods = (stage: ClaimStage, count: number) =>
  until(`${count} pods are ready to be claimed`, async () => {
    const { rows } = await stage.sql.query<{ n: number }>('select count(*)::int as n from ready')
    return (rows[0]?.n ?? 0) >= count
  })

const instances = (claims: readonly Claim[]) => claims.reduce((sum, { ids }) => sum + ids.length, 0)

/** Waits until the pods of all these claims bear their marks, or the cluster has said that there is none. */
const marksWritten = (stage: ClaimStage, claims: readonly Claim[]) =>
  until('the marks are written', async () => (await stage.counter('podyard_pod_marks_total')) >= instances(claims))

/**
 * Files of the write-ahead log are made once and then used again; making one holds every commit up for 40 ms. A database
 * that has run for a while has them.
 */
async function recycleLog({ sql }: ClaimStage): Promise<void> {
  for (let i = 0; i < 32; i += 1) {
    await sql.query(`select pg_logical_emit_message(false, 'bench', '')`)
    await sql.query('select pg_switch_wal()')
  }
  await sql.query('checkpoint')
}

/** Compares what clients were told with what the database holds. */
async function checkLedger(stage: ClaimStage, claims: readonly Claim[], add: Add): Promise<void> {
  const { rows } = await stage.sql.query<{ id: string; pod_uid: string; schedule_policy: string }>(
    'select id, pod_uid, schedule_policy from instance union all select id, pod_uid, schedule_policy from instance_past',
  )
  const pods = rows.filter((row) => row.schedule_policy === 'exclusive').map((row) => row.pod_uid)
  const held = new Set(rows.map((row) => row.id))
  const told = claims.flatMap((c) => c.ids)
  const figures = {
    double_claims: pods.length - new Set(pods).size + told.length - new Set(told).size,
    lost_claims: told.filter((id) => !held.has(id)).length,
    unanswered_claims: rows.length - told.length,
  }
  for (const [name, figure] of Object.entries(figures))
    add({ row: bareRow(name.replace('_', ' '), String(figure)), limits: [[name, figure, 0]] })
}
