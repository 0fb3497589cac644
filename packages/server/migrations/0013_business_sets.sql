-- Business sets, and which module of its business's idle set a host is in (container API reference 10.5 to 10.7).

create sequence business_set_id_seq;
create table business_set (
  id bigint primary key,
  bk_supplier_account text not null default '0',
  bk_biz_set_name text not null,
  bk_biz_set_desc text not null default '',
  bk_biz_maintainer text,
  -- {"match_all": true}, or {"match_all": false, "filter": a rule over businesses}; looked at anew by every read
  bk_scope jsonb not null,
  create_time timestamptz not null default date_trunc('milliseconds', now()),
  last_time timestamptz not null default date_trunc('milliseconds', now()),
  bk_created_by text not null default '',
  bk_updated_at timestamptz,
  bk_updated_by text,
  valid_from timestamptz not null default now()
);
-- Unique in the installation, whatever the tenant, and at most 256 bytes long.
create unique index business_set_name_key on business_set (bk_biz_set_name);
select history_attach('business_set');

-- The original ships it under this id; its scope cannot be changed and it cannot be deleted.
insert into business_set (id, bk_biz_set_name, bk_scope) values (9991001, 'BlueKing', '{"match_all": true}');

-- 1 idle, 2 fault, 3 recycle: the three modules of the one set that every business has and nothing stores. Hosts of the
-- resource pool stay at 1.
alter table host add column module smallint not null default 1 check (module in (1, 2, 3));
