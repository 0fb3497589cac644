import type { Queryable } from '../store/database.ts'
import type { Instance } from './instance.ts'
import { containersOf, type InstanceRow, liveColumns, pastColumns, toInstance } from './instance-row.ts'

const byIds = {
  name: 'instance-by-ids',
  text: `select ${liveColumns('i')}, k.containers from instance i ${containersOf('i')} on true where i.id = any($1)
    union all select ${pastColumns('p')} from instance_past p where p.id = any($1)
    order by no`,
}

/** Instances by id, alive or past, in the order in which they were made; unknown ids are left out. */
export async function findInstances(db: Queryable, ids: readonly string[]): Promise<Instance[]> {
  return (await db.run<InstanceRow>(byIds, [ids])).map(toInstance)
}
