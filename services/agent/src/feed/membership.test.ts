import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  EnrollRequest,
  encodeJoinToken,
  enrollProof,
  type JoinTokenPayload,
  type Membership,
  RenewRequest,
  renewProof,
} from '@hawser/wire/enrolment.ts';
import { verifierOf, verify } from '@hawser/wire/signing.ts';
import pino from 'pino';
import { Compile } from 'typebox/compile';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepRenewed, loadOrEnroll } from './membership.ts';

const log = pino({ level: 'silent' });
const enrollShape = Compile(EnrollRequest);
const renewShape = Compile(RenewRequest);
const PIN = 'cGlu';

describe('membership', () => {
  let stateDir: string;
  let hub: Server;
  let url: string;
  let answer: { status: number; body: unknown };
  const asked: { path: string; body: unknown }[] = [];
  const membership = (expiresInMs = 3_600_000): Membership => ({
    ...{ cluster: 'us-east', region: 'us-east', zone: '', trustDomain: 'us-east.hawser', epoch: 4, hubKey: PIN },
    ...{ natsUrls: ['nats://127.0.0.1:1'], natsJwt: 'jwt', natsJwtExpiresAt: new Date(Date.now() + expiresInMs).toISOString() },
  });
  const token = (): string => encodeJoinToken({ v: 1, hub: url, cluster: 'us-east', secret: 's3cret', pin: PIN });
  const join_ = (options: { token?: string; cluster?: string }) => loadOrEnroll({ stateDir, log, ...options });

  beforeEach(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'hawser-membership-'));
    asked.splice(0);
    answer = { status: 200, body: membership() };
    hub = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk) => {
        text += chunk;
      });
      request.on('end', () => {
        asked.push({ path: request.url ?? '', body: JSON.parse(text) });
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
      });
    });
    await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    hub.closeAllConnections();
    await new Promise((resolve) => hub.close(resolve));
    rmSync(stateDir, { recursive: true, force: true });
  });

  it('joins again with a new token when the hub has removed it, and goes on as it is when the token is refused', async () => {
    const first = await join_({ token: token() });
    const refused = { status: 403, body: { message: 'not a member' } };
    answer = refused;
    expect((await join_({ token: token() })).membership).toEqual(first.membership);
    expect(asked.map(({ path }) => path)).toEqual(['/join/v1/enroll', '/join/v1/renew', '/join/v1/enroll']);
    const later = { ...membership(), epoch: 5 };
    hub.removeAllListeners('request');
    hub.on('request', (request, response) => {
      const { status, body } = request.url === '/join/v1/enroll' ? { status: 200, body: later } : refused;
      request.resume().on('end', () => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)));
    });
    const again = await join_({ token: token() });
    expect(again.membership.epoch).toBe(5);
    expect(again.signer.publicKey).toBe(first.signer.publicKey);
    expect((await join_({ cluster: 'us-east' })).membership.epoch).toBe(5);
  });

  it('enrols with proof of possession, keeps its keys private, and needs neither token nor hub again', async () => {
    const member = await join_({ token: token() });
    const [{ path, body } = { path: '', body: undefined }] = asked;
    expect(path).toBe('/join/v1/enroll');
    if (!enrollShape.Check(body)) throw new Error('not an enrolment');
    const { proof, ...request } = body;
    expect(verify(enrollProof(request), Buffer.from(proof, 'base64url'), verifierOf(body.signingKey))).toBe(true);
    for (const file of readdirSync(member.agentDir)) expect(statSync(join(member.agentDir, file)).mode & 0o077).toBe(0);
    hub.close();
    for (const again of [{ token: token() }, { cluster: 'us-east' }, {}]) {
      const loaded = await join_(again);
      expect(loaded.membership).toEqual(member.membership);
      expect(loaded.signer.publicKey).toBe(member.signer.publicKey);
      expect(loaded.natsSeed).toBe(member.natsSeed);
    }
    expect(asked).toHaveLength(1);
  });

  it('says what is wrong with a token, or with the hub, and can be tried again', async () => {
    await expect(join_({ token: 'nonsense' })).rejects.toThrow('this is not a join token; use the whole line');
    answer = { status: 401, body: { message: 'this token was used already; make a new one' } };
    await expect(join_({ token: token() })).rejects.toThrow('the hub refused: this token was used already; make a new one');
    answer = { status: 200, body: { ...membership(), hubKey: 'b3RoZXI' } };
    await expect(join_({ token: token() })).rejects.toThrow('is not the one that made this token');
    answer = { status: 200, body: 'hello' };
    await expect(join_({ token: token() })).rejects.toThrow('is it a Hawser hub?');
    answer = { status: 200, body: { ...membership(), cluster: 'us-west' } };
    await expect(join_({ token: token() })).rejects.toThrow("answered for another cluster than the token's, us-east");
    await expect(join_({ cluster: 'us-east' })).rejects.toThrow('has not joined');
    answer = { status: 200, body: membership() };
    const member = await join_({ token: token() });
    const keys = new Set(asked.map(({ body }) => (body as { signingKey: string }).signingKey));
    expect([...keys]).toEqual([member.signer.publicKey]);
  });

  it.each([
    ...['../us-east', '..', '.', '/tmp/x', 'a/b', 'a\\b', 'US-East', '', 'a'.repeat(64), 'a\0', 7].map((cluster) => ({ cluster })),
    ...['nonsense', '', '127.0.0.1:8080'].map((hub) => ({ hub })),
    ...[{ v: 2 }, { secret: undefined }],
  ])('takes no token of %j, and makes no folder for it', async (forged) => {
    const payload = { v: 1, hub: url, cluster: 'us-east', secret: 's3cret', pin: PIN, ...forged } as JoinTokenPayload;
    await expect(join_({ token: encodeJoinToken(payload) })).rejects.toThrow('this is not a join token; use the whole line');
    expect(readdirSync(stateDir)).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('says that the hub cannot be reached', async () => {
    hub.close();
    await expect(join_({ token: token() })).rejects.toThrow(`the hub at ${url} cannot be reached`);
  });

  it('asks which cluster when there are several, and names the broken file', async () => {
    const member = await join_({ token: token() });
    answer.body = { ...membership(), cluster: 'us-west' };
    await join_({ token: encodeJoinToken({ v: 1, hub: url, cluster: 'us-west', secret: 's', pin: PIN }) });
    await expect(join_({})).rejects.toThrow('holds us-east, us-west; start with --token, or with --cluster NAME');
    writeFileSync(join(member.agentDir, 'membership.json'), '{}');
    await expect(join_({ cluster: 'us-east' })).rejects.toThrow(`${member.agentDir}/membership.json is not a membership`);
  });

  it('renews when a third of the life is over, and again until it works', async () => {
    answer.body = membership(300);
    const member = await join_({ token: token() });
    answer.body = { ...membership(), natsJwt: 'second' };
    const stop = new AbortController();
    const renewed = new Promise<Membership>((resolve) => {
      void keepRenewed(member, { log, signal: stop.signal, onRenewed: resolve });
    });
    expect((await renewed).natsJwt).toBe('second');
    stop.abort();
    const body = asked.at(-1)?.body;
    if (!renewShape.Check(body)) throw new Error('not a renewal');
    const { proof, ...request } = body;
    expect(verify(renewProof(request), Buffer.from(proof, 'base64url'), verifierOf(member.signer.publicKey))).toBe(true);
    expect(readFileSync(join(member.agentDir, 'membership.json'), 'utf8')).toContain('second');
  });
});
