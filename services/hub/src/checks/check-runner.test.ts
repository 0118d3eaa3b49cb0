/** Checks against real servers of HTTP on loopback, and what they make of answers. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CheckSpec } from '@hawser/model/check.ts';
import { type CheckState, unchecked } from '@hawser/model/check-verdict.ts';
import { type MeasuredTraffic, NO_TRAFFIC } from '@hawser/model/measured-traffic.ts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startPrometheus, type TestPrometheus } from '../../../../test/kit/prometheus.ts';
import { available } from '../../../../test/kit/requirements.ts';
import { type CheckContext, type RunningChecks, startChecks } from './check-runner.ts';
import { readAnswer } from './prometheus-source.ts';

const servers: Server[] = [];
const running: RunningChecks[] = [];
afterEach(async () => {
  for (const checks of running.splice(0)) checks.stop();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve).closeAllConnections())));
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Traffic of which a second is known whenever the test says so. */
const clock = { until: 1_000_000, failures: 0 };
const traffic: MeasuredTraffic = {
  window: () => ({
    ...{ ...NO_TRAFFIC, requests: 100, failures: clock.failures, inFlight: 0, seconds: 60 },
    sources: [{ cluster: 'east', seconds: 60, newestAt: clock.until, unreadProxies: 0 }],
  }),
  ...{ groups: () => [], shares: () => [], load: () => [], services: () => [], newestAt: () => clock.until, knownUntil: () => clock.until },
};

type Changes = Partial<CheckContext> & { readonly prometheus?: string; readonly begun?: readonly CheckState[] };

function start(specs: readonly Partial<CheckSpec>[], changes: Changes = {}): RunningChecks {
  const { prometheus, begun } = changes;
  const server = prometheus === undefined ? [] : [['default', { name: 'default', url: prometheus }] as const];
  const checks = startChecks(
    specs.map(
      (spec, index) =>
        ({
          name: `check-${index}`,
          source: { hub: { metric: 'errorRatio' } },
          initialDelay: '0s',
          interval: '250ms',
          ...spec,
        }) as CheckSpec,
    ),
    {
      traffic,
      integrations: { prometheus: new Map(server) },
      allowPrivate: true,
      subject: { namespace: 'shop', services: 'all' },
      ...changes,
    },
    begun,
  );
  running.push(checks);
  return checks;
}
const verdict = (checks: RunningChecks, index = 0) => checks.verdicts()[index]?.verdict;
const until = (read: () => unknown) => expect.poll(read, { timeout: 20_000, interval: 20 });
const vector = (...values: string[]) =>
  JSON.stringify({ status: 'success', data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [1, value] })) } });

