-- The last rotation of an add-on's credentials.
create table rotations (
  addon_id uuid primary key references addons on delete cascade,
  forced boolean not null,             -- the former credentials end as soon as the new are published
  former_until timestamptz,            -- the end of the overlap; null until the new ones are published
  -- Why it came to nothing, in words for the customer; empty unless it did.
  failure text not null default '',
  failure_code integer not null default 0,
  created_at timestamptz not null default now()
);
