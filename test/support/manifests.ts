import { resolve } from 'node:path'

/** The folder with the manifests and plans that ship. */
export const shippedManifests = resolve(import.meta.dirname, '../../addon-manifests')
