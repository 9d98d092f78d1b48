import { type Binary, binary, build, forTests, goIsThere, missing } from './binaries.ts'

// Builds what the tests on a real API server need: `node lab/k8s/build.ts [NAME...]`.
const names = process.argv.length > 2 ? (process.argv.slice(2) as Binary[]) : forTests
if (missing(names).length && !goIsThere()) {
  console.error(
    `Go is not there, and ${missing(names).join(', ')} can't be built without it. Install Go 1.25 or newer.`,
  )
  process.exitCode = 1
} else
  for (const name of missing(names)) {
    console.log(`building ${name} ...`)
    await build(name)
    console.log(`${name} is ${binary(name)}`)
  }
