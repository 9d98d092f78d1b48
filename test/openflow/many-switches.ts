// So many fake switches, in a process of their own: `node many-switches.ts PORT COUNT`. They answer echoes until told to end.
import { fakeSwitch, port } from './fake-switch.ts'

const [where, count] = process.argv.slice(2).map(Number)
const ports = Array.from({ length: 8 }, (_, i) => port(i + 1))
for (let n = 1; n <= count!; n += 100)
  await Promise.all(
    Array.from({ length: Math.min(100, count! - n + 1) }, (_, i) =>
      fakeSwitch({ host: '127.0.0.1', port: where! }, { dpid: BigInt(n + i), ports }),
    ),
  )
