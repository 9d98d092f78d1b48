import { refusals } from '../../store/refusals.ts'

/**
 * Every way in which this API can say no: code, HTTP status, a title that is the same each time, a sentence about this
 * time, and a hint that says what to do next. What is wrong with a specification stands in store/refusals.ts, as it is decided there.
 * To add one: a row here; then `throw problem('its-code', [...])` where it is found out.
 */
export const catalogue = {
  ...refusals,

  'bad-json': {
    status: 400,
    title: 'The body is not JSON',
    sentence: (why: string) => `the body is not JSON: ${why}`,
    hint: 'send one JSON object, in UTF-8',
  },
  'duplicate-key': {
    status: 400,
    title: 'A key occurs twice in one object',
    sentence: (key: string) => `the key ${key} occurs twice in one object`,
    hint: 'give it once',
  },
  'forbidden-key': {
    status: 400,
    title: 'This key is never accepted',
    sentence: () => 'the body has a key __proto__',
    hint: 'leave it out',
  },
  'bad-value': {
    status: 400,
    title: 'A value is not allowed',
    sentence: (where: string, got: string, expected: string) => `${where} cannot be ${got}: expected ${expected}`,
    hint: 'GET /openapi.json describes every field',
  },
  'wrong-field': {
    status: 400,
    title: 'A field does not fit the others',
    sentence: (where: string, why: string) => `${where}: ${why}`,
    hint: 'a vlink needs from, to and path; no other network has them',
  },
  'unknown-field': {
    status: 400,
    title: 'There is no such field',
    sentence: (field: string, where: string, expected: string) =>
      `there is no ${field} in ${where}: expected ${expected}`,
    hint: 'leave it out',
  },
  'reserved-name': {
    status: 400,
    title: 'The name is reserved',
    sentence: (name: string, why: string) => `a network cannot be called ${name} here: ${why}`,
    hint: 'give it another name, or create it with PUT /v1/networks/{network}',
  },
  'report-of-another-node': {
    status: 400,
    title: 'The report is about another node',
    sentence: (reported: string, node: string) =>
      `this report is about node ${reported}, and it was sent to node ${node}`,
    hint: 'start the agent with the name of its own node: --node',
  },
  'bad-path': {
    status: 400,
    title: 'The path cannot be read',
    sentence: () => 'the path has a percent sign without two hex digits of UTF-8 after it',
    hint: 'encode a percent sign as %25',
  },
  'bad-request': {
    status: 400,
    title: 'The request is not valid HTTP',
    sentence: (why: string) => `the request is not valid HTTP/1.1: ${why}`,
    hint: 'send it with an HTTP client such as curl',
  },
  'bad-length': {
    status: 400,
    title: 'The length of the body is wrong',
    sentence: () => 'the body is not as long as its Content-Length',
    hint: 'send the number of bytes, or leave the header out',
  },
  'header-twice': {
    status: 400,
    title: 'A header occurs twice',
    sentence: (name: string) => `the header ${name} occurs more than once`,
    hint: 'send it once',
  },
  'not-chunked': {
    status: 400,
    title: 'Transfer-Encoding does not exist in HTTP/1.0',
    sentence: () => 'the request is HTTP/1.0 and has a Transfer-Encoding (RFC 9112 §6.1)',
    hint: 'send HTTP/1.1, or a Content-Length',
  },

  unauthorized: {
    status: 401,
    title: 'A credential is needed',
    sentence: () => 'this address needs a credential',
    hint: 'send the header Authorization',
  },
  'wrong-credential': {
    status: 401,
    title: 'The credential is wrong',
    sentence: () => 'the credential is wrong',
    hint: 'check the token or the login, and that it is in the file that the controller was started with',
  },
  'no-token-set': {
    status: 401,
    title: 'The controller has no credential for this address',
    sentence: () => 'nobody may use this address: the controller listens beyond loopback and has no token',
    hint: 'start it with --token-file FILE or --credentials-file FILE',
  },
  'no-login-set': {
    status: 401,
    title: 'The controller has no login for the adapter',
    sentence: () => 'nobody may use the adapter: no login is set',
    hint: 'start the controller with --onos-auth-file FILE or --compat-auth',
  },
  forbidden: {
    status: 403,
    title: 'The credential does not allow this',
    sentence: (who: string, role: string, needed: string) =>
      `credential ${who} has the role ${role}: this call needs ${needed}`,
    hint: 'use another credential, or give this one the role in the file of --credentials-file',
  },
  'foreign-host': {
    status: 403,
    title: 'The controller was asked under another name',
    sentence: (host: string) => `this controller answers on loopback only, and was asked as ${host}`,
    hint: 'ask for 127.0.0.1, [::1] or localhost, or start the controller with --token-file FILE',
  },
  'foreign-origin': {
    status: 403,
    title: 'The request comes from a web page of another site',
    sentence: (origin: string) => `a web page of ${origin} may not use this controller`,
    hint: 'start the controller with --token-file FILE',
  },

  'no-route': {
    status: 404,
    title: 'There is nothing at this address',
    sentence: (path: string) => `there is nothing at ${path}`,
    hint: 'GET /openapi.json lists all addresses',
  },
  'unknown-attachment': {
    status: 404,
    title: 'The port is not in this network',
    sentence: (port: string, network: string, holder: string) =>
      `port ${port} is not in network ${network}: it is in ${holder}`,
    hint: 'GET /v1/networks/{network}/attachments lists the ports of a network',
  },
  'attached-by-tag': {
    status: 404,
    title: 'The port is in this network by a VLAN',
    sentence: (port: string, network: string, tags: string) =>
      `port ${port} is in network ${network} by VLAN ${tags}, and not untagged`,
    hint: 'ask for one VLAN of the port: ?vlan=TAG',
  },
  'unknown-switch': {
    status: 404,
    title: 'No such switch',
    sentence: (dpid: string) => `switch ${dpid} has not connected since the controller started`,
    hint: 'GET /v1/switches lists all switches; point this one at an address of --openflow',
  },
  'unknown-port': {
    status: 404,
    title: 'The switch has no port of this name',
    sentence: (dpid: string, name: string, has: string) => `switch ${dpid} has no port ${name}: it has ${has}`,
    hint: 'GET /v1/switches/{dpid} lists names and numbers; a number may be given before the switch has that port',
  },
  'port-name-not-known': {
    status: 404,
    title: 'The ports of the switch are not known',
    sentence: (dpid: string, name: string) =>
      `which port of switch ${dpid} is called ${name} is not known: the switch is not connected`,
    hint: 'give the number of the port, or wait until the switch is connected',
  },
  'unknown-link': {
    status: 404,
    title: 'There is no such link',
    sentence: (from: string, to: string) => `there is no link from ${from} to ${to}`,
    hint: 'GET /v1/links lists all links; PUT to this address declares this one',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The address does not allow this method',
    sentence: (method: string, path: string, allow: string) => `${path} does not allow ${method}: expected ${allow}`,
    hint: 'GET /openapi.json lists the methods of all addresses',
  },
  timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    sentence: () => 'the request did not arrive completely within 8 s',
    hint: 'send it again',
  },
  'switch-connected': {
    status: 409,
    title: 'The switch is connected',
    sentence: (dpid: string) => `switch ${dpid} is connected, and would be known again at once`,
    hint: 'take the address of the controller from it first: ovs-vsctl del-controller BRIDGE',
  },
  'port-name-ambiguous': {
    status: 409,
    title: 'Several ports of the switch have this name',
    sentence: (dpid: string, name: string, ports: string) =>
      `switch ${dpid} has several ports called ${name}: ${ports}`,
    hint: 'give the number of the port',
  },
  'takeover-refused': {
    status: 409,
    title: 'The switch cannot be taken over now',
    sentence: (why: string) => why,
    hint: 'GET /v1/switches/{dpid} tells its state',
  },
  'too-large': {
    status: 413,
    title: 'The body is too large',
    sentence: () => 'the body is larger than 1 MiB',
    hint: 'send at most 1048576 bytes',
  },
  'too-deep': {
    status: 413,
    title: 'The body is nested too deeply',
    sentence: (most: string) => `the body is nested more than ${most} deep`,
    hint: 'no body of this API is more than 3 deep',
  },
  'too-many-keys': {
    status: 413,
    title: 'The body has too many different keys',
    sentence: (most: string) => `the body has more than ${most} different keys`,
    hint: 'no body of this API has more than 50',
  },
  'bad-media-type': {
    status: 415,
    title: 'Bodies are JSON',
    sentence: () => 'the body is not declared as JSON',
    hint: "send the header Content-Type: application/json; with curl, -H 'Content-Type: application/json'",
  },
  'bad-encoding': {
    status: 415,
    title: 'The encoding of the body is not supported',
    sentence: (got: string) => `the body has the Content-Encoding ${got}: expected none`,
    hint: 'send the body uncompressed',
  },
  'too-many-failures': {
    status: 429,
    title: 'Too many wrong credentials',
    sentence: (address: string) => `too many wrong credentials came from ${address}`,
    hint: 'the header Retry-After says when to try again',
  },
  'too-many-streams': {
    status: 503,
    title: 'Too many clients follow events',
    sentence: (most: number) => `${most} clients follow events already`,
    hint: 'end one of them, or ask for GET /v1/events without text/event-stream now and then',
  },
  'too-many-traces': {
    status: 503,
    title: 'Too many traces at once',
    sentence: (most: number) => `${most} frames are being traced already`,
    hint: 'ask again in a second',
  },
  'headers-too-large': {
    status: 431,
    title: 'The request line and its headers are too large',
    sentence: () => 'the request line and its headers are larger than 16 KiB',
    hint: 'send less',
  },
  internal: {
    status: 500,
    title: 'The controller made a mistake',
    sentence: () => 'the controller made a mistake; a GET tells whether a write was kept',
    hint: 'the log of the controller says more; please report it with that',
  },
  'not-removed': {
    status: 503,
    title: 'A switch keeps the flows of another store',
    sentence: (what: string, dpid: string) =>
      `${what} was not removed from switch ${dpid}: it holds the flows of another store, and keeps them`,
    hint: 'PUT /v1/state {"complete": true} says that this store is complete: then they are removed',
  },
  'store-unavailable': {
    status: 503,
    title: 'The store cannot write',
    sentence: (why: string) => `nothing was changed: ${why}`,
    hint: 'look at the disk of --store and at the log of the controller, then ask again',
  },
  'store-read-only': {
    status: 503,
    title: 'The store cannot write',
    sentence: (why: string) => `nothing was changed: ${why}`,
    hint: 'make the file of --store and its folder writable, then ask again',
  },
  'store-diverged': {
    status: 503,
    title: 'Another program wrote to the store',
    sentence: (why: string) => `nothing was changed: ${why}`,
    hint: 'end the other program and restart the controller',
  },
  'store-closed': {
    status: 503,
    title: 'The controller is stopping',
    sentence: (why: string) => `nothing was changed: ${why}`,
    hint: 'ask again when it is back',
  },
  'store-full': {
    status: 507,
    title: 'The disk of the store is full',
    sentence: (why: string) => `nothing was changed: ${why}`,
    hint: 'free space on the disk of --store, then ask again',
  },
} as const satisfies { readonly [code: string]: Row }

export type Row = {
  readonly status: number
  readonly title: string
  readonly sentence: (...about: any[]) => string
  readonly hint?: string
}

export type ProblemCode = keyof typeof catalogue
/** What the sentence of a problem is about. */
export type About<Code extends ProblemCode> = Parameters<(typeof catalogue)[Code]['sentence']>
