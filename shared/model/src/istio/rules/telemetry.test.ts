/** Which metrics an override may name, and which ports a plugin. */
import { expect, it } from 'vitest';
import { telemetryProblems, wasmPluginProblems } from './telemetry.ts';

it.each([
  [{ customMetric: 'requests_total' }, []],
  [{ customMetric: 'tcp_sent_bytes_total' }, []],
  [{ customMetric: 'my_metric' }, [expect.stringContaining('is my_metric, which no proxy counts: there are requests_total, ')]],
  [
    { customMetric: 'requests_total', metric: 'REQUEST_COUNT' } as const,
    [expect.stringContaining('cannot be beside metric REQUEST_COUNT')],
  ],
])('the metric of an override: %j', (match, expected) => {
  const found = telemetryProblems({ metrics: [{ overrides: [{ match, disabled: true }] }] }, 'bookinfo');
  expect(found.map(({ message }) => message)).toEqual(expected);
  expect(found.every(({ steps }) => steps.join('.') === 'metrics.0.overrides.0.match.customMetric')).toBe(true);
});

it('ports of a plugin are ports', () => {
  const found = wasmPluginProblems({ url: 'file:///a.wasm', match: [{ ports: [{ number: 80 }, { number: 0 }] }] }, 'bookinfo');
  expect(found).toEqual([expect.objectContaining({ steps: ['match', 0, 'ports', 1, 'number'] })]);
});
