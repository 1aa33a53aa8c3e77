import { expect, test } from 'vitest'
import { copyView, findBlank, findByte, isSame, newView, viewOf, writeNumber } from './bytes.ts'

const random = (size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, () => Math.floor(Math.random() * 256)))

test('copies any number of bytes from anywhere to anywhere, and none beside them', () => {
  for (let size = 0; size < 300; size++) {
    const source = random(size + 20)
    const target = random(size + 20)
    const [start, at] = [size % 7, size % 11]
    const expected = Buffer.from(target)
    source.copy(expected, at, start, start + size)
    expect(copyView(newView(target), at, newView(source), start, start + size)).toBe(at + size)
    expect(target.equals(expected)).toBe(true)
  }
})

test('finds a byte wherever it is, and what is beyond the end not', () => {
  for (let size = 0; size < 40; size++)
    for (let at = 0; at <= size; at++) {
      const bytes = Buffer.alloc(size + 8, 0x41)
      bytes[at] = 0x20
      const wanted = at < size ? at : size
      expect(findByte(viewOf(bytes), 0, size, 0x20)).toBe(wanted)
      expect(findBlank(viewOf(bytes), 0, size)).toBe(wanted)
    }
})

test('spaces and control characters are blank, and no other byte beside whatever other byte', () => {
  for (let byte = 0; byte < 256; byte++)
    for (const other of [0x21, 0x41, 0x80, 0xff, byte]) {
      const isBlank = (value: number): boolean => value <= 0x20 || value === 0x7f
      const bytes = Buffer.from([0x61, other, byte, 0x62, 0x63, 0x64, 0x65])
      const wanted = bytes.findIndex(isBlank)
      expect(findBlank(newView(bytes), 0, bytes.length)).toBe(wanted < 0 ? bytes.length : wanted)
      expect(findByte(newView(bytes), 0, bytes.length, byte)).toBe(bytes.indexOf(byte))
    }
})

test('is the same only when every byte is', () => {
  const token = Buffer.from('t.f81d4fae-7dec-11d0-a765-00a0c91e6bf6')
  const line = Buffer.concat([Buffer.from('x'), token, Buffer.from('y')])
  expect(isSame(newView(token), 0, newView(line), 1, token.length)).toBe(true)
  for (let at = 1; at <= token.length; at++) {
    const other = Buffer.from(line)
    other[at] = 0x7a
    expect(isSame(newView(token), 0, newView(other), 1, token.length)).toBe(false)
    expect(isSame(newView(token), 0, newView(other), 1, at - 1)).toBe(true)
  }
})

test('writes numbers in decimal digits', () => {
  for (const value of [0, 7, 10, 99, 100, 10_240, 2 ** 53 - 1]) {
    const bytes = Buffer.alloc(20)
    const end = writeNumber(newView(bytes), 1, value)
    expect(bytes.toString('latin1', 1, end)).toBe(String(value))
  }
})
