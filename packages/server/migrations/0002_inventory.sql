-- The Kubernetes half of the inventory: cluster, node, namespace, workload, pod, container.
--
-- Columns carry the names of the wire (container API reference 1.4-1.9), so that a field needs no translation on its way
-- to a filter or a view; only `ref` is spread over ref_kind, ref_id, ref_name. A field that the reference calls "val" is
-- not null with its zero as default; one that it calls "ptr" is nullable, and null means: never given.
--
-- Beside the wire's fields each table has
--   origin      'client' (written over HTTP) or 'sync' (kept in step with a cluster): sync touches only its own rows
--   uid         (node, namespace, workload, pod) the Kubernetes object's uid, by which sync finds a row again
--   valid_from  since when the row is as it is; the rows before lie in `history`
--
-- Names have no limit on the wire but an index row has (2.7 KB): unique keys hold md5(name), as 16 bytes.
-- There are no foreign keys: bk_biz_id and bk_host_id are not checked by the API, and for the parents of a pod the
-- triggers of five keys would cost more than the insert. Writers lock the parents' rows instead (`for key share`), and a
-- delete locks a row first and looks for its children in a later statement.

create sequence cluster_id_seq;
create table cluster (
  id bigint primary key,
  bk_biz_id bigint not null,
  bk_supplier_account text not null default '0',
  name text not null,
  uid text not null,
  type text not null,
  scheduling_engine text,
  xid text,
  version text,
  network_type text,
  region text,
  vpc text,
  environment text,
  network jsonb,
  creator text not null default '',
  modifier text not null default '',
  create_time bigint not null default 0,
  last_time bigint not null default 0,
  origin text not null default 'client',
  valid_from timestamptz not null default now()
);
create unique index cluster_uid_key on cluster ((md5(uid)::uuid));
create index cluster_biz on cluster (bk_biz_id);
select history_attach('cluster');

create sequence node_id_seq;
create table node (
  id bigint primary key,
  bk_biz_id bigint not null default 0,
  bk_supplier_account text not null default '0',
  bk_host_id bigint not null default 0,
  bk_cluster_id bigint not null default 0,
  cluster_uid text not null default '',
  name text not null,
  roles text,
  labels jsonb,
  taints jsonb,
  unschedulable boolean,
  internal_ip jsonb,
  external_ip jsonb,
  hostname text,
  runtime_component text,
  kube_proxy_mode text,
  pod_cidr text,
  has_pod boolean not null default false,
  creator text not null default '',
  modifier text not null default '',
  create_time bigint not null default 0,
  last_time bigint not null default 0,
  origin text not null default 'client',
  uid text,
  valid_from timestamptz not null default now()
);
create unique index node_name_key on node (bk_cluster_id, (md5(name)::uuid));
create index node_biz on node (bk_biz_id);
create index node_host on node (bk_host_id);
select history_attach('node');

create sequence namespace_id_seq;
create table namespace (
  id bigint primary key,
  bk_biz_id bigint not null default 0,
  bk_supplier_account text not null default '0',
  bk_cluster_id bigint not null default 0,
  cluster_uid text not null default '',
  name text not null default '',
  labels jsonb,
  resource_quotas jsonb,
  creator text not null default '',
  modifier text not null default '',
  create_time bigint not null default 0,
  last_time bigint not null default 0,
  origin text not null default 'client',
  uid text,
  valid_from timestamptz not null default now()
);
create unique index namespace_name_key on namespace (bk_cluster_id, (md5(name)::uuid));
create index namespace_biz on namespace (bk_biz_id);
select history_attach('namespace');

-- Which namespaces of a shared cluster a business uses (bk_biz_id), and whose cluster it is (bk_asst_biz_id). A row lives
-- and dies with its namespace and never changes.
create table namespace_shared (
  bk_namespace_id bigint primary key,
  bk_cluster_id bigint not null,
  bk_biz_id bigint not null,
  bk_asst_biz_id bigint not null,
  bk_supplier_account text not null default '0'
);
create index namespace_shared_platform on namespace_shared (bk_asst_biz_id);
create index namespace_shared_user on namespace_shared (bk_biz_id);

