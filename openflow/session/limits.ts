/** What one switch, one address and all together may cost. Times in ms, sizes in bytes. */
export type Limits = { readonly [K in keyof typeof limits]: number }

export const limits = {
  /** From the connection to the end of its TLS handshake. The other times of a handshake count from there. */
  tls: 10_000,
  /** From the connection to the switch's HELLO. */
  hello: 5_000,
  /** From the connection to the end of the handshake. */
  handshake: 10_000,
  /** From the first byte of a message to its last. */
  partial: 10_000,
  /** Between our ECHO_REQUESTs. */
  echo: 5_000,
  /** Without a byte from the switch. */
  silence: 15_000,
  /** From a request to its answer. */
  request: 5_000,
  /** Until a question of the handshake is sent again, should the switch have lost it. */
  again: 1_000,
  /** From a multipart request to the last part of its answer. */
  collation: 60_000,
  /** How long a handshake waits for an answer that it can do without, and a sign of life is waited for. */
  probe: 2_000,
  /** From the last PORT_STATUS until the ports are read again; at most ten times that from the first one. */
  reread: 500,
  /** Between two notices that ports of one switch have changed. */
  portNotice: 100,
  /** How long a conflict about a dpid is remembered after the last claim. */
  conflict: 60_000,
  /** How long a switch whose answer about all flows did not come is read in parts. */
  parts: 600_000,
  /** From our closing a connection until we stop waiting for what is queued to leave. */
  linger: 1_000,
  /** How often all these times are looked at. */
  tick: 100,
  /** Written but not yet taken by the kernel. */
  queued: 4 * 1024 * 1024,
  /** All parts of one multipart reply, and of one about flows: 100,000 flow entries of ours take some 16 MiB. */
  reply: 16 * 1024 * 1024,
  flows: 64 * 1024 * 1024,
  /** Read from a socket but not yet looked at; beyond that the socket is not read. */
  unread: 128 * 1024,
  /** Ports of one switch: as many as OpenFlow 1.0 could number, and Open vSwitch still allows. */
  ports: 65_280,
  /** Ports of all switches together. */
  allPorts: 1_000_000,
  /** Asynchronous messages of one switch in a second, and their bytes. Beyond that it is not read for a while. */
  asyncMessages: 50_000,
  asyncBytes: 32 * 1024 * 1024,
  /** Packet-ins of one switch that wait, and their bytes. The oldest are dropped first. */
  packetIns: 1_024,
  packetInBytes: 1024 * 1024,
  /** Connections at once. */
  connections: 8_192,
  /** Connections that are not live yet, in all and from one address. Idle ones are closed first. */
  handshakes: 2_048,
  handshakesPerAddress: 1_024,
  /** Live sessions from one address. */
  sessionsPerAddress: 4_096,
  /** Messages in a row that cannot be read before the connection is closed. */
  unreadable: 100,
  /** Changes between two barriers of apply(). */
  window: 1_000,
  /** Time that a switch is given for each change, beyond `request` (in a bundle: up to `collation`), before its answer counts as lost. */
  change: 5,
}
