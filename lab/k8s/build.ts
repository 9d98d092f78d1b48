// What tests on a real API server need: `node lab/k8s/build.ts [NAME...]` builds it, and keeps it outside the tree. With `--nodes`: what nodes
// with kubelets need besides, of which Debian's part is installed.
import { ensureInstalled } from '../install.ts'
import { type Binary, binary, build, forNodes, forTests, goIsThere, missing } from './binaries.ts'
import { nodeTools } from './tools.ts'

const asked = process.argv.slice(2)
const withNodes = asked[0] === '--nodes'
const names = withNodes ? [...forTests, ...forNodes] : asked.length > 0 ? (asked as Binary[]) : forTests

if (withNodes)
  await ensureInstalled({ say: line => console.log(line), more: nodeTools }).catch((error: Error) =>
    console.error(`\n${error.message}: ALL TESTS ON NODES WITH KUBELETS WILL BE SKIPPED.\n`),
  )
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
