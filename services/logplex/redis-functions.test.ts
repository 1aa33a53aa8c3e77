import { expect, test } from 'vitest'
import { functionLibrary } from './redis-functions.ts'

const source = `#!lua name=plexus_counting
local function count(keys) return #keys end
redis.register_function('plexus_count', count)
redis.register_function{function_name='plexus_count_all', callback=count, flags={'no-writes'}}
`

test('another source has other names, so that two versions can be there at once', () => {
  const library = functionLibrary(source)
  const changed = functionLibrary(source.replace('#keys', '#keys + 1'))
  expect(changed.version).not.toBe(library.version)
  expect(functionLibrary(source)).toEqual(library)
  const { version } = library
  expect(library.source).toContain(`name=plexus_counting_${version}\n`)
  expect(library.source).toContain(`'plexus_count_${version}'`)
  expect(library.source).toContain(`'plexus_count_all_${version}'`)
  expect(library.source.split(version)).toHaveLength(4)
})
