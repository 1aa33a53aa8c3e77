-- An app or an add-on that has webhooks. All that belongs to it goes with it.
create table topics (
  id uuid primary key,
  kind text not null check (kind in ('app', 'addon', 'partner')),
  resource_id uuid not null,
  app_id uuid not null, -- the app, or the add-on's billing app
  last_sequence bigint not null default 0, -- of its newest event
  ended_at timestamptz, -- its last event has been told, and what still waits is being delivered
  unique (kind, resource_id)
);
create index topics_app on topics (app_id);

create table webhooks (
  id uuid primary key,
  topic_id uuid not null references topics on delete cascade,
  include text[] not null,
  level text not null check (level in ('notify', 'sync')),
  sealed_url text not null,
  sealed_secret text not null,
  sealed_authorization text not null, -- empty: none
  due_at timestamptz, -- of the first delivery that waits; null: none does
  lease uuid,
  leased_until timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index webhooks_topic on webhooks (topic_id);
create index webhooks_due on webhooks (due_at) where due_at is not null;

-- What happened, once for each topic with a webhook that wants to know.
create table events (
  id uuid primary key,
  topic_id uuid not null references topics on delete cascade,
  sequence bigint not null,
  include text not null,
  payload json not null,
  created_at timestamptz not null,
  unique (topic_id, sequence)
);
create index events_age on events (created_at);

create table deliveries (
  id uuid primary key,
  seq bigint generated always as identity unique,
  topic_id uuid not null references topics on delete cascade,
  webhook_id uuid not null references webhooks on delete cascade,
  event_id uuid not null references events on delete cascade,
  status text not null
    check (status in ('pending', 'scheduled', 'retrying', 'failed', 'succeeded')),
  attempts integer not null default 0,
  next_attempt_at timestamptz,
  attempt_id uuid, -- of the last attempt, as all that follows
  attempt_status text check (attempt_status in ('scheduled', 'succeeded', 'failed')),
  attempt_code integer,
  attempt_error text not null default '',
  attempt_began_at timestamptz,
  attempt_ended_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index deliveries_topic on deliveries (topic_id, seq);
create index deliveries_event on deliveries (event_id);
create index deliveries_waiting on deliveries (webhook_id, seq)
  where status in ('pending', 'scheduled', 'retrying');
create index deliveries_webhook on deliveries (webhook_id);
