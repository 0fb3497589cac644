-- What of a waiter its place in line tells by itself: whether it wants a share of a pod, or several instances at once.
alter table line add column shared boolean not null default false;
alter table line add column batch boolean not null default false;
create index line_shared on line (pool_id, priority desc, seq) where shared;
-- What a process looks after.
create index waiter_replica on waiter (replica);
