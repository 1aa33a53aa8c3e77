import { blankLine, endOfText, readStoredLine, type StoredLine } from '../app-log/stored-line.ts'
import { digitsMax, newView, writeNumber } from '../bytes.ts'
import type { ByteWriter } from '../byte-writer.ts'
import { readLineTime } from '../line-time.ts'
import { drainLossMessage } from '../loss.ts'
import { logplexLine } from '../logplex-line.ts'
import { readPri, type DrainFrame } from './drain-frame.ts'
import {
  bytesField,
  fieldHead,
  fieldSize,
  nanosFieldSize,
  textFields,
  textFieldSize,
  varintSize,
  writeFieldHead,
  writeNanosField,
  writeNumberField,
  writeTextField,
} from './protobuf.ts'

// An ExportLogsServiceRequest of OTLP (opentelemetry/proto/collector/logs/v1) with one resource,
// the app, and one scope, the plexer. The lines of a batch are written as the scope's log_records;
// what goes around them is put on when their size is known.

/** Field numbers of the messages, as far as they are written here. */
const request = { resourceLogs: 1 }
const resourceLogs = { resource: 1, scopeLogs: 2 }
const resource = { attributes: 1 }
const scopeLogs = { scope: 1, logRecords: 2 }
const record = {
  ...{ timeUnixNano: 1, severityNumber: 2, severityText: 3, body: 5, attributes: 6 },
  observedTimeUnixNano: 11,
}
const keyValue = { key: 1, value: 2 }
const anyValue = { string: 1, int: 3 }

/** What syslog calls 0, 1, … 7: its name, and its number in OpenTelemetry's data model for logs. */
const informational = severity('info', 9)
const severities = [
  ...[severity('emerg', 21), severity('alert', 19), severity('crit', 18), severity('err', 17)],
  ...[severity('warning', 13), severity('notice', 10), informational, severity('debug', 5)],
]

const uidKey = keyOf('log.record.uid')
const numberKey = keyOf('logplex.line.number')
const sourceKey = keyOf('heroku.source')
const dynoKey = keyOf('heroku.dyno')
const facilityKey = keyOf('syslog.facility.code')

/** What a line is known by: its number, and with the app before it among all lines there are. */
type Named = { number: number; uid: Uint8Array; uidEnd: number }

/** Lines for a receiver of OTLP over HTTP, in protobuf. */
export function otlpFrame(appId: string): DrainFrame {
  const uidStart = appId.length + 1
  const named: Named = { number: 0, uid: Buffer.alloc(uidStart + digitsMax), uidEnd: 0 }
  const uid = newView(named.uid)
  Buffer.from(`${appId}:`).copy(named.uid)
  const notice = blankLine()
  return {
    writeLine: (writer, frames, line, number) => {
      named.number = number
      named.uidEnd = writeNumber(uid, uidStart, number)
      writeRecord(writer, frames, line, named)
    },
    writeLoss: (writer, loss) => {
      const frames = logplexLine(drainLossMessage(loss))
      readStoredLine(frames, 0, notice)
      writeRecord(writer, frames, notice, undefined)
    },
    wrap: requestAround(appId),
  }
}

/** @param named undefined for what is no line of the app's log */
function writeRecord(
  writer: ByteWriter,
  frames: Uint8Array,
  line: StoredLine,
  named: Named | undefined,
): void {
  const { timeStart, timeEnd, sourceStart, sourceEnd, procStart, procEnd, msgStart } = line
  const pri = readPri(frames, line)
  const known = severities[pri % 8] ?? informational
  const micros = Math.round(readLineTime(frames, timeStart, timeEnd) * 1_000)
  // Beyond it, in the year 2255, there is no exact number, and soon none that OTLP could hold.
  const isTimed = micros >= 0 && micros <= Number.MAX_SAFE_INTEGER
  const textEnd = endOfText(frames, line)
  const bodySize = textFieldSize(frames, msgStart, textEnd)
  const sourceSize = textFieldSize(frames, sourceStart, sourceEnd)
  const dynoSize = textFieldSize(frames, procStart, procEnd)
  const facility = Math.floor(pri / 8)
  const size =
    (isTimed ? nanosFieldSize : 0) +
    known.length +
    fieldSize(bodySize) +
    attributeSize(sourceKey, sourceSize) +
    attributeSize(dynoKey, dynoSize) +
    attributeSize(facilityKey, numberSize(facility)) +
    (named ? attributeSize(uidKey, fieldSize(named.uidEnd)) : 0) +
    (named ? attributeSize(numberKey, numberSize(named.number)) : 0) +
    nanosFieldSize

  writeFieldHead(writer, scopeLogs.logRecords, size)
  if (isTimed) writeNanosField(writer, record.timeUnixNano, micros)
  writer.copy(known)
  writeFieldHead(writer, record.body, bodySize)
  writeTextField(writer, anyValue.string, frames, msgStart, textEnd)
  writeAttributeHead(writer, sourceKey, sourceSize)
  writeTextField(writer, anyValue.string, frames, sourceStart, sourceEnd)
  writeAttributeHead(writer, dynoKey, dynoSize)
  writeTextField(writer, anyValue.string, frames, procStart, procEnd)
  writeAttributeHead(writer, facilityKey, numberSize(facility))
  writeNumberField(writer, anyValue.int, facility)
  if (named) {
    writeAttributeHead(writer, uidKey, fieldSize(named.uidEnd))
    writeTextField(writer, anyValue.string, named.uid, 0, named.uidEnd)
    writeAttributeHead(writer, numberKey, numberSize(named.number))
    writeNumberField(writer, anyValue.int, named.number)
  }
  writeNanosField(writer, record.observedTimeUnixNano, Date.now() * 1_000)
}

/** Puts the request around log records, with what is known of their app. */
function requestAround(appId: string): (records: Buffer) => Buffer {
  const known = { 'heroku.app.id': appId, 'service.name': appId, 'cloud.provider': 'heroku' }
  const attributes = Object.entries(known).map(([key, text]) => {
    const value = bytesField(keyValue.value, textFields(text))
    return bytesField(resource.attributes, Buffer.concat([keyOf(key), value]))
  })
  const about = bytesField(resourceLogs.resource, Buffer.concat(attributes))
  const scope = bytesField(scopeLogs.scope, textFields('plexus/logplex'))
  return (records) => {
    const scopeHead = fieldHead(resourceLogs.scopeLogs, scope.length + records.length)
    const size = about.length + scopeHead.length + scope.length + records.length
    const head = fieldHead(request.resourceLogs, size)
    return Buffer.concat([head, about, scopeHead, scope, records])
  }
}

/** The two fields of a record that say how grave it is. */
function severity(text: string, number: number): Buffer {
  const numberField = Buffer.from([record.severityNumber << 3, number])
  return Buffer.concat([numberField, bytesField(record.severityText, Buffer.from(text))])
}

function keyOf(key: string): Buffer {
  return bytesField(keyValue.key, Buffer.from(key))
}

const numberSize = (value: number): number => 1 + varintSize(value)

/** @param valueSize of the AnyValue */
const attributeSize = (key: Buffer, valueSize: number): number =>
  fieldSize(key.length + fieldSize(valueSize))

function writeAttributeHead(writer: ByteWriter, key: Buffer, valueSize: number): void {
  writeFieldHead(writer, record.attributes, key.length + fieldSize(valueSize))
  writer.copy(key)
  writeFieldHead(writer, keyValue.value, valueSize)
}
