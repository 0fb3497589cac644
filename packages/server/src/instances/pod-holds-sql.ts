/**
 * The statements by which the pool controller's findings reach the tables of instances. Many pods in each; what a
 * statement's order or lock is for is said beside it.
 */

const readyInput = `ord int, pool_id bigint, pod_uid text, pod_name text, namespace text, ip text, node text, host_ip text,
  cpu_millis bigint, memory_bytes bigint, idle_seconds bigint, is_marked boolean`

/**
 * Ready pods. The pool's row is locked against a drain or deletion that commits meanwhile: either it is seen here, or its
 * own `close` sees what is put here. Answers with the pools that got something.
 */
export const putReady = {
  name: 'holds-put-ready',
  text: `with input as materialized (select * from json_to_recordset($1) as i(${readyInput})),
    open_pool as materialized (
      select p.id from pool p where p.id in (select pool_id from input) and not p.draining and p.status not in (5, 6)
        order by p.id for share),
    free as materialized (
      select i.* from input i where i.pool_id in (select id from open_pool)
        and not exists (select from retired r where r.pod_uid = i.pod_uid)),
    shared as (
      update shared_pod s set eligible = true from free i where s.pod_uid = i.pod_uid and not s.eligible returning s.pool_id),
    put as (
      insert into ready (pool_id, pod_uid, pod_name, namespace, ip, node, host_ip, cpu_millis, memory_bytes, idle_seconds,
          recycle_at)
        select i.pool_id, i.pod_uid, i.pod_name, i.namespace, i.ip, i.node, i.host_ip, i.cpu_millis, i.memory_bytes,
          i.idle_seconds,
          case when i.idle_seconds > 0 then instance_now() + make_interval(secs => i.idle_seconds) end
        from free i where not i.is_marked
          and not exists (select from shared_pod s where s.pod_uid = i.pod_uid)
          and not exists (select from instance n where n.pod_uid = i.pod_uid)
        order by i.ord
        on conflict (pod_uid) do nothing returning pool_id)
    select pool_id from put union select pool_id from shared`,
}

/** A claim may have committed between the look and the insert above: this statement sees it, and nobody has seen the row yet. */
export const unputHeld = {
  name: 'holds-unput-held',
  text: `delete from ready r where r.pod_uid = any($1::text[]) and (
    exists (select from instance n where n.pod_uid = r.pod_uid)
    or exists (select from shared_pod s where s.pod_uid = r.pod_uid)
    or exists (select from retired t where t.pod_uid = r.pod_uid))`,
}

/** Waits for claims that have these pods in hand; so what runs on a pod is seen by the statements that follow. */
export const takeAway = {
  name: 'holds-take-away',
  text: `with pods as materialized (select unnest($1::text[]) as pod_uid)
    delete from ready r using pods p where r.pod_uid = p.pod_uid`,
}

/** A statement of its own, after `takeAway`: it must see a pod that a claim made shared while that one waited. */
export const takeAwayShared = {
  name: 'holds-take-away-shared',
  text: `with pods as materialized (select unnest($1::text[]) as pod_uid)
    update shared_pod s set eligible = false from pods p where s.pod_uid = p.pod_uid and s.eligible`,
}

/** A row that says gone keeps those that end what ran there from asking for a deletion. */
export const forgetGone = {
  name: 'holds-forget-gone',
  text: `with pods as materialized (select unnest($1::text[]) as pod_uid),
    shared as (delete from shared_pod s using pods p where s.pod_uid = p.pod_uid),
    held as (
      insert into retired (pod_uid, pool_id, pod_name, namespace, reason, gone_at)
        select distinct on (n.pod_uid) n.pod_uid, n.pool_id, n.pod_name, n.namespace, 'lost', instance_now()
        from instance n join pods p using (pod_uid) order by n.pod_uid
        on conflict do nothing)
    update retired r set gone_at = instance_now() from pods p where r.pod_uid = p.pod_uid and r.gone_at is null`,
}

export const retireEnded = {
  name: 'holds-retire-ended',
  text: `with ended as materialized (
      select distinct on (n.pod_uid) n.pod_uid, n.pool_id, n.pod_name, n.namespace from instance n
        where n.pod_uid = any($1::text[]) order by n.pod_uid),
    shared as (delete from shared_pod s using ended e where s.pod_uid = e.pod_uid)
    insert into retired (pod_uid, pool_id, pod_name, namespace, reason)
      select pod_uid, pool_id, pod_name, namespace, 'lost' from ended on conflict do nothing`,
}

export const instancesOn = {
  name: 'holds-instances-on',
  text: `select id from instance where pod_uid = any($1::text[]) order by id`,
}

/** One row per pod and table; a uid that moves from one table to the next while pages are read is in one of them always. */
export const knownPods = {
  name: 'holds-known',
  text: `select * from (
      (select pod_uid as uid, pod_name as name, namespace, pool_id, 'ready' as "as", true as eligible from ready
        where pod_uid > $1 order by pod_uid limit $2)
      union all
      (select pod_uid, pod_name, namespace, pool_id, 'shared', eligible from shared_pod
        where pod_uid > $1 order by pod_uid limit $2)
      union all
      (select pod_uid, pod_name, namespace, pool_id, 'held', false from instance n
        where pod_uid > $1 and schedule_policy = 'exclusive' order by pod_uid limit $2)
      union all
      (select pod_uid, pod_name, namespace, pool_id, 'retired', false from retired
        where pod_uid > $1 and gone_at is null order by pod_uid limit $2)) k
    order by uid limit $2`,
}

/** Rows that a claim has in hand are left to it. */
export const pickReady = {
  name: 'holds-pick-ready',
  text: `with locked as materialized (
      select pool_id, seq from ready where pod_uid = any($1::text[]) for update skip locked)
    delete from ready r using locked l where r.pool_id = l.pool_id and r.seq = l.seq returning r.pod_uid as uid`,
}

