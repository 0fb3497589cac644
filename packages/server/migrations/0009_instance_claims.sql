-- What a claim looks up, and what the ledger keeps.

-- The pod in the inventory, by the uid that Kubernetes gave it. Only what Podyard synced has a known cluster, and rows of
-- other clients pay nothing for it.
create index pod_synced_uid on pod (uid) where origin = 'sync';

-- The containers of the pod as the inventory had them when the instance ended:
-- [{"bk_container_id": 1, "container_uid": "...", "name": "..."}]
alter table instance_past add column containers jsonb not null default '[]';

-- The fullest pod that fits is the first in this order from what a claim asks for.
create index shared_pod_free on shared_pod
  (pool_id, (cpu_millis - cpu_millis_used), (memory_bytes - memory_bytes_used), pod_uid) where eligible;
drop index shared_pod_pool;
create index shared_pod_pool on shared_pod (pool_id);
