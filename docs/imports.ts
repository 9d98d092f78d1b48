// The import graph between folders, for docs/architecture.md.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { around, folders } from './folders.ts'

const root = new URL('..', import.meta.url).pathname

/** The longest folder with a sentence that a file lies in; undefined when none has. */
export function folderOf(file: string): string | undefined {
  for (let folder = dirname(file); folder !== '.'; folder = dirname(folder))
    if (folder in folders || folder in around) return folder
  return undefined
}

/** Files of ours, from the root of the project. */
export const sourceFiles = (): readonly string[] =>
  globSync('*/**/*.ts', { cwd: root, exclude: ['node_modules/**', 'dist/**', '.*/**'] })

/** Which folders each folder imports, types counted. */
export function importedFolders(): ReadonlyMap<string, ReadonlySet<string>> {
  const graph = new Map(Object.keys(folders).map(folder => [folder, new Set<string>()]))
  for (const file of sourceFiles()) {
    const from = folderOf(file)
    const imported = from === undefined ? undefined : graph.get(from)
    if (!imported) continue
    const text = readFileSync(join(root, file), 'utf8')
    for (const [, target] of text.matchAll(/^(?:import|export)\b[^'"]*?from ['"](\.[^'"]+\.ts)['"]/gm)) {
      const to = folderOf(normalize(join(dirname(file), target!)))
      if (to !== undefined && to !== from) imported.add(to)
    }
  }
  return graph
}

/** Every folder after all that import it. Throws where there is a circle. */
export function fromTheTop(graph: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const left = new Set(graph.keys())
  const order: string[] = []
  while (left.size > 0) {
    const next = [...left].find(folder => [...left].every(other => other === folder || !graph.get(other)!.has(folder)))
    if (next === undefined) throw new Error(`there is a circle of imports among ${[...left].join(', ')}`)
    left.delete(next)
    order.push(next)
  }
  return order
}

/** Of what a folder imports, what is not imported by another of these already: the lines that a drawing needs. */
export function direct(graph: ReadonlyMap<string, ReadonlySet<string>>, folder: string): readonly string[] {
  const below = (from: string, seen = new Set<string>()): ReadonlySet<string> => {
    for (const next of graph.get(from) ?? [])
      if (!seen.has(next)) {
        seen.add(next)
        below(next, seen)
      }
    return seen
  }
  const all = [...(graph.get(folder) ?? [])]
  return all.filter(it => !all.some(other => other !== it && below(other).has(it)))
}

/** The part of docs/architecture.md that `npm run docs` writes. */
export function foldersDocument(): string {
  const graph = importedFolders()
  const order = fromTheTop(graph)
  const rows = order.map(folder => {
    const imports = direct(graph, folder).toSorted((a, b) => order.indexOf(a) - order.indexOf(b))
    return `| \`${folder}/\` | ${folders[folder]} | ${imports.map(name => `\`${name}\``).join(', ') || 'nothing of ours'} |`
  })
  const others = Object.entries(around).map(([folder, holds]) => `| \`${folder}/\` | ${holds} | any |`)
  return ['| folder | holds | imports |', '| --- | --- | --- |', ...rows, ...others].join('\n')
}
