/** No field of Istio is silently ignored: each is refused for a reason, or makes a difference. `docs/istio-fields.md` is the list. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ISTIO_KINDS, type IstioField, istioFields } from '@hawser/model/istio/schemas.ts';
import { kindNamed } from '@hawser/model/kinds.ts';
import { apiVersionOf, validateResource } from '@hawser/model/validate.ts';
import { describe, expect, it } from 'vitest';
import { declaredIn } from './behaviour/kit/listing.ts';
import { fieldsThatMatter } from './kit/istio-fields.ts';
import { ONE_VALUE, specWith } from './kit/one-value.ts';
import { NAMES_FOR_PEOPLE, SHOWN_ELSEWHERE } from './kit/shown-elsewhere.ts';

const KINDS = [...ISTIO_KINDS.keys()];
const ROOT = join(import.meta.dirname, '..');
const mattering = fieldsThatMatter();
const behaviours = declaredIn(join(import.meta.dirname, 'behaviour'));

/** Whose fields the behaviours of an area name; those of any other kind begin with its name. */
const AREAS: Readonly<Record<string, readonly string[]>> = {
  VS: ['VirtualService'],
  DR: ['DestinationRule'],
  GW: ['Gateway', 'VirtualService'],
  SE: ['ServiceEntry'],
  TE: ['Telemetry'],
  EX: ['AuthorizationPolicy', 'WasmPlugin'],
  AZ: ['AuthorizationPolicy'],
  JWT: ['RequestAuthentication'],
  PA: ['PeerAuthentication'],
};

/** Whether a behaviour names the field: what is behind it says more of its value. */
function isOf({ id, field }: (typeof behaviours)[number], kind: string, path: string): boolean {
  const [named = ''] = field.split(/[\s:,]/);
  return named === `${kind}.${path}` || (named === path && AREAS[id.slice(0, id.indexOf('-'))]?.includes(kind) === true);
}

/** Ids of the behaviours that name the field, else the golden case, else the test; empty when nothing shows it. */
function shownBy(kind: string, path: string): string {
  const field = `${kind} ${path}`;
  const ids = behaviours.filter((one) => isOf(one, kind, path)).map(({ id }) => id);
  if (ids.length > 0) return ids.join(', ');
  const golden = mattering.get(field);
  if (golden !== undefined) return `golden \`${golden}\``;
  const one = ONE_VALUE[field];
  if (one !== undefined) return `${one.value === '' ? 'empty' : `\`${one.value}\``} alone; anything else is refused`;
  return NAMES_FOR_PEOPLE.has(field) ? 'a name for people, without effect in Istio too' : (SHOWN_ELSEWHERE[field]?.file ?? '');
}

function row(kind: string, { path, refused }: IstioField): string {
  return refused === undefined ? `| \`${path}\` | works | ${shownBy(kind, path)} |` : `| \`${path}\` | refused | ${refused} |`;
}

/** Whether the hub takes a policy. */
function isTaken(kind: string, spec: object): boolean {
  const described = kindNamed(kind);
  if (described === undefined) return false;
  const input = { apiVersion: apiVersionOf(described), kind, metadata: { namespace: 'bookinfo', name: 'one' }, spec };
  return 'resource' in validateResource(input, described);
}

function page(): string {
  const served = (kind: string): string => {
    const leaves = istioFields(kind).filter(({ isLeaf }) => isLeaf);
    return `${leaves.filter(({ refused }) => refused === undefined).length} of ${leaves.length} fields work.`;
  };
  const sections = KINDS.map((kind) =>
    [
      `## ${kind}`,
      '',
      served(kind),
      '',
      '| field | | shown by, or why not |',
      '|---|---|---|',
      ...istioFields(kind).map((field) => row(kind, field)),
    ].join('\n'),
  );
  const about =
    "# Fields of Istio's kinds\n\nEvery field of these kinds in Istio 1.29, below `spec`: it works, shown by real requests ([behaviours](behaviours.md)) or by a golden\ntranslation, or it is refused with the reason. A field that is neither is refused as unknown. `test/istio-fields.test.ts` writes this page with\n`npm run golden -- test/istio-fields.test.ts`, and fails when a field that works makes no difference.\n";
  return `${about}\n${sections.join('\n\n')}\n`;
}

describe('the fields of Istio', () => {
  it('are listed as they are', async () => {
    await expect(page()).toMatchFileSnapshot('../docs/istio-fields.md');
  });

  it.each(KINDS)('of %s are refused, or make a difference', (kind) => {
    const served = istioFields(kind).filter(({ isLeaf, refused }) => isLeaf && refused === undefined);
    expect(served.filter(({ path }) => shownBy(kind, path) === '').map(({ path }) => path)).toEqual([]);
  });

  it.each(Object.entries(SHOWN_ELSEWHERE))('%s is shown by the test that is named', (_field, { file, words }) => {
    expect(readFileSync(join(ROOT, file), 'utf8')).toContain(words);
  });

  it.each(Object.entries(ONE_VALUE))('%s has one value', (field, { value, other }) => {
    const [kind = '', path = ''] = field.split(' ');
    expect([value, other].map((each) => isTaken(kind, specWith(kind, path, each)))).toEqual([true, false]);
  });

  it('that are names for people are taken', () => {
    const port = { number: 9080, protocol: 'HTTP' };
    const named = { ...port, name: 'web' };
    for (const one of [port, named])
      expect(isTaken('Sidecar', { egress: [{ port: one, hosts: ['./*'] }], ingress: [{ port: one }] })).toBe(true);
  });
});
