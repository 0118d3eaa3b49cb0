import { type Document, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import { generateSigner } from '@hawser/wire/signing.ts';
import { rolloutSubject, statusSubject } from '@hawser/wire/subjects.ts';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { AgentAccounts } from './agent-accounts.ts';
import { memberOf, statusOf } from './fleet-fixture.ts';
import { FleetState } from './fleet-state.ts';
import { StatusCollector, type StatusRefusal } from './status-collector.ts';

const signer = generateSigner();
const stranger = generateSigner();
const ROLLOUT = { epoch: 7, revision: 3, expected: 1, acked: 1, nacks: [] };

function setup() {
  const fleet = new FleetState(() => 1000);
  fleet.setMembers([memberOf('east', { signingKey: signer.publicKey, epoch: 2 })]);
  const accounts = new AgentAccounts();
  const refused: StatusRefusal[] = [];
  const log = pino({ level: 'silent' });
  const collector = new StatusCollector({ fleet, accounts, log, onRefused: (reason) => refused.push(reason), now: () => 1000 });
  return { fleet, accounts, refused, collector };
}

function status(changes: Partial<Document> = {}): Document {
  return {
    protocol: PROTOCOL,
    from: 'east',
    to: 'hub',
    key: 'status',
    epoch: 2,
    revision: 5,
    part: 0,
    parts: 1,
    body: statusOf(3),
    ...changes,
  };
}

describe('StatusCollector', () => {
  it('takes what the cluster signed', () => {
    const { collector, accounts, fleet } = setup();
    expect(collector.receive(statusSubject('east'), seal(status(), signer))).toBeUndefined();
    expect(collector.receive(rolloutSubject('east'), seal(status({ key: 'rollout', body: ROLLOUT }), signer))).toBeUndefined();
    expect(accounts.get('east')?.status?.revision).toBe(3);
    expect(accounts.get('east')?.reports.get(3)?.status).toEqual(ROLLOUT);
    expect(fleet.freshness('east')).toBe('KNOWN');
  });

  const flipped = Buffer.from(seal(status(), signer));
  flipped.writeUInt8((flipped.at(-10) ?? 0) ^ 1, flipped.length - 10);
  const cases: [string, string, Uint8Array, StatusRefusal][] = [
    ['another key signed', statusSubject('east'), seal(status(), stranger), 'bad-signature'],
    ['of another cluster', statusSubject('east'), seal(status({ from: 'west' }), signer), 'unknown-signer'],
    ['on the subject of a cluster that is no member', statusSubject('west'), seal(status({ from: 'west' }), signer), 'unknown-signer'],
    ['of an earlier enrolment', statusSubject('east'), seal(status({ epoch: 1 }), signer), 'unknown-signer'],
    ['for another topic', rolloutSubject('east'), seal(status(), signer), 'wrong-address'],
    ['for another cluster', statusSubject('east'), seal(status({ to: 'west' }), signer), 'wrong-address'],
    ['with another shape', statusSubject('east'), seal(status({ body: { ready: 'yes' } }), signer), 'body'],
    ['with a byte changed', statusSubject('east'), flipped, 'bad-signature'],
    ['that is no document', statusSubject('east'), Buffer.from('nonsense'), 'malformed'],
  ];
  it.each(cases)('refuses one %s', (_name, subject, bytes, reason) => {
    const { collector, accounts, refused } = setup();
    expect(collector.receive(subject, bytes)).toBe(reason);
    expect(refused).toEqual([reason]);
    expect(accounts.get('east')).toBeUndefined();
  });

  it('refuses one that is older than the last', () => {
    const { collector, accounts } = setup();
    collector.receive(statusSubject('east'), seal(status(), signer));
    expect(collector.receive(statusSubject('east'), seal(status({ revision: 4, body: statusOf(9) }), signer))).toBe('stale');
    expect(accounts.get('east')?.status?.revision).toBe(3);
  });
});
