/**
 * Foreign and malformed identities, shown to a real sidecar and a real gateway: those of RELIABILITY.md 0.3 and more. East and west are
 * trust domains of one federation, and either's authority may have been stolen: it must not speak for the other.
 */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { ExtendedKeyUsage, Extension, type JsonGeneralName, KeyUsageFlags, PemConverter } from '@peculiar/x509';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Forgery, forge, forgeIssuer, forgeRoot, type Issuer, uri, uriHosts } from '../kit/forge.ts';
import { type App, startApp } from './kit/app.ts';
import { Mesh } from './kit/mesh.ts';
import { ask, askTunnel } from './kit/peer.ts';
import { createTrustDomain, type Identity } from './kit/pki.ts';
import { until } from './kit/until.ts';

const [SERVER, GATEWAY] = ['127.83.4.11', '127.83.4.1'] as const;
const HOST = 'ratings.bookinfo.svc.clusterset.local';
const headers = { ':method': 'GET', ':path': '/', ':authority': HOST };
const [EAST, WEST] = ['spiffe://east.hawser/ns/x/sa/y', 'spiffe://west.hawser/ns/x/sa/y'] as const;

let mesh: Mesh;
let app: App;
let east: Issuer;
let stranger: Issuer;

beforeAll(async () => {
  mesh = await Mesh.start([{ name: 'east' }, { name: 'west', gateways: [`${GATEWAY}:15443`] }]);
  mesh.service('bookinfo/ratings', 'west', { endpoints: [{ address: SERVER }] });
  app = await startApp('ratings', SERVER);
  await mesh.sidecar('west', SERVER, 'bookinfo/ratings');
  await mesh.gateway('west', GATEWAY);
  east = mesh.domain('east').issuer;
  stranger = await forgeRoot('east.hawser');
  const member = await forge(east, { names: [uri(EAST)] });
  await until(
    async () => (await tries(member)).every((answer) => answer === 200),
    () => `a member is not let in: ${mesh.nacks.join()}`,
  );
}, 90_000);

afterAll(async () => {
  await mesh?.stop();
  await app?.crash();
});

/** What a sidecar and a gateway answer to an identity. */
async function tries(identity: Identity | undefined): Promise<(number | 'refused')[]> {
  return Promise.all([
    ask({ address: SERVER, port: 15006, identity, servername: '80.ratings.bookinfo', headers }),
    askTunnel(GATEWAY, identity, { authority: `${HOST}:80`, endpoint: `${SERVER}:15006` }),
  ]);
}

/** A leaf of east's own authority. */
const ofEast = (forgery: Forgery): Promise<Identity> => forge(east, forgery);
const named = (...names: readonly string[]): Promise<Identity> => ofEast({ names: names.map(uri) });
const below = async (between: Forgery, leaf: Forgery = { names: [uri(EAST)] }): Promise<Identity> =>
  forge(await forgeIssuer(east, { ca: true, ...between }), leaf);
