import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'

// npm run lock, after a change of dependencies: npm ci refuses a lock file that does not name every
// optional package of the tree, and npm leaves out those that its registry does not have (a mirror
// may carry one platform only). This adds them with what their names tell.

type LockedPackage = {
  version?: string
  dev?: boolean
  devOptional?: boolean
  optional?: boolean
  optionalDependencies?: Record<string, string>
  os?: string[]
  cpu?: string[]
  libc?: string[]
}
export type LockFile = { packages: Record<string, LockedPackage> }

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony']
const processors = ['arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

/** Optional packages that the lock file's packages name and that it does not have. */
export function missingPackages({ packages }: LockFile): Record<string, LockedPackage> {
  const missing: Record<string, LockedPackage> = {}
  for (const [path, { dev, devOptional, optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const places = [`${path}/node_modules/${name}`, `node_modules/${name}`]
      if (path === '' || places.some((place) => packages[place])) continue
      const forDevelopers = dev || devOptional ? { dev: true } : {}
      missing[`node_modules/${name}`] = {
        version,
        ...forDevelopers,
        optional: true,
        ...platformOf(name),
      }
    }
  }
  return missing
}

/** "@oxlint/binding-linux-arm-musleabihf" is for Linux on arm with musl. */
function platformOf(name: string): Pick<LockedPackage, 'os' | 'cpu' | 'libc'> {
  const words = name.toLowerCase().split(/[-/]/)
  const os = [...systems, 'win32'].filter((system) => words.includes(system))
  const arm = words.some((word) => /^arm(v\d+l?)?$/.test(word)) ? ['arm'] : []
  const cpu = [...processors.filter((processor) => words.includes(processor)), ...arm]
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : []
  return {
    ...(os.length > 0 && { os }),
    ...(cpu.length > 0 && { cpu }),
    ...(libc.length > 0 && { libc }),
  }
}

async function main(): Promise<void> {
  const file = resolve(import.meta.dirname, '../package-lock.json')
  const lock = JSON.parse(await readFile(file, 'utf8')) as LockFile
  const missing = missingPackages(lock)
  const { '': root = {}, ...others } = { ...lock.packages, ...missing }
  const sorted = Object.entries(others).toSorted(([a], [b]) => a.localeCompare(b, 'en'))
  const packages = { '': root, ...Object.fromEntries(sorted) }
  await writeFile(file, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`)
  process.stdout.write(`${Object.keys(missing).length} packages added to package-lock.json\n`)
}

if (import.meta.main) await main()
