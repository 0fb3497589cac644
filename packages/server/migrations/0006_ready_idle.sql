-- When a pod turns into a shared one, its idle time goes with it: what `recycle_at` alone does not tell.
-- Seconds; null is not configured, -1 never.
alter table ready add column idle_seconds bigint;
