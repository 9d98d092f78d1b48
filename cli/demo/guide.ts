/** What somebody who watches may try: commands that work as they stand in another root shell. Pure. */

export type Place = {
  /** HTTP base address of the controller. */
  readonly base: string
  /** The mesh's scratch folder. */
  readonly directory: string
  /** Of node 1: its switch, and the port of its link to node 2. */
  readonly bridge: string
  readonly link: number
  readonly pid: number
  /** What the controller was started with. */
  readonly options: readonly string[]
  /** VNI of the red network. */
  readonly red: number
}

/** `label` says what it is for; a command may go over several lines. */
export type Trial = { readonly label: string; readonly command: readonly string[] }

export function trials({ directory, bridge, link, pid, options, red }: Place): readonly Trial[] {
  const socket = `unix:${directory}/n1/${bridge}.mgmt`
  const ofctl = (command: string, rest?: string) =>
    rest === undefined
      ? [`ovs-ofctl -O OpenFlow13 ${command} ${socket}`]
      : [`ovs-ofctl -O OpenFlow13 ${command} \\`, `  ${socket} \\`, `  '${rest}'`]
  return [
    { label: 'Look at the flows of node 1:', command: ofctl('dump-flows') },
    {
      label: 'Take one out. red-2 -> red-1 turns MISSING, until the controller repairs it (some 5 s):',
      command: ofctl('--strict del-flows', `table=0,priority=100,in_port=${link},tun_id=${red}`),
    },
    {
      label: 'Put a wrong one in. red-1 -> blue-1 turns LEAK, until the controller repairs it:',
      command: ofctl('add-flow', `table=0,priority=500,in_port=1,actions=output:2,write_metadata:${red},goto_table:1`),
    },
    { label: 'Kill the controller. Frames flow on, but nothing is repaired:', command: [`kill -9 ${pid}`] },
    {
      label: 'Start it again, in the folder of this project:',
      command: [
        `npm start -- ${options.slice(0, 4).join(' ')} \\`,
        `  ${options.slice(4, 6).join(' ')} \\`,
        `  ${options.slice(6).join(' ')}`,
      ],
    },
  ]
}

/** At most 100 characters a line, if the folder's path is not unusually long. */
export function guide(place: Place): string[] {
  const { base, directory } = place
  return [
    `  URLs to try   curl -H @${directory}/auth ${base}/v1/networks`,
    '                also /v1/nodes, /v1/mesh, /v1/switches, /v1/links, /metrics, /openapi.json',
    '',
    '  To try in another root shell:',
    ...trials(place).flatMap(({ label, command }) => ['', `  ${label}`, ...command.map(line => `    ${line}`)]),
    '',
    '  Each second everybody (rows) sends a broadcast, and a frame to each other one (columns).',
    '  The table says what really arrived there:',
    '',
    '    as wanted:  once     each of them, exactly once       -     nothing',
    '    wrong:      MISSING  not all of them                  LEAK  something, from another network',
    '                TWICE    a copy too many                  ECHO  what it had sent itself',
    '',
    '  Ctrl-C ends it, and takes everything away.',
  ]
}
