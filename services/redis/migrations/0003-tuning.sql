-- What customers set of how an instance behaves.
alter table instances
  add column maxmemory_policy text not null default 'noeviction',
  add column timeout_seconds integer not null default 0,
  add column notify_keyspace_events text not null default '';