describe('Prometheus', () => {
  test.each<[string, number, string, unknown]>([
    ['a number', 200, vector('0.25'), { value: 0.25 }],
    ['a number of words', 200, vector('+Inf'), { value: Number.POSITIVE_INFINITY }],
    ['a scalar', 200, JSON.stringify({ status: 'success', data: { resultType: 'scalar', result: [1, '7'] } }), { value: 7 }],
    ['nothing', 200, vector(), { noData: expect.stringContaining('gives nothing') }],
    ['NaN', 200, vector('NaN'), { noData: expect.stringContaining('NaN') }],
  ])('that answers %s', (_, status, body, measured) => {
    expect(readAnswer(status, body)).toEqual(measured);
  });

  test.each<[string, number, string, RegExp]>([
    ['several series', 200, vector('1', '2'), /2 series; a check needs one/],
    ['a matrix', 200, JSON.stringify({ status: 'success', data: { resultType: 'matrix', result: [] } }), /gives a matrix/],
    ['an error', 400, JSON.stringify({ status: 'error', errorType: 'bad_data', error: 'parse error at char 3' }), /bad_data parse error/],
    ['a page', 200, '<html>', /not as Prometheus does/],
    ['null', 200, 'null', /not as Prometheus does/],
    ['success and a status that is none', 503, vector('1'), /answered 503/],
    ['no sample', 200, JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [{ metric: {} }] } }), /without a number/],
    ['an empty sample', 200, vector(''), /without a number/],
  ])('that answers %s is an error', (_, status, body, problem) => {
    expect(() => readAnswer(status, body)).toThrow(problem);
  });

  test('is asked by POST for what the check says, and its number is judged', async () => {
    const asked: string[] = [];
    const url = await serve((request, response) => {
      let body = '';
      request.on('data', (part) => (body += part));
      request.on('end', () => {
        asked.push(`${request.method} ${request.url} ${new URLSearchParams(body).get('query')}`);
        response.end(vector('0.002'));
      });
    });
    const checks = start([{ source: { prometheus: { query: 'sum(rate(errors[1m]))' } }, condition: 'result < 0.01' }], {
      prometheus: `${url}/prefix/`,
    });
    await until(() => verdict(checks)).toBe('passed');
    expect(asked[0]).toBe('POST /prefix/api/v1/query sum(rate(errors[1m]))');
  });

  test('that never answers, or too much, is an error after the samples that may be missing', async () => {
    const silent = await serve(() => undefined);
    const endless = await serve((_request, response) => {
      const write = (): boolean => response.write('x'.repeat(65_536)) && write();
      response.on('drain', write);
      write();
    });
    for (const [prometheus, why] of [
      [silent, /did not answer in 0\.02 s/],
      [endless, /larger than/],
    ] as const) {
      const timeout = prometheus === silent ? '20ms' : '20s';
      const checks = start([{ source: { prometheus: { query: 'up' } }, condition: 'result > 0.0', timeout, consecutiveErrorLimit: 1 }], {
        prometheus,
      });
      await until(() => verdict(checks)).toBe('error');
      expect(checks.verdicts()[0]).toMatchObject({ errorsInARow: expect.any(Number), message: expect.stringMatching(why) });
    }
  });

  test('that was not configured is an error that says where to', async () => {
    const checks = start([
      { source: { prometheus: { query: 'up', datasource: 'eu' } }, condition: 'result > 0.0', consecutiveErrorLimit: 0 },
    ]);
    await until(() => verdict(checks)).toBe('error');
    expect(checks.verdicts()[0]?.message).toMatch(/called eu, and it knows none .*--integrations/);
  });
});

describe.skipIf(!available('prometheus'))('a Prometheus of its own', { timeout: 60_000 }, () => {
  let prometheus: TestPrometheus;
  const of = (ratio: number): string => `error_ratio{region="east"} ${ratio}\nerror_ratio{region="west"} 0\nrequests_total 0\n`;
  beforeAll(async () => {
    prometheus = await startPrometheus(of(0.01));
  }, 60_000);
  afterAll(() => prometheus.stop());
  const asking = (query: string): RunningChecks =>
    start([{ source: { prometheus: { query } }, condition: 'result < 0.05', failureLimit: 0, consecutiveErrorLimit: 1, timeout: '20s' }], {
      prometheus: prometheus.url,
    });

  test('gives the number, by which the check passes, and fails when it has risen', async () => {
    const checks = asking('max(error_ratio)');
    await until(() => verdict(checks)).toBe('passed');
    prometheus.expose(of(0.5));
    await until(() => verdict(checks)).toBe('failed');
    expect(checks.verdicts()[0]?.message).toContain('0.5');
  });

  test.each([
    ['error', 'sum(', /Prometheus refused the query: bad_data .*parse error/],
    ['error', 'error_ratio', /2 series; a check needs one/],
    ['error', 'error_ratio{region="west"}[1m]', /gives a matrix/],
    ['inconclusive', 'sum(error_ratio{region="mars"})', /the query gives nothing/],
    ['inconclusive', 'sum(requests_total) / sum(requests_total)', /NaN/],
  ])('whose answer is no number makes it %s: %s', async (wanted, query, message) => {
    const checks = asking(query);
    await until(() => verdict(checks)).toBe(wanted);
    expect(checks.verdicts()[0]?.message).toMatch(message);
  });
});

