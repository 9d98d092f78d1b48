import t from 'tap'
import { catalogue, type Row } from '../../../api/http/catalogue.ts'
import { problem } from '../../../api/http/problems.ts'

const rows: readonly (readonly [string, Row])[] = Object.entries(catalogue)

t.test('every problem has a status of HTTP, a title and a sentence, and no two have one code', async t => {
  for (const [code, { status, title, sentence, hint }] of rows) {
    t.match(code, /^[a-z]+(-[a-z]+)*$/)
    t.ok(status >= 400 && status < 600, code)
    t.match(title, /^[A-Z].*[^.]$/, code)
    t.match(sentence('a', 'b', 'c', 'd'), /./, code)
    t.notMatch(hint ?? '', /^[A-Z](?!ET|UT)|\.$/, `${code}: a hint goes on where the sentence ended`)
  }
})

t.test('a conflict says what to do about it', async t => {
  const silent = rows.filter(([, { status, hint }]) => status === 409 && hint === undefined)
  // What there is to do stands in the sentence: another address, or fewer nodes.
  t.same(
    silent.map(([code]) => code),
    ['address-taken', 'address-families', 'too-many-nodes'],
  )
})

t.test('a problem is the row, the sentence about this time, and where in the request it is', async t => {
  t.same(problem('bad-length', [], { where: 'header/content-length' }).problem, {
    type: 'urn:problem-type:l2sm:bad-length',
    title: 'The length of the body is wrong',
    status: 400,
    detail: 'the body is not as long as its Content-Length',
    hint: 'send the number of bytes, or leave the header out',
    where: 'header/content-length',
  })
})
