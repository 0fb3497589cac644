import { setTimeout as delay } from 'node:timers/promises'
import { bearsMark } from '../../src/instances/pod-marks.ts'
import { isMarked } from '../../src/pools/pod-facts.ts'
import { createClaimStory, outcomeOf, type StoryPool } from './claim-story.ts'
import { judgeClaims } from './claim-verdict.ts'
import { isLiving } from './pod-diary.ts'
import type { Random } from './random.ts'
import { deletePod, describePool, putPool, type SequenceWorld, untilChangeIsOver } from './story-pools.ts'
import { nothingLeft } from './table-watch.ts'

/** Pods that every pool has in the end: enough for the largest batch. */
const finalSize = 2

/** Runs one random sequence on pools that nothing else uses, settles them, and says what was wrong. */
export async function runSequence(world: SequenceWorld, random: Random, pools: readonly StoryPool[], steps: number) {
  const { db, diary, tables, windows, replicas } = world
  const story = createClaimStory(random, replicas, diary)
  const name = pools.map((pool) => pool.name).join(' and ')
  // Whatever pools had before is over.
  const since = tables.latest.at

  async function endPod(pool: StoryPool): Promise<void> {
    const pod = random.pick(diary.of(pool.uid).filter((one) => isLiving(one) && one.hasBeenReady))
    if (pod === undefined) return
    windows.podEnds(pod.uid)
    if (random.chance(0.3)) diary.fail(pod)
    else await deletePod(world, pod)
  }

  async function expire(): Promise<void> {
    const instance = random.pick(story.leased())
    if (instance === undefined) return
    story.over.set(instance.id, 'expired')
    await db.query(`update instance set expires_at = instance_now() - interval '1 s' where id = $1`, [instance.id])
    await replicas.insist(random, (replica) => replica.instances.sweep())
  }

  async function step(): Promise<void> {
    const pool = random.pick(pools) as StoryPool
    const dice = random.upTo(100)
    if (dice < 40) for (let i = random.upTo(2); i >= 0; i -= 1) story.ask(pool)
    else if (dice < 56) {
      const instance = random.pick(story.alive())
      if (instance !== undefined) await story.release([instance.id])
    } else if (dice < 64) await endPod(pool)
    else if (dice < 67) {
      const pod = random.pick(diary.of(pool.uid).filter((one) => isLiving(one) && one.hasBeenReady))
      if (pod !== undefined) diary.blink(pod)
    } else if (dice < 76) {
      const size = 1 + random.upTo(3)
      await putPool(world, random, pool, { size, max_size: size + random.upTo(3) })
    } else if (dice < 83) await putPool(world, random, pool, { drain: random.chance(0.5) })
    else if (dice < 88) await expire()
    else if (dice < 92) random.pick(story.waiting())?.client.abort()
    else if (dice < 95) {
      const claim = random.pick(story.repeatable('bound'))
      if (claim !== undefined) story.repeat(claim)
    } else await delay(random.upTo(60))
  }

  /** Whoever has a pod to himself gets his mark on it, though the process that should write it died. */
  function marksAreThere(): Promise<unknown> {
    const held = story.alive().filter(({ policy }) => policy === 'exclusive')
    const missing = () =>
      held.filter(({ id, podUid }) => {
        const pod = diary.get(podUid)
        return pod !== undefined && isLiving(pod) && !bearsMark(pod.object, id)
      })
    return tables.until(
      () => `${name}: marks of ${missing().map(({ id, podUid }) => `${id} on ${podUid}`)}`,
      () => missing().length === 0,
    )
  }

  /** Gives back what is held, so that whoever waits is served, until nobody waits. */
  async function serveAll(): Promise<void> {
    const giveUpAt = performance.now() + 240_000
    for (;;) {
      for (const claim of story.repeatable('unknown')) story.repeat(claim)
      await story.release(story.alive().map(({ id }) => id))
      await releaseStrays()
      await makeRoom()
      const waiting = story.waiting()
      if (waiting.length === 0 && story.alive().length === 0) return
      if (performance.now() > giveUpAt) {
        story.problems.push(`never answered: ${JSON.stringify(waiting.map(({ body, tries }) => [body, [...tries]]))}`)
        return
      }
      await Promise.race([delay(40), ...waiting.map(({ settled }) => settled)])
    }
  }

  /** A pod that was shared keeps being so, idle as it may be: whoever wants one for himself would wait for ever. */
  async function makeRoom(): Promise<void> {
    const { offers, shared, left } = tables.latest
    for (const { id } of pools) {
      const { instances, lines } = left.get(id) ?? nothingLeft
      const idle = (offers.get(id) ?? []).filter((uid) => shared.has(uid)).flatMap((uid) => diary.get(uid) ?? [])
      if (instances === 0 && lines > 0) await Promise.all(idle.filter(isLiving).map((pod) => deletePod(world, pod)))
    }
  }

  /** Releases what nobody was told of, or was told in this moment: lost answers without a request id, clients that left. */
  async function releaseStrays(): Promise<void> {
    if (pools.every(({ id }) => (tables.latest.left.get(id)?.instances ?? 0) === 0)) return
    const rows = await db.query<{ id: string }>('select id from instance where pool_id = any($1)', [
      pools.map(({ id }) => id),
    ])
    const strays = rows.filter(({ id }) => {
      const owner = story.ownerOf(id)
      return owner === undefined || outcomeOf(owner) !== 'waiting'
    })
    for (const { id } of strays) if (!story.mayHold(id)) story.problems.push(`nobody may hold ${id}`)
    await story.release(strays.map(({ id }) => id))
  }

  async function settle(pool: StoryPool): Promise<void> {
    const isAsWanted = tables.until(
      () => `${pool.name} as wanted: ${describePool(world, pool)}`,
      ({ offered, offers, left }) => {
        const pods = diary.of(pool.uid).filter(({ object }) => object.status?.phase !== 'Failed')
        const rows = left.get(pool.id) ?? nothingLeft
        return (
          pods.length === finalSize &&
          pods.every((pod) => isLiving(pod) && offered.get(pod.uid) === pool.id && !isMarked(pod.object)) &&
          offers.get(pool.id)?.length === finalSize &&
          rows.instances + rows.lines + rows.retired === 0
        )
      },
    )
    let isSettled = false
    const done = isAsWanted.finally(() => {
      isSettled = true
    })
    while (!isSettled) {
      await releaseStrays()
      await Promise.race([done, delay(200)])
    }
    await done
  }

  if (random.chance(0.8))
    await tables.until(
      () => `first pods of ${name}`,
      ({ offers }) => pools.every(({ id }) => offers.has(id)),
    )
  for (let i = 0; i < steps; i += 1) await step()
  const wanted = { size: finalSize, max_size: finalSize, drain: false }
  for (const pool of pools) while (!(await putPool(world, random, pool, wanted))) await untilChangeIsOver()
  await marksAreThere()
  await serveAll()
  await replicas.carriedOut()
  for (const pool of pools) await settle(pool)
  const problems = [...story.problems, ...(await judgeClaims(world, story, pools, since))]
  return { problems, outcomes: story.asked.map(outcomeOf) }
}
