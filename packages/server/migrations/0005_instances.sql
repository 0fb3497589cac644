-- Instances: which pods can be had, who holds one, who waits for one.
--
-- Presence in `ready` *is* eligibility: whoever follows the cluster puts a pod in when it is Ready on a schedulable node and
-- takes it out on anything else; a claim, a recycling, a shrinking deletes the row. So one row lock decides, and a claim
-- never touches a wide row. Every deadline is read through instance_now().

-- Tests move the clock by a row here; there is none in production.
create table instance_clock (id boolean primary key default true check (id), shift interval not null);
create function instance_now() returns timestamptz language sql stable as
$$ select statement_timestamp() + coalesce((select shift from instance_clock where id), interval '0') $$;

alter table pool
  -- hands out nothing new; what is held stays until it is released
  add column draining boolean not null default false,
  -- {"buffer": 5 | "10%", "schedule": [{"cron", "time_zone", "size"}], "demand": {"window_seconds"}}; null: not given
  add column autoscaling jsonb;

create table ready (
  pool_id bigint not null,
  seq bigint generated always as identity,
  pod_uid text not null,
  pod_name text not null,
  namespace text not null,
  ip text not null default '',
  node text not null default '',
  host_ip text not null default '',
  -- what the pod has for shared instances
  cpu_millis bigint not null default 0,
  memory_bytes bigint not null default 0,
  -- since when it is idle, and when it is to be recycled; null: never
  ready_at timestamptz not null default instance_now(),
  recycle_at timestamptz,
  primary key (pool_id, seq)
);
create unique index ready_pod on ready (pod_uid);
create index ready_recycle on ready (recycle_at) where recycle_at is not null;

-- A pod that serves, or has served, shared instances. It left `ready` for good.
create table shared_pod (
  pod_uid text primary key,
  pool_id bigint not null,
  pod_name text not null,
  namespace text not null,
  ip text not null default '',
  node text not null default '',
  host_ip text not null default '',
  cpu_millis bigint not null,
  memory_bytes bigint not null,
  cpu_millis_used bigint not null default 0,
  memory_bytes_used bigint not null default 0,
  instances integer not null default 0,
  -- whom it serves while tenants are kept apart; '' is anybody
  tenant text not null default '',
  -- Ready, on a schedulable node, its pool not draining: may take more instances
  eligible boolean not null default true,
  -- the pool's idle time in seconds: null is not configured, -1 never
  idle_seconds bigint,
  -- set while nothing is on it
  recycle_at timestamptz
);
create index shared_pod_pool on shared_pod (pool_id) where eligible;
create index shared_pod_recycle on shared_pod (recycle_at) where recycle_at is not null;

-- Pods that were released or picked as victims, by uid: never handed out again, and to be deleted on the cluster. The row
-- outlives the pod a while, because a late event of a watch may still call it ready.
create table retired (
  pod_uid text primary key,
  pool_id bigint not null,
  pod_name text not null,
  namespace text not null,
  -- released, recycled, shrunk, drained, tenant, lost
  reason text not null,
  retired_at timestamptz not null default instance_now(),
  -- seen gone from the cluster
  gone_at timestamptz
);
create index retired_open on retired (retired_at) where gone_at is null;

