// A real OpenID Connect provider for tests: one client, any account. Prints its address, and ends when its input does.
//
// node provider.mjs REDIRECT_URI [PORT] [ALG] [claims-in-id-token]

import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'

// It warns that it is not set up for production, which is true.
console.warn = () => undefined

const resolve = createRequire(new URL('../../../../web/package.json', import.meta.url)).resolve
const { default: Provider } = await import(pathToFileURL(resolve('oidc-provider')))

const [redirectUri, port = '0', algorithm = 'RS256', ...flags] = process.argv.slice(2)

/** A fresh key each time, with an id of its own. */
function key() {
  const { privateKey } =
    algorithm === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: algorithm, use: 'sig' }
}

/** The account is named as whoever signs in says. A name with an @ is an address, and checked if it begins with "checked". */
function claims(id) {
  if (!id.includes('@')) return { sub: id, preferred_username: id }
  return { sub: id, email: id, email_verified: id.startsWith('checked') }
}

const server = createServer()
await new Promise((done) => server.listen(Number(port), '127.0.0.1', done))
const issuer = `http://127.0.0.1:${server.address().port}`
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'ginti',
      client_secret: 'a secret with: signs & a % of its own',
      redirect_uris: [redirectUri],
      id_token_signed_response_alg: algorithm,
    },
  ],
  jwks: { keys: [key()] },
  cookies: { keys: ['only for tests'] },
  claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: !flags.includes('claims-in-id-token'),
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => claims(id) }),
  features: { devInteractions: { enabled: true } },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
})
server.on('request', provider.callback())
console.log(issuer)
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
