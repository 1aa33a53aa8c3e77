import { expect, test } from 'vitest'
import { parseListeners } from './listener-setting.ts'

test('listeners are declared by urls, with what they leave out', () => {
  expect(parseListeners('')).toEqual([])
  const usual = { framing: 'octet-counting', format: 'auto', zone: '+00:00', map: [], app: '' }
  const urls =
    'tcp://0.0.0.0:5514?framing=newline&zone=+02:00\n tls://[::1]:16514 udp://box:514?format=rfc5424 '
  expect(parseListeners(` ${urls}`)).toEqual([
    { ...usual, transport: 'tcp', host: '0.0.0.0', port: 5514, framing: 'newline', zone: '+02:00' },
    { ...usual, transport: 'tls', host: '::1', port: 16_514 },
    { ...usual, transport: 'udp', host: 'box', port: 514, format: 'rfc5424' },
  ])
})

test('an app is declared for all senders, or for those at an address', () => {
  const urls = 'tcp://h:1?app=shop&map=192.0.2.0/24:router-logs&map=2001:db8::/32:b-2'
  expect(parseListeners(urls)[0]).toMatchObject({
    app: 'shop',
    map: [
      { range: '192.0.2.0/24', app: 'router-logs' },
      { range: '2001:db8::/32', app: 'b-2' },
    ],
  })
})

test.each([
  ['5514', /wants urls such as tcp:.*got "5514"/],
  ['http://0.0.0.0:5514', /wants urls/],
  ['tcp://0.0.0.0', /wants urls/],
  ['tcp://0.0.0.0:70000', /wants urls/],
  ['tcp://0.0.0.0:5514/path', /wants urls/],
  ['tcp://user@host:5514', /wants urls/],
  ['tcp://h:1?framing=lines', /wants framing=octet-counting or newline in .*got "framing=lines"/],
  ['udp://h:1?framing=newline', /wants no framing/],
  ['tcp://h:1?format=bsd', /wants format=auto or rfc5424/],
  ['tcp://h:1?app=', /wants app=NAME/],
  ['tcp://h:1?app=Shop', /wants app=NAME/],
  ['tcp://h:1?map=shop', /wants map=192/],
  ['tcp://h:1?map=192.0.2.0/33:shop', /wants map=192/],
  ['tcp://h:1?map=192.0.2.1', /wants map=192/],
  ['tcp://h:1?zone=CET', /wants zone=/],
  ['tcp://h:1?frame=newline', /wants framing.*got "frame=newline"/],
])('%s is refused with the reason', (url, message) => {
  expect(() => parseListeners(`tcp://h:1 ${url}`)).toThrow(message)
})
