import { describe, expect, test } from 'vitest'
import { jsonFields } from '#lib/json-fields.ts'
import {
  adoptOptionsSchema,
  checkOptions,
  parseOptionsSchema,
  typeOptions,
} from './options-schema.ts'

const parse = (schema: unknown) =>
  parseOptionsSchema(jsonFields('acme.plans.json', 'plans[0]', { options_schema: schema }))

const schema = parse({
  type: 'object',
  properties: {
    flavour: { type: 'string', enum: ['plain', 'spicy'], description: 'How it tastes' },
    shards: { type: 'integer', minimum: 1, maximum: 8 },
    ratio: { type: 'number', exclusiveMinimum: 0 },
    ha: { type: 'boolean' },
    note: { type: 'string', maxLength: 5 },
    tags: { type: 'array' },
  },
  required: ['flavour'],
  additionalProperties: false,
})

describe('options', () => {
  test.each([
    [{ flavour: 'plain' }],
    [{ flavour: 'spicy', shards: '8', ratio: '0.5', ha: 'true', note: 'short' }],
  ])('fit: %j', (options) => {
    expect(() => checkOptions(schema, options, 'acme:basic')).not.toThrow()
  })

  test.each([
    [{}, 'flavour is required'],
    [{ flavour: 'sour' }, 'flavour must be one of plain, spicy'],
    [{ flavour: 'plain', shards: '9' }, 'shards must be <= 8'],
    [{ flavour: 'plain', shards: '1.5' }, 'shards must be integer'],
    [{ flavour: 'plain', shards: 'many' }, 'shards must be integer'],
    [{ flavour: 'plain', shards: '' }, 'shards must be integer'],
    [{ flavour: 'plain', ratio: '0' }, 'ratio must be > 0'],
    [{ flavour: 'plain', ha: 'yes' }, 'ha must be boolean'],
    [{ flavour: 'plain', note: 'longer' }, 'note must not have more than 5 characters'],
    [{ flavour: 'plain', shards: '12345678901234567890' }, 'shards must be integer'],
    [{ flavour: 'plain', tags: '{}' }, 'tags must be array'],
    [{ flavour: 'plain', colour: 'red' }, 'there is no colour'],
    [JSON.parse('{"flavour": "plain", "__proto__": "x"}') as Record<string, string>, '__proto__'],
  ])('are refused with the reason and what there is: %j', (options, reason) => {
    const check = () => checkOptions(schema, options, 'acme:basic')
    expect(check).toThrow(`These options do not fit the plan acme:basic: `)
    expect(check).toThrow(reason)
    expect(check).toThrow('It takes: -- --flavour string [--shards integer]')
  })

  test('have the types that the plan gives them; what it does not know stays text', () => {
    const given = {
      ...{ flavour: '3', shards: '3', ratio: '0.5', ha: 'true', tags: '["a"]' },
      ...{ other: '4', constructor: '5' },
    }
    expect(typeOptions(schema, given)).toEqual({
      ...given,
      ...{ shards: 3, ratio: 0.5, ha: true, tags: ['a'] },
    })
    expect(typeOptions(null, given)).toEqual(given)
    expect(typeOptions(schema, { shards: 'many', ha: '' })).toEqual({ shards: 'many', ha: '' })
  })

  test('are what the provider makes of them where the plan has no schema', () => {
    expect(() => checkOptions(parse(undefined), { anything: 'goes' }, 'acme:basic')).not.toThrow()
  })
})

describe("a stranger's schema", () => {
  test('is taken as far as it can be checked, and allows all that it allows', () => {
    const adopted = adoptOptionsSchema({
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      properties: {
        name: { type: 'string', pattern: '(a+)+$', maxLength: 5, enum: ['a', 'b'] },
        nodes: { type: ['integer', 'null'] },
        size: { type: 'integer', minimum: 1, enum: [1, 2] },
        any: { anyOf: [] },
      },
      required: ['name', 'any'],
      additionalProperties: false,
    })
    expect(adopted).toEqual({
      type: 'object',
      properties: {
        name: { type: 'string', maxLength: 5, enum: ['a', 'b'] },
        size: { type: 'integer', minimum: 1 },
      },
      required: ['name'],
    })
    expect(parse(adopted)).toEqual(adopted)
  })

  test('refuses no names that it allows by a pattern', () => {
    const strict = { properties: { a: { type: 'string' } }, additionalProperties: false }
    const adopted = { type: 'object', properties: strict.properties }
    expect(adoptOptionsSchema(strict)).toEqual({ ...adopted, additionalProperties: false })
    const patternProperties = { '^x-': { type: 'string' } }
    expect(adoptOptionsSchema({ ...strict, patternProperties })).toEqual(adopted)
  })

  test.each([[undefined], [null], [true], [[]], [{ properties: { a: { anyOf: [] } } }]])(
    'of which nothing can be checked is none: %j',
    (value) => expect(adoptOptionsSchema(value)).toBeNull(),
  )
})

describe('a schema', () => {
  const option = (rules: object) => ({ type: 'object', properties: { a: rules } })
  test.each([
    ['text', 'options_schema must be an object'],
    [{ properties: {} }, 'options_schema.type must be one of object, got nothing'],
    [{ type: 'object' }, 'options_schema.properties must be an object'],
    [option({ type: 'text' }), 'options_schema.properties.a.type must be one of string, integer'],
    [
      option({ type: 'string', pattern: '(a+)+$' }),
      'options_schema.properties.a.pattern is not supported',
    ],
    [
      option({ type: 'string', enum: [1] }),
      'options_schema.properties.a.enum must be a list of texts',
    ],
    [
      option({ type: 'integer', enum: ['1'] }),
      'options_schema.properties.a.enum is for options of',
    ],
    [
      option({ type: 'integer', minimum: '1' }),
      'options_schema.properties.a.minimum must be a number',
    ],
    [
      option({ type: 'string', maxLength: -1 }),
      'options_schema.properties.a.maxLength must be a whole number',
    ],
    [{ ...option({ type: 'string' }), required: ['b'] }, 'options_schema.required must name'],
    [{ ...option({ type: 'string' }), $ref: '#' }, 'options_schema.$ref is not supported'],
    [
      {
        type: 'object',
        properties: Object.fromEntries(
          Array.from({ length: 101 }, (_, index) => [`o${index}`, { type: 'string' }]),
        ),
      },
      'options_schema.properties must be at most 100',
    ],
    [
      option({ type: 'string', enum: ['\u001b[31m'] }),
      'options_schema.properties.a.enum must have values of one line',
    ],
    [
      option({ type: 'number', multipleOf: 0 }),
      'options_schema.properties.a.multipleOf must be more than 0',
    ],
  ])('that cannot be used is refused: %j', (value, reason) => {
    expect(() => parse(value)).toThrow(`acme.plans.json: plans[0].${reason}`)
  })
})
