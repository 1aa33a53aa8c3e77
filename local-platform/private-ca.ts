import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { link, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '#lib/whole-file.ts'
import {
  caCertificate,
  newPrivateKey,
  serverCertificate,
  type Issuer,
  type Validity,
} from './certificate.ts'
import { usableFolder } from './folders.ts'

/** A certificate authority of one home, trusted by whoever is told to. */
export type PrivateCa = {
  /** What it signs with is beside it, readable by its owner only. */
  certificateFile: string
  /** PEM, as in that file. */
  certificate: string
  /**
   * The key and certificate of a server (PEM), for names within what the CA is limited to.
   *
   * @param days how long it is valid; 90 unless told otherwise.
   */
  issue: (names: string[], days?: number) => Promise<{ key: string; cert: string }>
}

const dayMs = 24 * 3600_000
/** Ten years: every program that trusts it would have to be told of its successor. */
const caDays = 3_650
/** A CA that is used later than this before its end gets a new certificate for the same key. */
const caRenewedBeforeDays = 365
/** Issued anew at each start, and once a day by what runs for long: nothing lists revoked ones. */
const serverDays = 90
/** Clocks of containers and virtual machines are late. */
const backdatedDays = 1

/**
 * The CA kept in `folder`, made there if there is none: key and certificate in one file, whole or
 * not at all, also when two processes start at once.
 *
 * @param ca.permitted DNS names and IP addresses beyond which nobody need believe it; undefined: not
 *   limited. One that is there stays as it was made.
 * @throws Error when others can read the key, or when what is there is no CA.
 */
export async function loadPrivateCa(ca: {
  folder: string
  commonName: string
  permitted?: string[]
}): Promise<PrivateCa> {
  const { folder, commonName, permitted } = ca
  await usableFolder(folder, 0o755, 'PLEXUS_HOME')
  const file = join(folder, 'ca-key.pem')
  const create = async (privateKey: KeyObject): Promise<string> => {
    const made = await caCertificate({ commonName, privateKey }, validFor(caDays), permitted)
    return keyPem(privateKey) + made.toString()
  }
  let kept = await readCa(file)
  if (!kept) {
    await createOnce(file, await create(newPrivateKey()))
    kept = await readCa(file)
  } else if (kept.certificate.validToDate.getTime() - Date.now() < caRenewedBeforeDays * dayMs) {
    await writeWhole(file, await create(kept.privateKey), { mode: 0o600 })
    kept = await readCa(file)
  }
  if (!kept) throw new Error(`${file} went away while it was read: try again.`)
  const { privateKey } = kept
  const certificate = kept.certificate.toString()
  const certificateFile = join(folder, 'ca.pem')
  await writeWhole(certificateFile, certificate, { mode: 0o644 })
  return {
    certificateFile,
    certificate,
    issue: (names, days = serverDays) => issue({ commonName, privateKey }, names, days),
  }
}

async function issue(
  ca: Issuer,
  names: string[],
  days: number,
): Promise<{ key: string; cert: string }> {
  const privateKey = newPrivateKey()
  const certificate = await serverCertificate(ca, privateKey, names, validFor(days))
  return { key: keyPem(privateKey), cert: certificate.toString() }
}

function keyPem(privateKey: KeyObject): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

async function readCa(
  file: string,
): Promise<{ privateKey: KeyObject; certificate: X509Certificate } | undefined> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (!found) return undefined
  if ((found.mode & 0o077) !== 0)
    throw new Error(
      `Others could read the CA's key in ${file}, so it is not used. Remove the file for a new ` +
        `CA, which its clients have to be told of; chmod 600 keeps the old one.`,
    )
  const pem = await readFile(file, 'utf8')
  try {
    return { privateKey: createPrivateKey(pem), certificate: new X509Certificate(pem) }
  } catch (error) {
    throw new Error(`${file} holds no CA. Remove it, and a new CA is made.`, { cause: error })
  }
}

/** Puts the content there unless somebody was first. */
async function createOnce(file: string, content: string): Promise<void> {
  const own = `${file}.${process.pid}`
  await writeWhole(own, content, { mode: 0o600 })
  try {
    await link(own, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(own, { force: true })
  }
}

function validFor(days: number): Validity {
  const now = Date.now()
  return {
    notBefore: new Date(now - backdatedDays * dayMs),
    notAfter: new Date(now + days * dayMs),
  }
}
