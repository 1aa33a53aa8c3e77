import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')

type Source = { path: string; text: string; imports: string[] }

/** Every TypeScript file of ours with what it imports: paths from the root, or package names. */
const sources = readSources([
  'lib',
  'services',
  'scripts',
  'local-platform',
  'client',
  'egress-shim',
  'provider-check',
  'demo',
  'cli',
  'test',
])
const product = sources.filter(({ path }) => !isTest(path))

function readSources(folders: string[]): Source[] {
  return folders.flatMap((folder) => {
    const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => readSource(relative(root, join(entry.parentPath, entry.name))))
  })
}

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8')
  const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name = '']) =>
    resolveImport(path, name),
  )
  return { path, text, imports }
}

function resolveImport(from: string, name: string): string {
  if (name.startsWith('#lib/')) return `lib/${name.slice(5)}`
  if (name.startsWith('#proto/')) return `proto/gen/${name.slice(7)}`
  if (name.startsWith('.')) return join(dirname(from), name)
  return name
}

/** What is loaded with a file of ours, and not only when it comes to it: files and packages. */
function loadedWith(path: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(path)) return loaded
  loaded.add(path)
  const text = sources.find((source) => source.path === path)?.text ?? ''
  for (const [, name = ''] of text.matchAll(/^(?!import type)(?:.* )?from '([^']+)'/gm))
    loadedWith(resolveImport(path, name), loaded)
  return loaded
}

function isTest(path: string): boolean {
  return path.startsWith('test/') || path.endsWith('.test.ts')
}

/** Files of `from` that import something they may not, as "file → import". */
function wrongImports(
  from: Source[],
  forbidden: (name: string, source: Source) => boolean,
): string[] {
  return from.flatMap((source) =>
    source.imports
      .filter((name) => forbidden(name, source))
      .map((name) => `${source.path} → ${name}`),
  )
}

const inFolder = (folder: string): Source[] =>
  product.filter(({ path }) => path.startsWith(`${folder}/`))
/** Folders of what stands around the services. */
const around = /^(scripts|local-platform|client|egress-shim|provider-check|cli|demo)\//
const serviceOf = (path: string): string | undefined => /^services\/([^/]+)\//.exec(path)?.[1]

describe('imports', () => {
  test('no service imports another', () => {
    const wrong = wrongImports(
      inFolder('services'),
      (name, { path }) => serviceOf(name) !== undefined && serviceOf(name) !== serviceOf(path),
    )
    expect(wrong).toEqual([])
  })

  test('lib imports neither services nor what runs them', () => {
    expect(
      wrongImports(inFolder('lib'), (name) => name.startsWith('services/') || around.test(name)),
    ).toEqual([])
  })

  test('services do not import what runs them, the command line or the demo', () => {
    expect(wrongImports(inFolder('services'), (name) => around.test(name))).toEqual([])
  })

  test('what runs the services is layered: cli → demo, egress-shim, provider-check → client, local-platform → lib', () => {
    const mayNot = {
      client: /^(services|scripts|local-platform|egress-shim|provider-check|demo|cli)\//,
      // It brings every service's tables up to date, and knows nothing else of them.
      'local-platform':
        /^(services\/\w+\/(?!schema\.ts)|scripts\/|client\/|egress-shim\/|provider-check\/|demo\/|cli\/)/,
      // It is given its certificates, and could run on a machine of its own.
      'egress-shim': /^(services|scripts|local-platform|provider-check|demo|cli)\//,
      // It tests strangers' providers where nothing of Plexus runs.
      'provider-check': /^(services|scripts|local-platform|client|egress-shim|demo|cli|proto)\//,
      demo: /^(services|scripts|egress-shim|provider-check|cli)\//,
      cli: /^(services|scripts)\//,
      scripts: /^(services|client|egress-shim|provider-check|demo|cli)\//,
    }
    const wrong = Object.entries(mayNot).flatMap(([folder, pattern]) =>
      wrongImports(inFolder(folder), (name) => pattern.test(name)),
    )
    expect(wrong).toEqual([])
  })

  test('nothing that ships imports tests', () => {
    expect(wrongImports(product, isTest)).toEqual([])
  })

  test('the api has no tables: it imports nothing that speaks SQL', () => {
    const wrong = wrongImports(inFolder('services/api'), (name) =>
      /^(pg$|lib\/(postgres|migrate)\.ts|lib\/(workflow|events)\/|.*-db\.ts)/.test(name),
    )
    expect(wrong).toEqual([])
  })

  test("logplex's data path imports neither pg nor protobuf", () => {
    const dataPath = inFolder('services/logplex').filter(
      ({ path }) => !/logplex\/(control\/|logplex-api\/|main\.ts|config\.ts|schema\.ts)/.test(path),
    )
    const wrong = wrongImports(dataPath, (name) =>
      /^(pg$|lib\/postgres\.ts|lib\/rpc\.ts|proto\/gen\/|@bufbuild\/)/.test(name),
    )
    expect(wrong).toEqual([])
  })

  test('business rules do not import transports: *-db.ts files import no rpc, routes or nouns above them', () => {
    const databases = product.filter(({ path }) => path.endsWith('-db.ts'))
    const wrong = wrongImports(databases, (name) =>
      /(-rpc|-http)\.ts$|\/routes\/|\/workflows\//.test(name),
    )
    expect(wrong).toEqual([])
  })
})

