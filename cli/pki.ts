/** `l2sm pki`: a small CA, and certificates of a controller and its switches. */

import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { scopeOf } from '../openflow/session/tls.ts'
import { issue, type Place } from '../pki/certificates.ts'
import { faultOf, quiet } from './command-line/flags.ts'
import { shownAddress } from './options.ts'

export const help = `usage: l2sm pki DIR [options]

Makes a CA in DIR, a certificate of the controller, and one of each switch that is named; prints how to use them.
What is there already is kept, so that a switch can be added later. Needs the openssl command.

  --switch NAME[=DPID,...]  a switch; with its datapath ids (16 hex digits each) the certificate is good for those only:
                            all bridges of one Open vSwitch have one certificate; may be given again
  --controller HOST         name or address by which switches reach the controller; may be given again
                            [default 127.0.0.1, or as it was]
  --renew                   new keys and certificates of the controller and of the switches named, by the same CA;
                            a controller that runs reads its own within seconds, and no switch is disconnected
  --days N                  lifetime of certificates; that of the CA is ten years [default 365]
  --help                    this text

Files are DIR/ca, DIR/controller and DIR/switch-NAME, each with .key and .crt, readable by their owner only.
Whoever has ca.key can make a switch's certificate: neither the controller nor a switch needs it.
`

/** Without datapath ids: any may be shown with it. */
type Switch = { readonly name: string; readonly dpids: readonly string[] }
type Asked = {
  readonly directory: string
  readonly switches: readonly Switch[]
  /** Empty: those of the controller's certificate, if there is one. */
  readonly hosts: readonly string[]
  readonly renew: boolean
  readonly days: number
}

const caDays = 3650

type Surroundings = {
  readonly argv: readonly string[]
  readonly say: (line: string) => void
  readonly complain: (line: string) => void
}

/** Answers the exit code: 0 done, 1 it could not be done, 2 it was asked for wrongly. */
export const runPki = async ({ argv, say, complain }: Surroundings): Promise<0 | 1 | 2> => {
  const asked = readArguments(argv)
  if ('faults' in asked) {
    for (const fault of asked.faults) complain(`l2sm: ${fault}`)
    complain('l2sm pki --help tells more')
    return 2
  }
  try {
    await mkdir(asked.directory, { recursive: true, mode: 0o700 })
    const hosts = await make(asked, say)
    for (const line of instructions(asked, hosts[0]!)) say(line)
    return 0
  } catch (error) {
    complain(`l2sm: ${(error as Error).message}`)
    return 1
  }
}

const readArguments = (argv: readonly string[]): Asked | { readonly faults: readonly string[] } => {
  const program = quiet('pki')
    .argument('<DIR>')
    .option('--switch <NAME[=DPID,...]>', '', gathered, [])
    .option('--controller <HOST>', '', gathered, [])
    .option('--renew', '', false)
    .option('--days <N>', '', '365')
  const fault = faultOf(program, argv)
  if (fault !== undefined) return { faults: [fault] }
  const values = program.opts<{ switch: string[]; controller: string[]; renew: boolean; days: string }>()
  const switches = values.switch.map(text => ({ text, ...switchOf(text) }))
  const faults = [
    ...switches.flatMap(({ text, fault }) => (fault ? [`--switch ${JSON.stringify(text)}: ${fault}`] : [])),
    ...switches.flatMap(({ name }, i) =>
      switches.findIndex(s => s.name === name) < i ? [`two switches ${name}`] : [],
    ),
    ...values.controller
      .filter(host => isIP(host) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host))
      .map(host => `--controller ${JSON.stringify(host)}: expected a name or an address, without a port`),
    ...(/^[1-9]\d{0,3}$/.test(values.days) && Number(values.days) <= caDays
      ? []
      : [`--days ${JSON.stringify(values.days)}: expected 1 to ${caDays}`]),
  ]
  if (faults.length > 0) return { faults }
  const directory = resolve(program.args[0]!)
  return { directory, switches, hosts: values.controller, renew: values.renew, days: Number(values.days) }
}

const gathered = (text: string, before: readonly string[]): readonly string[] => [...before, text]

/** `NAME`, or `NAME=DPID,DPID,...`: one Open vSwitch has one certificate for all its bridges. */
const switchOf = (text: string): Switch & { readonly fault?: string } => {
  const [, name = '', list] = /^([^=]*)(?:=(.*))?$/s.exec(text) ?? []
  const dpids = list?.split(',') ?? []
  const wrong = dpids.find(dpid => !/^[0-9a-fA-F]{16}$/.test(dpid))
  const lower = dpids.map(dpid => dpid.toLowerCase())
  const fault = !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)
    ? 'expected a name of up to 63 letters, digits, dots and dashes'
    : wrong !== undefined
      ? `expected 16 hex digits after the =, or several such with commas between, got ${JSON.stringify(wrong)}`
      : // The common name would stand for it as well.
        /^[0-9a-fA-F]{16}$/.test(name) && list !== undefined && !lower.includes(name.toLowerCase())
        ? 'the name is a datapath id, but another one'
        : undefined
  return { name, dpids: lower, ...(fault && { fault }) }
}

