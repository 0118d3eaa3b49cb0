/** `drill status --watch` in a terminal: one picture in its place while the run goes on, and what came of it at the end. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DrillRunStatusFields } from '@hawser/wire/drill-views.ts';
import { afterEach, expect, it } from 'vitest';
import { runCommand } from '../main.ts';
import { onTerminal } from '../output/terminal.ts';

const START = '2026-11-23T10:00:00.000Z';
const at = (second: number): string => new Date(Date.parse(START) + second * 1_000).toISOString();
const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function run(status: Partial<DrillRunStatusFields>): object {
  return {
    ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'DrillRun', metadata: { name: 'lose-east-1', creationTimestamp: START } },
    spec: {
      ...{ drill: 'lose-east', trigger: 'manual', mode: 'live' },
      plan: {
        ...{ scenario: { type: 'regionLoss', from: { region: 'us-east' } }, objectives: { rto: '5s' } },
        blastRadius: { services: { names: ['bookinfo/reviews'] } },
      },
    },
    status: { mode: 'live', startedBy: 'alice', phases: [{ phase: 'Preflight', at: START }], timeline: [], ...status },
  };
}

/** A hub that answers one look after the other with these; undefined: it is away. The last one stays. */
async function hubOf(looks: readonly (object | undefined)[]): Promise<string> {
  let next = 0;
  const server = createServer(({ url = '' }, response) => {
    const isOne = url.endsWith('/lose-east-1');
    const look = looks[isOne ? Math.min(next, looks.length - 1) : 0];
    if (isOne) next += 1;
    response.writeHead(look === undefined ? 503 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(look === undefined ? { kind: 'Status', code: 503 } : isOne ? look : { items: [look] }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A terminal that keeps what is on its screen after each write. */
class Screen {
  readonly isTTY = true;
  readonly columns: number;
  readonly rows: number;
  readonly pictures: string[] = [];
  readonly #lines: string[] = [''];

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    for (const [, up, line, end] of text.replaceAll('\u001b', '␛').matchAll(/␛\[(\d+)A␛\[J|([^\n␛]+)|(\n)/g)) {
      if (up !== undefined) this.#lines.splice(this.#lines.length - 1 - Number(up), Number(up) + 1, '');
      else if (end !== undefined) this.#lines.push('');
      else this.#lines[this.#lines.length - 1] += line ?? '';
    }
    this.pictures.push(this.#lines.join('\n').trimEnd());
  }

  /** Rows that the longest picture took. */
  get height(): number {
    return Math.max(...this.pictures.map((picture) => picture.split('\n').length));
  }
}

async function watch(
  looks: readonly (object | undefined)[],
  screen: Screen,
): Promise<{ readonly status: number; readonly stdout: string }> {
  let stdout = '';
  const terminal = {
    ...{ stdin: (async function* () {})(), stderr: screen, env: { HAWSER_SERVER: await hubOf(looks), HAWSER_TOKEN: 'some' } },
    stdout: {
      write: (text: string) => {
        stdout += text;
      },
    },
  };
  const status = await onTerminal(terminal, () => runCommand(['drill', 'status', 'lose-east', '--watch', '--timeout', '30s']));
  return { status, stdout };
}

const holding = {
  ...{ phase: 'Holding', requests: 4_000, requestsFailed: 3, rtoMs: 850, proxies: { expected: 12, acked: 12 } },
  checks: [{ name: 'errors', role: 'guardrail', verdict: 'passed', value: 0.001 }],
  phases: [
    { phase: 'Preflight', at: START },
    { phase: 'Injecting', at: at(2) },
    { phase: 'Holding', at: at(5) },
  ],
  timeline: [{ at: START, event: 'Requested', detail: 'by alice (manual, live)' }],
} as const;
const done = {
  ...{ phase: 'Done', outcome: 'Passed', message: 'rto was 850 ms', phases: [...holding.phases, { phase: 'Done', at: at(60) }] },
} as const;

it('rewrites one picture, goes on when the hub is away, and leaves the result alone', async () => {
  const screen = new Screen(120, 40);
  const { status, stdout } = await watch([run({ phase: 'Preflight', waiting: 'more data' }), undefined, run(holding), run(done)], screen);
  const { pictures } = screen;
  expect(pictures.every((picture) => picture === '' || picture.split('run lose-east-1').length === 2)).toBe(true);
  expect(pictures[0]).toContain('waits: more data');
  const held = pictures.find((picture) => picture.includes('3 of 4000 requests failed')) ?? '';
  expect(held).not.toContain('waits');
  expect(held.split('\n').slice(2)).toEqual([
    '  12 of 12 proxies have acknowledged it',
    '  3 of 4000 requests failed',
    '  recovery so far 0.85s, objective 5s',
    '  √ guardrail errors: passed 0.001',
    expect.stringMatching(/^ {2}Preflight 2s → Injecting 3s → Holding /),
    '  10:00:00 Requested: by alice (manual, live)',
  ]);
  expect(pictures.at(-1)).toBe('');
  expect([status, stdout.split('\n')[1]]).toEqual([0, '  Passed after 60s, asked for by alice']);
});

it('has room in a small terminal, whatever people wrote', async () => {
  const screen = new Screen(40, 6);
  const notes = [{ by: 'bob', at: at(6), text: `a long note\u001b[2J\nof ${'many '.repeat(20)}words` }];
  await watch([run(holding), run({ ...holding, notes, timeline: [] }), run(done)], screen);
  expect(screen.height).toBeLessThanOrEqual(5);
  expect(screen.pictures.every((picture) => picture.split('\n').every((line) => line.length < 40))).toBe(true);
  expect(screen.pictures.every((picture) => picture === '' || picture.split('run lose-east-1').length === 2)).toBe(true);
  expect(screen.pictures.some((picture) => picture.includes('…'))).toBe(true);
});
