import { ApiRefusal } from './api-refusal.ts'

type Unsupported = {
  /** Beginnings of paths; `*` stands for one part of any name. */
  paths: readonly string[]
  /** What Plexus does not do, and what to do instead. */
  message: string
}

// What Heroku's clients call and Plexus does not have, in the order in which it is looked through.
// Whatever of it does exist has a route, and never gets here.
const unsupported: readonly Unsupported[] = [
  {
    paths: ['/apps/*/dynos', '/apps/*/formation', '/apps/*/formations', '/accounts/*/actions'],
    message:
      'Plexus does not run dynos: it has the add-ons, the config and the logs of an app. Start its ' +
      'processes yourself, with what "heroku config -s -a APP" prints in their environment.',
  },
  {
    paths: [
      '/apps/*/builds',
      '/apps/*/buildpack-installations',
      '/apps/*/oci-images',
      '/apps/*/slugs',
      '/app-setups',
      '/builds',
      '/slugs',
      '/sources',
    ],
    message:
      'Plexus does not build or deploy code. Deploy it where it is to run, with what ' +
      '"heroku config -s -a APP" prints in its environment.',
  },
  {
    paths: [
      '/apps/*/acm',
      '/apps/*/domains',
      '/apps/*/router-metrics',
      '/apps/*/sni-endpoints',
      '/apps/*/ssl-endpoints',
      '/domains',
    ],
    message:
      'Plexus has no router, and so neither domains nor certificates. Point them at the place ' +
      "where the app's processes run.",
  },
  {
    paths: [
      '/apps/*/github',
      '/apps/*/pipeline-couplings',
      '/apps/*/review-app',
      '/filters',
      '/pipeline-couplings',
      '/pipeline-promotions',
      '/pipeline-transfers',
      '/pipelines',
      '/review-apps',
      '/test-nodes',
      '/test-runs',
    ],
    message:
      'Plexus has no pipelines, review apps and CI. Make an app for each stage with ' +
      '"heroku apps:create"; "heroku addons:attach" lets several share an add-on.',
  },
  {
    paths: [
      '/account/app-transfers',
      '/apps/*/collaborators',
      '/apps/*/pre-authorizations',
      '/enterprise-accounts',
      '/organizations',
      '/spaces',
      '/teams',
    ],
    message:
      'Plexus has no teams and no spaces, and an app stays with its owner. Let others work on it ' +
      'with "heroku access:add EMAIL -a APP".',
  },
  {
    paths: ['/account/features', '/apps/*/features'],
    message: 'Plexus has no features to switch on or off: what it can do, it does for every app.',
  },
  {
    paths: ['/account/keys'],
    message: 'Plexus has no git, and no use for SSH keys.',
  },
  {
    paths: ['/auth'],
    message: 'Plexus has no login in the browser. Log in with "heroku login -i".',
  },
  {
    paths: ['/oauth/authorizations'],
    message:
      'In Plexus a token stays as it was made. Make another with "heroku authorizations:create", ' +
      'then end this one with "heroku authorizations:revoke ID".',
  },
  {
    paths: ['/oauth/clients', '/oauth/sessions', '/oauth/tokens'],
    message:
      'Plexus has neither OAuth clients nor sessions, only tokens: see ' +
      '"heroku authorizations", and make one with "heroku authorizations:create".',
  },
  {
    paths: ['/account'],
    message:
      'Plexus cannot change an account. Whoever runs it gives it a new password with ' +
      '"npx plexus account:create EMAIL".',
  },
  {
    paths: ['/apps/*/usage', '/teams/*/usage'],
    message: 'Plexus charges nothing, and keeps no account of usage.',
  },
  {
    paths: ['/postgres/v0/databases/*/credentials', '/data/postgres/v1/*/credentials'],
    message:
      'Of the credentials of a database Plexus has the list, url, create and destroy, and of the ' +
      'default one rotate. What a credential may see is granted in SQL, through "heroku pg:psql".',
  },
  {
    paths: ['/client/v11', '/data', '/postgres/v0'],
    message:
      'Of the pg commands Plexus has info, wait, promote, reset, credentials, killall, backups, ' +
      'copy, and those ' +
      'that are SQL (psql, ps, kill, locks …). Do the rest in SQL through "heroku pg:psql".',
  },
  {
    paths: ['/redis/v0'],
    message:
      'Of the redis commands Plexus has info, wait, cli, promote, credentials, maxmemory, timeout ' +
      'and keyspace-notifications. "heroku redis:cli" does what Redis lets you do yourself.',
  },
]

const table = unsupported.flatMap(({ paths, message }) =>
  paths.map((path) => ({ parts: partsOf(path), message })),
)

/** How a request is refused for which there is no route; `path` without its query. */
export function refuseUnrouted(method: string, path: string): ApiRefusal {
  const asked = partsOf(path)
  const known = table.find(({ parts }) =>
    parts.every((part, n) => (part === '*' ? asked[n] !== undefined : part === asked[n])),
  )
  if (known) return new ApiRefusal('not_implemented', known.message)
  const message = `Plexus has no ${method} ${path}. Check the method and the path.`
  return new ApiRefusal('not_found', message)
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '')
}
