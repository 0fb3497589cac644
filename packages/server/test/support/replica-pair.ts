import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '../../src/errors.ts'
import type { Database } from '../../src/store/database.ts'
import type { Random } from './random.ts'
import type { TableWatch } from './table-watch.ts'
import { startWholeReplica, type WholeReplica } from './whole-replica.ts'

export type ReplicaPair = ReturnType<typeof createReplicaPair>

/** Two replicas over one database and one cluster. One that is killed is replaced, a moment later. */
export function createReplicaPair(
  db: Database,
  tables: Pick<TableWatch, 'replicaDied'>,
  at: Parameters<typeof startWholeReplica>[0],
) {
  let living: WholeReplica[] = []
  const ends: Promise<void>[] = []
  let kills = 0
  const burials = new Set<Promise<void>>()

  function begin(): void {
    const replica = startWholeReplica(at)
    living.push(replica)
    void replica.death.then(() => {
      living = living.filter((other) => other !== replica)
      tables.replicaDied(replica.id)
      kills += 1
      ends.push(replica.stop())
      const work = untilCarriedOut(replica).finally(() => burials.delete(work))
      burials.add(work)
    })
  }
  /** Resolves when the database has nothing of it in hand any more. */
  async function untilCarriedOut({ backends }: WholeReplica): Promise<void> {
    const left = `select from pg_stat_activity where pid = any($1)`
    while ((await db.query(left, [[...backends]])).length > 0) await delay(20)
  }
  begin()
  begin()

  return {
    get kills() {
      return kills
    },
    any: (random: Random) => random.pick(living) as WholeReplica,
    /**
     * Kills one of them at some call, again and again, until the signal aborts. Now and then both live for longer than a
     * leader leaves a ReplicaSet's victims to it (10 s).
     */
    async kill(random: Random, signal: AbortSignal): Promise<void> {
      for (let n = 1; !signal.aborted; n += 1) {
        const restMs = n % 6 === 0 ? 18_000 : 300 + random.upTo(1_500)
        await delay(restMs, undefined, { signal }).catch(() => {})
        if (signal.aborted) return
        const replica = random.pick(living) as WholeReplica
        replica.dieAfter(1 + random.upTo(40), random.chance(0.5))
        await replica.death
        // Silent for so long that everybody takes it for dead, without the wait.
        await db.query(`update replica set seen_at = seen_at - interval '1 min' where id = $1`, [replica.id])
        await delay(random.upTo(200))
        begin()
      }
    },
    /** Asks one of them, and the next one when that one dies meanwhile: what was done may be done twice. */
    async insist<T>(random: Random, work: (replica: WholeReplica) => Promise<T>): Promise<T> {
      for (;;) {
        const answer = await askOnce(random.pick(living) as WholeReplica, work)
        if (answer !== undefined) return answer.value
      }
    },
    /** Resolves when all that those have sent that are dead by now is done, or will never be. */
    async carriedOut(): Promise<void> {
      await Promise.all(burials)
    },
    async stop(): Promise<void> {
      await Promise.all(living.map((replica) => replica.stop()))
      await Promise.all(ends)
    },
  }
}

/** Undefined: it died meanwhile, or could not reach the database. */
export async function askOnce<T>(
  replica: WholeReplica,
  work: (replica: WholeReplica) => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const answer = work(replica).then(
    (value) => ({ value }),
    (error: unknown) => {
      if (replica.isDead || (error instanceof AppError && error.status === 503)) return undefined
      throw error
    },
  )
  return Promise.race([answer, replica.death.then(() => undefined)])
}
