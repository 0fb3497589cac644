import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach } from 'vitest'
import { readClaim } from '../../src/instances/claim-body.ts'
import type { ClaimOutcome, Instance } from '../../src/instances/instance.ts'
import { createInstanceService, type InstanceDeps, type InstanceService } from '../../src/instances/instance-service.ts'
import type { Database } from '../../src/store/database.ts'

/** A process that claims, without HTTP. */
export type Replica = {
  readonly id: string
  readonly service: InstanceService
  readonly errors: unknown[]
  /** Claims with a body as the API takes it; `gone` is the client's going away. */
  claim(body: object, gone?: AbortSignal): Promise<ClaimOutcome>
  stop(): Promise<void>
  kill(): void
}

/** Starts replicas over one database; what a test leaves running is stopped after it. */
export function useReplicas(db: () => Database) {
  const running: Replica[] = []
  afterEach(async () => {
    for (const replica of running.splice(0)) await replica.stop()
  })
  return (deps: Omit<InstanceDeps, 'db'> = {}): Replica => {
    const id = randomUUID()
    const errors: unknown[] = []
    const service = createInstanceService({
      db: db(),
      replica: id,
      onError: (error) => errors.push(error),
      ...deps,
    })
    const stopping = new AbortController()
    const loops = service.run(stopping.signal)
    let isKilled = false
    const replica: Replica = {
      id,
      service,
      errors,
      claim: (body, gone) =>
        service.claim(
          readClaim(body, service.newId),
          gone === undefined ? undefined : { isGone: () => gone.aborted, signal: () => gone },
        ),
      async stop() {
        if (isKilled) return
        isKilled = true
        await service.standDown()
        stopping.abort()
        await loops
        await service.stop()
      },
      kill() {
        isKilled = true
        service.kill()
        stopping.abort()
      },
    }
    running.push(replica)
    return replica
  }
}

/** The instances of an outcome that must be bound. */
export function bound(outcome: ClaimOutcome): readonly Instance[] {
  if (outcome.kind !== 'bound') throw new Error(`refused: ${JSON.stringify(outcome.refusal)}`)
  return outcome.instances
}

/** Asks until it is so; what it was at last, when it does not come to be. */
export async function until<T>(ask: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  const giveUpAt = performance.now() + 60_000
  for (;;) {
    const value = await ask()
    if (isSo(value)) return value
    if (performance.now() > giveUpAt) throw new Error(`did not come to be: ${JSON.stringify(value)}`)
    await delay(10)
  }
}

/** Waits until so many wait in line. */
export function untilWaiting(db: Database, count: number): Promise<unknown> {
  return until(
    async () => (await db.query<{ n: number }>('select count(*) as n from waiter'))[0]?.n,
    (n) => n === count,
  )
}