-- The nine kinds in one table; each kind has its own sequence, so a deployment 1 and a statefulSet 1 both exist. The
-- history of a workload is found by id *and* the row's kind.
create sequence workload_deployment_id_seq;
create sequence workload_statefulset_id_seq;
create sequence workload_daemonset_id_seq;
create sequence workload_gamestatefulset_id_seq;
create sequence workload_gamedeployment_id_seq;
create sequence workload_cronjob_id_seq;
create sequence workload_job_id_seq;
create sequence workload_pods_id_seq;
create sequence workload_customresource_id_seq;
create table workload (
  kind text not null,
  id bigint not null,
  bk_biz_id bigint not null default 0,
  bk_supplier_account text not null default '0',
  bk_cluster_id bigint not null default 0,
  cluster_uid text not null default '',
  bk_namespace_id bigint not null default 0,
  namespace text not null default '',
  name text not null default '',
  labels jsonb,
  selector jsonb,
  replicas bigint,
  min_ready_seconds bigint,
  strategy_type text,
  rolling_update_strategy jsonb,
  cr_kind text,
  cr_api_version text,
  creator text not null default '',
  modifier text not null default '',
  create_time bigint not null default 0,
  last_time bigint not null default 0,
  origin text not null default 'client',
  uid text,
  valid_from timestamptz not null default now(),
  primary key (kind, id)
);
-- Custom resources are unique by (namespace, cr_kind, cr_api_version, name), the other kinds by (namespace, name).
create unique index workload_name_key on workload (bk_namespace_id, kind, (md5(
  case when kind = 'customResource' then md5(cr_kind) || md5(cr_api_version) || name else name end)::uuid));
create index workload_biz on workload (bk_biz_id, kind, id);
create index workload_cluster on workload (bk_cluster_id, kind, id);
select history_attach('workload');

create sequence pod_id_seq;
create table pod (
  id bigint primary key,
  bk_biz_id bigint not null default 0,
  bk_supplier_account text not null default '0',
  bk_cluster_id bigint not null default 0,
  cluster_uid text not null default '',
  bk_namespace_id bigint not null default 0,
  namespace text not null default '',
  ref_kind text not null,
  ref_id bigint not null,
  ref_name text not null default '',
  bk_host_id bigint not null default 0,
  bk_node_id bigint not null default 0,
  node_name text not null default '',
  name text not null,
  operator jsonb,
  priority integer,
  labels jsonb,
  ip text,
  ips jsonb,
  volumes jsonb,
  qos_class text,
  node_selectors jsonb,
  tolerations jsonb,
  creator text not null default '',
  modifier text not null default '',
  create_time bigint not null default 0,
  last_time bigint not null default 0,
  origin text not null default 'client',
  uid text,
  valid_from timestamptz not null default now()
);
-- Also finds the pods of a workload.
create unique index pod_name_key on pod (ref_id, ref_kind, (md5(name)::uuid));
-- Pages are read in order of id. The cluster's own check on delete goes over its namespaces and nodes.
create index pod_biz on pod (bk_biz_id, id);
create index pod_cluster on pod (bk_cluster_id, id);
create index pod_namespace on pod (bk_namespace_id, id);
create index pod_node on pod (bk_node_id);
create index pod_host on pod (bk_host_id);
create unique index pod_synced on pod (bk_cluster_id, uid) where origin = 'sync';
select history_attach('pod');

create sequence container_id_seq;
create table container (
  id bigint primary key,
  bk_pod_id bigint not null,
  bk_biz_id bigint not null default 0,
  bk_supplier_account text not null default '0',
  bk_cluster_id bigint not null default 0,
  bk_namespace_id bigint not null default 0,
  ref_kind text not null,
  ref_id bigint not null,
  name text,
  container_uid text not null,
  image text,
  ports jsonb,
  host_ports jsonb,
  args jsonb,
  started bigint,
  limits jsonb,
  requests jsonb,
  liveness jsonb,
  environment jsonb,
  mounts jsonb,
  creator text not null default '',
  modifier text not null default '',
  create_time bigint not null default 0,
  last_time bigint not null default 0,
  origin text not null default 'client',
  valid_from timestamptz not null default now()
);
-- Also finds the containers of a pod.
create unique index container_uid_key on container (bk_pod_id, (md5(container_uid)::uuid));
create index container_biz on container (bk_biz_id, id);
select history_attach('container');

-- The first of `n` consecutive ids of a sequence. A sequence hands out single numbers, and another writer may draw in
-- between; then all are drawn again. What was drawn is lost, as the ids of a failed call are. Null for n = 0.
create function draw_ids(sequence regclass, n integer) returns bigint language plpgsql as $$
declare
  first bigint;
  last bigint;
begin
  if n < 1 then
    return null;
  end if;
  loop
    select min(drawn.id), max(drawn.id) into first, last from (select nextval(sequence) as id from generate_series(1, n)) drawn;
    exit when last - first = n - 1;
  end loop;
  return first;
end $$;
