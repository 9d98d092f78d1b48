import { parseArgs } from 'node:util'
import { aborted, createLog, type ExitCode } from './controller.ts'

export const namesHelp = `usage: l2sm names --file FILE [--kubeconfig FILE]

Keeps a hosts file with the names of pods in their networks, POD.NETWORK.NAMESPACE.l2sm, for CoreDNS's plugin "hosts" beside it.
POD is the pod's label l2sm/app, or its own name; a pod that has no address of a network has no name in it.

  --file FILE            the hosts file; it is replaced as a whole when a name comes or goes
  --kubeconfig FILE      how to reach the API server; in a pod its own service account, else as kubectl finds it
  --help                 this text
`

const options = { file: { type: 'string' }, kubeconfig: { type: 'string' } } as const

type Asked = {
  readonly argv: readonly string[]
  readonly stop: AbortSignal
  readonly complain: (line: string) => void
}

/** `l2sm names`: runs until `stop`, and answers the exit code; 2: it was asked for wrongly. */
export const runNames = async ({ argv, stop, complain }: Asked): Promise<ExitCode> => {
  const wrong = (why: string): ExitCode => {
    complain(`l2sm names: ${why}`)
    complain('l2sm names --help tells more')
    return 2
  }
  let values: { readonly file?: string; readonly kubeconfig?: string }
  try {
    values = parseArgs({ args: [...argv], options }).values
  } catch (error) {
    return wrong((error as Error).message)
  }
  const { file, kubeconfig } = values
  if (file === undefined) return wrong('there is no file: give --file FILE')
  const log = await createLog('info')
  try {
    const [{ connect }, { keepNames }] = await Promise.all([
      import('../operator/kube/api.ts'),
      import('../operator/names/names.ts'),
    ])
    const api = connect(kubeconfig)
    const names = keepNames({ api, file, log })
    void names.written.then(() => log.info({ file }, 'ready'))
    await aborted(stop)
    await names.close()
    api.close()
    return 0
  } catch (error) {
    complain(`l2sm names: ${(error as Error).message}`)
    return 1
  }
}
