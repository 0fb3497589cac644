import type { Queryable, Statement } from '../store/database.ts'
import type { Instance } from './instance.ts'
import { containersOf, type InstanceRow, liveColumns, toInstance } from './instance-row.ts'

/** Leases: kept alive, or run out. What is right now is the database's clock to say. */

/** Rows are locked in one order; one whose lease ran out is not kept alive any more, though nobody swept it yet. */
const renew: Statement = {
  name: 'lease-renew',
  text: `with clock as materialized (select instance_now() as now),
    held as materialized (
      select i.id from instance i where i.id = any($1) order by i.id for update),
    renewed as (
      update instance i set expires_at = clock.now + make_interval(secs => i.lease_seconds)
        from held h cross join clock where i.id = h.id and i.expires_at > clock.now
      returning i.*)
    select ${liveColumns('i')}, k.containers from renewed i ${containersOf('i')} on true`,
}

/** Starts the leases of these anew; those that have none, or ended, are left out. */
export async function renewLeases(db: Queryable, ids: readonly string[]): Promise<Instance[]> {
  return (await db.run<InstanceRow>(renew, [ids])).map(toInstance)
}

const lapsed: Statement = {
  name: 'lease-lapsed',
  text: 'select id from instance where expires_at <= instance_now() order by expires_at limit $1',
}

/** Instances whose lease has run out, the longest first. */
export async function lapsedLeases(db: Queryable, limit: number): Promise<string[]> {
  return (await db.run<{ id: string }>(lapsed, [limit])).map(({ id }) => id)
}
