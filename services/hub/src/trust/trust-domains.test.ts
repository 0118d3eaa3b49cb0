/** TrustDomain over the API and in the roster, on a real database. */
import { readAuthority } from '@hawser/runtime/authority-certificate.ts';
import { decodeJoinToken, enrollProof, type JoinTokenPayload } from '@hawser/wire/enrolment.ts';
import { generateSigner, sign } from '@hawser/wire/signing.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorityCertificate, authorityKeys } from '../../../../test/kit/authority-certificates.ts';
import { startTestHub, type TestHub, UNKNOWN_FLEET } from '../../../../test/kit/hub-core.ts';
import { startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { place } from '../placement/place.ts';

let postgres: TestPostgres;
let hub: TestHub;
const ownedKeys = new Map<string, string>();
const BASE = '/apis/hawser.dev/v1alpha1';

beforeAll(async () => {
  postgres = await startTestPostgres();
  hub = await startTestHub(await postgres.database(), { fleet: { ...UNKNOWN_FLEET, keyOwner: (keyId) => ownedKeys.get(keyId) } });
});

afterAll(async () => {
  await hub.stop();
  await postgres.stop();
});

const domain = (name: string, spec: object) => ({ apiVersion: 'hawser.dev/v1alpha1', kind: 'TrustDomain', metadata: { name }, spec });
const make = (name: string, spec: object) => hub.call('POST', `${BASE}/trustdomains`, domain(name, spec));
const drop = (name: string) => hub.call('DELETE', `${BASE}/trustdomains/${name}`);

async function join(cluster: string): Promise<string> {
  const body = {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'JoinToken',
    metadata: { name: `${cluster}-${Date.now()}` },
    spec: { cluster, region: 'r' },
  };
  const { body: made } = await hub.call('POST', `${BASE}/jointokens`, body);
  const { secret } = decodeJoinToken(made.status?.token ?? '') as JoinTokenPayload;
  const signer = generateSigner();
  const request = { cluster, secret, signingKey: signer.publicKey, natsUser: `U${'A'.repeat(55)}` };
  const payload = { ...request, proof: Buffer.from(sign(enrollProof(request), signer)).toString('base64url') };
  const answer = await hub.core.app.inject({ method: 'POST', url: '/join/v1/enroll', payload });
  return answer.json().trustDomain ?? answer.json().message;
}

async function rosterOf(cluster: string) {
  const desired = await hub.core.readModel.snapshot();
  return { roster: place(desired).get(cluster)?.get('roster') as { members: { name: string }[]; external?: unknown }, desired };
}

const memberOf = async (cluster: string) => (await rosterOf(cluster)).roster.members.find(({ name }) => name === cluster);

describe('a TrustDomain', () => {
  it('decides which trust domain a cluster gets, when it joins and not after', async () => {
    expect((await make('prod.test', { clusters: ['one', 'two'], aliases: ['old.test'] })).code).toBe(201);
    expect(await join('one')).toBe('prod.test');
    expect(await join('plain')).toBe('plain.hawser');
    expect(await memberOf('one')).toMatchObject({ trustDomain: 'prod.test', aliases: ['old.test'] });
    const late = await make('late.test', { clusters: ['plain'] });
    expect(late).toMatchObject({ code: 422, body: { message: expect.stringContaining('which has joined as plain.hawser') } });
    expect(await make('other.test', { clusters: ['two'] })).toMatchObject({
      code: 422,
      body: { message: expect.stringContaining('the TrustDomain prod.test has already') },
    });
  });

  it('says whom its clusters believe; the one named default says it for those that do not', async () => {
    expect(await memberOf('plain')).not.toHaveProperty('federatesWith');
    expect((await make('default', { federatesWith: ['prod.test'] })).code).toBe(201);
    expect((await make('plain.hawser', { federatesWith: ['*'] })).code).toBe(201);
    expect(await memberOf('one')).toMatchObject({ federatesWith: ['prod.test'] });
    expect(await memberOf('plain')).not.toHaveProperty('federatesWith');
    expect(await make('default', { federatesWith: [], aliases: ['x.test'] })).toMatchObject({ code: 409 });
    const bad = await hub.call('PUT', `${BASE}/trustdomains/default`, domain('default', { clusters: ['one'] }));
    expect(bad).toMatchObject({
      code: 422,
      body: { message: expect.stringContaining('spec.clusters is not for the TrustDomain named default') },
    });
    await drop('default');
    await drop('plain.hawser');
    expect(await memberOf('one')).not.toHaveProperty('federatesWith');
  });

  it('is in the changes that a replica reads, as the roster of them', async () => {
    const { revision } = await hub.core.readModel.snapshot();
    await make('default', { federatesWith: [] });
    const changes = await hub.core.readModel.changesAfter(revision);
    expect(changes?.roster?.members.find(({ name }) => name === 'plain')).toMatchObject({ federatesWith: [] });
    await drop('default');
  });

  it('has names that are nobody else’s', async () => {
    expect(await make('alias.test', { aliases: ['prod.test'] })).toMatchObject({
      code: 422,
      body: { message: expect.stringContaining('a name of') },
    });
    expect(await make('alias.test', { aliases: ['old.test'] })).toMatchObject({ code: 422 });
    expect(await make('alias.test', { aliases: ['plain.hawser'] })).toMatchObject({
      code: 422,
      body: { message: expect.stringContaining('the cluster plain') },
    });
    expect(await make('alias.test', { aliases: ['alias.test'] })).toMatchObject({
      code: 422,
      body: { message: expect.stringContaining('its own name') },
    });
  });
});

describe('an external TrustDomain', () => {
  it('is in the roster, with the bundle that is believed until its endpoint was heard', async () => {
    const bootstrapBundle = await authorityCertificate('out');
    expect((await make('out.test', { source: { type: 'external', bootstrapBundle } })).code).toBe(201);
    expect((await rosterOf('plain')).roster.external).toEqual([{ name: 'out.test', trustBundle: [bootstrapBundle] }]);
    await drop('out.test');
    expect((await rosterOf('plain')).roster).not.toHaveProperty('external');
  });

  it('cannot be a trust domain of members, nor become one', async () => {
    const external = { source: { type: 'external', bootstrapBundle: await authorityCertificate('x') } };
    expect(await make('plain.hawser', external)).toMatchObject({
      code: 422,
      body: { message: expect.stringContaining('of the cluster plain') },
    });
    expect((await make('later.hawser', external)).code).toBe(201);
    expect(await join('later')).toContain('later.hawser is an external trust domain');
    await drop('later.hawser');
  });

  it('is refused for bundles with a bad certificate, none, or a key of a member', async () => {
    const external = (bootstrapBundle: string) => make('bad.test', { source: { type: 'external', bootstrapBundle } });
    const message = async (pem: string) => (await external(pem)).body.message;
    expect(await message('nonsense')).toContain('holds no certificate in PEM');
    expect(await message(await authorityCertificate('leaf', { ca: false }))).toContain('CA:FALSE');
    expect(await message(await authorityCertificate('weak', { rsaBits: 1024 }))).toContain('1024 bits');
    const keys = await authorityKeys();
    const stolen = await authorityCertificate('stolen', { keys });
    const read = readAuthority(stolen);
    if (!('problem' in read)) ownedKeys.set(read.keyId, 'plain.hawser');
    expect(await message(stolen)).toContain('holds a key that is an authority of plain.hawser');
  });
});

describe('a Cluster', () => {
  it('may be kept from exporting, which joining again does not undo', async () => {
    expect((await hub.call('PATCH', `${BASE}/clusters/plain`, { spec: { exports: { namespaces: ['shop'] } } })).code).toBe(200);
    expect(await memberOf('plain')).toMatchObject({ exportNamespaces: ['shop'] });
    await join('plain');
    expect(await memberOf('plain')).toMatchObject({ exportNamespaces: ['shop'] });
  });
});
