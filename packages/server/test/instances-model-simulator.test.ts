import { startSimulator } from '@podyard/simulator'
import { expect, test } from 'vitest'
import { createKubeClient } from '../src/kube/index.ts'
import { managedByLabel } from '../src/pools/names.ts'
import { beforeRetry } from './support/before-retry.ts'
import { runSequence } from './support/claim-sequence.ts'
import { recordBindings } from './support/claim-verdict.ts'
import { createClaimWindows } from './support/claim-windows.ts'
import { connectionTo, useDatabase } from './support/database.ts'
import { clearInstances } from './support/instance-rows.ts'
import { keepPodDiary } from './support/pod-diary.ts'
import { createRandom } from './support/random.ts'
import { createReplicaPair } from './support/replica-pair.ts'
import { makePools, removePools } from './support/story-pools.ts'
import { watchTables } from './support/table-watch.ts'

const t = useDatabase({ max: 12 })
beforeRetry(() => clearInstances(t.db))

const sequences = Number(process.env.SEQUENCES ?? 1_000)
/** Sequences that go on at the same time, each on pools of its own. */
const lanes = Number(process.env.LANES ?? 70)
/** Sequences that follow each other on the same pools. */
const sequencesPerPool = 4
const stepsEach = 7

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))

test(`random sequences of claims, releases, lapses, pod deaths, shrinks, drains and killed replicas on a simulated cluster (seed ${seed})`, {
  timeout: 1_800_000,
}, async () => {
  console.log(`seed ${seed}: SEED=${seed} npm test -- instances-model-simulator`)
  // Long enough that a pod that is handed out before it is ready is seen to be.
  const simulator = await startSimulator({ delays: { scheduleMs: 0, pullMs: 2, readyMs: 40, terminateMs: 3 } })
  const kube = createKubeClient({ server: simulator.url, namespace: 'default' })
  const problems: string[] = []
  const fail = (error: Error) => void problems.push(error.stack ?? error.message)
  await t.db.query(recordBindings)
  const diary = keepPodDiary(simulator)
  const tables = watchTables(t.db, {
    hasBeenReady: (uid) => diary.get(uid)?.hasBeenReady === true,
    onProblem: (problem) => problems.push(problem),
  })
  const windows = createClaimWindows(tables, diary)
  const replicas = createReplicaPair(t.db, tables, { connection: connectionTo(t.name), server: simulator.url })
  const world = { db: t.db, simulator, kube, diary, tables, windows, replicas }
  const stop = new AbortController()
  const troubles = [
    windows.cordonNodes(createRandom(seed - 1), stop.signal),
    replicas.kill(createRandom(seed - 2), stop.signal),
  ].map((trouble) => trouble.catch(fail))

  const outcomes = new Map<string, number>()
  let next = 0
  let done = 0
  async function runLane(): Promise<void> {
    while (next < sequences && problems.length === 0) {
      const first = next
      next = Math.min(sequences, next + sequencesPerPool)
      const last = next
      const pools = await makePools(world, createRandom(seed + first), `s${first}`)
      for (let n = first; n < last && problems.length === 0; n += 1) {
        const { problems: found, outcomes: all } = await runSequence(world, createRandom(seed + n), pools, stepsEach)
        problems.push(...found.map((problem) => `sequence ${n}: ${problem}`))
        for (const outcome of all) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        done += 1
      }
      await removePools(world, createRandom(seed + first), pools)
    }
  }
  await Promise.all(Array.from({ length: lanes }, () => runLane().catch(fail)))
  stop.abort()
  await Promise.all(troubles)
  await replicas.stop()
  await tables.stop()
  diary.stop()
  await kube.close()
  await simulator.stop()
  console.log(`${done} sequences, ${replicas.kills} kills, claims: ${JSON.stringify(Object.fromEntries(outcomes))}`)
  expect(problems, `seed ${seed}`).toEqual([])
  expect(done).toBe(sequences)

  // Nothing is left of anybody.
  for (const plural of ['pods', 'deployments', 'replicasets']) {
    const ours = simulator.store.list(plural).filter(({ metadata }) => metadata.labels?.[managedByLabel] !== undefined)
    expect(ours.map(({ metadata }) => metadata.name)).toEqual([])
  }
  for (const table of ['pool', 'instance', 'waiter', 'line', 'ready', 'shared_pod'])
    expect(await t.db.query(`select * from ${table}`), table).toEqual([])
  expect(await t.db.query('select * from retired where gone_at is null')).toEqual([])

  expect(outcomes.get('bound')).toBeGreaterThan(sequences)
  expect(replicas.kills).toBeGreaterThan(0)
})
