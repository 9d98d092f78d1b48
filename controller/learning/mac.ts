// MAC addresses as numbers of 48 bits: a packet-in makes no text until its address turns out to be new.

const pairs = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

/** The address at `at` in a frame, as a number. */
export const readMac = (frame: Buffer, at: number): number =>
  ((frame[at]! << 8) | frame[at + 1]!) * 0x1_0000_0000 +
  (((frame[at + 2]! << 24) | (frame[at + 3]! << 16) | (frame[at + 4]! << 8) | frame[at + 5]!) >>> 0)

/** `aa:bb:cc:dd:ee:ff`, as matches and the store spell it. */
export function macText(mac: number): string {
  const high = Math.floor(mac / 0x1_0000_0000)
  const low = mac >>> 0
  return `${pairs[high >> 8]}:${pairs[high & 255]}:${pairs[low >>> 24]}:${pairs[(low >>> 16) & 255]}:${pairs[(low >>> 8) & 255]}:${pairs[low & 255]}`
}

/** Of a text in that form. */
export function macNumber(text: string): number {
  let mac = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code !== 58) mac = mac * 16 + (code <= 57 ? code - 48 : (code | 32) - 87)
  }
  return mac
}

/** Whether a frame may come from it: not a group's address (IEEE 802 §8.2.2), and not all zeroes. */
export const isSender = (mac: number): boolean => mac !== 0 && (Math.floor(mac / 0x100_0000_0000) & 1) === 0
