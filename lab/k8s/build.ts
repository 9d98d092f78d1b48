// Builds what the tests on a real API server need: `node lab/k8s/build.ts [NAME...]`. What is built is kept outside the tree.
import { type Binary, binary, build, forNodes, forTests, goIsThere, missing } from './binaries.ts'

const asked = process.argv.slice(2)
const standard = asked[0] === '--nodes' ? [...forTests, ...forNodes] : forTests
const names = asked.length > 0 && asked[0] !== '--nodes' ? (asked as Binary[]) : standard
if (missing(names).length > 0 && !goIsThere())
  console.error(
    `\nGo is not there: ${missing(names).join(', ')} can't be built, and ALL TESTS ON A REAL API SERVER WILL BE SKIPPED. Install Go 1.25 or newer.\n`,
  )
else
  for (const name of missing(names)) {
    console.log(`building ${name} (once; it takes minutes) ...`)
    await build(name)
    console.log(`${name} is ${binary(name)}`)
  }
