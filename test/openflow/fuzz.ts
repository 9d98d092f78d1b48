// `npm run fuzz [-- INPUTS [SEED]]`: random damage to messages, and to flows in words, guided by what of the codec it makes run: an
// input that runs something new is damaged further. Of each, the laws of fuzz-laws.ts must hold, and none may take 10 ms of processor
// time. What it finds it prints (bytes as hex), to become a test; then it exits with 1.
import { type Look, watchCoverage } from './fuzz-coverage.ts'
import { damaged, damagedText, dice } from './fuzz-damage.ts'
import { entries, exact, flowText, lenient } from './fuzz-laws.ts'
import { flows } from './golden.ts'
import { allVectors } from './vectors.ts'

const inputs = Number(process.argv[2] ?? 10_000_000)
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31)
Error.stackTraceLimit = 0

const luck = dice(seed)
const coverage = watchCoverage()

/** An input, as it is printed, and its laws; `keep` makes it one to start from. */
type Made = { readonly words: string; run(): string | undefined; keep(): void }

const messages = allVectors()
  .map(vector => vector.bytes)
  .filter(bytes => bytes.length < 3000)
const texts = flows.map(([given]) => given)

function make(): Made {
  if (luck.below(16) === 0) {
    const text = damagedText(luck, luck.one(texts), luck.one(texts))
    return { words: JSON.stringify(text), run: () => flowText(text), keep: () => texts.push(text) }
  }
  const bytes = damaged(luck, luck.one(messages), luck.one(messages))
  return {
    words: bytes.toString('hex'),
    run: () => exact(bytes) ?? lenient(bytes) ?? entries(bytes),
    keep: () => bytes.length < 3000 && messages.push(bytes),
  }
}

/** What is wrong with it, if anything. */
function fault({ run }: Made): string | undefined {
  const start = performance.now()
  const wrong = attempt(run)
  if (wrong !== undefined) return wrong
  // The machine may have been busy elsewhere: slow is what is slow each time.
  return performance.now() - start > 10 && [1, 2, 3].every(() => took(run) > 10) ? 'takes more than 10 ms' : undefined
}

function attempt(run: () => string | undefined): string | undefined {
  try {
    return run()
  } catch (error) {
    return String(error)
  }
}

function took(run: () => unknown): number {
  const start = process.cpuUsage()
  attempt(run as () => string | undefined)
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000
}

/** Keeps those of a batch that make something run which never ran before: the batch is run again in halves. */
function keepFresh(batch: readonly Made[], seen: Look): void {
  if (!seen.news) return
  if (batch.length === 1) batch[0]!.keep()
  else
    for (const part of [batch.slice(0, batch.length >> 1), batch.slice(batch.length >> 1)]) {
      for (const { run } of part) attempt(run)
      keepFresh(part, coverage.look())
    }
  // Also what did not run the second time: it would be looked for again and again.
  seen.remember()
}

const batchSize = 2_000
const began = performance.now()
let done = 0
let findings = 0
let told = began

while (done < inputs && findings < 20) {
  const batch = Array.from({ length: Math.min(batchSize, inputs - done) }, make)
  for (const input of batch) {
    const wrong = fault(input)
    if (wrong === undefined) continue
    findings++
    console.log(`${wrong}: ${input.words}`)
  }
  done += batch.length
  keepFresh(batch, coverage.look())
  if (performance.now() - told > 60_000) {
    told = performance.now()
    console.log(progress())
  }
}
console.log(progress())
process.exitCode = findings === 0 ? 0 : 1

function progress(): string {
  const seconds = Math.round((performance.now() - began) / 1000)
  return `seed ${seed}: ${done} inputs in ${seconds} s; ${messages.length} messages and ${texts.length} texts to start from, ${coverage.size()} characters of source have run; ${findings} findings`
}
