-- Logplex's API v2 knows channels and drains by small numbers. A drain may be reserved: its token is
-- given out before its url is known.
alter table channels add column number bigint generated always as identity unique;
alter table drains
  add column number bigint generated always as identity unique,
  alter column sealed_url drop not null,
  alter column url_sha256 drop not null;
