-- Append-only. The newest release of an app is its config: there is no other table of it.
create table releases (
  id uuid primary key,
  app_id uuid not null references apps on delete cascade,
  version integer not null check (version > 0), -- from 1, without gaps
  description text not null,
  user_id uuid, -- null when an add-on provider or the platform made it; outlives the account
  user_email text not null,
  addon_plan_names text[] not null,
  sealed_config text not null, -- the whole config of that moment, app-config.ts, sealed
  change_id uuid, -- of the broker's change that made it, so that a repeat finds it
  created_at timestamptz not null,
  constraint releases_version unique (app_id, version),
  constraint releases_change unique (app_id, change_id)
);
