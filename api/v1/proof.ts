import type { ProofAnswer } from '../../controller/view/proof.ts'
import * as schemas from '../contract/proof-schemas.ts'
import type { Wire } from '../contract/schemas.ts'
import type { App, Services } from '../http/services.ts'

export const proofRoutes = (app: App, { controller }: Services): void => {
  // One proof of each kind at a time: who asks meanwhile gets the same.
  const running = new Map<string, Promise<ProofAnswer>>()
  app.get(
    '/v1/proof',
    {
      schema: {
        tags: ['state'],
        summary: 'Whether networks are apart, for all frames whatever: proved, or a frame that shows that they are not',
        querystring: schemas.ProofQuery,
        response: { 200: schemas.ProofAnswer },
      },
    },
    async request => {
      const { tables = 'desired' } = request.query
      let proof = running.get(tables)
      if (!proof) {
        proof = controller.proof(tables).finally(() => running.delete(tables))
        running.set(tables, proof)
      }
      return (await proof) as Wire<typeof schemas.ProofAnswer>
    },
  )
}
