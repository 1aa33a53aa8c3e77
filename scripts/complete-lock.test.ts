import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { missingPackages, type LockFile } from './complete-lock.ts'

test('the lock file names every optional package, so that npm ci takes it (else: npm run lock)', () => {
  const text = readFileSync(resolve(import.meta.dirname, '../package-lock.json'), 'utf8')
  expect(Object.keys(missingPackages(JSON.parse(text) as LockFile))).toEqual([])
})

test('a missing one is found, with its platform', () => {
  const lock = {
    packages: {
      'node_modules/tool': {
        dev: true,
        optionalDependencies: { '@tool/linux-arm-musleabihf': '1.0.0', '@tool/linux-x64': '1.0.0' },
      },
      'node_modules/@tool/linux-x64': { version: '1.0.0' },
    },
  }
  expect(missingPackages(lock)).toEqual({
    'node_modules/@tool/linux-arm-musleabihf': {
      version: '1.0.0',
      dev: true,
      optional: true,
      os: ['linux'],
      cpu: ['arm'],
      libc: ['musl'],
    },
  })
})