-- The live ones. What is known of pod and pool is copied, so that the ledger needs nothing that may be gone.
create sequence instance_no_seq;
create table instance (
  id text primary key,
  -- the number by which events name it
  no bigint not null default nextval('instance_no_seq'),
  request_id text,
  pool_id bigint not null,
  pool_uid uuid not null,
  pool_name text not null,
  group_name text not null default '',
  state text not null default 'running',
  schedule_policy text not null check (schedule_policy in ('exclusive', 'shared')),
  cpu_millis bigint not null default 0,
  memory_bytes bigint not null default 0,
  labels jsonb,
  tenant text not null default '',
  priority integer not null default 0,
  lease_seconds integer not null default 0,
  -- null: no lease
  expires_at timestamptz,
  pod_uid text not null,
  pod_name text not null,
  namespace text not null,
  ip text not null default '',
  node text not null default '',
  host_ip text not null default '',
  -- the inventory's ids, 0 when it did not know the pod yet
  bk_biz_id bigint not null default 0,
  bk_pod_id bigint not null default 0,
  bk_host_id bigint not null default 0,
  waited_ms integer not null default 0,
  warm boolean not null,
  created_at timestamptz not null default instance_now()
);
create unique index instance_one_exclusive on instance (pod_uid) where schedule_policy = 'exclusive';
create index instance_pod on instance (pod_uid);
create index instance_request on instance (request_id) where request_id is not null;
create index instance_pool on instance (pool_id, no);
create index instance_no on instance (no);
create index instance_lapse on instance (expires_at) where expires_at is not null;

-- The ledger of what ended: append only, a partition a day.
create table instance_past (
  like instance including defaults,
  ended_at timestamptz not null,
  -- released, expired, lost, drained, ...
  reason text not null
) partition by range (ended_at);
create index on instance_past (id);
create index on instance_past (no);
create index on instance_past (ip, created_at);
create index on instance_past (host_ip, created_at);
create index on instance_past (pool_name, created_at);
create index on instance_past (tenant, created_at);
create index on instance_past (request_id) where request_id is not null;
create table instance_past_default partition of instance_past default;

-- Makes the daily partitions around a moment; the leader calls it, so the default partition stays empty.
create function instance_past_ensure_partitions(moment timestamptz) returns void language plpgsql as $$
declare
  day timestamptz;
begin
  for offset_days in 0..2 loop
    day := date_trunc('day', moment at time zone 'UTC') at time zone 'UTC' + make_interval(days => offset_days);
    execute format('create table if not exists %I partition of instance_past for values from (%L) to (%L)',
      'instance_past_' || to_char(day at time zone 'UTC', 'YYYYMMDD'), day, day + interval '1 day');
  end loop;
end $$;
select instance_past_ensure_partitions(now());

-- Which answer a request id got. Written before a pod is picked.
create table request (
  request_id text primary key,
  -- sha256 of the body
  body_hash bytea not null,
  -- the first (or only) instance; with a count the others carry the same request_id
  instance_id text not null,
  count integer not null,
  expires_at timestamptz not null
);
create index request_expiry on request (expires_at);

-- Processes that hold waiting clients: one without a heartbeat blocks nobody.
create table replica (
  id uuid primary key,
  seen_at timestamptz not null default instance_now()
);

-- Who waits: one row, whose id is the (first) instance's to be; whoever matches it locks it.
create table waiter (
  id text primary key,
  seq bigint generated always as identity,
  replica uuid not null,
  request_id text,
  -- what the instance is to be: its columns of the same names
  schedule_policy text not null,
  cpu_millis bigint not null default 0,
  memory_bytes bigint not null default 0,
  labels jsonb,
  tenant text not null default '',
  priority integer not null default 0,
  lease_seconds integer not null default 0,
  count integer not null default 1,
  arrived_at timestamptz not null default instance_now(),
  deadline timestamptz not null
);
create index waiter_deadline on waiter (deadline);

-- A waiter's place in each pool that may serve it.
create table line (
  pool_id bigint not null,
  waiter_id text not null,
  seq bigint not null,
  priority integer not null,
  replica uuid not null,
  deadline timestamptz not null,
  -- the one scale-up step of this request: wanted while the request names the pool, and not yet taken by the controller
  wants_step boolean not null default false,
  primary key (pool_id, waiter_id)
);
create index line_order on line (pool_id, priority desc, seq);
create index line_waiter on line (waiter_id);
create index line_steps on line (pool_id) where wants_step;

-- Small tables that are emptied and filled again all the time: dead rows must go soon.
alter table ready set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
alter table instance set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
alter table line set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
alter table waiter set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
