import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

/** A log record as a collector understands it. */
type OtlpRecord = {
  timeUnixNano: bigint
  observedTimeUnixNano: bigint
  severityNumber: number
  severityText: string
  body: unknown
  attributes: Record<string, unknown>
}

/** What one ExportLogsServiceRequest of one resource and one scope says. */
export type OtlpLogs = {
  resource: Record<string, unknown>
  scope: string
  records: OtlpRecord[]
}

type FieldReader = (reader: BinaryReader, length: number) => void

/** Reads a message by its field numbers; throws for a field that is not among them. */
function readMessage(reader: BinaryReader, length: number, fields: Record<number, FieldReader>) {
  const end = reader.pos + length
  while (reader.pos < end) {
    const [number] = reader.tag()
    const read = fields[number]
    if (!read) throw new Error(`field ${number} was not expected`)
    read(reader, 0)
  }
  if (reader.pos !== end) throw new Error('a message does not end where it says')
}

const nested =
  (fields: Record<number, FieldReader>): FieldReader =>
  (reader) =>
    readMessage(reader, reader.uint32(), fields)

function readValue(reader: BinaryReader): unknown {
  let value: unknown
  nested({
    1: () => (value = reader.string()),
    3: () => (value = Number(reader.int64())),
  })(reader, 0)
  return value
}

function readAttribute(reader: BinaryReader, into: Record<string, unknown>): void {
  let key = ''
  let value: unknown
  nested({ 1: () => (key = reader.string()), 2: () => (value = readValue(reader)) })(reader, 0)
  if (key in into) throw new Error(`${key} stands there twice`)
  into[key] = value
}

function readRecord(reader: BinaryReader): OtlpRecord {
  const record: OtlpRecord = {
    ...{ timeUnixNano: 0n, observedTimeUnixNano: 0n, severityNumber: 0, severityText: '' },
    ...{ body: undefined, attributes: {} },
  }
  nested({
    1: () => (record.timeUnixNano = BigInt(reader.fixed64())),
    2: () => (record.severityNumber = reader.int32()),
    3: () => (record.severityText = reader.string()),
    5: () => (record.body = readValue(reader)),
    6: () => readAttribute(reader, record.attributes),
    11: () => (record.observedTimeUnixNano = BigInt(reader.fixed64())),
  })(reader, 0)
  return record
}

/** Decodes an ExportLogsServiceRequest; throws for what is none, and for more than we send. */
export function decodeOtlpLogs(bytes: Uint8Array): OtlpLogs {
  const logs: OtlpLogs = { resource: {}, scope: '', records: [] }
  const reader = new BinaryReader(bytes)
  const scopeLogs = nested({
    1: nested({ 1: () => (logs.scope = reader.string()) }),
    2: () => logs.records.push(readRecord(reader)),
  })
  const resource = nested({ 1: () => readAttribute(reader, logs.resource) })
  readMessage(reader, bytes.length, { 1: nested({ 1: resource, 2: scopeLogs }) })
  return logs
}

/** An ExportLogsServiceResponse that says so many records were rejected. */
export function partialSuccess(rejected: number, message: string): Uint8Array {
  const partial = new BinaryWriter()
  partial.tag(1, WireType.Varint).int64(rejected)
  partial.tag(2, WireType.LengthDelimited).string(message)
  const answer = new BinaryWriter()
  return answer.tag(1, WireType.LengthDelimited).bytes(partial.finish()).finish()
}
