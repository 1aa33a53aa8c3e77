import { derivedId } from '#lib/ids.ts'

// What Heroku has many of and Plexus one: it runs in one place, on one stack, in one generation.

const since = '2026-01-01T00:00:00Z'

export const generation = { id: derivedId('generation cedar'), name: 'cedar' }

/** Named as clients expect when they name none. */
export const region = {
  country: '',
  created_at: since,
  description: 'Where this Plexus runs',
  id: derivedId('region us'),
  locale: '',
  name: 'us',
  private_capable: false,
  provider: { name: 'plexus', region: 'local' },
  updated_at: since,
}

export const stack = {
  created_at: since,
  default: true,
  id: derivedId('stack heroku-24'),
  name: 'heroku-24',
  state: 'public',
  updated_at: since,
}
