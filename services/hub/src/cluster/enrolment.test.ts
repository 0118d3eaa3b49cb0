import {
  decodeJoinToken,
  type EnrollRequest,
  enrollProof,
  type JoinTokenPayload,
  type Membership,
  renewProof,
} from '@hawser/wire/enrolment.ts';
import { generateSigner, type Signer, sign } from '@hawser/wire/signing.ts';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHub, type TestHub } from '../../../../test/kit/hub-core.ts';
import { startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';

let postgres: TestPostgres;
let hub: TestHub;
let dsn: string;
let busDown = false;
const natsUser = `U${'A'.repeat(55)}`;
const TOKENS = '/apis/hawser.dev/v1alpha1/jointokens';
const CLUSTERS = '/apis/hawser.dev/v1alpha1/clusters';

beforeAll(async () => {
  postgres = await startTestPostgres();
  dsn = await postgres.database();
  hub = await startTestHub(dsn, {
    issueNatsCredentials: async ({ cluster }) => {
      if (busDown) throw new Error('no bus');
      return { jwt: `jwt-of-${cluster}`, expiresAt: '2030-01-01T00:00:00Z', urls: ['nats://127.0.0.1:4222'] };
    },
  });
});
afterAll(async () => {
  await hub.stop();
  await postgres.stop();
});

let counter = 0;
async function makeToken(spec: object): Promise<{ readonly name: string; readonly payload: JoinTokenPayload; readonly text: string }> {
  counter += 1;
  const name = `token-${counter}`;
  const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'JoinToken', metadata: { name }, spec: { region: 'us-east', ...spec } };
  const created = await hub.call('POST', TOKENS, body);
  expect(created.code).toBe(201);
  const text = created.body.status?.token ?? '';
  return { name, text, payload: decodeJoinToken(text) as JoinTokenPayload };
}

async function enroll(cluster: string, secret: string, signer: Signer = generateSigner(), changes: Partial<EnrollRequest> = {}) {
  const request = { cluster, secret, signingKey: signer.publicKey, natsUser };
  const proof = Buffer.from(sign(enrollProof(request), signer)).toString('base64url');
  return post('/join/v1/enroll', { ...request, proof, ...changes });
}

async function renew(signer: Signer, cluster: string, epoch: number, at = new Date()) {
  const request = { cluster, epoch, natsUser, at: at.toISOString() };
  return post('/join/v1/renew', { ...request, proof: Buffer.from(sign(renewProof(request), signer)).toString('base64url') });
}

async function post(
  url: string,
  payload: object,
): Promise<{ readonly code: number; readonly body: Membership & { readonly reason?: string; readonly message?: string } }> {
  const answer = await hub.core.app.inject({ method: 'POST', url, payload });
  return { code: answer.statusCode, body: answer.json() };
}

describe('joining', () => {
  it('makes a member with the place and labels of its token', async () => {
    const { payload, name } = await makeToken({ cluster: 'alpha', zone: 'a', provider: 'aws', labels: { tier: 'gold' } });
    expect(payload).toMatchObject({ v: 1, hub: 'http://127.0.0.1:8080', cluster: 'alpha' });
    const signer = generateSigner();
    const joined = await enroll('alpha', payload.secret, signer);
    expect(joined).toMatchObject({
      code: 200,
      body: { cluster: 'alpha', region: 'us-east', zone: 'a', trustDomain: 'alpha.hawser', natsJwt: 'jwt-of-alpha', hubKey: payload.pin },
    });
    const { members, revision } = await hub.core.readModel.snapshot();
    expect(members).toContainEqual({
      name: 'alpha',
      epoch: joined.body.epoch,
      signingKey: signer.publicKey,
      region: 'us-east',
      zone: 'a',
      provider: 'aws',
      network: 'alpha',
      labels: { tier: 'gold' },
      trustDomain: 'alpha.hawser',
    });
    expect((await hub.core.readModel.outboxAfter(revision - 1, 10))[0]).toMatchObject({ kind: 'Cluster', name: 'alpha', action: 'create' });
    const shown = await hub.call('GET', `${TOKENS}/${name}`);
    expect(shown.body.status?.usedAt).toBeDefined();
    expect(JSON.stringify(shown.body)).not.toContain(payload.secret);
  });

  it('100 parallel uses of one token: one wins', async () => {
    const { payload } = await makeToken({ cluster: 'racy' });
    const answers = await Promise.all(Array.from({ length: 100 }, () => enroll('racy', payload.secret)));
    expect(answers.filter(({ code }) => code === 200)).toHaveLength(1);
    const losers = answers.filter(({ code }) => code !== 200);
    expect(new Set(losers.map(({ code, body }) => `${code} ${body.reason}`))).toEqual(new Set(['410 Gone']));
  });

  it('again with a new token: the epoch rises, the old agent cannot renew, the place may change', async () => {
    const first = generateSigner();
    const one = await enroll('again', (await makeToken({ cluster: 'again' })).payload.secret, first);
    expect(await renew(first, 'again', one.body.epoch)).toMatchObject({
      code: 200,
      body: { natsJwt: 'jwt-of-again', epoch: one.body.epoch },
    });
    const second = generateSigner();
    const two = await enroll('again', (await makeToken({ cluster: 'again', region: 'eu-west' })).payload.secret, second);
    expect(two.body.epoch).toBeGreaterThan(one.body.epoch);
    expect(two.body.region).toBe('eu-west');
    expect((await renew(first, 'again', one.body.epoch)).code).toBe(401);
    expect((await renew(second, 'again', one.body.epoch)).code).toBe(403);
    expect((await renew(second, 'again', two.body.epoch)).code).toBe(200);
    expect((await renew(second, 'again', two.body.epoch, new Date(Date.now() - 6 * 60_000))).code).toBe(401);
  });

  it('a removed cluster cannot renew, and can join again with a greater epoch', async () => {
    const signer = generateSigner();
    const one = await enroll('gone', (await makeToken({ cluster: 'gone' })).payload.secret, signer);
    expect((await hub.call('DELETE', `${CLUSTERS}/gone`)).code).toBe(200);
    expect((await hub.core.readModel.snapshot()).members.map(({ name }) => name)).not.toContain('gone');
    expect(await renew(signer, 'gone', one.body.epoch)).toMatchObject({ code: 403, body: { reason: 'Forbidden' } });
  });

  it('a failure after the token was taken gives the token back', async () => {
    const { payload } = await makeToken({ cluster: 'unlucky' });
    busDown = true;
    expect((await enroll('unlucky', payload.secret)).code).toBe(500);
    busDown = false;
    expect((await enroll('unlucky', payload.secret)).code).toBe(200);
  });
});

