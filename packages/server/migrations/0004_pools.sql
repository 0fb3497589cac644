-- Pools, and what was done to each of them and why.

create sequence pool_id_seq;

-- One row per pool that exists. `id` is internal (order of creation, the event log, history); the id of the API is
-- `name`, which is free again once the row is gone. Objects on Kubernetes are tied to `uid`.
-- Every write adds 1 to `version`, and every write of the controller compares it.
create table pool (
  id bigint primary key default nextval('pool_id_seq'),
  uid uuid not null default gen_random_uuid() constraint pool_uid_unique unique,
  name text not null constraint pool_name_unique unique,
  group_name text not null,
  size bigint not null check (size >= 0),
  max_size bigint not null check (max_size >= size),
  -- max_size > size when the pool was made; never changes afterwards (pool API reference 1.4)
  scalable boolean not null,
  reuse boolean not null default false,
  image text not null default '',
  init_image text not null default '',
  -- null: not given
  labels jsonb,
  environment jsonb,
  -- {"requests": {...}, "limits": {...}}
  resources jsonb not null,
  node_selector jsonb,
  -- JSON texts, kept as sent; the controller reads them
  volumes text not null default '',
  volume_mounts text not null default '',
  affinities text not null default '',
  tolerations text not null default '',
  topology_spread_constraints text not null default '',
  horizontal_pod_autoscaler_spec text not null default '',
  runtime_class_name text not null default '',
  -- seconds; 0: the default
  pod_pending_duration_threshold bigint not null default 0,
  idle_reserved_seconds bigint not null default 0,
  idle_scaled_seconds bigint not null default 0,
  -- 0 new, 1 creating, 2 update, 3 updating, 4 running, 5 failed, 6 deleted
  status smallint not null default 0 check (status between 0 and 6),
  -- the original's word, and what Podyard adds to it; the API joins them with '; '
  msg_word text not null default '',
  msg_notes text[] not null default '{}',
  ready_count bigint not null default 0 check (ready_count >= 0),
  -- what the controller remembers about the pool; not on the wire
  observed jsonb not null default '{}',
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  valid_from timestamptz not null default now()
);
alter sequence pool_id_seq owned by pool.id;
create index pool_group on pool (group_name);

select history_attach('pool');

-- What was done to a pool and why, in order. Kept after the pool is gone, swept by age. A row that says the same as the
-- one before it is counted instead.
create table pool_event (
  id bigint generated always as identity primary key,
  pool_uid uuid not null,
  pool_name text not null,
  at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  count int not null default 1,
  type text not null check (type in ('Normal', 'Warning')),
  reason text not null,
  message text not null
);
create index pool_event_name on pool_event (pool_name, id);
create index pool_event_uid on pool_event (pool_uid, id);
create index pool_event_last_at on pool_event (last_at);
