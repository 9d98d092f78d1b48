/** Label selectors (metav1.LabelSelector). Pure. */

import type { Selector } from '../kube/objects.ts'

type Labels = Readonly<Record<string, string>>

/** An empty selector matches all. An operator that is unknown matches nothing: what is not understood must move no pod. */
export const selects = ({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels = {}): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key]
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value)
      case 'NotIn':
        return value === undefined || !values.includes(value)
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
      default:
        return false
    }
  })
