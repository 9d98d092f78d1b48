/** What somebody who watches may try: commands that work as they stand in another root shell. Pure. */

export type Place = {
  /** HTTP base address of the controller. */
  readonly base: string
  /** The mesh's scratch folder. */
  readonly directory: string
  readonly pid: number
  /** What the controller was started with. */
  readonly options: readonly string[]
  /** VNI of the red network. */
  readonly red: number
}

/** `label` says what it is for; a command may go over two lines. */
export type Trial = { readonly label: string; readonly command: readonly string[] }

export function trials({ directory, pid, options, red }: Place): readonly Trial[] {
  const bridge = `unix:${directory}/n1/br-l2.mgmt`
  const ofctl = (command: string, rest?: string) =>
    rest === undefined
      ? [`ovs-ofctl -O OpenFlow13 ${command} ${bridge}`]
      : [`ovs-ofctl -O OpenFlow13 ${command} ${bridge} \\`, `  '${rest}'`]
  return [
    { label: 'The flows of node 1:', command: ofctl('dump-flows') },
    {
      label: 'Take one out: red-2 -> red-1 turns MISSING, until the controller repairs it (5 s at most):',
      command: ofctl('--strict del-flows', `table=0,priority=100,in_port=10002,tun_id=${red}`),
    },
    {
      label: 'Put a wrong one in: red-1 -> blue-1 turns LEAK, until the controller repairs it:',
      command: ofctl('add-flow', `table=0,priority=500,in_port=1,actions=output:2,write_metadata:${red},goto_table:1`),
    },
    { label: 'Kill the controller: nothing is lost.', command: [`kill -9 ${pid}`] },
    {
      label: 'Start it again, in this folder:',
      command: [`npm start -- ${options.slice(0, -2).join(' ')} \\`, `  ${options.slice(-2).join(' ')}`],
    },
  ]
}

export function guide(place: Place): string[] {
  const { base } = place
  return [
    `  The controller's REST API:  ${base}/v1/networks  /v1/switches  /v1/links`,
    `                 its OpenAPI: ${base}/openapi.json`,
    `                 its metrics: ${base}/metrics`,
    '',
    '  To try in another root shell:',
    ...trials(place).flatMap(({ label, command }) => ['', `  ${label}`, ...command.map(line => `    ${line}`)]),
    '',
    '  The table: rows send, columns receive. Each second everybody sends a broadcast, and a frame to each of the others;',
    '  a cell says what really arrived.',
    '',
    '    as wanted   once     each arrived exactly once       -      nothing arrived',
    '    wrong       MISSING  something did not arrive        LEAK   something came through from another network',
    '                TWICE    a copy too many                 ECHO   a frame came back to its sender',
    '',
    '  Ctrl-C ends it, and takes everything away.',
  ]
}
