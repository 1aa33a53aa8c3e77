import { expect, test } from 'vitest'
import { typeOptions, type OptionTypes } from './option-types.ts'

const types: OptionTypes = {
  ...{ nodes: 'integer', ratio: 'number', ha: 'boolean', tags: 'array', extra: 'object' },
  name: 'string',
}

test('options become what the plan says; what it does not know stays text', () => {
  const options = {
    ...{ nodes: '3', ratio: '0.5', ha: 'true', tags: '["a"]', extra: '{"b":1}', name: '3' },
    ...{ other: '4', constructor: '5' },
  }
  expect(typeOptions(options, types)).toEqual({
    ...{ nodes: 3, ratio: 0.5, ha: true, tags: ['a'], extra: { b: 1 }, name: '3' },
    ...{ other: '4', constructor: '5' },
  })
})

test.each([
  ['nodes', '2.5', 'The option nodes must be an integer, not "2.5".'],
  ['nodes', '', 'an integer'],
  ['ratio', 'half', 'The option ratio must be a number, not "half".'],
  ['ha', 'yes', 'a boolean'],
  ['tags', '{}', 'an array'],
  ['extra', 'null', 'an object'],
])('%s=%s is refused', (name, text, message) => {
  expect(() => typeOptions({ [name]: text }, types)).toThrow(message)
})
