import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { isIP, isIPv4 } from 'node:net'
import { BitString, Integer, OctetString, Utf8String } from 'asn1js'
import {
  AttributeTypeAndValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  GeneralName,
  GeneralNames,
  GeneralSubtree,
  NameConstraints,
  RelativeDistinguishedNames,
  Time,
  TimeType,
} from 'pkijs'

// X.509 v3 as RFC 5280 has it, and no more of it than a private CA and its servers need. Python
// from 3.13 on insists on both key identifiers and on a critical key usage.

/** Whom a certificate is signed by: a CA's name and key. */
export type Issuer = { commonName: string; privateKey: KeyObject }

export type Validity = { notBefore: Date; notAfter: Date }

const oid = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
}
/** First bits of the bit string: digitalSignature; keyCertSign and cRLSign. */
const usage = {
  server: { bits: 0x80, unused: 7 },
  ca: { bits: 0x06, unused: 1 },
} as const
const nameType = { dns: 2, ip: 7 } as const
const serialBytes = 16

/** ECDSA on P-256: every TLS library of the last ten years takes it. */
export function newPrivateKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
}

/**
 * A CA's certificate, signed with its own key. It can make no CA below itself.
 *
 * @param permitted DNS names (each with what is below it) and IP addresses beyond which nobody who
 *   heeds the certificate believes the CA; undefined: it is not limited.
 */
export function caCertificate(
  ca: Issuer,
  validity: Validity,
  permitted: string[] | undefined,
): Promise<X509Certificate> {
  const extensions = [
    extension(
      oid.basicConstraints,
      new BasicConstraints({ cA: true, pathLenConstraint: 0 }).toSchema(),
      true,
    ),
    keyUsage(usage.ca),
    extension(oid.subjectKeyIdentifier, keyIdentifier(ca)),
  ]
  if (permitted)
    extensions.push(extension(oid.nameConstraints, onlyNames(permitted).toSchema(), true))
  return sign({ issuer: ca, subject: ca, validity, extensions })
}

/**
 * A server's certificate.
 *
 * @param names DNS names and IP addresses that it is for; the first is shown as its name.
 */
export function serverCertificate(
  ca: Issuer,
  privateKey: KeyObject,
  names: string[],
  validity: Validity,
): Promise<X509Certificate> {
  const subject = { commonName: names[0] ?? '', privateKey }
  const extensions = [
    extension(oid.basicConstraints, new BasicConstraints({ cA: false }).toSchema(), true),
    keyUsage(usage.server),
    extension(oid.extendedKeyUsage, new ExtKeyUsage({ keyPurposes: [oid.serverAuth] }).toSchema()),
    extension(oid.subjectAltName, new GeneralNames({ names: names.map(generalName) }).toSchema()),
    extension(oid.subjectKeyIdentifier, keyIdentifier(subject)),
    extension(
      oid.authorityKeyIdentifier,
      new AuthorityKeyIdentifier({ keyIdentifier: keyIdentifier(ca) }).toSchema(),
    ),
  ]
  return sign({ issuer: ca, subject, validity, extensions })
}

async function sign(options: {
  issuer: Issuer
  subject: Issuer
  validity: Validity
  extensions: Extension[]
}): Promise<X509Certificate> {
  const { issuer, subject, validity, extensions } = options
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const certificate = new Certificate({
    version: 2,
    serialNumber: new Integer({ valueHex: newSerial() }),
    issuer: distinguishedName(issuer.commonName),
    subject: distinguishedName(subject.commonName),
    notBefore: time(validity.notBefore),
    notAfter: time(validity.notAfter),
    extensions,
  })
  const publicKey = createPublicKey(subject.privateKey)
  await certificate.subjectPublicKeyInfo.importKey(
    publicKey.toCryptoKey(algorithm, true, ['verify']),
  )
  await certificate.sign(issuer.privateKey.toCryptoKey(algorithm, false, ['sign']), 'SHA-256')
  return new X509Certificate(Buffer.from(certificate.toSchema(true).toBER(false)))
}

/** An extension with its value, any ASN.1 that can be encoded. */
function extension(
  extnID: string,
  value: { toBER: (sizeOnly?: boolean) => ArrayBuffer },
  critical = false,
): Extension {
  return new Extension({ extnID, critical, extnValue: value.toBER(false) })
}

function keyUsage({ bits, unused }: (typeof usage)[keyof typeof usage]): Extension {
  const valueHex = Uint8Array.of(bits).buffer
  return extension(oid.keyUsage, new BitString({ valueHex, unusedBits: unused }), true)
}

/** RFC 5280 § 4.2.1.2, method 1: SHA-1 of the key's bits; it only tells keys apart. */
function keyIdentifier({ privateKey }: Issuer): OctetString {
  const { x = '', y = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  const uncompressedPoint = 4
  const digest = createHash('sha1')
    .update(Uint8Array.of(uncompressedPoint))
    .update(Buffer.from(x, 'base64url'))
    .update(Buffer.from(y, 'base64url'))
    .digest()
  return new OctetString({ valueHex: Uint8Array.from(digest).buffer })
}

function onlyNames(permitted: string[]): NameConstraints {
  const addresses = permitted.filter((name) => isIP(name) !== 0)
  // A limit on DNS names alone would leave all addresses to the CA.
  const excluded = addresses.length === 0 ? [Buffer.alloc(8), Buffer.alloc(32)] : []
  const subtree = (base: GeneralName): GeneralSubtree => new GeneralSubtree({ base })
  return new NameConstraints({
    permittedSubtrees: [
      ...permitted.filter((name) => isIP(name) === 0).map(generalName),
      ...addresses.map((address) => addressName(onlyAddress(addressBytes(address)))),
    ].map(subtree),
    excludedSubtrees: excluded.map((range) => subtree(addressName(range))),
  })
}

/** The range in which there is no other one: the address, and a mask of all its bits. */
const onlyAddress = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc(bytes.length, 0xff)])

function generalName(name: string): GeneralName {
  if (isIP(name) === 0) return new GeneralName({ type: nameType.dns, value: name })
  return addressName(addressBytes(name))
}

function addressName(bytes: Buffer): GeneralName {
  const value = new OctetString({ valueHex: Uint8Array.from(bytes).buffer })
  return new GeneralName({ type: nameType.ip, value })
}

/** 4 or 16 bytes of an IP address. */
function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  // The URL parser writes a dotted tail as hexadecimal groups, too.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const before = groups(head)
  const after = groups(tail ?? '')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return Buffer.from(
    [...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''),
    'hex',
  )
}

function distinguishedName(commonName: string): RelativeDistinguishedNames {
  const value = new Utf8String({ value: commonName })
  const name = new AttributeTypeAndValue({ type: oid.commonName, value })
  return new RelativeDistinguishedNames({ typesAndValues: [name] })
}

/** From 2050 on UTCTime's two digits mean another century. */
function time(value: Date): Time {
  const type = value.getUTCFullYear() < 2050 ? TimeType.UTCTime : TimeType.GeneralizedTime
  return new Time({ type, value })
}

function newSerial(): ArrayBuffer {
  const serial = Uint8Array.from(randomBytes(serialBytes))
  // Positive, and without leading zeros, which DER does not have.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  return serial.buffer
}
