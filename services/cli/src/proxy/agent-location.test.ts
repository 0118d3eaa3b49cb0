import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { locateAgent } from './agent-location.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'hawser-cli-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

it('takes flag over environment over the agent’s own file', () => {
  mkdirSync(join(stateDir, 'agents/us-east'), { recursive: true });
  writeFileSync(join(stateDir, 'agents/us-east/agent.json'), JSON.stringify({ xds: '127.80.0.1:15010', admin: '127.80.0.2:15014' }));
  const hints = { cluster: 'us-east', stateDir };
  expect(locateAgent(hints, {})).toEqual({ xds: '127.80.0.1:15010', admin: '127.80.0.2:15014' });
  expect(locateAgent(hints, { HAWSER_AGENT: '127.80.0.9:15010' })).toEqual({ xds: '127.80.0.9:15010', admin: '127.80.0.9:15014' });
  expect(locateAgent({ ...hints, agent: '127.80.0.8:1', agentAdmin: '127.80.0.7:2' }, {})).toEqual({
    xds: '127.80.0.8:1',
    admin: '127.80.0.7:2',
  });
  expect(locateAgent({ ...hints, agent: '127.80.0.1:15010, 127.80.0.8:1' }, {})).toEqual({
    xds: '127.80.0.1:15010,127.80.0.8:1',
    admin: '127.80.0.2:15014,127.80.0.8:15014',
  });
});

it('says which file is missing, and what is no address', () => {
  expect(() => locateAgent({ cluster: 'eu', stateDir }, {})).toThrow(
    /agents\/eu\/agent\.json is not there; start the agent, or give its address with --agent/,
  );
  expect(() => locateAgent({ cluster: 'eu', stateDir, agent: 'nowhere' }, {})).toThrow(/--agent: nowhere is not an address/);
});

it('checks an agent by the cluster’s trust bundle: where it says TLS, and everywhere beyond loopback', () => {
  const folder = join(stateDir, 'agents/us-east');
  mkdirSync(folder, { recursive: true });
  const file = (path: string, text: string): string => {
    writeFileSync(path, `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`);
    return path;
  };
  writeFileSync(join(folder, 'agent.json'), JSON.stringify({ xds: '127.80.0.1:15010', admin: '127.80.0.1:15014', tls: true }));
  const hints = { cluster: 'us-east', stateDir, tokenFile: join(stateDir, 'token') };
  const remote = { ...hints, agent: '10.0.0.1:15010' };
  expect(() => locateAgent(hints, {})).toThrow(/the trust bundle of us-east is in none of .*token\.ca, .*ca\.pem; copy the file/);
  expect(() => locateAgent(remote, {})).toThrow(/cannot be checked/);
  expect(locateAgent(remote, { HAWSER_ALLOW_PLAINTEXT: '1' }).ca).toBeUndefined();
  file(join(folder, 'ca.pem'), 'of the agent');
  expect(locateAgent(hints, {}).ca).toContain('of the agent');
  file(join(stateDir, 'token.ca'), 'beside the token');
  expect(locateAgent(remote, {}).ca).toContain('beside the token');
  expect(locateAgent({ ...hints, agent: '127.80.0.9:15010' }, {}).ca).toBeUndefined();
  expect(locateAgent({ ...hints, agentCa: file(join(stateDir, 'named'), 'named') }, {}).ca).toContain('named');
  writeFileSync(join(stateDir, 'named'), 'no certificate');
  expect(() => locateAgent({ ...remote, agentCa: join(stateDir, 'named') }, {})).toThrow(/--agent-ca: .*named holds no certificate/);
});
