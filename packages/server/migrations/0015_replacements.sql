-- Instances that are to be replaced when they are lost. Written before the claim, so that no claim without the wish pays for
-- it; rows whose instance ended otherwise, or never was, are swept.
create table replacement (
  instance_id text primary key,
  -- the body of the claim, without ids
  claim jsonb not null,
  made_at timestamptz not null default instance_now(),
  lost_at timestamptz
);
create index replacement_lost on replacement (lost_at) where lost_at is not null;
create index replacement_made on replacement (made_at) where lost_at is null;