const placeIn = (directory: string, name: string): Place => ({
  key: join(directory, `${name}.key`),
  cert: join(directory, `${name}.crt`),
})
const isMade = ({ key, cert }: Place): boolean => existsSync(key) && existsSync(cert)

/** Answers by which names the controller is reached. */
const make = async (asked: Asked, say: (line: string) => void): Promise<readonly string[]> => {
  const { directory, switches, renew, days } = asked
  const [ca, controller] = [placeIn(directory, 'ca'), placeIn(directory, 'controller')]
  const tell = async (place: Place, keep: boolean, what: string, spec: Parameters<typeof issue>[2]) => {
    if (!keep) await issue(directory, place, spec)
    const { validTo } = new X509Certificate(await readFile(place.cert))
    say(`${keep ? 'kept' : 'made'} ${place.cert}: ${what}, until ${validTo}`)
  }
  if (!isMade(ca) && (existsSync(ca.key) || existsSync(ca.cert)))
    throw new Error(`${directory} has one of ca.key and ca.crt only: put the other one back, or take this one away`)
  await tell(ca, isMade(ca), 'the CA', { commonName: 'l2sm CA', signer: 'self', usage: 'ca', days: caDays })
  const hosts = await hostsFor(asked, controller)
  const names = hosts.map(host => `${isIP(host) ? 'IP' : 'DNS'}:${host}`)
  const server = { commonName: 'l2sm controller', names, signer: ca, usage: 'server', days } as const
  await tell(controller, isMade(controller) && !renew, 'the controller', server)
  for (const { name, dpids: given } of switches) {
    const place = placeIn(directory, `switch-${name}`)
    const old = isMade(place) ? await dpidsOf(place) : []
    const keep = isMade(place) && !renew
    if (keep && given.length > 0 && old.toSorted().join() !== given.toSorted().join())
      throw new Error(
        `${place.cert} is for ${old.join(' and ') || 'no datapath'}: --renew makes one for ${given.join(' and ')}`,
      )
    // A certificate that is renewed stands for no more than before, unless that is said.
    const dpids = given.length === 0 ? old : given
    const uris = dpids.map(each => `URI:l2sm:dpid:${each}`)
    const client = { commonName: name, names: uris, signer: ca, usage: 'client', days } as const
    const whom =
      dpids.length === 0
        ? `switch ${name}, no datapath: let in only with --openflow-any-dpid`
        : `switch ${name}, datapath ${dpids.join(' and ')}`
    await tell(place, keep, whom, client)
  }
  return hosts
}

const hostsFor = async ({ hosts, renew }: Asked, controller: Place): Promise<readonly string[]> => {
  if (!isMade(controller)) return hosts.length > 0 ? hosts : ['127.0.0.1']
  const old = new X509Certificate(await readFile(controller.cert))
  // `DNS:a, IP Address:192.0.2.1`: it is one of ours, with no other kinds of names.
  if (hosts.length === 0) return (old.subjectAltName ?? '').split(', ').map(name => name.replace(/^[^:]*:/, ''))
  const other = hosts.find(host => !(isIP(host) ? old.checkIP(host) : old.checkHost(host)))
  if (other !== undefined && !renew)
    throw new Error(`${controller.cert} is not for ${other}: --renew makes one that is`)
  return hosts
}

const dpidsOf = async ({ cert }: Place): Promise<readonly string[]> => {
  const named = scopeOf(new X509Certificate(await readFile(cert)).toLegacyObject())
  if ('wrong' in named) throw new Error(`${cert} names ${named.wrong}`)
  return [...named.scope]
}

const instructions = ({ directory, switches }: Asked, host: string): string[] => {
  const { key, cert } = placeIn(directory, 'controller')
  const ca = placeIn(directory, 'ca').cert
  const target = `ssl:${shownAddress({ host, port: 6653 })}`
  return [
    '',
    'The controller:',
    '  l2sm controller --openflow tls:0.0.0.0:6653 \\',
    `    --openflow-key ${key} --openflow-cert ${cert} --openflow-ca ${ca}`,
    ...switches.flatMap(({ name }) => {
      const own = placeIn(directory, `switch-${name}`)
      return [
        '',
        `Switch ${name}, with its two files and ca.crt on it:`,
        `  ovs-vsctl set-ssl ${own.key} ${own.cert} ${ca}`,
        `  ovs-vsctl set-controller br0 ${target}`,
      ]
    }),
  ]
}
