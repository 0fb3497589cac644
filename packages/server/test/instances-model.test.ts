import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createPodHolds } from '../src/instances/pod-holds.ts'
import {
  type Cluster,
  createCluster,
  findContradictions,
  lookAtLine,
  type ModelPod,
  type ModelPool,
} from './support/claim-world.ts'
import { useDatabase } from './support/database.ts'
import { insertPool } from './support/instance-rows.ts'
import { createRandom, type Random } from './support/random.ts'
import { type Replica, until, useReplicas } from './support/replicas.ts'

const t = useDatabase({ max: 16 })
const start = useReplicas(() => t.db)

const sequences = 1_000
/** Sequences that go on at the same time, each on pools of its own, through the same two replicas. */
const perWorld = 50
const stepsEach = 9

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))

/** A client's claim: what it knows of it. Unknown: its replica was killed before it answered. */
type Asked = {
  readonly body: Record<string, unknown>
  readonly pool: ModelPool
  readonly client: AbortController
  outcome: 'waiting' | 'unknown' | 'refused' | 'left' | 'bound'
  ids: readonly string[]
  settled: Promise<void>
}

/** Read anew: it changes while somebody waits. */
const outcomeOf = (claim: Asked): Asked['outcome'] => claim.outcome

/** Two replicas over the database. One that is killed is replaced at once. */
function createReplicas() {
  const deaths = new Map<Replica, PromiseWithResolvers<void>>()
  const begin = () => {
    const replica = start({ settings: { lineLimit: 50 } })
    deaths.set(replica, Promise.withResolvers())
    return replica
  }
  const living = [begin(), begin()]
  return {
    any: (random: Random) => living[random.upTo(living.length)] as Replica,
    deathOf: (replica: Replica) => (deaths.get(replica) as PromiseWithResolvers<void>).promise,
    async kill(random: Random): Promise<void> {
      const at = random.upTo(living.length)
      const [dead] = living.splice(at, 1, begin())
      if (dead === undefined) return
      dead.kill()
      deaths.get(dead)?.resolve()
      // Silent for so long that everybody takes it for dead, without the wait.
      await t.db.query(`update replica set seen_at = seen_at - interval '1 min' where id = $1`, [dead.id])
    },
    stop: () => Promise.all(living.map((replica) => replica.stop())),
    match: (poolIds: readonly number[]) => living[0]?.service.match(poolIds),
    errors: () => living.flatMap((replica) => replica.errors),
  }
}
type Replicas = ReturnType<typeof createReplicas>

