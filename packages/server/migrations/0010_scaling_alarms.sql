-- Autoscaling of pools, alarms about their pods, and the days of the ledger.

-- What the scaler knows of a pool beside its declaration. Small, and written when something of it changes.
create table autoscale_state (
  pool_id bigint primary key,
  -- pods that autoscaling wants, in use or idle; null: the pool declares none
  wanted bigint,
  -- since when there have been more pods than wanted without a break, and the fewest that were too many in that time
  surplus_since timestamptz,
  surplus bigint not null default 0,
  -- from a pod's creation to its first readiness: a moving mean of those measured; null: none was yet
  refill_ms double precision,
  -- since when the pool's claims are counted
  counted_since timestamptz
);

-- Every change of the wanted number, with what it was made of. Kept after the pool is gone, swept by age.
create table autoscale_decision (
  id bigint generated always as identity primary key,
  pool_uid uuid not null,
  pool_name text not null,
  at timestamptz not null,
  wanted_before bigint,
  wanted bigint not null,
  -- which part asked for the most: size, schedule, buffer, demand
  decided_by text not null,
  inputs jsonb not null
);
create index autoscale_decision_pool on autoscale_decision (pool_name, id);
create index autoscale_decision_at on autoscale_decision (at);

-- Claims by pool and 5 seconds, of pools that scale by demand. Counted by the leader from the numbers of instances, so
-- that the claims themselves write nothing more.
create table autoscale_claims (
  pool_id bigint not null,
  bucket timestamptz not null,
  claims bigint not null,
  primary key (pool_id, bucket)
);
create index autoscale_claims_bucket on autoscale_claims (bucket);
-- The instance up to which they are counted.
create table autoscale_cursor (id boolean primary key default true check (id), no bigint not null);

-- One row for each time that something was wrong with a pod: raised once, cleared once. Swept by age when cleared.
create table alarm (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('pending', 'failed')),
  pool_uid uuid not null,
  pool_name text not null,
  pod_uid text not null,
  pod_name text not null,
  namespace text not null,
  -- in the cluster's own words
  cause text not null,
  -- by the pod's own time
  since timestamptz not null,
  raised_at timestamptz not null,
  -- null: it is open
  cleared_at timestamptz,
  cleared_because text not null default ''
);
create unique index alarm_open on alarm (pod_uid, kind) where cleared_at is null;
create index alarm_pool on alarm (pool_name, id);
create index alarm_cleared on alarm (cleared_at) where cleared_at is not null;

-- Messages to the webhook, written with what they tell. Delivered at least once; the row goes when that is done, or given up.
create table webhook_outbox (
  id bigint generated always as identity primary key,
  -- webhook-id: the same at every try
  message_id text not null unique,
  -- as it is signed and sent
  body text not null,
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  next_at timestamptz not null default now()
);
create index webhook_outbox_next on webhook_outbox (next_at);

-- As before, but days are of 24 hours whatever the session's time zone, and rows that ended up in the default partition
-- (nobody made the days for a while) get a partition of their own, so that they can go by age as well.
create or replace function instance_past_ensure_partitions(moment timestamptz) returns void language plpgsql as $$
declare
  day timestamptz;
  part text;
begin
  for day in
    select date_trunc('day', moment at time zone 'UTC') at time zone 'UTC' + make_interval(hours => 24 * n)
      from generate_series(0, 2) n
    union
    select distinct date_trunc('day', ended_at at time zone 'UTC') at time zone 'UTC' from instance_past_default
  loop
    part := 'instance_past_' || to_char(day at time zone 'UTC', 'YYYYMMDD');
    continue when to_regclass(part) is not null;
    execute format('create table %I (like instance_past including defaults)', part);
    execute format(
      'with moved as (delete from instance_past_default where ended_at >= %2$L and ended_at < %3$L returning *)
       insert into %1$I select * from moved', part, day, day + interval '24 hours');
    execute format('alter table instance_past attach partition %I for values from (%L) to (%L)',
      part, day, day + interval '24 hours');
  end loop;
end $$;
