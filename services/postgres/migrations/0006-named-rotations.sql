-- A named credential is rotated as the database's own is: see 0003-rotations.sql. rotated_at is the
-- database's.
alter table named_credentials
  add column former_role_name text unique,
  add column former_password text;
