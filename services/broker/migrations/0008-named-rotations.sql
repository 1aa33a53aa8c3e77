alter table rotations
  add column credential text not null default 'default';  -- or a named one's name; empty: all