/** One random sequence on a group of two pools. */
async function runSequence(random: Random, replicas: Replicas, cluster: Cluster) {
  const group = `g-${randomUUID()}`
  const pools: ModelPool[] = []
  for (const name of [`${group}-a`, `${group}-b`])
    pools.push({ id: await insertPool(t.db, name, { group, size: 50 }), name, pods: [], isDraining: false })
  const asked: Asked[] = []
  const problems: string[] = []
  const before = new Map<number, { id: string; simple: boolean }[]>()
  const released = new Set<string>()

  async function perform(replica: Replica, claim: Asked): Promise<void> {
    const answer = replica.claim(claim.body, claim.client.signal).then(
      (outcome) => {
        if (outcome.kind === 'bound') {
          claim.outcome = 'bound'
          claim.ids = outcome.instances.map(({ id }) => id)
        } else claim.outcome = outcome.refusal.kind === 'left' ? 'left' : 'refused'
      },
      () => {
        claim.outcome = 'unknown'
      },
    )
    await Promise.race([
      answer,
      replicas.deathOf(replica).then(() => {
        if (claim.outcome === 'waiting') claim.outcome = 'unknown'
      }),
    ])
  }

  function ask(pool: ModelPool): void {
    const kind = random.upTo(10)
    const claim: Asked = {
      pool,
      client: new AbortController(),
      outcome: 'waiting',
      ids: [],
      settled: Promise.resolve(),
      body: {
        ...(kind === 0 ? { group } : { pool: pool.name }),
        ...(kind === 1 ? { schedule_policy: 'shared', resources: { requests: { cpu: '300m', memory: '64Mi' } } } : {}),
        ...(kind === 2 ? { count: 2 } : {}),
        ...(random.chance(0.5) ? { request_id: randomUUID() } : {}),
        ...(kind !== 2 && random.chance(0.1) ? { id: `chosen-${randomUUID()}` } : {}),
        ...(random.chance(0.2) ? { priority: random.upTo(3) } : {}),
        ...(random.chance(0.2) ? { lease_seconds: 3_600 } : {}),
        timeout_ms: random.chance(0.3) ? random.upTo(40) : 60_000,
      },
    }
    claim.settled = perform(replicas.any(random), claim)
    asked.push(claim)
  }

  async function watchLine(pool: ModelPool): Promise<void> {
    const { waiting, bound } = await lookAtLine(t.db, pool.id)
    const stillWaiting = new Set(waiting.map(({ id }) => id))
    const earlier = before.get(pool.id) ?? []
    earlier.forEach(({ id, simple }, i) => {
      if (!simple || !bound.has(id)) return
      const passedOver = earlier.slice(0, i).find((ahead) => stillWaiting.has(ahead.id))
      if (passedOver !== undefined) problems.push(`${id} was served before ${passedOver.id}, who is still in line`)
    })
    before.set(pool.id, waiting)
  }

  async function release(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      released.add(id)
      const replica = replicas.any(random)
      const ended = replica.service.release(id).catch(() => undefined)
      // Twice at once is once.
      if (random.chance(0.2)) void replica.service.release(id).catch(() => undefined)
      await Promise.race([ended, replicas.deathOf(replica)])
    }
  }

  async function expire(): Promise<void> {
    const leased = asked.filter((claim) => claim.outcome === 'bound' && claim.body.lease_seconds !== undefined)
    const claim = random.pick(leased)
    if (claim === undefined) return
    for (const id of claim.ids) released.add(id)
    await t.db.query(`update instance set expires_at = instance_now() - interval '1 s' where id = any($1)`, [claim.ids])
    const replica = replicas.any(random)
    await Promise.race([replica.service.sweep().catch(() => {}), replicas.deathOf(replica)])
  }

  async function step(): Promise<void> {
    const pool = pools[random.chance(0.75) ? 0 : 1] as ModelPool
    const pod = (cluster: ModelPod['cluster']) => random.pick(pool.pods.filter((one) => one.cluster === cluster))
    const dice = random.upTo(100)
    if (dice < 40) for (let i = random.upTo(4); i >= 0; i -= 1) ask(pool)
    else if (dice < 58) await cluster.add(pool, 1 + random.upTo(3))
    else if (dice < 70) {
      const claim = random.pick(asked.filter((one) => one.outcome === 'bound'))
      if (claim !== undefined) await release(claim.ids)
    } else if (dice < 74) {
      const one = pod('ready')
      if (one !== undefined) await cluster.takeBack(one)
    } else if (dice < 78) {
      const one = pod(random.chance(0.5) ? 'unready' : 'ready')
      if (one !== undefined) await cluster.offer([one])
    } else if (dice < 82) {
      const one = pod(random.chance(0.7) ? 'ready' : 'unready')
      if (one !== undefined) await cluster.remove(one)
    } else if (dice < 85) await cluster.shrink(pool, pool.pods.filter((one) => one.cluster !== 'gone').slice(0, 2))
    else if (dice < 88) await (pool.isDraining ? cluster.undrain(pool) : cluster.drain(pool))
    else if (dice < 91) await expire()
    else if (dice < 94) random.pick(asked.filter((one) => one.outcome === 'waiting'))?.client.abort()
    else if (dice < 95) await replicas.kill(random)
    else await watchLine(pool)
  }

  for (let i = 0; i < stepsEach; i += 1) await step()
  return {
    pools,
    asked,
    problems,
    released,
    /** Brings pods for whoever waits, until nobody does. */
    async settle(): Promise<void> {
      for (const pool of pools) if (pool.isDraining) await cluster.undrain(pool)
      for (const claim of asked) {
        // Nobody knows of it but by its request id, which tells the same again.
        if (claim.outcome !== 'unknown' || claim.body.request_id === undefined) continue
        claim.settled = repeat(claim)
      }
      const waits = () => asked.filter((claim) => claim.outcome === 'waiting')
      const giveUpAt = performance.now() + 60_000
      while (waits().length > 0) {
        if (performance.now() > giveUpAt) {
          problems.push(`${waits().length} claims were never answered`)
          return
        }
        for (const pool of pools) if (waits().length > 0) await cluster.add(pool, waits().length)
        await Promise.race([Promise.all(asked.map((claim) => claim.settled)), delay(50)])
      }
    },
  }

  /** Repeats a claim whose answer was lost, through replicas that may die as well. */
  async function repeat(claim: Asked): Promise<void> {
    claim.outcome = 'waiting'
    await perform(replicas.any(random), claim)
    if (outcomeOf(claim) === 'unknown') await repeat(claim)
  }
}

