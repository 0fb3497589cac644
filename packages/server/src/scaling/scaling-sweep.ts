import type { Queryable } from '../store/database.ts'

const sweepDecisions = {
  name: 'autoscale-decisions-sweep',
  text: `with old as (select id from autoscale_decision where at < (select instance_now()) - make_interval(days => $1::int)
      order by at limit 10000),
    gone as (delete from autoscale_decision where id in (select id from old) returning 1)
    select count(*) as n from gone`,
}
const sweepClaims = {
  name: 'autoscale-claims-sweep',
  text: `delete from autoscale_claims where bucket < (select instance_now()) - interval '2 hours'`,
}

/** Removes decisions beyond their age, and counts that no window reaches any more. */
export async function sweepScaling(db: Queryable, days: number): Promise<number> {
  await db.run(sweepClaims)
  for (let swept = 0; ; ) {
    const [row] = await db.run<{ n: number }>(sweepDecisions, [days])
    swept += row?.n ?? 0
    if ((row?.n ?? 0) < 10_000) return swept
  }
}
