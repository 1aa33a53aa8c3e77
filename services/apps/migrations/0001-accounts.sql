create table accounts (
  id uuid primary key,
  email text not null constraint accounts_email unique, -- in lower case
  password_hash text not null, -- scrypt, with its parameters and salt
  created_at timestamptz not null,
  updated_at timestamptz not null
);

create table authorizations (
  id uuid primary key,
  account_id uuid not null references accounts on delete cascade,
  token_hash bytea not null constraint authorizations_token unique, -- sha256 of the token
  token_hint text not null, -- its last characters
  description text not null,
  scope text[] not null,
  created_at timestamptz not null,
  expires_at timestamptz -- null: does not expire
);
create index authorizations_account on authorizations (account_id, created_at);