export const pickIdleShared = {
  name: 'holds-pick-idle-shared',
  text: `delete from shared_pod where pod_uid = any($1::text[]) and instances = 0 returning pod_uid as uid`,
}

/** Those that nobody can have: not ready, not held, not shared. */
export const pickUnready = {
  name: 'holds-pick-unready',
  text: `select uid from unnest($1::text[]) as u(uid)
    where not exists (select from ready r where r.pod_uid = uid)
      and not exists (select from shared_pod s where s.pod_uid = uid)
      and not exists (select from instance n where n.pod_uid = uid)`,
}

export const insertRetired = {
  name: 'holds-insert-retired',
  text: `insert into retired (pod_uid, pool_id, pod_name, namespace, reason)
    select pod_uid, $2, pod_name, namespace, $3 from json_to_recordset($1) as i(pod_uid text, pod_name text, namespace text)
    on conflict do nothing`,
}

/** Only of pools that are drained or on their way out: the controller may not have heard of the end of a drain. */
export const closePools = {
  name: 'holds-close',
  text: `with closed as materialized (
      select id from pool where id = any($1::bigint[]) and (draining or status = 6)),
    ready_gone as (
      delete from ready where pool_id in (select id from closed) returning pod_uid, pool_id, pod_name, namespace),
    idle as (
      delete from shared_pod where pool_id in (select id from closed) and instances = 0
        returning pod_uid, pool_id, pod_name, namespace),
    busy as (update shared_pod set eligible = false where pool_id in (select id from closed) and instances > 0 and eligible)
    insert into retired (pod_uid, pool_id, pod_name, namespace, reason)
      select pod_uid, pool_id, pod_name, namespace, $2 from ready_gone
      union all select pod_uid, pool_id, pod_name, namespace, $2 from idle
      on conflict do nothing`,
}

export const heldInPool = {
  name: 'holds-held-in',
  text: `select id, pod_uid as uid, pod_name as name, namespace, schedule_policy = 'exclusive' as is_exclusive
    from instance where pool_id = $1`,
}

/** What is due, at most `$1` of each kind. A shared pod without an idle time of its own waited for the tenant's window. */
export const recycleDue = {
  name: 'holds-recycle',
  text: `with due as materialized (
      select pool_id, seq from ready where recycle_at <= instance_now() order by recycle_at limit $1
        for update skip locked),
    idle as (
      delete from ready r using due d where r.pool_id = d.pool_id and r.seq = d.seq
        returning r.pod_uid, r.pool_id, r.pod_name, r.namespace, 'recycled' as reason),
    shared_due as materialized (
      select pod_uid from shared_pod where recycle_at <= instance_now() and instances = 0 order by recycle_at limit $1
        for update skip locked),
    shared as (
      delete from shared_pod s using shared_due d where s.pod_uid = d.pod_uid and s.instances = 0
        returning s.pod_uid, s.pool_id, s.pod_name, s.namespace,
          case when s.idle_seconds > 0 then 'recycled' else 'tenant' end as reason),
    gone as (
      insert into retired (pod_uid, pool_id, pod_name, namespace, reason)
        select * from idle union all select * from shared on conflict do nothing)
    select (select count(*) from idle) + (select count(*) from shared) as retired`,
}

export const nextRecycle = {
  name: 'holds-next-recycle',
  text: `select extract(epoch from least(
      (select min(recycle_at) from ready where recycle_at is not null),
      (select min(recycle_at) from shared_pod where recycle_at is not null)) - instance_now())::float8 * 1000 as next_ms`,
}

export const retiredAfter = {
  name: 'holds-retired-after',
  text: `select no, pod_uid as uid, pod_name as name, namespace, pool_id, reason from retired
    where gone_at is null and no > $1 order by no limit $2`,
}

export const forgetRetired = {
  name: 'holds-forget-retired',
  text: `delete from retired where gone_at < instance_now() - make_interval(secs => $1)`,
}

/** Shared once, nobody on it, and no tenant may come back to it: a shared pod without an idle time waits for one alone. */
const isIdleShared = 's.eligible and s.instances = 0 and (s.recycle_at is null or s.idle_seconds > 0)'

/** Those that would go soonest by themselves first. */
export const makeRoom = {
  name: 'holds-make-room',
  text: `with idle as materialized (
      select pod_uid from shared_pod s where s.pool_id = $1 and ${isIdleShared} order by s.recycle_at, s.pod_uid limit $2
        for update skip locked),
    taken as (
      delete from shared_pod s using idle i where s.pod_uid = i.pod_uid and s.instances = 0
        returning s.pod_uid, s.pool_id, s.pod_name, s.namespace)
    insert into retired (pod_uid, pool_id, pod_name, namespace, reason)
      select pod_uid, pool_id, pod_name, namespace, 'room' from taken on conflict do nothing
      returning pod_uid`,
}

export const waiting = {
  name: 'holds-waiting',
  text: `select l.*, (select count(*) from shared_pod s where s.pool_id = l.pool_id and ${isIdleShared}) as idle_shared
    from (select pool_id, count(*) as requests, count(*) filter (where wants_step) as steps from line
      where deadline > instance_now() group by pool_id) l`,
}

/** First those that are served first. */
export const takeSteps = {
  name: 'holds-take-steps',
  text: `with wanted as materialized (
      select waiter_id from line where pool_id = $1 and wants_step and deadline > instance_now()
        order by priority desc, seq limit $2 for update skip locked)
    update line l set wants_step = false from wanted w
      where l.pool_id = $1 and l.waiter_id = w.waiter_id and l.wants_step returning l.waiter_id`,
}
