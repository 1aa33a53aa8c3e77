const units = [
  { name: 'GB', bytes: 1024 ** 3 },
  { name: 'MB', bytes: 1024 ** 2 },
  { name: 'KB', bytes: 1024 },
]

/**
 * A size for people, as plans are described: "1 GB", "25 MB", "7.21 MB". Rounded up, so that what
 * is more than a plan holds never reads as what it holds.
 */
export function formatBytes(bytes: number): string {
  const unit = units.find((candidate) => bytes >= candidate.bytes)
  if (!unit) return `${Math.ceil(bytes)} bytes`
  return `${Math.ceil((bytes / unit.bytes) * 100) / 100} ${unit.name}`
}
