create table workflows (
  id uuid primary key,
  kind text not null,            -- name of the definition
  subject_id uuid not null,      -- what it works on: an add-on, a database
  step text not null,
  wishes text[] not null default '{}', -- raised from outside, read by the steps
  tries integer not null default 0,    -- of this step, since it last got on
  last_error text not null default '',
  run_at timestamptz not null default now(),
  deadline timestamptz,          -- of this step; passing it raises an alert and the step is told
  lease uuid,                    -- held by the runner that works on it
  leased_until timestamptz,
  result text,                   -- set when it is done
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- One workflow at a time moves a thing: nothing else changes its state.
create unique index workflows_one_running on workflows (subject_id) where result is null;
create index workflows_due on workflows (run_at) where result is null;