describe('refused', () => {
  it('a wrong secret, a token of another cluster and an unknown one, all with the same words', async () => {
    const { payload } = await makeToken({ cluster: 'bound' });
    const answers = [await enroll('bound', 'wrong'), await enroll('other', payload.secret), await enroll('nobody', 'x'.repeat(43))];
    expect(answers.map(({ code }) => code)).toEqual([401, 401, 401]);
    expect(new Set(answers.map(({ body }) => body.message)).size).toBe(1);
    expect((await enroll('bound', payload.secret)).code).toBe(200);
  });

  it('an expired token', async () => {
    const { payload } = await makeToken({ cluster: 'late', ttl: '1ms' });
    expect(await enroll('late', payload.secret)).toMatchObject({ code: 410, body: { message: expect.stringContaining('expired') } });
  });

  it('a deleted token', async () => {
    const { payload, name } = await makeToken({ cluster: 'deleted' });
    await hub.call('DELETE', `${TOKENS}/${name}`);
    expect((await enroll('deleted', payload.secret)).code).toBe(401);
  });

  it('keys whose possession is not proven, and the token stays good', async () => {
    const { payload } = await makeToken({ cluster: 'proof' });
    const mallory = generateSigner();
    expect((await enroll('proof', payload.secret, generateSigner(), { signingKey: mallory.publicKey })).code).toBe(401);
    expect((await enroll('proof', payload.secret, generateSigner(), { natsUser: `U${'B'.repeat(55)}` })).code).toBe(401);
    expect((await enroll('proof', payload.secret, generateSigner(), { signingKey: 'nonsense' })).code).toBe(401);
    expect((await enroll('proof', payload.secret)).code).toBe(200);
  });

  it('requests that are none', async () => {
    expect((await post('/join/v1/enroll', { cluster: 'a' })).code).toBe(400);
    expect((await enroll('Not_A_Name', 's')).code).toBe(400);
    expect((await enroll('a', 's\nt')).code).toBe(400);
    expect((await enroll('a', 's', generateSigner(), { natsUser: 'nonsense' })).code).toBe(400);
    expect((await enroll('a', 'x'.repeat(20_000))).code).toBe(413);
  });

  it('creating a Cluster by hand, and changing a join token', async () => {
    const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'x' }, spec: { region: 'y' } };
    expect(await hub.call('POST', CLUSTERS, body)).toMatchObject({
      code: 405,
      body: { message: expect.stringContaining('hawser cluster join') },
    });
    const { name } = await makeToken({ cluster: 'fixed' });
    expect((await hub.call('PATCH', `${TOKENS}/${name}`, { spec: { cluster: 'other' } })).code).toBe(422);
  });
});

describe('a member', () => {
  it('can be labelled and moved, which the roster shows', async () => {
    await enroll('moved', (await makeToken({ cluster: 'moved' })).payload.secret);
    expect((await hub.call('PATCH', `${CLUSTERS}/moved`, { metadata: { labels: { a: 'b' } }, spec: { zone: 'z' } })).code).toBe(200);
    const member = (await hub.core.readModel.snapshot()).members.find(({ name }) => name === 'moved');
    expect(member).toMatchObject({ zone: 'z', labels: { a: 'b' } });
  });

  it('leaves no secret in any table', async () => {
    const { payload, text } = await makeToken({ cluster: 'secret' });
    const client = new Client({ connectionString: dsn });
    await client.connect();
    const tables = ['resources', 'history', 'outbox', 'join_tokens', 'members', 'api_tokens'];
    for (const table of tables) {
      const { rows } = await client.query(`SELECT t::text AS line FROM ${table} t`);
      for (const { line } of rows) {
        for (const secret of [payload.secret, text, hub.adminToken, Buffer.from(payload.secret).toString('hex')])
          expect(line).not.toContain(secret);
      }
    }
    const { rows } = await client.query(
      'SELECT length(token_hash) AS bytes FROM api_tokens UNION ALL SELECT length(secret_hash) FROM join_tokens',
    );
    expect(new Set(rows.map((row) => row.bytes))).toEqual(new Set([32]));
    await client.end();
  });
});
