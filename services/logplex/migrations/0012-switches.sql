-- What is switched off to shed load, for all ("all") or for one app (its uuid); and for all the state
-- of Logplex's own API.
create table switches (
  scope text primary key,
  off text[] not null default '{}' check (off <@ array['tails', 'history', 'drains', 'ingest']),
  state text not null default 'normal' check (state in ('normal', 'read_only', 'disabled'))
);
insert into switches (scope) values ('all');
