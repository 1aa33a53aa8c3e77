alter table instances
  -- Ids of the rotations of its password, the newest first: one that is asked for late rotates nothing.
  add column rotation_ids uuid[] not null default '{}',
  -- Sealed as password is: the one before the last rotation, until it is revoked.
  add column former_password text,
  -- Since when the instance knows both: connections from before began with the former one.
  add column rotated_at timestamptz,
  -- Which connections the revocation has still to end: those from before rotated_at, or each one.
  add column connections_to_end text check (connections_to_end in ('former', 'every'));