describe('http', () => {
  test('is judged by the status, and redirects are not followed', async () => {
    let status = 200;
    const url = await serve((_request, response) => response.writeHead(status, { location: '/' }).end());
    const checks = start([{ source: { http: { url } }, failureLimit: 0 }, { source: { http: { url, expectStatus: 302 } } }]);
    await until(() => verdict(checks)).toBe('passed');
    status = 302;
    await until(() => verdict(checks)).toBe('failed');
    await until(() => verdict(checks, 1)).toBe('passed');
    expect(checks.verdicts()[0]).toMatchObject({
      message: expect.stringContaining('it answered 302, and not 200'),
      firstFailedAt: expect.any(String),
    });
  });

  test('goes on where another left off, without its delay, and not where that had taken no sample', async () => {
    const url = await serve((_request, response) => response.writeHead(500).end());
    const spec: Partial<CheckSpec> = { source: { http: { url } }, failureLimit: 2 };
    const begun = { ...unchecked({ name: 'check-0', action: 'abort' }), taken: 5, failures: 2, firstFailedAt: '2026-11-22T10:00:00Z' };
    const after = start(
      [spec, spec].map((one) => ({ ...one, initialDelay: '1h' })),
      { begun: [begun] },
    );
    await until(() => verdict(after)).toBe('failed');
    expect(after.verdicts()).toMatchObject([
      { message: expect.stringMatching(/^3 samples failed, 2 may/), firstFailedAt: begun.firstFailedAt },
      { taken: 0 },
    ]);
  });

  test('fails without an answer', async () => {
    const url = await serve((request) => request.socket.destroy());
    const checks = start([{ source: { http: { url } }, failureLimit: 0 }]);
    await until(() => verdict(checks)).toBe('failed');
    expect(checks.verdicts()[0]?.message).toContain('it did not answer');
  });

  test('is not asked for at private addresses', async () => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked += 1;
      response.end();
    });
    const port = new URL(url).port;
    const urls = [
      url,
      `http://localhost:${port}`,
      `http://[::1]:${port}`,
      'http://169.254.169.254/latest/meta-data',
      'http://[::ffff:127.0.0.1]/',
    ];
    const checks = start(
      urls.map((one) => ({ source: { http: { url: one } }, consecutiveErrorLimit: 0 })),
      { allowPrivate: false },
    );
    for (const index of urls.keys()) await until(() => verdict(checks, index)).toBe('error');
    expect(checks.verdicts().map(({ message }) => message)).toEqual(
      urls.map(() => expect.stringContaining('--private-check-endpoints on')),
    );
    expect(asked).toBe(0);
  });
});

describe('hub metrics', () => {
  test('take a sample for each second that is known, and one second once', async () => {
    let looks = 0;
    const counting: MeasuredTraffic = {
      ...traffic,
      knownUntil: () => {
        looks += 1;
        return clock.until;
      },
    };
    const checks = start([{ condition: 'result < 0.01' }], { traffic: counting });
    // A machine that stood still for seconds sees that nothing was measured meanwhile, which is another sample.
    const numbers = () => checks.verdicts()[0]?.samples.filter(({ outcome }) => outcome !== 'noData').length;
    await until(numbers).toBe(1);
    const before = looks;
    await until(() => looks).toBeGreaterThan(before + 2);
    expect(numbers()).toBe(1);
    clock.failures = 50;
    clock.until += 1000;
    await until(() => checks.verdicts()[0]?.failures).toBe(1);
    expect(verdict(checks)).not.toBe('passed');
    clock.until += 1000;
    await until(() => verdict(checks)).toBe('failed');
    clock.failures = 0;
  });

  test('end when they are stopped', async () => {
    let samples = 0;
    const checks = start([{ condition: 'result < 2.0' }, { condition: 'result < 2.0', initialDelay: '1h' }], {
      onSample: () => (samples += 1),
    });
    await until(() => samples).toBeGreaterThan(0);
    expect(checks.verdicts()[1]).toMatchObject({ verdict: 'pending', taken: 0 });
    checks.stop();
    const before = samples;
    clock.until += 1000;
    const after = start([{ condition: 'result < 2.0' }]);
    await until(() => after.verdicts()[0]?.taken).toBeGreaterThan(1);
    expect(samples).toBe(before);
  });
});
