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
});

it('says which file is missing, and what is no address', () => {
  expect(() => locateAgent({ cluster: 'eu', stateDir }, {})).toThrow(
    /agents\/eu\/agent\.json is not there; start the agent, or give its address with --agent/,
  );
  expect(() => locateAgent({ cluster: 'eu', stateDir, agent: 'nowhere' }, {})).toThrow(/--agent: nowhere is not an address/);
});
