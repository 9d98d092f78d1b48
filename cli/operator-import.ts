import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { createClient } from '../api/contract/client.ts'
import { url } from './agent-options.ts'
import { readCredentials } from './credentials.ts'

export const importHelp = `usage: l2sm import --controller URL [options]

Takes over a living cluster of today's L2S-M: reads which pod is in which network, by which port, from what its operator left
(annotations of pods, NetworkAttachmentDefinitions), tells the controller, and makes claims for the operator of l2sm. No pod is
restarted. Stop today's operator before; or keep it, and swap the controller only: --keep-operator.

  --dry-run              show what would be attached, and change nothing
  --controller URL       the controller's HTTP, such as http://192.0.2.1:8181
  --token-file FILE      the controller's bearer token
  --kubeconfig FILE      how to reach the API server; in a pod its own service account, else as kubectl finds it
  --provider NAME        whose switches they are, of which their datapath ids are made [default: as each Overlay says]
  --keep-operator        networks keep their bare names, as today's operator calls them; no claims are made
  --help                 this text

Exits with 1 when something could not be taken over; it may be run again.
`

const options = {
  'dry-run': { type: 'boolean', default: false },
  'keep-operator': { type: 'boolean', default: false },
  controller: { type: 'string' },
  'token-file': { type: 'string' },
  kubeconfig: { type: 'string' },
  provider: { type: 'string' },
} as const

type Surroundings = {
  readonly argv: readonly string[]
  readonly say: (line: string) => void
  readonly complain: (line: string) => void
}

/** `l2sm import`: answers the exit code; 2: it was asked for wrongly. */
export const runImport = async ({ argv, say, complain }: Surroundings): Promise<number> => {
  const wrong = (why: string) => {
    complain(`l2sm: ${why}`)
    complain('l2sm import --help tells more')
    return 2
  }
  try {
    const { values } = parseArgs({ args: [...argv], options })
    const place = url(values.controller ?? '')
    if (!('value' in place)) return wrong(`controller: expected ${place.expected}`)
    const asked = { 'token-file': values['token-file'], 'onos-auth-file': undefined, 'compat-auth': false }
    const { credentials, faults } = await readCredentials(asked, path => readFile(path, 'utf8'))
    if (faults.length > 0) return wrong(faults.join('; '))
    const [{ connect }, { importCluster }] = await Promise.all([
      import('../operator/kube/api.ts'),
      import('../operator/import.ts'),
    ])
    const api = connect(values.kubeconfig)
    const controller = createClient({ url: place.value, token: credentials.token })
    try {
      const missed = await importCluster({
        ...{ api, controller, say, provider: values.provider },
        ...{ keepsOperator: values['keep-operator'], isDry: values['dry-run'] },
      })
      return missed > 0 ? 1 : 0
    } finally {
      api.close()
      controller.close()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) return wrong((error as Error).message)
    complain(`l2sm: ${(error as Error).message}`)
    return 1
  }
}
