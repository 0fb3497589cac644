import type { Queryable } from '../store/database.ts'

const sweep = {
  name: 'alarm-sweep',
  text: `with old as (select id from alarm where cleared_at < (select instance_now()) - make_interval(days => $1::int)
      order by cleared_at limit 10000),
    gone as (delete from alarm where id in (select id from old) returning 1)
    select count(*) as n from gone`,
}

/** Removes alarms that were cleared so many days ago; says how many. */
export async function sweepAlarms(db: Queryable, days: number): Promise<number> {
  for (let swept = 0; ; ) {
    const [row] = await db.run<{ n: number }>(sweep, [days])
    swept += row?.n ?? 0
    if ((row?.n ?? 0) < 10_000) return swept
  }
}
