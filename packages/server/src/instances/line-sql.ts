/** After so long without a heartbeat a replica is dead, and whoever waited through it waits no more. */
export const replicaSilenceSeconds = 15

/**
 * Waiters of a pool that count: in time, and of a replica that lives. `pool` is an expression; continue with `and ...`.
 * Heartbeats are of the real time, not of the clock that tests move.
 */
export const aliveInLine = (pool: string) =>
  `from line l join replica lr on lr.id = l.replica
    where l.pool_id = ${pool} and l.deadline > instance_now()
      and lr.seen_at > statement_timestamp() - make_interval(secs => ${replicaSilenceSeconds})`
