import { expect, test } from 'vitest'
import { ByteWriter } from './byte-writer.ts'
import { characterLength, utf8Size, writeUtf8 } from './utf8.ts'

function asUtf8(bytes: Buffer): Buffer {
  const writer = new ByteWriter(8)
  writeUtf8(writer, Buffer.concat([Buffer.from('é'), bytes, Buffer.from('é')]), 2, 2 + bytes.length)
  return writer.finish()
}

test.each(['', 'abc', 'žluť', '€', '\ud7ff\ue000', '😀', '\u{10ffff}'])(
  '%j stays as it is',
  (text) => {
    const bytes = Buffer.from(text)
    expect(asUtf8(bytes)).toEqual(bytes)
    expect(utf8Size(bytes, 0, bytes.length)).toBe(bytes.length)
  },
)

test.each([
  ['a stray byte', [0x61, 0xff, 0x62], 'a\ufffdb'],
  ['the rest of a character alone', [0x82, 0xac], '\ufffd\ufffd'],
  ['a character that is cut off', [0x61, 0xe2, 0x82], 'a\ufffd\ufffd'],
  ['a longer form than need be', [0xc0, 0xaf], '\ufffd\ufffd'],
  ['a longer form of three', [0xe0, 0x80, 0xaf], '\ufffd\ufffd\ufffd'],
  ['a surrogate', [0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
  ['beyond the last character', [0xf4, 0x90, 0x80, 0x80], '\ufffd\ufffd\ufffd\ufffd'],
])('%s is replaced byte by byte', (_, given, text) => {
  const bytes = Buffer.from(given)
  const written = asUtf8(bytes)
  expect(written).toEqual(Buffer.from(text))
  expect(utf8Size(bytes, 0, bytes.length)).toBe(written.length)
})

test('no two bytes are a character that the decoder of the runtime does not know', () => {
  const bytes = Buffer.alloc(2)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for (let value = 0x8000; value <= 0xffff; value++) {
    bytes.writeUInt16BE(value)
    let isCharacter = true
    try {
      decoder.decode(bytes)
    } catch {
      isCharacter = false
    }
    expect(characterLength(bytes, 0, 2) === 2).toBe(isCharacter)
  }
})