test(`random sequences of claims, releases, lapses, pod deaths, shrinks, drains and killed replicas (seed ${seed})`, {
  timeout: 900_000,
}, async () => {
  let kinds = { bound: 0, refused: 0, left: 0, unknown: 0 }
  for (let world = 0; world < sequences / perWorld; world += 1) {
    const replicas = createReplicas()
    const cluster = createCluster(
      t.db,
      createPodHolds({ db: t.db, lease: undefined, match: (poolIds) => replicas.match(poolIds) }),
    )
    const runs = await Promise.all(
      Array.from({ length: perWorld }, (_, i) =>
        runSequence(createRandom(seed + world * 1_000 + i), replicas, cluster),
      ),
    )
    await Promise.all(runs.map((run) => run.settle()))
    const pools = runs.flatMap((run) => run.pools)
    const asked = runs.flatMap((run) => run.asked)
    const problems = runs.flatMap((run) => run.problems)
    for (const { outcome } of asked) if (outcome !== 'waiting') kinds = { ...kinds, [outcome]: kinds[outcome] + 1 }

    const ids = pools.map(({ id }) => id)
    const count = async (table: string) =>
      (await t.db.query<{ n: number }>(`select count(*) as n from ${table} where pool_id = any($1)`, [ids]))[0]?.n ?? 0
    // What a killed replica had sent may still be carried out: nothing is at work any more before the tables are read.
    await until(
      async () =>
        (
          await t.db.query(
            `select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
                and state <> 'idle' and query ilike any('{%instance%,%ready%,%waiter%}')`,
          )
        ).length,
      (n) => n === 0,
    )
    problems.push(...(await findContradictions(t.db, pools)))

    const known = new Map(
      (
        await t.db.query<{ id: string; request_id: string | null; live: boolean; state: string }>(
          `select id, request_id, true as live, state from instance where pool_id = any($1)
            union all select id, request_id, false, state from instance_past where pool_id = any($1)`,
          [ids],
        )
      ).map((row) => [row.id, row]),
    )
    const told = new Set(asked.flatMap((claim) => claim.ids))
    const releasedIds = new Set(runs.flatMap((run) => [...run.released]))
    for (const id of told) {
      const row = known.get(id)
      if (row === undefined) problems.push(`${id} was answered and is not there`)
      else if (!row.live && row.state !== 'lost' && !releasedIds.has(id)) problems.push(`${id} ended unasked`)
    }
    // Whoever has no answer and no request id is the only one who may not know of an instance.
    const lostAnswers = asked.filter((claim) => claim.outcome === 'unknown' || claim.outcome === 'left').length
    const strangers = [...known.values()].filter(({ id, live }) => live && !told.has(id))
    if (strangers.length > 2 * lostAnswers)
      problems.push(`${strangers.length} instances that nobody was told of, ${lostAnswers} lost answers`)
    for (const [request, rows] of Map.groupBy([...known.values()], (row) => row.request_id)) {
      const claim = asked.find((one) => one.body.request_id === request)
      const live = rows.filter((row) => row.live).length
      if (request !== null && live > Number(claim?.body.count ?? 1))
        problems.push(`request ${request} has ${live} instances`)
    }
    expect(problems, `seed ${seed}, world ${world}: SEED=${seed} npm test -- instances-model`).toEqual([])

    // In the end everything can be given back, and nobody waits.
    const helper = start()
    for (const { id, live } of known.values()) if (live) await helper.service.release(id)
    expect(await count('instance'), `seed ${seed}, world ${world}`).toBe(0)
    await until(
      async () => {
        await helper.service.sweep()
        return count('line')
      },
      (n) => n === 0,
    )
    await helper.stop()
    await replicas.stop()
  }
  expect(kinds.bound).toBeGreaterThan(sequences)
  expect(Object.values(kinds).every((n) => n > 0)).toBe(true)
})
