-- The order of retirements: whoever deletes the pods on the cluster reads on from the last one. And what is forgotten again.
alter table retired add column no bigint generated always as identity;
create index retired_no on retired (no) where gone_at is null;
drop index retired_open;
create index retired_gone on retired (gone_at) where gone_at is not null;
alter table retired set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