describe('what is written where', () => {
  const sqlPattern =
    /[`'"]\s*(select|insert into|update \w+ set|delete from|create (table|role|database|schema)|alter (role|database))\b/i

  test('SQL stands only in *-db.ts, migrate.ts, server-admin.ts and what prepares the databases', () => {
    const allowed = /(-db|migrate|server-admin|prepare-database)\.ts$/
    const wrong = product.filter(
      ({ path, text }) => !path.startsWith('demo/') && !allowed.test(path) && sqlPattern.test(text),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('subjects on NATS are spelled only in lib/subjects.ts', () => {
    const wrong = product.filter(
      ({ path, text }) =>
        path !== 'lib/subjects.ts' && /['"`]plexus\.(rpc|events|log)\b/.test(text),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('only lib/config.ts and the start of a process read the environment of a service', () => {
    const wrong = [...inFolder('services'), ...inFolder('lib')].filter(
      ({ path, text }) =>
        !/^lib\/(run-service|config)\.ts$/.test(path) && text.includes('process.env'),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('only render-error.ts turns a refusal into an HTTP status', () => {
    // Logplex's HTTP is Logplex's own contract, with its own answers; ranges and ETags are no
    // errors.
    const wrong = inFolder('services').filter(
      ({ path, text }) =>
        !/services\/logplex\/|api\/(render-error|api-refusal|hooks\/(etag|ranges))\.ts/.test(
          path,
        ) && /\.(code|status)\([45]\d\d\)|ErrorCode\.[A-Z_]+\]?:\s*[45]\d\d/.test(text),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test("a service's schema is named by that service only", () => {
    const services = ['apps', 'broker', 'logplex', 'postgres', 'redis', 'webhooks']
    const wrong = inFolder('services').filter(({ path, text }) =>
      services.some(
        (other) =>
          other !== serviceOf(path) &&
          new RegExp(`\\b(from|join|into|update)\\s+${other}\\.\\w+`).test(text),
      ),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('no dumping grounds and no barrels', () => {
    const wrong = sources.filter(({ path }) =>
      /(^|\/)(utils?|helpers?|index|common|misc)(\/|\.ts$)/.test(path),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('every command of the official CLI begins with one of ours, which loads no package for it', () => {
    const loaded = [...loadedWith('cli/main.ts'), ...loadedWith('cli/heroku.ts')]
    expect(loaded.length).toBeGreaterThan(10)
    expect(loaded.filter((name) => !/^node:|\.ts$/.test(name))).toEqual([])
  })

  test('no test sleeps, is skipped or runs alone', () => {
    // Contract tests may be skipped, visibly and with the reason, where the schemas are not at
    // hand.
    const maySkip = ['test/contract/data-api.test.ts', 'test/contract/platform-api.test.ts']
    const waiting = /\b(sleep|delay|setTimeout)\(/
    const wrong = sources.filter(
      ({ path, text }) =>
        path.endsWith('.test.ts') &&
        path !== 'test/architecture.test.ts' &&
        (/\b(it|test|describe)\.(only|todo|skip)\b/.test(text) ||
          waiting.test(text) ||
          (text.includes('.skipIf(') && !maySkip.includes(path))),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('files stay at one noun: 400 lines at most', () => {
    const long = sources
      .map(({ path, text }) => ({ path, lines: text.split('\n').length }))
      .filter(({ lines }) => lines > 400)
    expect(long).toEqual([])
  })
})

describe('the layout', () => {
  test('every service has its main and its config', () => {
    for (const service of ['api', 'apps', 'broker', 'logplex', 'postgres', 'redis', 'webhooks']) {
      const files = readdirSync(join(root, 'services', service))
      const missing = ['main.ts', 'config.ts'].filter((file) => !files.includes(file))
      expect({ service, missing }).toEqual({ service, missing: [] })
    }
  })

  test('mains wire and nothing else: 80 lines at most', () => {
    const long = product
      .filter(({ path }) => /^services\/[^/]+\/main\.ts$/.test(path))
      .map(({ path, text }) => ({ path, lines: text.split('\n').length }))
      .filter(({ lines }) => lines > 81)
    expect(long).toEqual([])
  })
})
