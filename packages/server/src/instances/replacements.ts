import type { Database, Queryable, Statement } from '../store/database.ts'
import { claimMembers, readClaim } from './claim-body.ts'
import { batchIds, type Claim, type ClaimOutcome, replacementId } from './instance.ts'

/** Instances that are claimed anew when their pods are lost. */
export type Replacements = {
  /** Does what binds the claim, and sees to it that its instances will be replaced, if it wants that. */
  keep(claim: Claim, bind: () => Promise<ClaimOutcome>): Promise<ClaimOutcome>
  /** Claims what was lost anew, in the background. Every process does it: the request id makes one claim of it. */
  work(): Promise<void>
  /** Forgets wishes that nothing can come of any more. */
  sweep(): Promise<void>
}

const note: Statement = {
  name: 'replacement-note',
  text: `insert into replacement (instance_id, claim) select unnest($1::text[]), $2::jsonb
    on conflict do nothing returning instance_id`,
}
const forget: Statement = {
  name: 'replacement-forget',
  text: 'delete from replacement where instance_id = any($1::text[])',
}
const lost: Statement = {
  name: 'replacement-lost',
  text: `select instance_id, claim from replacement where lost_at is not null order by lost_at limit $1`,
}
const sweepOld: Statement = {
  name: 'replacement-sweep',
  text: `delete from replacement r where lost_at is null and made_at < instance_now() - interval '2 hours'
    and not exists (select from instance i where i.id = r.instance_id)`,
}
const markLost: Statement = {
  name: 'replacement-mark-lost',
  text: 'update replacement set lost_at = instance_now() where instance_id = any($1::text[])',
}

/** In the transaction that ends them: these instances were lost. */
export async function markForReplacement(tx: Queryable, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await tx.run(markLost, [ids])
}

/** Replacements that one process claims at the same time. */
const atOnce = 64

export function createReplacements(options: {
  readonly db: Database
  readonly claim: (claim: Claim) => Promise<ClaimOutcome>
  readonly newId: () => string
  readonly onDone: (result: 'replaced' | 'given_up') => void
  readonly onError: (error: unknown) => void
}): Replacements {
  const { db, newId, onDone, onError } = options
  const underWay = new Set<string>()

  async function replace(id: string, members: object): Promise<void> {
    const common = { ...members, replace_lost: true, request_id: `replacement of ${id}` }
    const next = replacementId(id)
    let outcome = await options.claim(readClaim({ ...common, id: next }, newId))
    // Somebody else has chosen that id, or it would be too long.
    if (outcome.kind === 'refused' && outcome.refusal.kind === 'taken')
      outcome = await options.claim(readClaim({ ...common, request_id: `replacement of ${id}, named anew` }, newId))
    // Another process, or this one a moment later, goes on with it.
    if (outcome.kind === 'refused' && ['stopping', 'line full', 'left'].includes(outcome.refusal.kind)) return
    await db.run(forget, [[id]])
    if (outcome.kind === 'refused') onDone('given_up')
    else if (!outcome.isRepeat) onDone('replaced')
  }

  return {
    async keep(claim, bind) {
      if (claim.replaceLost !== true) return bind()
      const ids = batchIds(claim.id, claim.count)
      const noted = await db.run<{ instance_id: string }>(note, [ids, JSON.stringify(claimMembers(claim))])
      // When it throws, nobody knows what was bound: the rows are swept, or of use.
      const outcome = await bind()
      // What was bound as the client went away stays where an id of its own finds it.
      if (outcome.kind === 'refused' && outcome.refusal.kind === 'left') return outcome
      const bound = outcome.kind === 'bound' ? new Set(outcome.instances.map(({ id }) => id)) : new Set<string>()
      const vain = noted.map((row) => row.instance_id).filter((id) => !bound.has(id))
      if (vain.length > 0) await db.run(forget, [vain])
      return outcome
    },
    async work() {
      const rows = await db.run<{ instance_id: string; claim: object }>(lost, [atOnce])
      for (const { instance_id: id, claim } of rows) {
        if (underWay.has(id)) continue
        underWay.add(id)
        void replace(id, claim)
          .catch(onError)
          .finally(() => underWay.delete(id))
      }
    },
    async sweep() {
      await db.run(sweepOld)
    },
  }
}
