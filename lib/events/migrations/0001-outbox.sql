-- Facts that are committed here together with what they tell of, and published afterwards.
create table outbox (
  seq bigint generated always as identity primary key,
  id uuid not null unique,
  subject text not null,
  event bytea not null, -- plexus.events.v1.Event
  created_at timestamptz not null default now()
);
