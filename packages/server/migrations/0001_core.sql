-- What every capability stands on: the lease, the event log, history.

create table lease (
  name text primary key,
  holder text not null,
  epoch bigint not null,
  expires_at timestamptz not null
);

-- The event log. Every mutation inserts its rows here last, in its own transaction; watchers read by seq with the
-- gap-aware rule, NOTIFY only wakes them. Swept by age (PODYARD retention, 7 days by default).
create table event (
  seq bigint generated always as identity primary key,
  at timestamptz not null default now(),
  -- kube_pod, kube_node, kube_namespace, kube_workload, kube_cluster, host, biz, pool, ...
  resource text not null,
  -- the workload's kind under kube_workload, '' elsewhere
  sub_resource text not null default '',
  type text not null check (type in ('create', 'update', 'delete')),
  object_id bigint not null,
  biz_id bigint not null default 0,
  tenant text not null default '0',
  -- the whole row as it is after the change (before it, for delete), on the wire's names
  detail jsonb not null
);

-- The past of every versioned table: a row as it was, and from when to when it was true. Inserts write nothing here.
create table history (
  collection text not null,
  id bigint not null,
  valid_from timestamptz not null,
  valid_to timestamptz not null,
  row jsonb not null
) partition by range (valid_to);
create index on history (collection, id, valid_to);
create table history_default partition of history default;

-- Makes the monthly partitions around a moment; the leader calls it daily, so the default partition stays empty.
create function history_ensure_partitions(moment timestamptz) returns void language plpgsql as $$
declare
  month timestamptz;
begin
  for offset_months in 0..1 loop
    month := date_trunc('month', moment at time zone 'UTC') at time zone 'UTC' + make_interval(months => offset_months);
    execute format('create table if not exists %I partition of history for values from (%L) to (%L)',
      'history_' || to_char(month at time zone 'UTC', 'YYYYMM'), month, month + interval '1 month');
  end loop;
end $$;
select history_ensure_partitions(now());

-- Statement-level trigger: an update or delete keeps the old rows. Every versioned table has `id` and `valid_from`, and
-- its updates set valid_from = now().
create function history_keep() returns trigger language plpgsql as $$
begin
  insert into history (collection, id, valid_from, valid_to, row)
    select tg_table_name, o.id, o.valid_from, now(), to_jsonb(o) from old_rows o;
  return null;
end $$;

create function history_attach(target regclass) returns void language plpgsql as $$
begin
  execute format('create trigger keep_updated after update on %s referencing old table as old_rows
    for each statement execute function history_keep()', target);
  execute format('create trigger keep_deleted after delete on %s referencing old table as old_rows
    for each statement execute function history_keep()', target);
end $$;
