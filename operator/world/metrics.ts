import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What is counted. To add a metric: a row here, and where it happens `record.name...`. */
export const createMetrics = () => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const record = {
    admissions: new Counter({
      registers,
      name: 'l2sm_operator_admissions_total',
      help: 'Admission requests answered, by webhook and outcome',
      labelNames: ['webhook', 'outcome'] as const,
    }),
    admissionSeconds: new Histogram({
      registers,
      name: 'l2sm_operator_admission_seconds',
      help: 'How long an admission request took',
      labelNames: ['webhook'] as const,
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2],
    }),
    reconciles: new Counter({
      registers,
      name: 'l2sm_operator_reconciles_total',
      help: 'Reconciliations, by kind and outcome',
      labelNames: ['kind', 'outcome'] as const,
    }),
    lists: new Counter({
      registers,
      name: 'l2sm_operator_lists_total',
      help: 'Full lists of a collection: at the start, and when a watch could not go on',
      labelNames: ['collection'] as const,
    }),
    mirrorAge: new Gauge({
      registers,
      name: 'l2sm_operator_mirror_age_seconds',
      help: 'Time since the API server was last heard about a collection',
      labelNames: ['collection'] as const,
    }),
    claims: new Gauge({
      registers,
      name: 'l2sm_operator_claims',
      help: 'Claims that exist, by kind',
      labelNames: ['kind'] as const,
    }),
    leader: new Gauge({ registers, name: 'l2sm_operator_leader', help: '1 while this replica is the leader' }),
    programmedSeconds: new Histogram({
      registers,
      name: 'l2sm_operator_programmed_seconds',
      help: 'From the binding of a pod to its ports being programmed in the switches',
      buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60],
    }),
  }
  return { registry, record }
}
export type Record = ReturnType<typeof createMetrics>['record']
