-- Businesses and hosts (container API reference 10), and the indexes that the lists' filters need.
--
-- Columns carry the wire's names where a field has a column. The resource pool has no row: a host in it has bk_biz_id 0.
-- Each business has one implicit idle set and module, which are not stored either.

create sequence business_id_seq;
create table business (
  id bigint primary key,
  bk_supplier_account text not null default '0',
  bk_biz_name text not null,
  bk_biz_maintainer text not null,
  bk_biz_productor text,
  bk_biz_tester text,
  bk_biz_developer text,
  operator text,
  life_cycle text not null default '2',
  language text not null default '1',
  time_zone text not null default 'Asia/Shanghai',
  -- null until the first status call; then 'disabled' (archived) or 'enable'
  bk_data_status text,
  -- to the millisecond, as the wire shows them
  create_time timestamptz not null default date_trunc('milliseconds', now()),
  last_time timestamptz not null default date_trunc('milliseconds', now()),
  bk_created_by text not null default '',
  -- null until the first update
  bk_updated_at timestamptz,
  bk_updated_by text,
  origin text not null default 'client',
  valid_from timestamptz not null default now()
);
-- Names are unique in the installation, whatever the tenant, and at most 256 bytes long.
create unique index business_name_key on business (bk_biz_name);
select history_attach('business');

create sequence host_id_seq;
create table host (
  id bigint primary key,
  -- 0: in the resource pool
  bk_biz_id bigint not null,
  bk_supplier_account text not null default '0',
  bk_cloud_id bigint not null default 0,
  bk_addressing text not null default 'static' check (bk_addressing in ('static', 'dynamic')),
  -- the first one is the main one; answered as a comma separated list
  bk_host_innerip text[] not null default '{}',
  bk_host_innerip_v6 text[] not null default '{}',
  bk_host_outerip text[] not null default '{}',
  bk_host_outerip_v6 text[] not null default '{}',
  bk_host_name text not null default '',
  bk_agent_id text not null default '',
  operator text[],
  bk_bak_operator text[],
  -- the other attributes that were given; the answer adds the absent ones
  attributes jsonb not null default '{}',
  create_time timestamptz not null default date_trunc('milliseconds', now()),
  last_time timestamptz not null default date_trunc('milliseconds', now()),
  bk_created_by text not null default '',
  bk_updated_at timestamptz,
  bk_updated_by text,
  origin text not null default 'client',
  valid_from timestamptz not null default now()
);
-- The hosts of a business in the order of their pages.
create index host_biz on host (bk_biz_id, id);
create unique index host_agent_key on host (bk_agent_id) where bk_agent_id <> '';
-- Searches by exact address, of dynamic hosts too.
create index host_innerip on host using gin (bk_host_innerip);
create index host_innerip_v6 on host using gin (bk_host_innerip_v6);
select history_attach('host');

-- Each inner address of each static host: what makes (address, area) unique, and how an import finds the host that it
-- names. An address never moves: a host keeps its addresses until it is deleted.
create table host_address (
  bk_cloud_id bigint not null,
  address text not null,
  host_id bigint not null references host on delete cascade,
  primary key (bk_cloud_id, address)
);
create index host_address_host on host_address (host_id);

-- What pods are looked up by beside their parents (whose indexes are 0002's). Measured with 200,000 pods in 20
-- businesses, two cores: a batch of 200 pods takes 10.9 ms without these three, 12.1 ms with them (ip +0.6, ips and labels
-- +0.2 to 0.3 each: GIN defers its work to the pending list; with fastupdate off labels alone are +3.9), and 94 KB more of
-- WAL. They turn look-ups by ip from 30 into 0.2 ms, by an element of ips from 41 into 2.5 ms, by label from 23 into 4 ms;
-- without them these grow with the business.
create index pod_ip on pod (ip);
create index pod_ips on pod using gin (ips jsonb_path_ops);
create index pod_labels on pod using gin (labels jsonb_path_ops);
