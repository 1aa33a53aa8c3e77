alter table databases
  -- Ids of the rotations of its credential, the newest first: one that is asked for late rotates nothing.
  add column rotation_ids uuid[] not null default '{}',
  -- Who may log in besides role_name until the credential before the last rotation is revoked, and
  -- with what, sealed as password is. role_name and password are the new ones from the start.
  add column former_role_name text unique,
  add column former_password text,
  -- Since when the server knows both: sessions that began before began with the former one.
  add column rotated_at timestamptz;
