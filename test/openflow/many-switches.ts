// So many fake switches, in a process of their own: `node many-switches.ts PORT COUNT [HOST] [FIRST]`, with datapath ids from FIRST on.
// They answer echoes until told to end.
import { fakeSwitch, port } from './fake-switch.ts'

const [where, count] = process.argv.slice(2, 4).map(Number)
const [host = '127.0.0.1', first = '1'] = process.argv.slice(4)
const ports = Array.from({ length: 8 }, (_, i) => port(i + 1))
for (let n = 1; n <= count!; n += 100)
  await Promise.all(
    Array.from({ length: Math.min(100, count! - n + 1) }, (_, i) =>
      fakeSwitch({ host, port: where! }, { dpid: BigInt(first) + BigInt(n + i - 1), ports }),
    ),
  )