const dns = (value: string): JsonGeneralName => ({ type: 'dns', value });
const RSA_1024 = { name: 'RSASSA-PKCS1-v1_5', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' } as const;

const FOREIGN: readonly (readonly [string, () => Promise<Identity | undefined>])[] = [
  ['no certificate', async () => undefined],
  ['an identity of the federation, by a root of the same name', () => forge(stranger, { names: [uri(EAST)] })],
  ['an identity of the federation, by another member’s authority', () => ofEast({ names: [uri(WEST)] })],
  ['the server’s own identity, by another member’s authority', () => named('spiffe://west.hawser/ns/bookinfo/sa/ratings')],
  [
    'a trust domain that is no member',
    async () => (await createTrustDomain('stranger.hawser')).issue('spiffe://stranger.hawser/ns/x/sa/y'),
  ],
  ['a self-signed leaf', selfSigned],
  ['a look-alike trust domain', () => named('spiffe://east.hawser.evil.com/ns/x/sa/y')],
  ['a trust domain that the member’s begins with', () => named('spiffe://east.hawse/ns/x/sa/y')],
  ['a trust domain in capitals', () => named('spiffe://EAST.hawser/ns/x/sa/y')],
  ['another scheme', () => named('https://east.hawser/ns/x/sa/y')],
  ['the scheme in capitals', () => named('SPIFFE://east.hawser/ns/x/sa/y')],
  ['a user in front of the trust domain', () => named('spiffe://me@east.hawser/ns/x/sa/y')],
  ['a port behind the trust domain', () => named('spiffe://east.hawser:443/ns/x/sa/y')],
  ['no path', () => named('spiffe://east.hawser')],
  ['an empty path', () => named('spiffe://east.hawser/')],
  ['a slash at the end', () => named(`${EAST}/`)],
  ['an empty segment', () => named('spiffe://east.hawser/ns//sa/y')],
  ['a dot as a segment', () => named('spiffe://east.hawser/ns/./sa/y')],
  ['dots that lead out', () => named('spiffe://east.hawser/../west.hawser/ns/x/sa/y')],
  ['an escaped slash', () => named('spiffe://east.hawser/ns%2fx/sa/y')],
  ['a query', () => named(`${EAST}?sa=admin`)],
  ['a fragment', () => named(`${EAST}#admin`)],
  ['a blank', () => named('spiffe://east.hawser/ns/x/sa/y z')],
  ['a comma and another identity behind it', () => named(`${EAST},${WEST}`)],
  ['a line feed and another identity behind it', () => named(`${EAST}\n${WEST}`)],
  ['a NUL and another identity behind it', () => named(`${EAST}\0${WEST}`)],
  ['two identities of one trust domain', () => named(EAST, 'spiffe://east.hawser/ns/x/sa/z')],
  ['two identities, the second of another member', () => named(EAST, WEST)],
  ['two identities, the first of another member', () => named(WEST, EAST)],
  ['one identity twice', () => named(EAST, EAST)],
  ['an identity and another URI', () => named(EAST, 'https://east.hawser/')],
  ['no name', () => ofEast({})],
  ['a DNS name that reads like an identity', () => ofEast({ names: [dns(EAST)] })],
  ['an e-mail address that reads like an identity', () => ofEast({ names: [{ type: 'email', value: EAST }] })],
  ['an authority as a leaf', () => ofEast({ names: [uri(EAST)], ca: true })],
  ['the member’s root itself', () => asLeaf(east)],
  [
    'a leaf that may sign certificates',
    () => ofEast({ names: [uri(EAST)], keyUsage: KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature }),
  ],
  [
    'a leaf that may sign revocation lists',
    () => ofEast({ names: [uri(EAST)], keyUsage: KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature }),
  ],
  ['a leaf without key usage', () => ofEast({ names: [uri(EAST)], keyUsage: null })],
  ['a leaf that may not sign', () => ofEast({ names: [uri(EAST)], keyUsage: KeyUsageFlags.keyAgreement })],
  ['expired an hour ago', () => ofEast({ names: [uri(EAST)], from: -2, until: -1 })],
  ['not valid before an hour', () => ofEast({ names: [uri(EAST)], from: 1, until: 2 })],
  [
    'an extension that nobody knows, and that is critical',
    () => ofEast({ names: [uri(EAST)], extra: [new Extension('1.2.3.4.5', true, new Uint8Array([5, 0]))] }),
  ],
  ['issued by a leaf', async () => forge(await forgeIssuer(east, { names: [uri(EAST)] }), { names: [uri(EAST)] })],
  ['issued by an authority that may not sign', () => below({ keyUsage: KeyUsageFlags.digitalSignature })],
  [
    'issued below an authority that may have none below it',
    async () => {
      const last = await forgeIssuer(east, { ca: true, pathLength: 0 });
      return forge(await forgeIssuer(last, { ca: true }), { names: [uri(EAST)] });
    },
  ],
  ['issued by an authority for other names', () => below({ extra: [uriHosts({ permitted: ['west.hawser'] })] })],
  ['issued by an authority whose own time is over', () => below({ from: -2, until: -1 })],
  [
    'issued by an authority that is not sent along',
    async () => {
      const between = await forgeIssuer(east, { ca: true });
      return forge({ ...between, chain: '' }, { names: [uri(EAST)] });
    },
  ],
  ['a signature that was altered', async () => altered(await ofEast({ names: [uri(EAST)] }))],
];

async function selfSigned(): Promise<Identity> {
  return asLeaf(await forgeRoot('self', { ca: false, names: [uri(EAST)] }));
}

/** An issuer's own certificate, shown as a leaf. */
async function asLeaf({ certificate, keys }: Issuer): Promise<Identity> {
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { certificate: certificate.toString('pem'), key };
}

/** The last byte of the signature is another. */
function altered({ certificate, key }: Identity): Identity {
  const [bytes] = PemConverter.decode(certificate);
  const changed = Buffer.from(bytes ?? new ArrayBuffer(0));
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  return { certificate: PemConverter.encode(changed, 'CERTIFICATE'), key };
}

test('none of them gets through', async () => {
  const through: string[] = [];
  for (const [what, identity] of FOREIGN) {
    const answers = await tries(await identity());
    if (answers.some((answer) => answer !== 'refused')) through.push(`${what}: ${answers.join(', ')}`);
  }
  console.log(
    `identities: ${FOREIGN.length} foreign or malformed ones tried, each at a sidecar and a gateway; ${through.length} got through`,
  );
  expect(through).toEqual([]);
}, 120_000);

test('what Envoy cannot see is nobody else for it: weak leaves of a member’s own authority, which Hawser’s never makes', async () => {
  const unseen = [
    await ofEast({ names: [uri(EAST)], signedWith: 'SHA-1' }),
    await ofEast({ names: [uri(EAST)], algorithm: RSA_1024 }),
    await ofEast({ names: [uri(EAST)], extendedKeyUsage: [ExtendedKeyUsage.emailProtection] }),
  ];
  for (const identity of unseen) expect(await tries(identity)).toEqual([200, 200]);
  const ofOthers = await forge(stranger, { names: [uri(EAST)], algorithm: RSA_1024 });
  expect(await tries(ofOthers)).toEqual(['refused', 'refused']);
});

test('what SPIFFE allows is let in', async () => {
  const allowed = [
    await ofEast({ names: [uri(EAST), dns('y.x.svc')] }),
    await ofEast({ names: [uri(EAST)], extendedKeyUsage: null }),
    await ofEast({ names: [uri('spiffe://east.hawser/any.path/.of_it/...')] }),
    await below({ pathLength: 0, extra: [uriHosts({ permitted: ['east.hawser'] })] }),
  ];
  for (const identity of allowed) expect(await tries(identity)).toEqual([200, 200]);
});
