-- The instances that add-ons were asked for. A row is written before anything is started, and
-- stays as a tombstone when the instance is gone.
create table instances (
  addon_id uuid primary key,
  name text not null,             -- the add-on's name when it was asked for
  plan text not null,
  port integer unique,            -- allotted by the first step, free again when it is gone
  password text,                  -- sealed, the customer's; forgotten with the instance
  admin_password text,            -- sealed, ours; forgotten with the instance
  state text not null default 'provisioning'
    check (state in ('provisioning', 'ready', 'deprovisioning', 'deprovisioned')),
  removal_wanted boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((password is not null and admin_password is not null) or state = 'deprovisioned'),
  check (port is null or state <> 'deprovisioned'),
  check (port is not null or state <> 'ready')
);

create index instances_ready on instances (addon_id) where state = 'ready';
